//go:build linux

package scan

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/autocloudbackup/acb/manifest"
)

// A failing system fails its nth call, counted over all kinds of calls, or
// each that has the given name.
type failing struct {
	system
	calls atomic.Int64
	nth   int64
	name  string
	err   error
	did   atomic.Pointer[string]
}

func (f *failing) fail(call string) error {
	if n := f.calls.Add(1) - 1; call != f.name && (f.name != "" || n != f.nth) {
		return nil
	}
	f.did.Store(&call)
	return f.err
}

func (f *failing) open(path string) (dir, error) {
	if err := f.fail("open " + path); err != nil {
		return nil, err
	}
	return f.wrap(f.system.open(path))
}

func (f *failing) stat(path string, st *info) error {
	if err := f.fail("stat " + path); err != nil {
		return err
	}
	return f.system.stat(path, st)
}

func (f *failing) fileSystem(d dir) fileSystem { return f.system.fileSystem(d.(failingDir).dir) }

func (f *failing) wrap(d dir, err error) (dir, error) {
	if err != nil {
		return nil, err
	}
	return failingDir{d, f}, nil
}

type failingDir struct {
	dir
	f *failing
}

func (d failingDir) self(st *info) error {
	if err := d.f.fail("stat folder"); err != nil {
		return err
	}
	return d.dir.self(st)
}

func (d failingDir) list(l *listing) error {
	// A listing that breaks off has told some of the names.
	if err := d.dir.list(l); err != nil {
		return err
	}
	if err := d.f.fail("list"); err != nil {
		l.names = l.names[:len(l.names)/2]
		return err
	}
	return nil
}

func (d failingDir) lstat(name []byte, st *info) error {
	if err := d.f.fail("lstat " + string(name)); err != nil {
		return err
	}
	return d.dir.lstat(name, st)
}

func (d failingDir) open(name string) (dir, error) {
	if err := d.f.fail("open " + name); err != nil {
		return nil, err
	}
	return d.f.wrap(d.dir.open(name))
}

func (d failingDir) beneath(rel string) (dir, error) {
	if err := d.f.fail("open below " + rel); err != nil {
		return nil, err
	}
	return d.f.wrap(d.dir.beneath(rel))
}

func (d failingDir) openFile(name string) (regular, error) {
	if err := d.f.fail("open file " + name); err != nil {
		return nil, err
	}
	f, err := d.dir.openFile(name)
	if err != nil {
		return nil, err
	}
	return failingFile{f, d.f, name}, nil
}

type failingFile struct {
	regular
	f    *failing
	name string
}

func (r failingFile) stat(st *info) error {
	if err := r.f.fail("stat open " + r.name); err != nil {
		return err
	}
	return r.regular.stat(st)
}

func (r failingFile) Read(p []byte) (int, error) {
	if err := r.f.fail("read " + r.name); err != nil {
		return 0, err
	}
	return r.regular.Read(p)
}

func (r failingFile) ReadAt(p []byte, off int64) (int, error) {
	if err := r.f.fail("read " + r.name); err != nil {
		return 0, err
	}
	return r.regular.ReadAt(p, off)
}

func (d failingDir) readlink(name string) (string, error) {
	if err := d.f.fail("readlink " + name); err != nil {
		return "", err
	}
	return d.dir.readlink(name)
}

// TestFaults fails every call of a scan in turn. Nothing that is on disk may
// be absent because of it, and the next scan must see all that this one missed.
func TestFaults(t *testing.T) {
	edits := map[string]string{
		"unchanged": "true",
		"edited":    "mv a c; mv deep/er b/; touch a.new; echo x >b/five; rm b/sub/six; echo 333 >b/333; mkdir n; echo '*.o' >n/.acbignore; touch n/x.o n/y",
	}
	for name, edit := range edits {
		for _, cause := range []error{syscall.EIO, syscall.EACCES, syscall.ENOENT, syscall.ESTALE} {
			t.Run(fmt.Sprintf("%s/%v", name, cause), func(t *testing.T) {
				t.Parallel()
				root := t.TempDir()
				sh(t, root, before)
				s := openStore(t)
				src := []Source{source(t, root)}
				commit(t, s, mustTree(t, s, src, Options{}))
				sh(t, root, edit)
				for n := int64(0); ; n++ {
					f := &failing{system: native, nth: n, err: cause}
					res, err := Tree(t.Context(), s, src, Options{Now: later, system: f, Walkers: 1 + int(n%2)*3, Hashers: 1})
					if err != nil {
						t.Fatalf("call %d, %s: %v", n, *f.did.Load(), err)
					}
					if f.did.Load() == nil {
						break // all calls have failed once
					}
					noLoss(t, *f.did.Load(), res)
				}
				commit(t, s, mustTree(t, s, src, Options{}))
			})
		}
	}
}

// A folder that was moved and cannot be opened where it is now is not absent.
func TestMovedAndUnreadable(t *testing.T) {
	root, s, src := scanned(t, before)
	sh(t, root, "mv a c; rm -r b")
	f := &failing{system: native, name: "open c", err: syscall.EACCES}
	res := expect(t, s, src, Options{system: f}, "deleted b/", "deleted b/five", "deleted b/sub/", "deleted b/sub/six", "skip unreadable c")
	if c := res.Sources[0].Counts; c.Unknown != 5 || c.Unchanged != 3 || len(res.Unknown) != 1 {
		t.Errorf("got %+v, %q", c, res.Unknown)
	}
}

// noLoss fails if something is absent that is there.
func noLoss(t *testing.T, call string, res *Result) {
	t.Helper()
	moved := map[manifest.FolderID]bool{}
	for _, d := range res.Folders {
		if d.New != nil {
			moved[d.New.ID] = true
		}
	}
	for _, d := range res.Folders {
		if d.New == nil {
			if _, err := os.Lstat(OSPath(d.Old.Path())); !errors.Is(err, os.ErrNotExist) || moved[d.Old.ID] {
				t.Errorf("%s failed: folder %s is absent, and it is there", call, d.Old.Path())
			}
		}
	}
	for _, d := range res.Files {
		if d.New == nil {
			if _, err := os.Lstat(OSPath(d.Old.Path())); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s failed: %s is absent, and it is there", call, d.Old.Path())
			}
		}
	}
}
