package manifest

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Lookup returns what is at a path: a folder, or a file or symlink with its
// folder. Neither is an error: found is false.
func (r *Reader) Lookup(p Path) (at Row, entry *Entry, found bool, err error) {
	at, found, err = r.Row(Root)
	names := p.Names()
	for i := 0; found && err == nil && i < len(names); i++ {
		var next []Row
		next, err = r.rows(selectRow+"WHERE parent = ? AND name = ?", int64(at.ID), names[i])
		if err != nil {
			break
		}
		if len(next) == 1 {
			at = next[0]
			continue
		}
		if i < len(names)-1 {
			return Row{}, nil, false, nil
		}
		entry, err = r.entry(at, names[i])
		found = entry != nil
	}
	if err != nil || !found {
		return Row{}, nil, false, err
	}
	return at, entry, true, nil
}

// entry returns the entry of that name in a folder, or nil.
func (r *Reader) entry(in Row, name string) (*Entry, error) {
	files, err := r.Entries(in)
	if err != nil {
		return nil, err
	}
	if i := indexOf(files, name); i >= 0 {
		return &files[i], nil
	}
	return nil, nil
}

// indexOf returns where a name is among the files of a folder, or -1.
func indexOf(files []Entry, name string) int {
	i, ok := slices.BinarySearchFunc(files, name, func(e Entry, n string) int { return strings.Compare(e.Name, n) })
	if !ok {
		return -1
	}
	return i
}

// PathOf returns where a folder is, and whether it exists.
func (r *Reader) PathOf(id FolderID) (Path, bool, error) {
	var names []string
	for id != Root {
		row, err := r.c.one("SELECT parent, name FROM folder WHERE id = ?", int64(id))
		if err != nil || row == nil {
			return "", false, err
		}
		names = append(names, text(row[1]))
		if len(names) > maxDepth {
			return "", false, &DamagedError{Folder: id, What: "it lies below itself"}
		}
		id = FolderID(integer(row[0]))
	}
	slices.Reverse(names)
	return Path(strings.Join(names, "/")), true, nil
}

// maxDepth is deeper than any path that a system lets one make. A chain of
// parents longer than that is a circle, which only damage can make.
const maxDepth = 1 << 16

// Walk calls visit for the folder with the given number and for each folder
// below it, parents first and siblings in bytewise order of their names, with
// its path and its files. What it holds in memory are the rows beside the
// way down. An error of visit ends the walk. What is damaged is passed over and
// is part of the error at the end: of a folder whose files cannot be read
// only these, one whose own row cannot be read with all of that.
func (r *Reader) Walk(at FolderID, visit func(p Path, row Row, files []Entry) error) error {
	var damaged []error
	err := r.descend(at, func(p Path, row Row, _ Flags) error {
		files, err := r.Entries(row)
		if err != nil {
			return err
		}
		return visit(p, row, files)
	}, &damaged)
	return errors.Join(append(damaged, err)...)
}

// descend is Walk without the files; above are the flags of the folders above.
func (r *Reader) descend(at FolderID, visit func(p Path, row Row, above Flags) error, damaged *[]error) error {
	p, found, err := r.PathOf(at)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("read manifest: there is no folder %d", at)
	}
	row, _, err := r.Row(at)
	if err != nil {
		return err
	}
	var down func(p Path, row Row, above Flags) error
	down = func(p Path, row Row, above Flags) error {
		note := func(err error) error {
			var d *DamagedError
			if !errors.As(err, &d) {
				return err
			}
			d.Path = p
			*damaged = append(*damaged, err)
			return nil
		}
		if err := note(visit(p, row, above)); err != nil || row.Subfolders == 0 {
			return err
		}
		children, err := r.Children(row.ID)
		if err == nil && len(children) != row.Subfolders {
			err = &DamagedError{Folder: row.ID, What: fmt.Sprintf("%d folders in it, of %d", len(children), row.Subfolders)}
		}
		if err := note(err); err != nil {
			return err
		}
		for _, child := range children {
			if err := down(p.Join(child.Name), child, above|row.Flags); err != nil {
				return err
			}
		}
		return nil
	}
	return down(p, row, 0)
}

// Counts is what a folder and all below it hold.
type Counts struct {
	Folders int64 // the folder itself not included
	Files   int64 // files and symlinks, those below included
	Bytes   int64
	Retired int64 // of Files: retired, or in a retired folder
	Pinned  int64 // of Files: pinned
	Lost    int64 // of Files: lost
}

// SubtreeCounts counts a folder and all below it. With damaged folders, it
// returns the counts without them and an error that names them.
func (r *Reader) SubtreeCounts(id FolderID) (Counts, error) {
	var n Counts
	var damaged []error
	err := r.descend(id, func(_ Path, row Row, above Flags) error {
		if row.ID != id {
			n.Folders++
		}
		c, err := row.Files.Cursor()
		if err != nil {
			return err
		}
		for c.Next() {
			n.Files++
			n.Bytes += c.Stat.Size
			if (c.Flags | row.Flags | above).Has(Retired) {
				n.Retired++
			}
			if c.Flags.Has(Pinned) {
				n.Pinned++
			}
			if c.Flags.Has(Lost) {
				n.Lost++
			}
		}
		return c.Err()
	}, &damaged)
	return n, errors.Join(append(damaged, err)...)
}

// FSName returns the identity of a file system, or "" if there is none of
// that number.
func (r *Reader) FSName(id FS) (string, error) {
	return r.word("SELECT identity FROM fs WHERE id = ?", int64(id))
}

// Meta returns the value that SetMeta kept under key, or "".
func (r *Reader) Meta(key string) (string, error) {
	return r.word("SELECT value FROM meta WHERE key = ?", key)
}

func (r *Reader) word(query string, arg driver.Value) (string, error) {
	row, err := r.c.one(query, arg)
	if err != nil || row == nil {
		return "", err
	}
	return text(row[0]), nil
}
