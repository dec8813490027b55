//go:build linux && (amd64 || arm64)

package scan

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"unsafe"

	"github.com/autocloudbackup/acb/manifest"
	"golang.org/x/sys/unix"
)

// The walk on Linux makes the system calls itself: names go from getdents64 to
// newfstatat without a copy, nothing is allocated for a name, and a folder is
// opened relative to the one above it, so that a path of any length works and
// a folder that is swapped for a link is refused. 64-bit only: elsewhere the
// calls have other numbers and structures, and dir_other.go does.

type linux struct{}

var native system = linux{}

// An fd is an open folder.
type fd int

const openDir = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC

func (linux) open(path string) (dir, error) {
	for {
		n, err := unix.Open(path, openDir, 0)
		if err == nil {
			return fd(n), nil
		}
		if err == unix.ENAMETOOLONG && len(path) >= unix.PathMax {
			return openLong(path)
		}
		if err != unix.EINTR {
			return nil, err
		}
	}
}

// openLong opens an absolute path that is too long for one call, folder by
// folder. Links are followed, as open does.
func openLong(path string) (dir, error) {
	at, err := unix.Open("/", openDir, 0)
	for name := range strings.SplitSeq(path, "/") {
		if err != nil {
			return nil, err
		}
		if name == "" {
			continue
		}
		var below int
		below, err = unix.Openat(at, name, openDir, 0)
		unix.Close(at)
		at = below
	}
	return fd(at), err
}

func (linux) stat(path string, st *info) error {
	var raw unix.Stat_t
	if err := unix.Stat(path, &raw); err != nil {
		return err
	}
	st.set(&raw)
	return nil
}

func (d fd) close() { unix.Close(int(d)) }

func (d fd) open(name string) (dir, error) {
	n, err := d.openat(name, openDir|unix.O_NOFOLLOW)
	if err != nil {
		return nil, err
	}
	return fd(n), nil
}

func (d fd) openat(name string, flags int) (int, error) {
	for {
		n, err := unix.Openat(int(d), name, flags, 0)
		if err != unix.EINTR {
			return n, err
		}
	}
}

