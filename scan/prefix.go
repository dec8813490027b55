package scan

import (
	"slices"

	"github.com/autocloudbackup/acb/manifest"
)

// The folders above the sources are there to hold them: they are made if they
// are missing, flagged Prefix, and never listed. What else the manifest has in
// them belonged to a source that has left the configuration, and is retired.

// A prefix is a folder above the sources, or the host folder.
type prefix struct {
	place *manifest.Place
	row   *manifest.Row // nil if it is new
	subs  []manifest.Row
}

// prefixes knows the folders above the sources.
type prefixes struct {
	*worker
	made findings // what is new or differs in them
	dirs map[manifest.Path]*prefix
}

// known returns a folder that the manifest has, and nil if it has none there.
func (p *prefixes) known(at manifest.Path) (*prefix, error) {
	if d := p.dirs[at]; d != nil {
		return d, nil
	}
	var row *manifest.Row
	if at == "" {
		root, ok, err := p.r.Row(manifest.Root)
		if err != nil || !ok {
			return nil, err
		}
		row = &root
	} else {
		in, name := at.Split()
		up, err := p.known(in)
		if up == nil || err != nil {
			return nil, err
		}
		if row = up.sub(name); row == nil {
			return nil, nil
		}
	}
	d := &prefix{place: &manifest.Place{ID: row.ID, Path: at, Source: -1}, row: row}
	if row.Subfolders > 0 {
		subs, err := p.r.Children(row.ID)
		if err != nil {
			return nil, err
		}
		d.subs = subs
	}
	p.dirs[at] = d
	return d, nil
}

// sub returns a known folder in the prefix, or nil.
func (d *prefix) sub(name string) *manifest.Row {
	for i := range d.subs {
		if d.subs[i].Name == name {
			return &d.subs[i]
		}
	}
	return nil
}

// meant returns which known folder of a name in the prefix one is: by its inode,
// for while a trash is held back another may be there that was moved to where
// it was. The others are not there any more.
func (d *prefix) meant(name string, st *info) (row *manifest.Row, others []*manifest.Row) {
	for i := range d.subs {
		is := &d.subs[i]
		switch {
		case is.Name != name:
		case row == nil:
			row = is
		case is.Inode == st.Inode && row.Inode != st.Inode:
			others = append(others, row)
			row = is
		default:
			others = append(others, is)
		}
	}
	return row, others
}

// file returns a known file in the prefix.
func (d *prefix) file(name string) (manifest.Cursor, bool, error) {
	if d.row == nil {
		return manifest.Cursor{}, false, nil
	}
	c, err := d.row.Files.Cursor()
	for err == nil && c.Next() {
		if string(c.Name) == name {
			return c, true, nil
		}
	}
	if err == nil {
		err = c.Err()
	}
	return manifest.Cursor{}, false, err
}

// ensure returns a folder above a source, and makes it and those above it if
// they are not known as such.
func (p *prefixes) ensure(at manifest.Path) (*prefix, error) {
	if at == "" {
		return p.known(at)
	}
	parent, name := at.Split()
	up, err := p.ensure(parent) // Drive may have lost it, and this one not
	if err != nil {
		return nil, err
	}
	d, err := p.known(at)
	if err != nil || d != nil && d.settled() {
		return d, err
	}
	now := manifest.Folder{Parent: up.place.ID, Name: name, Flags: manifest.Prefix}
	diff := manifest.FolderDiff{New: &manifest.FolderAt{In: up.place, Folder: now}}
	if d == nil {
		d = &prefix{place: &manifest.Place{ID: p.w.store.NextFolderID(), Path: at, Source: -1}}
		var st info
		if p.w.opts.system.stat(OSPath(at), &st) == nil {
			diff.New.Mode, diff.New.ModTime = st.Mode, st.ModTime
		}
		diff.New.ID = d.place.ID
		p.dirs[at] = d
	} else {
		diff.Old = &manifest.FolderAt{In: up.place, Folder: d.row.Folder}
		diff.New.Folder = d.row.Folder
		diff.New.Flags = manifest.Prefix | d.row.Flags&manifest.Pinned
		changed := *d.row
		changed.Folder = diff.New.Folder
		d.row = &changed
	}
	p.made.folders = append(p.made.folders, diff)
	return d, nil
}

// settled reports whether the manifest has the folder as one above the sources.
func (d *prefix) settled() bool {
	return d.row == nil || d.row.Flags&^manifest.Pinned == manifest.Prefix
}

// retireOutside retires what is known in the folders above the sources and
// belongs to none.
func (p *prefixes) retireOutside(at manifest.Path) error {
	d, err := p.known(at)
	if err != nil || d == nil || d.row == nil {
		return onlyDamaged(err)
	}
	for i := range d.subs {
		row := &d.subs[i]
		path := at.Join(row.Name)
		above := slices.ContainsFunc(p.w.tops, func(t *top) bool { return t.src.Path.Within(path) })
		switch {
		case slices.ContainsFunc(p.w.tops, func(t *top) bool { return t.src.Path == path }):
		case above || row.Flags.Has(manifest.Prefix):
			err = p.retireOutside(path)
		case d.row.Flags.Has(manifest.Pinned):
			var files int64
			files, _, err = p.countBelow(row)
			p.f.counts.Pinned += files
		default:
			err = p.retire(d.place, row)
		}
		if err != nil {
			return err
		}
	}
	c, err := d.row.Files.Cursor()
	if err != nil {
		return onlyDamaged(err)
	}
	n := &node{top: p.w.outside, row: d.row, id: d.row.ID}
	n.now.Store(d.place)
	n.was.Store(d.place)
	p.entries = nil
	for c.Next() {
		path := at.Join(string(c.Name))
		switch {
		case slices.ContainsFunc(p.w.tops, func(t *top) bool { return t.src.Path == path }):
		case d.row.Flags.Has(manifest.Pinned):
			p.f.counts.Pinned++
		default:
			if err := p.retireFile(n, &c); err != nil {
				return onlyDamaged(err)
			}
		}
	}
	return nil
}
