package scan

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/autocloudbackup/acb/manifest"
)

// prepare looks at the sources, settles what is above them, compares those
// that are files and queues those that are folders.
func (k *worker) prepare(sources []Source) error {
	w := k.w
	w.outside = &top{walk: w, index: -1, src: &Source{}, branch: &branch{}}
	for i := range sources {
		w.tops = append(w.tops, &top{walk: w, index: i, src: &sources[i], root: sources[i].Root, branch: &branch{}})
	}
	last, err := k.r.Sources()
	if err != nil {
		return err
	}
	wasOn := map[manifest.Path]manifest.FS{}
	for i := range last {
		wasOn[last[i].Path] = last[i].FS
	}
	p := &prefixes{worker: k, dirs: map[manifest.Path]*prefix{}}
	for _, t := range w.tops {
		if err := k.prepareTop(p, t, wasOn[t.src.Path]); err != nil {
			return fmt.Errorf("scan %s: %w", t.src.Root, err)
		}
	}
	w.outside.branch.report(&p.made)
	k.f.reset()
	if err := p.retireOutside(""); err != nil {
		return err
	}
	w.outside.branch.report(&k.f)
	return nil
}

// prepareTop looks at one source.
func (k *worker) prepareTop(p *prefixes, t *top, wasOn manifest.FS) error {
	in, name := t.src.Path.Split()
	row, file, err := p.at(t.src.Path)
	if err != nil {
		return err
	}
	if wasOn == 0 && row != nil {
		wasOn = row.FS
	}
	st, err := t.look(k.w, wasOn)
	if err != nil {
		return err
	}
	switch {
	case t.res.State == OK || t.res.State == OtherFS:
		isFile := st.Kind == manifest.File
		if (row != nil && isFile) || (file != nil && !isFile) {
			t.fails(Replaced, errors.New("it is no longer what it was: a folder became a file, or the reverse"))
		}
	}
	if t.res.State != OK && t.res.State != OtherFS {
		return k.keepTop(t, row, file)
	}
	if t.src.Path == "" {
		d, err := p.known("")
		if err != nil {
			return err
		}
		t.in = &manifest.Place{Source: t.index}
		k.w.push(nil, []job{{top: t, branch: t.branch, row: d.row}})
		return nil
	}
	d, err := p.ensure(in)
	if err != nil {
		return err
	}
	t.in = &manifest.Place{ID: d.place.ID, Path: d.place.Path, Source: t.index}
	if st.Kind == manifest.File {
		return k.fileTop(t, d, name, file)
	}
	row, others := d.meant(name, &st)
	if !t.noAbsent {
		for _, other := range others {
			t.branch.report(&findings{gone: []gone{t.gone(other)}})
		}
	}
	k.w.push(nil, []job{{top: t, branch: t.branch, name: name, row: row}})
	return nil
}

// at returns what the manifest has at a path.
func (p *prefixes) at(path manifest.Path) (row *manifest.Row, file *manifest.Cursor, err error) {
	if path == "" {
		d, err := p.known("")
		if err != nil {
			return nil, nil, err
		}
		return d.row, nil, nil
	}
	in, name := path.Split()
	d, err := p.known(in)
	if d == nil || err != nil {
		return nil, nil, err
	}
	if row := d.sub(name); row != nil {
		return row, nil, nil
	}
	c, ok, err := d.file(name)
	if !ok || err != nil {
		return nil, nil, err
	}
	return nil, &c, nil
}

// look opens the source, and settles its state as far as that tells it.
func (t *top) look(w *walk, wasOn manifest.FS) (st info, err error) {
	sys := w.opts.system
	if t.link {
		st.Kind = manifest.Symlink
		return st, nil // nothing is opened; fileTop looks at it
	}
	d, err := sys.open(t.root)
	if err == nil {
		defer d.close()
		err = d.self(&st)
	} else if statErr := sys.stat(t.root, &st); statErr == nil && st.Kind == manifest.File {
		// A file, and perhaps a link to one.
		if real, err := filepath.EvalSymlinks(t.root); err == nil {
			t.root = real
		}
		if d, err = sys.open(filepath.Dir(t.root)); err == nil {
			defer d.close()
		}
	} else if statErr == nil && st.Kind != manifest.Dir {
		t.fails(Replaced, errNotRegular)
		return st, nil
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		t.fails(Missing, err)
		return st, nil
	case err != nil:
		t.fails(Unlisted, err)
		return st, nil
	}
	on, err := w.device(d, st.dev)
	if err != nil {
		return st, err
	}
	t.res.FS, t.res.Inode = on.id, st.Inode
	if wasOn != 0 && on.id != 0 && wasOn != on.id {
		t.wasFS, t.isFS = wasOn, on.id
		if !t.src.Accept {
			t.res.State, t.res.Reason = OtherFS, "it is on another file system than last time"
			t.noAbsent = true
		}
	}
	return st, nil
}

func (t *top) fails(s State, err error) {
	t.res.State, t.res.Reason = s, err.Error()
}

// keepTop keeps all that is known of a source that cannot be scanned.
func (k *worker) keepTop(t *top, row *manifest.Row, file *manifest.Cursor) error {
	class := Unreadable
	if t.res.State == Missing {
		class = NotThere
	}
	f := findings{skips: []Skip{{Path: t.src.Path, Source: t.index, Class: class, Reason: t.res.Reason}}}
	switch {
	case row != nil:
		files, retired, err := k.countBelow(row)
		if err != nil {
			return err
		}
		f.unknown = append(f.unknown, t.src.Path)
		f.counts.Unknown, f.counts.Retired = files-retired, retired
	case file != nil:
		f.unknown = append(f.unknown, t.src.Path)
		f.counts.Unknown = 1
	}
	t.branch.report(&f)
	return nil
}

// fileTop compares a source that is a file.
func (k *worker) fileTop(t *top, in *prefix, name string, known *manifest.Cursor) error {
	w := k.w
	k.f.reset()
	d, err := w.opts.system.open(filepath.Dir(t.root))
	if err != nil {
		t.fails(Unlisted, err)
		return nil
	}
	defer d.close()
	n := &node{top: t, d: d, row: in.row, id: in.place.ID, flags: t.flags}
	place := &manifest.Place{ID: in.place.ID, Path: in.place.Path, Source: t.index}
	n.now.Store(place)
	n.was.Store(place)
	var st info
	err = d.lstat(append([]byte(filepath.Base(t.root)), 0), &st)
	if err == nil {
		if n.fs, err = w.device(d, st.dev); err != nil {
			return err
		}
	}
	k.entries = nil
	if err != nil {
		err = k.skipFile(n, []byte(name), known, classOf(err), fmt.Errorf("stat: %w", err))
	} else {
		err = k.met(n, []byte(name), known, &st)
		for _, e := range w.displaced[n.id] {
			if e.Name == name && !t.noAbsent { // what else is in there belongs to others
				k.leftBehind(place, t, e)
			}
		}
	}
	t.branch.report(&k.f)
	t.res.Folder = in.place.ID
	return err
}