func (d fd) beneath(rel string) (dir, error) {
	if rel == "" {
		rel = "."
	}
	if len(rel) < unix.PathMax {
		how := unix.OpenHow{Flags: openDir, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
		n, err := unix.Openat2(int(d), rel, &how)
		switch err {
		case nil:
			return fd(n), nil
		case unix.ENOSYS, unix.EPERM, unix.EAGAIN, unix.EINTR:
			// Linux before 5.6, a seccomp filter, or a rename at that moment:
			// go down by hand.
		default:
			return nil, err
		}
	}
	return descend(d, rel)
}

func (d fd) openFile(name string) (regular, error) {
	n, err := d.openat(name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(n, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		unix.Close(n)
		return nil, errors.Join(err, errNotRegular)
	}
	return &file{n: n}, nil
}

func (d fd) readlink(name string) (string, error) {
	for size := 256; ; size *= 2 {
		b := make([]byte, size)
		n, err := unix.Readlinkat(int(d), name, b)
		if err != nil {
			return "", err
		}
		if n < size {
			return string(b[:n]), nil
		}
	}
}

// A linux_dirent64 is 8 bytes inode, 8 offset, 2 length, 1 type, then the name
// and a NUL byte. Source: getdents64(2).
const (
	direntLength = 16
	direntType   = 18
	direntName   = 19
)

// listChunk is the room offered to one getdents64, in bytes; it holds some
// hundred names.
const listChunk = 32 << 10

func (d fd) list(l *listing) error {
	for {
		if cap(l.buf)-len(l.buf) < listChunk {
			grown := make([]byte, len(l.buf), 2*cap(l.buf)+listChunk)
			copy(grown, l.buf)
			l.buf = grown
		}
		from := len(l.buf)
		n, err := unix.Getdents(int(d), l.buf[from:cap(l.buf)])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if n <= 0 {
			return nil
		}
		l.buf = l.buf[:from+n]
		if err := l.dirents(from); err != nil {
			return err
		}
	}
}

// dirents notes the names in the records from buf[from] on.
func (l *listing) dirents(from int) error {
	for from < len(l.buf) {
		rec := l.buf[from:]
		if len(rec) <= direntName {
			return errTorn
		}
		length := int(binary.NativeEndian.Uint16(rec[direntLength:]))
		if length <= direntName || length > len(rec) {
			return errTorn
		}
		name := rec[direntName:length]
		size := bytes.IndexByte(name, 0)
		if size < 0 {
			return errTorn
		}
		if !(size == 1 && name[0] == '.') && !(size == 2 && name[0] == '.' && name[1] == '.') {
			l.add(from+direntName, size, what[rec[direntType]&15])
		}
		from += length
	}
	return nil
}

// what says how a listing's type is treated; types are four bits.
var what = [16]uint8{
	unix.DT_UNKNOWN: isUnknown, unix.DT_DIR: isDir, unix.DT_REG: isLeaf, unix.DT_LNK: isLeaf,
	unix.DT_FIFO: isSpecial, unix.DT_CHR: isSpecial, unix.DT_BLK: isSpecial, unix.DT_SOCK: isSpecial,
}

func (d fd) lstat(name []byte, st *info) error {
	var raw unix.Stat_t
	for {
		_, _, errno := syscall.Syscall6(unix.SYS_NEWFSTATAT, uintptr(d), uintptr(unsafe.Pointer(&name[0])),
			uintptr(unsafe.Pointer(&raw)), unix.AT_SYMLINK_NOFOLLOW, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return errno
		}
		break
	}
	st.set(&raw)
	return nil
}

func (st *info) set(raw *unix.Stat_t) {
	st.Kind = kindOf(raw.Mode)
	st.Mode = raw.Mode & 07777
	st.Size = raw.Size
	st.ModTime = raw.Mtim.Sec*1e9 + raw.Mtim.Nsec
	st.CTime = raw.Ctim.Sec*1e9 + raw.Ctim.Nsec
	st.Inode = raw.Ino
	st.dev = raw.Dev
	st.owner = raw.Uid
}

func kindOf(mode uint32) manifest.Kind {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return manifest.File
	case unix.S_IFLNK:
		return manifest.Symlink
	case unix.S_IFDIR:
		return manifest.Dir
	}
	return manifest.NoKind
}

var emptyName = [1]byte{}

// self asks statx, which alone tells the birth time and whether something is
// mounted here.
func (d fd) self(st *info) error {
	const mask = unix.STATX_BASIC_STATS | unix.STATX_BTIME
	var raw unix.Statx_t
	_, _, errno := syscall.Syscall6(unix.SYS_STATX, uintptr(d), uintptr(unsafe.Pointer(&emptyName)),
		unix.AT_EMPTY_PATH, mask, uintptr(unsafe.Pointer(&raw)), 0)
	if errno != 0 {
		return errno
	}
	st.Kind = kindOf(uint32(raw.Mode))
	st.Mode = uint32(raw.Mode) & 07777
	st.Size = int64(raw.Size)
	st.ModTime = nanos(raw.Mtime)
	st.CTime = nanos(raw.Ctime)
	st.Inode = raw.Ino
	st.dev = unix.Mkdev(raw.Dev_major, raw.Dev_minor)
	st.birth = 0
	if raw.Mask&unix.STATX_BTIME != 0 {
		st.birth = nanos(raw.Btime)
	}
	st.mount = raw.Attributes_mask&raw.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
	return nil
}

func nanos(t unix.StatxTimestamp) int64 { return t.Sec*1e9 + int64(t.Nsec) }

// lstatTellsInode: an lstat tells the inode number of a file.
const lstatTellsInode = true

// A file is a regular without an os.File, which would try in vain to have the
// network poller watch it: two system calls that a small file feels.
type file struct {
	n   int // -1 when closed
	off int64
}

func (f *file) stat(st *info) error {
	var raw unix.Stat_t
	if err := unix.Fstat(f.n, &raw); err != nil {
		return fmt.Errorf("fstat: %w", err)
	}
	st.set(&raw)
	return nil
}

// Read reads on from where the last Read ended.
func (f *file) Read(b []byte) (int, error) {
	n, err := f.pread(b, f.off)
	f.off += int64(n)
	return n, err
}

// ReadAt reads until b is full or the file ends.
func (f *file) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) && err == nil {
		var more int
		more, err = f.pread(b[n:], off+int64(n))
		n += more
	}
	return n, err
}

// pread reads once; the end of the file is io.EOF.
func (f *file) pread(b []byte, off int64) (int, error) {
	for {
		n, err := unix.Pread(f.n, b, off)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, err
		case n == 0 && len(b) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// Close closes the file, once.
func (f *file) Close() error {
	n := f.n
	f.n = -1
	return unix.Close(n)
}
