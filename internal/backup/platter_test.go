//go:build (linux || darwin) && (amd64 || arm64)

package backup_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// A platter is what the disk below a manifest holds for certain: what SQLite
// wrote before it last had the disk synced. What it wrote since is kept apart:
// a power cut leaves any part of it.
type platter struct {
	dir string

	mu    sync.Mutex
	files map[string]*fileBelow          // by name
	watch func(name string, synced bool) // told before each sync of a file, and after it
}

// fileBelow is one file of a platter.
type fileBelow struct {
	sure  []byte // nil if it is not there
	since []unsynced
}

// unsynced is a write, or with data nil what it says.
type unsynced struct {
	off     int64
	data    []byte
	removed bool // else cut to off
}

// A damage is what a power cut leaves of what was not synced.
type damage int

const (
	allLost damage = iota
	torn           // the first writes, and half of the next one
	anyPart        // some sectors, whichever, and what else was on the disk
	allKept
	damages
)

func (d damage) String() string { return [...]string{"all lost", "torn", "any part", "all kept"}[d] }

// sector is what a disk writes whole or not at all.
const sector = 512

// platters are all of them, by the folder of the manifest.
var platters sync.Map

// below makes the platter of a world that has no manifest yet. It lets the log
// be folded into the manifest every few pages, so that this happens in the
// midst of a run, too.
func (w *world) below() *platter {
	dir, err := filepath.EvalSymlinks(filepath.Dir(w.manifest))
	w.must(err)
	p := &platter{dir: dir, files: make(map[string]*fileBelow)}
	platters.Store(dir, p)
	w.t.Cleanup(func() { platters.Delete(dir) })
	return p
}

// opened takes note of a file. A manifest is made under another name, anew
// each time, and then renamed.
func (p *platter) opened(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch made := p.files[name+newName]; {
	case strings.HasSuffix(name, newName) || p.files[name] == nil && made == nil:
		p.files[name] = new(fileBelow)
	case p.files[name] == nil:
		p.files[name] = &fileBelow{sure: made.sure}
		delete(p.files, name+newName)
	}
}

// newName is behind the name of what is not yet whole.
const newName = ".new"

func (p *platter) wrote(name string, u unsynced) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := p.files[name]; f != nil {
		f.since = append(f.since, u)
	}
}

// sync calls the disk's own sync, and takes what was written for certain.
func (p *platter) sync(name string, sync func() int32) int32 {
	p.tell(name, false)
	p.mu.Lock()
	f := p.files[name]
	n := len(f.since)
	p.mu.Unlock()
	if rc := sync(); rc != sqlite3.SQLITE_OK {
		return rc
	}
	p.mu.Lock()
	f.sure = f.after(f.since[:n], allKept, nil)
	f.since = slices.Clone(f.since[n:])
	p.mu.Unlock()
	p.tell(name, true)
	return sqlite3.SQLITE_OK
}

func (p *platter) tell(name string, synced bool) {
	p.mu.Lock()
	watch := p.watch
	p.mu.Unlock()
	if watch != nil {
		watch(name, synced)
	}
}

