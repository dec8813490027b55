package restore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
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
	at     string   // as the system writes it
	path   manifest.Path
	name   string // in up
	want   manifest.Folder
	made   bool  // by this run, or by one that did not get to complete it
	absent bool  // it is not there, and a dry run does not make it
	broken error // why nothing can be put into it
	limits limits
	untold bool            // the limits are those of the system, for it takes no probe
	before fs.FileInfo     // what it was, if it was there
	opened sync.Once       // see writable
	put    atomic.Bool     // something may have been put into it
	taken  map[string]bool // the names given in it, folded; of Run's goroutine
	owed   map[string]bool // of those, the ones that are for folders to come
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
// may forbid to. One that was there keeps what it had of them.
func (d *dir) finish() error {
	mode, at := fileMode(d.want.Mode), time.Unix(0, d.want.ModTime)
	switch {
	case d.made && d.want.Flags.Has(manifest.Prefix): // it only holds what is below it
		mode = 0o755
	case d.made && d.want.Mode == 0: // the history does not tell
		mode = 0o700
	case d.made:
	case !d.put.Load():
		return nil
	default:
		mode = d.before.Mode() & modeBits
		if !d.before.ModTime().Equal(at) {
			at = time.Time{} // what is put into it is news
		}
	}
	var err error
	if d.want.ModTime != 0 && !at.IsZero() {
		err = d.root.Chtimes(".", time.Time{}, at)
	}
	if !d.limits.plain { // the last: until then the next run knows it for unfinished
		err = errors.Join(err, d.root.Chmod(".", mode))
	}
	return err
}

// unfinished is the mode of a folder that a restore has made and not
// completed, so that the next one knows it.
const unfinished = fs.ModeSticky | 0o700

// writable makes a folder that was there take something until it is finished.
// Where that cannot be done, putting something into it will say so.
func (d *dir) writable() {
	d.opened.Do(func() {
		if d.put.Store(true); d.before == nil || d.made || d.limits.plain {
			return
		}
		if mode := d.before.Mode() & modeBits; mode&0o300 != 0o300 {
			d.root.Chmod(".", mode|0o300)
		}
	})
}

// target opens the folder that a selection goes into, and makes it. It must be
// one that can be written to, unless holds, the folder to be brought back, is
// there already: nobody may write into the folder above their own home.
func (r *run) target(into, holds string) (*dir, error) {
	d := &dir{at: filepath.Clean(into), limits: systemLimits}
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
		if err := d.probe(r); err != nil {
			if st, statErr := root.Lstat(holds); holds == "" || statErr != nil || !st.IsDir() {
				return nil, fmt.Errorf("write to the target: %w", err)
			}
			d.untold = true
		}
		st, err := root.Stat(".")
		if err == nil {
			err = r.disks.meet(root, st)
		}
		if err != nil {
			return nil, fmt.Errorf("open the target: %w", err)
		}
	}
	return d, nil
}

// probe finds out the limits of an open folder.
func (d *dir) probe(r *run) error {
	limits, err := probe(d.root)
	if err == nil {
		d.limits = limits
		r.sum.Plain = r.sum.Plain || limits.plain
	}
	return err
}

// enter returns the folder of a step, which is made if it is not there.
func (r *run) enter(up *dir, s *step) *dir {
	d := &dir{up: up.hold(), path: s.path, want: s.from.Folder, limits: up.limits, absent: up.absent, broken: up.broken}
	d.refs.Add(1)
	d.name = up.claim(r, s.path, s.from.Name, true)
	d.at = up.at + "/" + d.name
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
		d.up.writable()
		if err := d.up.setAside(r, d.path, d.name); err != nil {
			return err
		}
		there = false
	}
	if !there {
		d.up.writable()
		if err := mkdir(d.up.root, d.name); err != nil {
			return err
		}
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
	if !r.DryRun {
		if err := r.disks.meet(root, inside); err != nil {
			return err
		}
		d.untold = d.up.untold && d.probe(r) != nil
	}
	switch {
	case !there:
		d.made = true
		if inside.Mode()&modeBits != unfinished && !d.limits.plain { // not every system makes it so
			return root.Chmod(".", unfinished)
		}
	default:
		d.before = inside
		d.made = inside.Mode()&modeBits == unfinished && !r.DryRun
	}
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
