//go:build !windows

package drivetest

import (
	"fmt"
	"os"
	"syscall"
)

// lockFile takes the folder for this process; the system lets go of it when
// the process ends, however it ends.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: in use by another process: %w", path, err)
	}
	return f, nil
}

// replaceFile puts the journal fresh in the place of old.
func replaceFile(old, fresh *journal) error {
	if err := os.Rename(fresh.path+".new", old.path); err != nil {
		return err
	}
	old.f.Close() // everything in it is in the fresh one
	return nil
}
