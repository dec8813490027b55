package manifest

import (
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
)

// Check reads everything: the database as SQLite sees it, the seal, each
// folder's records, and the journal. It returns all that is wrong, each a
// *BrokenError or a *DamagedError, or why it could not read on.
func (r *Reader) Check() error {
	wrong := []error{r.checkDatabase(), r.c.sealHolds()}
	var damaged []error
	err := r.descend(Root, func(_ Path, row Row, _ Flags) error { return r.checkFolder(row) }, &damaged)
	wrong = append(append(wrong, damaged...), err)
	_, err = r.Displaced()
	wrong = append(wrong, err, r.checkJournal())
	return errors.Join(wrong...)
}

// checkDatabase has SQLite look at every page and every index.
func (r *Reader) checkDatabase() error {
	var wrong []error
	broken := func(what string, args ...any) {
		wrong = append(wrong, &BrokenError{Path: r.c.path, What: fmt.Sprintf(what, args...)})
	}
	err := r.c.query("PRAGMA integrity_check", func(v []driver.Value) error {
		if s := text(v[0]); s != "ok" {
			broken("%s", s)
		}
		return nil
	})
	if err != nil {
		return errors.Join(append(wrong, err)...)
	}
	stray, err := r.c.number("SELECT count(*) FROM content WHERE id NOT IN (SELECT id FROM folder)")
	if stray > 0 {
		broken("it has contents of %d folders that do not exist", stray)
	}
	return errors.Join(append(wrong, err)...)
}

// checkFolder reads a folder's records to their ends, without keeping them.
func (r *Reader) checkFolder(row Row) error {
	c, err := row.Files.Cursor()
	if err != nil {
		return err
	}
	files := 0
	for c.Next() {
		files++
	}
	if err := c.Err(); err != nil {
		return err
	}
	rec, err := r.c.one("SELECT record FROM content WHERE id = ?", int64(row.ID))
	if err != nil {
		return err
	}
	contents := uint64(0)
	if rec != nil {
		body, wrong := unsealed(int64(row.ID), blob(rec[0]))
		if wrong != "" {
			return &DamagedError{Folder: row.ID, What: "the contents: " + wrong}
		}
		contents, _ = binary.Uvarint(body)
	}
	if uint64(files) != contents {
		return &DamagedError{Folder: row.ID, What: fmt.Sprintf("%d files, but %d contents", files, contents)}
	}
	return nil
}

// checkJournal decodes what is begun and what is not folded yet.
func (r *Reader) checkJournal() error {
	var wrong []error
	for _, part := range []struct {
		name, query string
		decode      func(body []byte) bool
	}{
		{"intent", "SELECT seq, record FROM intent", new(Intent).decode},
		{"step", "SELECT seq, record FROM step", func(body []byte) bool { return decodeSteps(body, func() *Step { return new(Step) }) }},
	} {
		err := r.c.query(part.query, func(v []driver.Value) error {
			seq := integer(v[0])
			if body, bad := unsealed(seq, blob(v[1])); bad != "" || !part.decode(body) {
				wrong = append(wrong, damagedJournal(r.c.path, part.name, seq))
			}
			return nil
		})
		wrong = append(wrong, err)
	}
	return errors.Join(wrong...)
}

// damagedJournal is the error for a record of the journal that cannot be read:
// what was begun or done can then not be told.
func damagedJournal(path, part string, seq int64) error {
	return &BrokenError{Path: path, What: fmt.Sprintf("%s %d in its journal is damaged", part, seq)}
}
