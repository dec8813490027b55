package manifest

// ForgetDisks forgets on which file systems the sources were: what a manifest
// that is made anew says of them may be of another machine.
func (s *Store) ForgetDisks() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.change(func() error {
		s.reseal = true
		return s.c.exec("UPDATE source SET fs = 0, inode = 0")
	})
}
