//go:build !(linux && (amd64 || arm64))

package scan

import (
	"io/fs"
	"os"

	"github.com/autocloudbackup/acb/manifest"
)

// Where the walk does not make the system calls itself, each folder is an
// os.Root: it neither leaves the tree nor stops at a path length. It follows
// links that stay inside, though, and opening a pipe would block; so what is
// opened is looked at first, and compared with what was opened.

type portable struct{}

var native system = portable{}

// A rootDir is an open folder.
type rootDir struct{ root *os.Root }

func (portable) open(path string) (dir, error) {
	r, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return rootDir{r}, nil
}

func (portable) stat(path string, st *info) error {
	f, err := os.OpenFile(path, os.O_RDONLY|nonBlock, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return statFile(f, st)
}

func (portable) fileSystem(d dir) fileSystem {
	f, err := d.(rootDir).root.Open(".")
	if err != nil {
		return fileSystem{}
	}
	defer f.Close()
	return fileSystemOf(f)
}

func (d rootDir) close() { d.root.Close() }

func (d rootDir) self(st *info) error {
	f, err := d.root.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	return statFile(f, st)
}

func (d rootDir) list(l *listing) error {
	f, err := d.root.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return err
	}
	for _, e := range entries {
		l.addString(e.Name(), whatIs[kindOf(e.Type())])
	}
	return nil
}

func (d rootDir) lstat(name []byte, st *info) error {
	s := string(name[:len(name)-1])
	fi, err := d.root.Lstat(s)
	if err != nil {
		return err
	}
	st.set(fi)
	if st.Kind == manifest.Symlink && st.Size == 0 { // Windows does not tell
		target, err := d.root.Readlink(s)
		if err != nil {
			return err
		}
		st.Size = int64(len(target))
	}
	return nil
}

func (d rootDir) open(name string) (dir, error) {
	fi, err := d.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !fi.IsDir() {
		return nil, errSwapped
	}
	r, err := d.root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	if got, err := r.Stat("."); err != nil || !os.SameFile(fi, got) {
		r.Close()
		return nil, errSwapped
	}
	return rootDir{r}, nil
}

func (d rootDir) beneath(rel string) (dir, error) { return descend(d, rel) }

func (d rootDir) openFile(name string) (regular, error) {
	fi, err := d.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, errNotRegular
	}
	f, err := d.root.OpenFile(name, os.O_RDONLY|nonBlock, 0)
	if err != nil {
		return nil, err
	}
	if got, err := f.Stat(); err != nil || !os.SameFile(fi, got) {
		f.Close()
		return nil, errSwapped
	}
	return osFile{f}, nil
}

// An osFile is a regular.
type osFile struct{ *os.File }

func (f osFile) stat(st *info) error { return statFile(f.File, st) }

func (d rootDir) readlink(name string) (string, error) { return d.root.Readlink(name) }

// set takes over what a FileInfo tells on every system, and what it tells on
// this one.
func (st *info) set(fi fs.FileInfo) {
	m := fi.Mode()
	*st = info{}
	st.Kind = kindOf(m)
	st.Mode = uint32(m.Perm())
	for _, bit := range []struct {
		is fs.FileMode
		as uint32
	}{{fs.ModeSetuid, 04000}, {fs.ModeSetgid, 02000}, {fs.ModeSticky, 01000}} {
		if m&bit.is != 0 {
			st.Mode |= bit.as
		}
	}
	st.Size = fi.Size()
	st.ModTime = fi.ModTime().UnixNano()
	st.setSys(fi)
}

func kindOf(m fs.FileMode) manifest.Kind {
	switch m.Type() {
	case 0:
		return manifest.File
	case fs.ModeSymlink:
		return manifest.Symlink
	case fs.ModeDir:
		return manifest.Dir
	}
	return manifest.NoKind // on Windows also junctions and mounted volumes, which are not entered
}

// addString copies a name into the listing.
func (l *listing) addString(name string, what uint8) {
	off := len(l.buf)
	l.buf = append(append(l.buf, name...), 0)
	l.add(off, len(name), what)
}
