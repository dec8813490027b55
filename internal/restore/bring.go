package restore

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/zeebo/blake3"

	"github.com/autocloudbackup/acb/manifest"
)

// tempPrefix begins the names of what is not in place yet.
const tempPrefix = manifest.RestorePrefix

// bring brings back one file, and notes how that went.
func (r *run) bring(ctx context.Context, t *task) {
	switch {
	case t.dir.broken != nil:
		r.lost(t, t.dir.broken)
		return
	case t.dir.absent:
		r.plan(t)
		return
	}
	there, same, err := t.look(ctx)
	switch {
	case err != nil:
		r.note(t, Failed, 0, err)
	case same:
		r.present(t, there)
	case there != nil && !r.Overwrite:
		r.note(t, Kept, 0, &inTheWayError{there.Mode()})
	case r.DryRun:
		r.plan(t)
	default:
		how, err := r.deliver(ctx, t, there)
		if err == nil {
			r.note(t, Restored, t.want.Size, nil)
		} else if cause := context.Cause(ctx); cause == nil || !errors.Is(err, context.Canceled) {
			r.note(t, how, 0, err)
		}
	}
}

// plan notes what a dry run would do.
func (r *run) plan(t *task) {
	if t.gone != nil {
		r.note(t, Gone, 0, t.gone)
		return
	}
	r.note(t, Restored, t.want.Size, nil)
}

// present notes a file that is there already, after its time and mode are as
// they were.
func (r *run) present(t *task, st fs.FileInfo) {
	var err error
	if !r.DryRun && t.want.Kind == manifest.File {
		if mode := fileMode(t.want.Mode); st.Mode()&modeBits != mode {
			err = t.dir.root.Chmod(t.name, mode)
		}
		if at := t.want.ModifiedAt(); !st.ModTime().Equal(at) {
			err = errors.Join(err, t.dir.root.Chtimes(t.name, time.Time{}, at))
		}
	}
	if err != nil {
		r.note(t, Failed, 0, err)
		return
	}
	r.note(t, Present, 0, nil)
}

// look says what is at the target, nil for nothing, and whether it is what is
// wanted.
func (t *task) look(ctx context.Context) (there fs.FileInfo, same bool, err error) {
	st, err := t.dir.root.Lstat(t.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	sum := newSum(&t.want)
	switch {
	case t.want.Kind == manifest.Symlink && st.Mode()&fs.ModeSymlink != 0:
		text, err := t.dir.root.Readlink(t.name)
		if err != nil {
			return nil, false, err
		}
		io.WriteString(sum, text)
		return st, sum.right(), nil
	case t.want.Kind != manifest.File || !st.Mode().IsRegular() || st.Size() != t.want.Size:
		return st, false, nil
	}
	f, err := t.dir.openSame(t.name, st)
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
	return st, sum.right(), nil
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

// A sum computes what a content's sum was when it was saved: BLAKE3, or MD5
// where only that is known.
type sum struct {
	hash.Hash
	want []byte
}

func newSum(v *manifest.Version) *sum {
	if !v.Hash.IsZero() {
		return &sum{blake3.New(), v.Hash[:]}
	}
	return &sum{md5.New(), v.MD5[:]}
}

// right reports whether what was written has the sum that it must have.
func (s *sum) right() bool { return bytes.Equal(s.Sum(nil), s.want) }

// deliver fetches the content beside its place, compares its sum and puts it
// in place. The outcome is for when there is an error.
func (r *run) deliver(ctx context.Context, t *task, there fs.FileInfo) (Outcome, error) {
	if t.gone != nil {
		return Gone, t.gone
	}
	temp := t.temp()
	right, err := r.fetch(ctx, t, temp)
	if err != nil {
		if gone := r.whyGone(ctx, t, err); gone != nil {
			return Gone, gone
		}
		return Failed, err
	}
	if !right {
		as := t.name + ".acb-damaged"
		if err := t.dir.root.Rename(temp, as); err != nil {
			return Failed, err
		}
		return Damaged, fmt.Errorf("what Drive sent has another sum than what was saved; it lies beside as %s", as)
	}
	if there != nil {
		if err := t.dir.setAside(r, t.path, t.name); err != nil {
			return Failed, errors.Join(err, t.dir.root.Remove(temp))
		}
	}
	if err := t.dir.place(temp, t.name); errors.Is(err, fs.ErrExist) {
		return Kept, errors.Join(errors.New("something came there meanwhile, which was kept"), t.dir.root.Remove(temp))
	} else if err != nil {
		return Failed, err
	}
	return 0, nil
}

// temp is the name of the content before it is in place: the same for the next
// run that wants it there, and fit for every target.
func (t *task) temp() string {
	h := blake3.New()
	fmt.Fprintf(h, "%q %q %q %d", t.want.FileID, t.want.HeadRevision, t.name, t.want.Size)
	return tempPrefix + hex.EncodeToString(h.Sum(nil)[:8])
}

// place gives a temporary file its name, unless that is taken.
func (d *dir) place(temp, name string) error {
	err := d.root.Link(temp, name) // unlike a rename, it replaces nothing
	if err == nil {
		return d.root.Remove(temp)
	}
	if errors.Is(err, fs.ErrExist) {
		return err
	}
	// A file system without hard links.
	if _, err := d.root.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, fs.ErrExist)
	}
	return d.root.Rename(temp, name)
}

// setAside renames what stands in the way.
func (d *dir) setAside(r *run, p manifest.Path, name string) error {
	stem := name[:min(len(name), 200)] + ".acb-kept-" + r.began.UTC().Format("20060102T150405")
	as := stem
	for n := 2; ; n++ {
		if _, err := d.root.Lstat(as); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return err
		}
		as = fmt.Sprint(stem, "-", n)
	}
	if err := d.root.Rename(name, as); err != nil {
		return fmt.Errorf("move aside what is there: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum.SetAside = append(r.sum.SetAside, Renamed{p, as})
	return nil
}
