package scan

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/autocloudbackup/acb/manifest"
)

// find returns what a sorted listing says of a name.
func (l *listing) find(name string) (what uint8, found bool) {
	i, found := slices.BinarySearchFunc(l.names, name, func(r nameRef, name string) int {
		return strings.Compare(string(l.name(r)), name)
	})
	if !found {
		return 0, false
	}
	return l.names[i].what, true
}

// compareFiles goes through the names of a folder that are no folders and the
// manifest's record of them, both in name order. It is the innermost loop of a
// scan: a file that is unchanged costs one system call and no allocation.
func (k *worker) compareFiles(n *node) error {
	var c manifest.Cursor
	more := false
	if n.row != nil {
		var err error
		if c, err = n.row.Files.Cursor(); err != nil {
			return err
		}
		more = c.Next()
	}
	var st info
	for _, r := range k.leaves {
		name := k.l.name(r)
		order := 1
		for more {
			if order = bytes.Compare(c.Name, name); order >= 0 {
				break
			}
			if err := k.absent(n, &c); err != nil {
				return err
			}
			more = c.Next()
		}
		var known *manifest.Cursor
		if more && order == 0 {
			known = &c
		}
		if err := k.compareFile(n, r, known, &st); err != nil {
			return err
		}
		if known != nil {
			more = c.Next()
		}
	}
	for more {
		if err := k.absent(n, &c); err != nil {
			return err
		}
		more = c.Next()
	}
	if n.row == nil {
		return nil
	}
	return c.Err()
}

// compareFile compares one name with what is known of it, if anything.
func (k *worker) compareFile(n *node, r nameRef, known *manifest.Cursor, st *info) error {
	name := k.l.name(r)
	switch n.judge(name, false) {
	case excluded:
		k.f.counts.Ignored++
		return k.unknownFile(n, known)
	case hidden:
		k.f.counts.Ignored++
		return k.retireFile(n, known)
	}
	k.seen++
	if r.what == isSpecial {
		return k.special(n, name, known)
	}
	err := n.d.lstat(k.l.cname(r), st)
	switch {
	case err != nil:
		n.top.doubt(err, true, false, func() error { return n.d.lstat(k.l.cname(r), st) })
		return k.skipFile(n, name, known, classOf(err), fmt.Errorf("stat: %w", err))
	case st.Kind == manifest.Dir:
		if r.what == isUnknown { // it will be met among the folders
			return k.unknownFile(n, known)
		}
		return k.skipFile(n, name, known, Vanished, errSwapped)
	}
	return k.met(n, name, known, st)
}

// met compares a stat with what is known under the name, if anything.
func (k *worker) met(n *node, name []byte, known *manifest.Cursor, st *info) error {
	switch {
	case st.Kind == manifest.NoKind:
		return k.special(n, name, known)
	case k.w.own.hasFile(n.d, name, st):
		k.f.counts.Own++
		return k.retireFile(n, known)
	}
	n.fs.trim(&st.Stat)
	if known == nil {
		k.created(n, name, st)
		return nil
	}
	if st.Stat == known.Stat && known.Flags == n.flags && !k.w.due(known) {
		k.f.counts.Unchanged++
		k.f.counts.UnchangedBytes += st.Size
		return nil
	}
	return k.differs(n, known, st)
}

// compareFolders goes through the folders in a folder and what is known of
// them, both in name order, and makes a job of each that is to be walked.
func (k *worker) compareFolders(n *node, subs []manifest.Row) error {
	i := 0
	for _, r := range k.dirs {
		name := k.l.name(r)
		for i < len(subs) && subs[i].Name < string(name) {
			if err := k.absentFolder(n, &subs[i]); err != nil {
				return err
			}
			i++
		}
		var known *manifest.Row
		if i < len(subs) && subs[i].Name == string(name) {
			known = &subs[i]
			i++
		}
		switch n.judge(name, true) {
		case excluded:
			k.f.counts.Ignored++
			if known != nil {
				if err := k.unknownFolder(n, known); err != nil {
					return err
				}
			}
			continue
		case hidden:
			k.f.counts.Ignored++
			if known != nil {
				if err := k.retireFolder(n, known); err != nil {
					return err
				}
			}
			continue
		}
		k.seen++
		if r.what == isUnknown {
			if known != nil { // else its skip is among the files
				if err := k.unknownFolder(n, known); err != nil {
					return err
				}
			}
			continue
		}
		if known == nil && k.dim != nil {
			k.f.unknown = append(k.f.unknown, n.old().Path.Join(string(name)))
			k.skip(n, name, Damaged, "it may be a folder of which the manifest has lost what it knew")
			continue
		}
		j := job{top: n.top, up: n, branch: n.branch, row: known}
		if known != nil {
			j.name = known.Name
		} else {
			j.name = string(name)
		}
		k.jobs = append(k.jobs, j)
	}
	for ; i < len(subs); i++ {
		if err := k.absentFolder(n, &subs[i]); err != nil {
			return err
		}
	}
	return nil
}