func (p *platter) watched(f func(name string, synced bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watch = f
}

// cut returns what a power cut would leave of each file now.
func (p *platter) cut(d damage, rng *rand.Rand) map[string][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := make(map[string][]byte)
	for name, f := range p.files {
		if content := f.after(f.since, d, rng); content != nil {
			left[name] = content
		}
	}
	return left
}

// after returns a file when changes were made to it that were not synced.
func (f *fileBelow) after(changes []unsynced, d damage, rng *rand.Rand) []byte {
	content := slices.Clone(f.sure)
	whole := len(changes)
	if d == torn && whole > 0 {
		whole = rng.IntN(whole)
	}
	for i, c := range changes {
		lost := d == allLost || i > whole || d == anyPart && rng.IntN(2) == 0
		switch {
		case d != anyPart && lost, c.removed && lost: // without its name, the next file of that name is lost as well
			return content
		case c.removed:
			content = nil
		case c.data == nil && !lost && i < whole:
			content = grown(content, c.off)[:c.off]
		case c.data != nil && i == whole: // torn
			content = over(content, c.off, c.data[:len(c.data)/2])
		case c.data != nil && d == anyPart:
			for at := 0; at < len(c.data); at += sector {
				if rng.IntN(2) == 0 {
					content = over(content, c.off+int64(at), c.data[at:min(at+sector, len(c.data))])
				}
			}
		case c.data != nil:
			content = over(content, c.off, c.data)
		}
	}
	return content
}

// over writes into a content.
func over(content []byte, off int64, data []byte) []byte {
	content = grown(content, off+int64(len(data)))
	copy(content[off:], data)
	return content
}

// grown makes a content at least so long. What was never written there is
// whatever was on the disk.
func grown(content []byte, size int64) []byte {
	for int64(len(content)) < size {
		content = append(content, 0xa5)
	}
	if content == nil {
		content = []byte{}
	}
	return content
}

// leave puts on the disk what a power cut has left.
func (p *platter) leave(left map[string][]byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.files)
	for _, name := range []string{"manifest.db", "manifest.db-wal", "manifest.db-shm"} {
		if err := os.Remove(filepath.Join(p.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for name, content := range left {
		p.files[name] = &fileBelow{sure: content}
		if err := os.WriteFile(filepath.Join(p.dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// What SQLite's VFS calls, in the order that it has them.
type (
	vfsOpen     = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32
	vfsDelete   = func(tls *libc.TLS, vfs, name uintptr, syncDir int32) int32
	fileClose   = func(tls *libc.TLS, file uintptr) int32
	fileWrite   = func(tls *libc.TLS, file, from uintptr, n int32, off int64) int32
	fileResize  = func(tls *libc.TLS, file uintptr, size int64) int32
	fileSync    = func(tls *libc.TLS, file uintptr, flags int32) int32
	fileMethods = sqlite3.Tsqlite3_io_methods
)

// openBelow are the open files of platters, by SQLite's own address.
var openBelow sync.Map

type openFile struct {
	p    *platter
	name string
}

// init lets the files of platters be opened with methods of our own around
// those of SQLite's VFS. Source: sqlite.org/vfs.html
func init() {
	tls := libc.NewTLS()
	defer tls.Close()
	at := sqlite3.Xsqlite3_vfs_find(tls, 0)
	vfs := *(**sqlite3.Tsqlite3_vfs)(unsafe.Pointer(&at))
	open, remove := called[vfsOpen](vfs.FxOpen), called[vfsDelete](vfs.FxDelete)
	var mu sync.Mutex
	around := make(map[uintptr]uintptr)
	vfs.FxOpen = callable(func(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32 {
		rc := open(tls, vfs, name, file, flags, out)
		if p, base := platterOf(name); p != nil && rc == sqlite3.SQLITE_OK {
			methods := *(**uintptr)(unsafe.Pointer(&file))
			mu.Lock()
			defer mu.Unlock()
			if around[*methods] == 0 {
				around[*methods] = wrapped(tls, *methods)
			}
			openBelow.Store(file, openFile{p, base})
			p.opened(base)
			*methods = around[*methods]
		}
		return rc
	})
	vfs.FxDelete = callable(func(tls *libc.TLS, vfs, name uintptr, syncDir int32) int32 {
		rc := remove(tls, vfs, name, syncDir)
		if p, base := platterOf(name); p != nil && rc == sqlite3.SQLITE_OK {
			p.wrote(base, unsynced{removed: true})
		}
		return rc
	})
	sqlite.RegisterConnectionHook(func(c sqlite.ExecQuerierContext, dsn string) error {
		path, _, _ := strings.Cut(strings.TrimPrefix(dsn, "file:"), "?")
		if _, ok := platters.Load(filepath.Dir(path)); !ok {
			return nil
		}
		_, err := c.ExecContext(context.Background(), "PRAGMA wal_autocheckpoint = 20", []driver.NamedValue{})
		return err
	})
}

// platterOf returns the platter that a file is on, if its manifest is there.
func platterOf(cname uintptr) (*platter, string) {
	if cname == 0 {
		return nil, ""
	}
	dir, base := filepath.Split(libc.GoString(cname))
	p, ok := platters.Load(filepath.Clean(dir))
	if !ok || base != "manifest.db" && base != "manifest.db-wal" && base != "manifest.db"+newName {
		return nil, ""
	}
	return p.(*platter), base
}

// wrapped returns the address of methods around those at another, for files of
// platters. They lie where SQLite expects what it is given, outside of Go.
func wrapped(tls *libc.TLS, at uintptr) uintptr {
	was := *(**fileMethods)(unsafe.Pointer(&at))
	end, write := called[fileClose](was.FxClose), called[fileWrite](was.FxWrite)
	resize, sync := called[fileResize](was.FxTruncate), called[fileSync](was.FxSync)
	file := func(at uintptr) openFile {
		f, _ := openBelow.Load(at)
		return f.(openFile)
	}
	ours := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(*was)))
	m := *(**fileMethods)(unsafe.Pointer(&ours))
	*m = *was
	m.FxClose = callable(func(tls *libc.TLS, at uintptr) int32 {
		openBelow.Delete(at)
		return end(tls, at)
	})
	m.FxWrite = callable(func(tls *libc.TLS, at, from uintptr, n int32, off int64) int32 {
		f, data := file(at), make([]byte, n)
		copy(data, unsafe.Slice(*(**byte)(unsafe.Pointer(&from)), n))
		rc := write(tls, at, from, n, off)
		if rc == sqlite3.SQLITE_OK {
			f.p.wrote(f.name, unsynced{off: off, data: data})
		}
		return rc
	})
	m.FxTruncate = callable(func(tls *libc.TLS, at uintptr, size int64) int32 {
		rc := resize(tls, at, size)
		if f := file(at); rc == sqlite3.SQLITE_OK {
			f.p.wrote(f.name, unsynced{off: size})
		}
		return rc
	})
	m.FxSync = callable(func(tls *libc.TLS, at uintptr, flags int32) int32 {
		f := file(at)
		return f.p.sync(f.name, func() int32 { return sync(tls, at, flags) })
	})
	return ours
}

// called makes a function of one of SQLite's.
func called[F any](at uintptr) F { return *(*F)(unsafe.Pointer(&struct{ uintptr }{at})) }

// callable makes a function one that SQLite can call.
func callable[F any](f F) uintptr {
	inUse = append(inUse, f)
	return *(*uintptr)(unsafe.Pointer(&f))
}

// inUse holds what only SQLite refers to, in a way that Go does not see.
var inUse []any
