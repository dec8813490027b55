package restore

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// walk sends a task for each file of a selection.
func (r *run) walk(ctx context.Context, s Selection) error {
	at, file, found, err := r.View.Lookup(s.Path)
	if err != nil {
		return err
	}
	if !found {
		r.missing(&NotFoundError{Path: s.Path})
		return nil
	}
	holds := ""
	switch {
	case s.Inside:
		holds = "."
	case file == nil:
		_, holds = s.Path.Split()
	}
	top, err := r.target(s.Into, holds)
	if err != nil {
		return err
	}
	defer top.release(r)
	if file != nil {
		return r.file(ctx, top, s.Path, *file)
	}
	w := &walker{run: r, selection: s, top: top}
	defer w.leave(nil)
	err = r.View.Walk(at.ID, func(p manifest.Path, dir manifest.FolderVersion, files []manifest.Version) error {
		return w.folder(ctx, p, dir, files)
	})
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err = r.damaged(err); err == nil && !w.met {
		r.missing(&NotFoundError{Path: s.Path, Pattern: true})
	}
	return err
}

// damaged takes what of a walk's errors are damaged folders for what cannot be
// restored, and returns the others.
func (r *run) damaged(err error) error {
	all := []error{err}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		all = many.Unwrap()
	}
	var rest []error
	for _, err := range all {
		if d := (*manifest.DamagedError)(nil); errors.As(err, &d) {
			r.problem(d.Path, err)
		} else {
			rest = append(rest, err)
		}
	}
	return errors.Join(rest...)
}

// A walker is on its way through a folder that is brought back.
type walker struct {
	*run
	selection Selection
	top       *dir
	above     []*step // from the folder selected down to the one at hand
	met       bool    // something was meant
}

// A step is a folder on the way down.
type step struct {
	path  manifest.Path
	from  manifest.FolderVersion
	dir   *dir // nil until something in it is meant
	taken bool // a pattern met it or a folder above it: all below is meant
}

// folder takes in one folder, whose parent came before it.
func (w *walker) folder(ctx context.Context, p manifest.Path, from manifest.FolderVersion, files []manifest.Version) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	w.leave(&p)
	s := &step{path: p, from: from, taken: w.selection.Match == nil || w.selection.Match(p, true)}
	if n := len(w.above); n > 0 && w.above[n-1].taken {
		s.taken = true
	}
	w.above = append(w.above, s)
	if s.taken {
		w.open()
	}
	contested, err := w.contested(from.ID, files)
	if err != nil {
		return err
	}
	for _, f := range files {
		fp := p.Join(f.Name)
		if !s.taken && !w.selection.Match(fp, false) {
			continue
		}
		w.open()
		if since, both := contested[f.Name]; both {
			s.dir.contest(f.Name, since >= f.From)
		}
		if err := w.file(ctx, s.dir, fp, f); err != nil {
			return err
		}
	}
	return nil
}

// contested returns the folders that have the name of a file beside them, and
// since when each is there.
func (w *walker) contested(in manifest.FolderID, files []manifest.Version) (map[string]manifest.RunID, error) {
	if len(files) == 0 {
		return nil, nil
	}
	dirs, err := w.View.Folders(in)
	if err != nil {
		return nil, err
	}
	var both map[string]manifest.RunID
	for _, d := range dirs {
		if _, found := slices.BinarySearchFunc(files, d.Name, func(f manifest.Version, name string) int {
			return strings.Compare(f.Name, name)
		}); found {
			if both == nil {
				both = map[string]manifest.RunID{}
			}
			both[d.Name] = d.From
		}
	}
	return both, nil
}

// leave lets go of the folders that are not above p, and with nil of all.
func (w *walker) leave(p *manifest.Path) {
	for len(w.above) > 0 {
		last := w.above[len(w.above)-1]
		if p != nil && *p != last.path && p.Within(last.path) {
			return
		}
		if last.dir != nil {
			last.dir.release(w.run)
		}
		w.above = w.above[:len(w.above)-1]
	}
}

// open makes sure that the folders on the way down are there at the target.
func (w *walker) open() {
	w.met = true
	up := w.top
	for _, s := range w.above {
		switch {
		case s.dir != nil:
		case s.path == "" || w.selection.Inside && s.path == w.selection.Path:
			s.dir = up.hold()
		default:
			s.dir = w.enter(up, s)
		}
		up = s.dir
	}
}

// file sends the task of one file.
func (r *run) file(ctx context.Context, in *dir, p manifest.Path, want manifest.Version) error {
	t := &task{dir: in.hold(), path: p, want: want, blob: remote.Blob{FileID: want.FileID, Size: want.Size}}
	t.name = in.claim(r, p, want.Name, false)
	r.progress.found(want.Size)
	if !r.claimPlace(t) {
		r.note(t, Present, 0, nil)
		t.dir.release(r)
		return nil
	}
	if err := r.dispatchSought(ctx, seekAtOnce); err != nil {
		t.release(r)
		return err
	}
	return r.send(ctx, t)
}

// claimPlace reports whether nothing is under way yet to where a task's file
// goes: selections may overlap, and one file is not to be fetched by two.
func (r *run) claimPlace(t *task) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.places[t.place()] {
		return false
	}
	r.places[t.place()] = true
	return true
}

// send hands a task to the workers.
func (r *run) send(ctx context.Context, t *task) error {
	r.under.Add(1)
	select {
	case r.work <- t:
		return nil
	case <-ctx.Done():
		r.under.Done()
		t.release(r)
		return context.Cause(ctx)
	}
}
