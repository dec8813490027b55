package restore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"github.com/autocloudbackup/acb/manifest"
)

// A dir is a folder at the target. It is open while something in it is under
// way; then it gets the time and mode that it had.
//
// Folders are entered one name at a time and never through a symlink, so that
// neither what is restored nor what lies at the target can lead elsewhere.
type dir struct {
	root   *os.Root // nil if it is absent or broken
	up     *dir     // nil for a target
	path   manifest.Path
	name   string // in up
	want   manifest.Folder
	made   bool  // by this run
	absent bool  // it is not there, and a dry run does not make it
	broken error // why nothing can be put into it
	names  names
	taken  map[string]bool // the names given in it, folded; of Run's goroutine
	refs   atomic.Int32
}

func (d *dir) hold() *dir {
	d.refs.Add(1)
	return d
}

// release lets go of d; the last one to do so completes it.
func (d *dir) release(r *run) {
	if d.refs.Add(-1) > 0 || d.up == nil {
		return
	}
	if d.root != nil {
		if err := d.finish(); err != nil {
			r.problem(d.path, err)
		}
		d.root.Close()
	}
	d.up.release(r)
}

// finish gives a folder that was made the mode and the time that it had. They
// wait until now, for what is put into a folder changes its time, and a mode
// may forbid to.
func (d *dir) finish() error {
	if !d.made {
		return nil
	}
	var err error
	if d.want.Mode != 0 { // else the history does not tell
		err = d.root.Chmod(".", fileMode(d.want.Mode))
	}
	if d.want.ModTime != 0 {
		err = errors.Join(err, d.root.Chtimes(".", time.Time{}, time.Unix(0, d.want.ModTime)))
	}
	return err
}

// target opens the folder that a selection goes into, and makes it.
func (r *run) target(into string) (*dir, error) {
	d := &dir{names: systemNames}
	d.refs.Add(1)
	r.tops = append(r.tops, d)
	if r.DryRun {
		if _, err := os.Stat(into); errors.Is(err, fs.ErrNotExist) {
			d.absent = true
			return d, nil
		}
	} else if err := os.MkdirAll(into, 0o777); err != nil {
		return nil, fmt.Errorf("make the target: %w", err)
	}
	root, err := os.OpenRoot(into)
	if err != nil {
		return nil, fmt.Errorf("open the target: %w", err)
	}
	d.root = root
	if !r.DryRun {
		if d.names, err = probe(root); err != nil {
			return nil, fmt.Errorf("write to the target: %w", err)
		}
	}
	return d, nil
}

// enter returns the folder of a step, which is made if it is not there.
func (r *run) enter(up *dir, s *step) *dir {
	d := &dir{up: up.hold(), path: s.path, want: s.from.Folder, names: up.names, absent: up.absent, broken: up.broken}
	d.refs.Add(1)
	d.name = up.claim(r, s.path, s.from.Name)
	if d.absent || d.broken != nil {
		return d
	}
	if d.broken = d.open(r); d.broken != nil {
		r.problem(s.path, d.broken)
	}
	return d
}

// open opens the folder, whatever is there now.
func (d *dir) open(r *run) error {
	st, err := d.up.root.Lstat(d.name)
	there := err == nil
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case there && !st.IsDir() && !r.Overwrite:
		return &inTheWayError{st.Mode()}
	case r.DryRun && (!there || !st.IsDir()):
		d.absent = true
		return nil
	case there && !st.IsDir():
		if err := d.up.setAside(r, d.path, d.name); err != nil {
			return err
		}
		there = false
	}
	if !there {
		if err := d.up.root.Mkdir(d.name, 0o700); err != nil {
			return err
		}
		d.made = true
		r.made()
	}
	root, err := d.up.root.OpenRoot(d.name)
	if err != nil {
		return err
	}
	inside, err1 := root.Stat(".")
	if st, err = d.up.root.Lstat(d.name); err != nil || err1 != nil || !os.SameFile(st, inside) {
		root.Close()
		return errors.Join(err, err1, errors.New("it was exchanged while it was opened"))
	}
	d.root = root
	return nil
}

// An inTheWayError says that something else stands where a file or folder is
// to go.
type inTheWayError struct{ mode fs.FileMode }

func (e *inTheWayError) Error() string {
	what := "another file"
	switch {
	case e.mode.IsDir():
		what = "a folder"
	case e.mode&fs.ModeSymlink != 0:
		what = "a symlink"
	}
	return what + " is there, which was kept (--overwrite moves it aside)"
}
