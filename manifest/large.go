package manifest

import (
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
)

// Large is the least size of a content that is worth looking for on Drive
// before it is sent, in bytes. Source: design §5.
const Large = 256 << 10

// A Sum is what two regular files must share for their contents to be equal.
type Sum struct {
	Size int64
	Hash Hash
}

// Sum returns the entry's, and whether its content is one that Drive can be
// asked to copy: large, of a regular file, and known.
func (e *Entry) Sum() (s Sum, ok bool) {
	return Sum{e.Size, e.Hash}, e.Kind == File && e.Size >= Large && !e.Hash.IsZero()
}

// prefix is the part of the hash that the index has: whatever it finds is
// compared whole, so that eight bytes only have to be rarely the same.
func (s Sum) prefix() int64 { return int64(binary.LittleEndian.Uint64(s.Hash[:])) }

// live is Sum, of an entry whose content is known to be on Drive.
func (e *Entry) live() (s Sum, ok bool) {
	s, ok = e.Sum()
	return s, ok && !e.Flags.Has(Lost) && !e.MD5.IsZero()
}

// indexed returns the sums that the index has of a folder's files; nil if
// there is none, as in most folders.
func indexed(files []Entry) map[Sum]bool {
	var sums map[Sum]bool
	for i := range files {
		s, ok := files[i].live()
		if !ok {
			continue
		}
		if sums == nil {
			sums = make(map[Sum]bool)
		}
		sums[s] = true
	}
	return sums
}

// index brings the index of large contents from what a folder held to what it
// holds.
func (c *conn) index(in FolderID, before, after []Entry) error {
	was, is := indexed(before), indexed(after)
	for s := range was {
		if is[s] {
			continue
		}
		if err := c.exec("DELETE FROM large WHERE size = ? AND hash = ? AND folder = ?", s.Size, s.prefix(), int64(in)); err != nil {
			return err
		}
	}
	for s := range is {
		if was[s] {
			continue
		}
		if err := c.exec("INSERT OR IGNORE INTO large VALUES (?, ?, ?)", s.Size, s.prefix(), int64(in)); err != nil {
			return err
		}
	}
	return nil
}

// indexAll fills the index of a manifest that had none.
func indexAll(c *conn) error {
	ids, err := c.folderIDs()
	for _, id := range ids {
		if err != nil {
			return err
		}
		var files []Entry
		var damaged *DamagedError
		if files, err = entriesOf(c, id); errors.As(err, &damaged) {
			err = nil // what it holds is unknown
		}
		if err == nil {
			err = c.index(id, nil, files)
		}
	}
	return err
}

// folderIDs returns all folders, in no particular order.
func (c *conn) folderIDs() (ids []FolderID, err error) {
	err = c.query("SELECT id FROM folder", func(v []driver.Value) error {
		ids = append(ids, FolderID(integer(v[0])))
		return nil
	})
	return ids, err
}

// HasLarge reports whether the index may know a content of that size.
func (r *Reader) HasLarge(size int64) (bool, error) {
	n, err := r.c.number("SELECT 1 FROM large WHERE size = ? LIMIT 1", size)
	return n == 1, err
}

// FindLarge returns for each of the sums a file whose content on Drive has it,
// where there is one; the Source of its place is not known and -1. A damaged
// folder holds nothing.
func (r *Reader) FindLarge(sums []Sum) (map[Sum]*FileAt, error) {
	return r.findLarge(sums, nil)
}

// FindLarge looks among the files of today as Reader.FindLarge does, but not
// among those that are gone.
func (v View) FindLarge(sums []Sum, gone map[FileID]bool) (map[Sum]*FileAt, error) {
	return v.r.findLarge(sums, gone)
}

func (r *Reader) findLarge(sums []Sum, gone map[FileID]bool) (map[Sum]*FileAt, error) {
	in := make(map[FolderID]map[Sum]bool)
	for _, s := range sums {
		err := r.c.query("SELECT folder FROM large WHERE size = ? AND hash = ?", func(v []driver.Value) error {
			id := FolderID(integer(v[0]))
			if in[id] == nil {
				in[id] = make(map[Sum]bool)
			}
			in[id][s] = true
			return nil
		}, s.Size, s.prefix())
		if err != nil {
			return nil, err
		}
	}
	found := make(map[Sum]*FileAt)
	for _, id := range slices.Sorted(maps.Keys(in)) { // each read once, however much it holds
		maps.DeleteFunc(in[id], func(s Sum, _ bool) bool { return found[s] != nil })
		if len(in[id]) == 0 {
			continue
		}
		var damaged *DamagedError
		if err := r.findIn(id, in[id], gone, found); err != nil && !errors.As(err, &damaged) {
			return nil, err
		}
	}
	return found, nil
}

// findIn looks for the sums in one folder.
func (r *Reader) findIn(id FolderID, sums map[Sum]bool, gone map[FileID]bool, found map[Sum]*FileAt) error {
	row, ok, err := r.Row(id)
	if err != nil || !ok {
		return err
	}
	files, err := r.Entries(row)
	if err != nil {
		return err
	}
	at, _, err := r.PathOf(id)
	if err != nil {
		return err
	}
	place := &Place{ID: id, Path: at, Source: -1}
	for i := range files {
		if s, ok := files[i].live(); ok && sums[s] && found[s] == nil && !gone[files[i].FileID] {
			found[s] = &FileAt{In: place, Entry: files[i]}
		}
	}
	return nil
}
