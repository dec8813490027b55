package manifest

import (
	"database/sql/driver"
	"time"
)

// reservedFor is how long a reserved id may be used. Drive promises no time;
// a day is what the design allows.
const reservedFor = 24 * time.Hour

// KeepIDs keeps reserved ids that were left over at the given time.
func (s *Store) KeepIDs(ids []FileID, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.c.tx(func() error {
		for _, id := range ids {
			if err := s.c.exec("REPLACE INTO reserved VALUES (?, ?)", string(id), at.UnixNano()); err != nil {
				return err
			}
		}
		return nil
	})
}

// TakeIDs returns the kept ids that may still be used, and forgets all.
func (s *Store) TakeIDs(now time.Time) (ids []FileID, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	there, err := s.c.number("SELECT count(*) FROM reserved")
	if err != nil || there == 0 {
		return nil, err
	}
	err = s.c.tx(func() error {
		err := s.c.query("SELECT file_id FROM reserved WHERE at > ? ORDER BY file_id", func(v []driver.Value) error {
			ids = append(ids, FileID(text(v[0])))
			return nil
		}, now.Add(-reservedFor).UnixNano())
		if err != nil {
			return err
		}
		return s.c.exec("DELETE FROM reserved")
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}
