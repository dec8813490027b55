package manifest

import (
	"database/sql/driver"
	"errors"
	"fmt"
)

// A DisplacedEntry is an entry whose place another FileID has taken, see Step.
// On Drive it is in that folder still.
type DisplacedEntry struct {
	Folder FolderID
	Entry
}

// Displaced returns the entries that are displaced since the last Fold, in
// the order of their FileIDs.
func (r *Reader) Displaced() (list []DisplacedEntry, err error) {
	err = r.c.query("SELECT folder, record FROM displaced ORDER BY file_id", func(v []driver.Value) error {
		in := FolderID(integer(v[0]))
		body, wrong := unsealed(int64(in), blob(v[1]))
		d := decoder{rest: body}
		_, e := d.placed()
		if wrong != "" || d.bad {
			return &BrokenError{Path: r.c.path, What: fmt.Sprintf("an entry displaced from folder %d is damaged", in)}
		}
		list = append(list, DisplacedEntry{Folder: in, Entry: e})
		return nil
	})
	return list, err
}

// MarkLost marks what Drive no longer has: files and folders with these ids
// get the flag Lost, displaced entries are forgotten. It folds the journal,
// and reads the whole manifest. What is damaged stays unmarked and is named in
// the error.
func (s *Store) MarkLost(ids []FileID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	lost := make(map[FileID]bool, len(ids))
	for _, id := range ids {
		lost[id] = true
	}
	if err := s.fold(); err != nil {
		return err
	}
	r := reading(s.c)
	var steps []Step
	displaced, err := r.Displaced()
	if err != nil {
		return err
	}
	for _, e := range displaced {
		if lost[e.FileID] {
			steps = append(steps, Step{Kind: Drop, Folder: e.Folder, Entry: e.Entry, Reason: EndLost})
		}
	}
	err = r.Walk(Root, func(_ Path, row Row, files []Entry) error {
		if lost[row.FileID] && !row.Flags.Has(Lost) {
			row.Flags |= Lost
			steps = append(steps, Step{Kind: PutFolder, Dir: row.Folder, Reason: EndLost})
		}
		for _, e := range files {
			if lost[e.FileID] && !e.Flags.Has(Lost) {
				e.Flags |= Lost
				steps = append(steps, Step{Kind: Put, Folder: row.ID, Entry: e, Reason: EndLost})
			}
		}
		return nil
	})
	var damaged *DamagedError
	if (err != nil && !errors.As(err, &damaged)) || len(steps) == 0 {
		return err
	}
	return errors.Join(err, s.ack(steps), s.fold())
}
