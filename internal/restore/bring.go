package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/autocloudbackup/acb/manifest"
)

// bring brings back one file, and notes how that went. It reports whether that
// is the end of it: a file that has arrived waits for its name, and one whose
// bytes have to be looked for comes once more.
func (r *run) bring(ctx context.Context, t *task) bool {
	if t.dir.broken != nil {
		r.lost(t, t.dir.broken)
		return true
	}
	if !t.dir.absent {
		there, same, err := t.look(ctx, t.name)
		switch {
		case err != nil:
			r.fail(ctx, t, Failed, err)
			return true
		case same:
			r.present(t, there)
			return true
		case there != nil && !r.Overwrite:
			r.note(t, Kept, 0, &inTheWayError{there.Mode()})
			return true
		}
		t.inTheWay = there != nil
	}
	if !t.sought && !t.certain() {
		r.seek(t)
		return false
	}
	if r.DryRun {
		r.plan(ctx, t)
		return true
	}
	how, err := r.deliver(ctx, t)
	switch {
	case err == nil:
		r.online()
		r.arrived <- t
		return false
	case errors.Is(err, errElsewhere):
		r.seek(t)
		return false
	default:
		r.fail(ctx, t, how, err)
	}
	return true
}

// fail notes a file that does not come. That the run ends is no failure of the
// files that were on their way.
func (r *run) fail(ctx context.Context, t *task, how Outcome, err error) {
	if cause := context.Cause(ctx); cause == nil || !errors.Is(err, context.Canceled) {
		r.note(t, how, 0, err)
	}
}

// plan notes what a dry run would do.
func (r *run) plan(ctx context.Context, t *task) {
	if t.gone != nil {
		r.note(t, Gone, 0, r.nearest(ctx, t))
		return
	}
	r.note(t, Restored, t.want.Size, nil)
}

// present notes a file that is there already, after its time and mode are as
// they were. What a run left that ended between giving the file its name and
// taking its temporary one away goes.
func (r *run) present(t *task, st fs.FileInfo) {
	var err error
	if !r.DryRun {
		if e := t.dir.root.Remove(t.temp()); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = e
		}
	}
	if !r.DryRun {
		err = errors.Join(err, t.restat(t.name, st))
	}
	if err != nil {
		r.note(t, Failed, 0, err)
		return
	}
	r.note(t, Present, 0, nil)
}

// restat gives what has the wanted content, and this stat, the time and mode
// that it had.
func (t *task) restat(name string, st fs.FileInfo) (err error) {
	at := t.want.ModifiedAt()
	if t.want.Kind == manifest.Symlink {
		if !st.ModTime().Equal(at) {
			err = setLinkTime(t.dir.root, name, at)
		}
		return err
	}
	if mode := fileMode(t.want.Mode); st.Mode()&modeBits != mode && !t.dir.limits.plain {
		err = t.dir.root.Chmod(name, mode)
	}
	if !st.ModTime().Equal(at) {
		err = errors.Join(err, t.dir.root.Chtimes(name, time.Time{}, at))
	}
	return err
}

// look says what has a name at the target, nil for nothing, and whether it is
// what is wanted.
func (t *task) look(ctx context.Context, name string) (there fs.FileInfo, same bool, err error) {
	st, err := t.dir.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	sum := t.want.Proof()
	switch {
	case t.want.Kind == manifest.Symlink && st.Mode()&fs.ModeSymlink != 0:
		text, err := t.dir.root.Readlink(name)
		if err != nil {
			return nil, false, err
		}
		io.WriteString(sum, text)
		return st, sum.Holds(), nil
	case t.want.Kind != manifest.File || !st.Mode().IsRegular() || st.Size() != t.want.Size:
		return st, false, nil
	}
	f, err := t.dir.openSame(name, st)
	if errors.Is(err, fs.ErrPermission) {
		return st, false, nil // not to be read, so not to be called the same
	}
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	if _, err := io.Copy(sum, readerOf(ctx, f)); err != nil {
		return nil, false, err
	}
	return st, sum.Holds(), nil
}

// openSame opens a regular file that was just looked at.
func (d *dir) openSame(name string, st fs.FileInfo) (*os.File, error) {
	f, err := d.root.OpenFile(name, os.O_RDONLY|nonBlock, 0)
	if err != nil {
		return nil, err
	}
	if now, err := f.Stat(); err != nil || !os.SameFile(st, now) {
		f.Close()
		return nil, errors.Join(err, fmt.Errorf("open %s: it was exchanged meanwhile", name))
	}
	return f, nil
}

// readerOf reads f until ctx ends.
func readerOf(ctx context.Context, f io.Reader) io.Reader {
	return readFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return f.Read(p)
	})
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }
