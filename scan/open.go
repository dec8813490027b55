package scan

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/autocloudbackup/acb/manifest"
)

// Files opens what a scan has found, for hashing and sending. Below a source
// no link is followed, whatever was put there since the scan. The folder of
// the last file stays open, because the next file is mostly in it.
type Files struct {
	sources []Source
	system  system

	mu      sync.Mutex // guards what follows
	devices map[uint64]fileSystem
	last    *openFolder
}

// An openFolder is a folder that files are opened in.
type openFolder struct {
	d    dir
	path manifest.Path
	uses int // calls of Open that are in it, and one while it is the last; under Files.mu
}

// NewFiles returns the Files of the sources; paths outside all of them are
// opened where they are.
func NewFiles(sources []Source) *Files {
	return &Files{sources: sources, system: native, devices: map[uint64]fileSystem{}}
}

// Close lets go of the last folder. Files that were opened stay open.
func (f *Files) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keep(nil)
}

// A File is an open regular file, or a symlink whose content is its target.
type File struct {
	f      regular // nil for a symlink
	target *strings.Reader
	link   manifest.Stat
	fs     fileSystem
}

// Open opens a file or symlink. It never blocks and never opens anything else.
// Its error leaves the path to the caller, who has it.
func (f *Files) Open(p manifest.Path) (*File, error) {
	in, name, err := f.folderOf(p)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	defer f.leave(in)
	file, err := f.open(in.d, name)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	return file, nil
}

// folderOf returns the folder that holds a path, until leave, and the last
// name.
func (f *Files) folderOf(p manifest.Path) (*openFolder, string, error) {
	in, name := p.Split()
	below := f.below(p)
	if below {
		if at := f.again(in); at != nil {
			return at, name, nil
		}
	}
	d, name, err := f.openFolder(p)
	if err != nil {
		return nil, "", err
	}
	at := &openFolder{d: d, path: in, uses: 1}
	if below {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.keep(at)
	}
	return at, name, nil
}

// below reports whether a path is in a source.
func (f *Files) below(p manifest.Path) bool {
	return slices.ContainsFunc(f.sources, func(s Source) bool { return p != s.Path && p.Within(s.Path) })
}

// again returns the last folder if that is the one at path, or nil.
func (f *Files) again(path manifest.Path) *openFolder {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last == nil || f.last.path != path {
		return nil
	}
	f.last.uses++
	return f.last
}

// keep makes at the last folder. The lock must be held.
func (f *Files) keep(at *openFolder) {
	if at != nil {
		at.uses++
	}
	if old := f.last; old != nil {
		old.leave()
	}
	f.last = at
}

func (f *Files) leave(at *openFolder) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at.leave()
}

func (at *openFolder) leave() {
	if at.uses--; at.uses == 0 {
		at.d.close()
	}
}

// openFolder opens the folder that holds a path, and returns the last name.
func (f *Files) openFolder(p manifest.Path) (dir, string, error) {
	for i := range f.sources {
		s := &f.sources[i]
		if p == s.Path || !p.Within(s.Path) {
			continue
		}
		rel := strings.TrimPrefix(string(p[len(s.Path):]), "/")
		top, err := f.system.open(s.Root)
		if err != nil {
			return nil, "", err
		}
		in, name := manifest.Path(rel).Split()
		if in == "" {
			return top, name, nil
		}
		defer top.close()
		d, err := top.beneath(string(in))
		return d, name, err
	}
	file := OSPath(p)
	for i := range f.sources {
		if p == f.sources[i].Path {
			// A source that is a file, and perhaps a link to it.
			file = f.sources[i].Root
			if real, err := filepath.EvalSymlinks(file); err == nil && !f.sources[i].link {
				file = real
			}
		}
	}
	d, err := f.system.open(filepath.Dir(file))
	return d, filepath.Base(file), err
}

func (f *Files) open(d dir, name string) (*File, error) {
	var st info
	if err := d.lstat(append([]byte(name), 0), &st); err != nil {
		return nil, err
	}
	file := &File{fs: f.fileSystem(d, st.dev)}
	var err error
	switch st.Kind {
	case manifest.File:
		file.f, err = d.openFile(name)
	case manifest.Symlink:
		var target string
		target, err = d.readlink(name)
		file.target, file.link = strings.NewReader(target), st.Stat
		file.fs.trim(&file.link)
	default:
		err = errNotRegular
	}
	if err != nil {
		return nil, err
	}
	return file, nil
}

func (f *Files) fileSystem(d dir, dev uint64) fileSystem {
	f.mu.Lock()
	defer f.mu.Unlock()
	fs, ok := f.devices[dev]
	if !ok {
		fs = f.system.fileSystem(d)
		f.devices[dev] = fs
	}
	return fs
}

// Kind is what was opened: a file or a symlink.
func (f *File) Kind() manifest.Kind {
	if f.f == nil {
		return manifest.Symlink
	}
	return manifest.File
}

// Stat tells about the open file, in the terms in which a scan does.
func (f *File) Stat() (manifest.Stat, error) {
	if f.f == nil {
		return f.link, nil
	}
	var st info
	if err := f.f.stat(&st); err != nil {
		return manifest.Stat{}, err
	}
	if !lstatTellsInode {
		st.Inode = 0
	}
	f.fs.trim(&st.Stat)
	return st.Stat, nil
}

// Read reads the content from where the last Read ended.
func (f *File) Read(b []byte) (int, error) {
	if f.f == nil {
		return f.target.Read(b)
	}
	return f.f.Read(b)
}

// ReadAt reads the content from a given offset.
func (f *File) ReadAt(b []byte, off int64) (int, error) {
	if f.f == nil {
		return f.target.ReadAt(b, off)
	}
	return f.f.ReadAt(b, off)
}

// Close closes the file.
func (f *File) Close() error {
	if f.f == nil {
		return nil
	}
	return f.f.Close()
}

var (
	_ io.ReadCloser = (*File)(nil)
	_ io.ReaderAt   = (*File)(nil)
)