// known returns all that the manifest has of the file at a cursor.
func (k *worker) known(n *node, c *manifest.Cursor) (*manifest.FileAt, error) {
	if k.entries == nil {
		entries, err := k.r.Entries(*n.row)
		if err != nil {
			return nil, err
		}
		k.entries = entries
	}
	if c.Index >= len(k.entries) {
		return nil, errors.New("compare with manifest: an entry is missing that was there a moment ago")
	}
	return &manifest.FileAt{In: n.old(), Entry: k.entries[c.Index]}, nil
}

// created notes a file that nothing is known of.
func (k *worker) created(n *node, name []byte, st *info) {
	at := &manifest.FileAt{In: n.place(), Entry: manifest.Entry{Name: string(name), Flags: n.flags | k.w.racy(&st.Stat), Day: k.w.today, Stat: st.Stat}}
	k.f.files = append(k.f.files, fileSeen{FileDiff: manifest.FileDiff{New: at}, top: n.top})
}

// differs notes a known file whose stat or flags are not as they were.
func (k *worker) differs(n *node, c *manifest.Cursor, st *info) error {
	old, err := k.known(n, c)
	if err != nil {
		return err
	}
	now := &manifest.FileAt{In: n.place(), Entry: manifest.Entry{Name: old.Name, Flags: n.flags | k.w.racy(&st.Stat), Day: k.w.today, Stat: st.Stat}}
	s := fileSeen{FileDiff: manifest.FileDiff{Old: old, New: now}, top: n.top}
	switch {
	case st.Kind != old.Kind || st.Size != old.Size:
	case st.Stat == old.Stat && old.Flags&(manifest.Racy|manifest.Lost) == 0 && !k.w.due(c):
		// Only a flag that ends here: the content is what it was.
		now.Hash, now.Day = old.Hash, old.Day
	default:
		s.read = true
	}
	k.f.files = append(k.f.files, s)
	return nil
}

// absent notes a known file that is not in a complete listing.
func (k *worker) absent(n *node, c *manifest.Cursor) error {
	switch n.judge(c.Name, false) {
	case excluded:
		return k.unknownFile(n, c)
	case hidden:
		return k.retireFile(n, c)
	}
	if c.Flags.Has(manifest.Retired) {
		k.f.counts.Retired++
		return nil
	}
	if n.top.noAbsent {
		return k.unknownFile(n, c)
	}
	old, err := k.known(n, c)
	if err != nil {
		return err
	}
	k.f.files = append(k.f.files, fileSeen{FileDiff: manifest.FileDiff{Old: old}, top: n.top})
	return nil
}

// special skips what is neither file, folder nor link. What is known under its
// name is gone.
func (k *worker) special(n *node, name []byte, known *manifest.Cursor) error {
	k.skip(n, name, Special, "a socket, pipe or device")
	if known == nil {
		k.f.counts.Skipped++
		return nil
	}
	return k.absent(n, known)
}

// skipFile skips a name that could not be looked at. What is known of it stays.
func (k *worker) skipFile(n *node, name []byte, known *manifest.Cursor, class Class, cause error) error {
	if known == nil {
		if class != Vanished { // what came and went between two calls is nobody's
			k.skip(n, name, class, cause.Error())
			k.f.counts.Skipped++
		}
		return nil
	}
	k.skip(n, name, class, cause.Error())
	return k.unknownFile(n, known)
}

func (k *worker) skip(n *node, name []byte, class Class, reason string) {
	k.f.skips = append(k.f.skips, Skip{Path: n.place().Path.Join(string(name)), Source: n.top.index, Class: class, Reason: reason})
}
