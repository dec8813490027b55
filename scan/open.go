package scan

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/autocloudbackup/acb/manifest"
)

// Files opens what a scan has found, for hashing and sending. Below a source
// no link is followed, whatever was put there since the scan.
type Files struct {
	sources []Source
	system  system

	mu      sync.Mutex
	devices map[uint64]fileSystem
}

// NewFiles returns the Files of the sources; paths outside all of them are
// opened where they are.
func NewFiles(sources []Source) *Files {
	return &Files{sources: sources, system: native, devices: map[uint64]fileSystem{}}
}

// A File is an open regular file, or a symlink whose content is its target.
type File struct {
	f      *os.File // nil for a symlink
	target *strings.Reader
	link   manifest.Stat
	fs     fileSystem
}

// Open opens a file or symlink. It never blocks and never opens anything else.
// Its error leaves the path to the caller, who has it.
func (f *Files) Open(p manifest.Path) (*File, error) {
	d, name, err := f.folderOf(p)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	defer d.close()
	file, err := f.open(d, name)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	return file, nil
}

// folderOf opens the folder that holds a path, and returns the last name.
func (f *Files) folderOf(p manifest.Path) (dir, string, error) {
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

// Stat tells about the open file, in the terms in which a scan does.
func (f *File) Stat() (manifest.Stat, error) {
	if f.f == nil {
		return f.link, nil
	}
	var st info
	if err := statFile(f.f, &st); err != nil {
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
