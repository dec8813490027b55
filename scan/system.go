package scan

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"io"
	"slices"

	"github.com/autocloudbackup/acb/manifest"
)

// A system is what the walk needs of the operating system. Only this seam
// differs between platforms; tests put a failing one in its place.
type system interface {
	// open opens the folder at an absolute path. Links on the way and at the
	// end are followed: the path was written by the user.
	open(path string) (dir, error)
	// stat tells about an absolute path, following links.
	stat(path string, st *info) error
	// fileSystem tells which file system an open folder is on. It is asked
	// once for each device number that a scan meets.
	fileSystem(d dir) fileSystem
}

// A dir is an open folder. Everything in it is reached relative to the handle,
// and no link below it is ever followed. A dir is closed once; its methods may
// be called by several goroutines.
type dir interface {
	// self tells about the folder itself.
	self(*info) error
	// list adds all names to l, in the order the system has them.
	list(l *listing) error
	// lstat tells about a name. It ends with a NUL byte.
	lstat(name []byte, st *info) error
	// open opens a subfolder; a link or a file in its place is an error.
	open(name string) (dir, error)
	// beneath opens a folder further down, slash-separated, with no link on the way.
	beneath(rel string) (dir, error)
	// openFile opens a regular file for reading. It does not block, whatever is there.
	openFile(name string) (regular, error)
	readlink(name string) (string, error)
	close()
}

// A regular is an open regular file, for one goroutine at a time.
type regular interface {
	io.ReadCloser
	io.ReaderAt
	stat(*info) error
}

// An info is what the system tells about one name, all of it; what is not
// stable on its file system is cut away by fileSystem.trim.
type info struct {
	manifest.Stat        // Kind is NoKind for a socket, pipe or device
	dev           uint64 // device number, of use within one scan only
	birth         int64  // of folders only; nanoseconds since 1970, 0 if unknown
	mount         bool   // of folders only: the root of a mount
	owner         uint32 // user id; 0 on Windows, where nobody has that number
}

// A fileSystem is what there is to know of a file system beside its device.
type fileSystem struct {
	identity string // UUID, serial or the best there is; "" if unknown
	stable   bool   // keeps inode numbers and change times
}

// trim drops what the file system does not keep stable, so that it compares
// equal to what was stored.
func (fs *fileSystem) trim(st *manifest.Stat) {
	if !fs.stable {
		st.Inode, st.CTime = 0, 0
	}
}

// What a listing says of a name, as far as it says it.
const (
	isUnknown uint8 = iota // the file system does not tell: lstat it
	isDir
	isLeaf    // a regular file or a symlink
	isSpecial // a socket, pipe or device
)

// A listing holds the names of one folder. It is used again for the next.
type listing struct {
	buf   []byte // names, each ended by a NUL byte, with whatever lies between
	names []nameRef
}

// A nameRef is one name in a listing.
type nameRef struct {
	key  uint64 // its first eight bytes, so that most comparisons end there
	off  uint32
	size uint16
	what uint8
}

// keepListing is the largest buffer that is kept for the next folder, in bytes.
const keepListing = 1 << 20

func (l *listing) reset() {
	if cap(l.buf) > keepListing {
		*l = listing{}
	}
	l.buf, l.names = l.buf[:0], l.names[:0]
}

// add notes the name at buf[off:off+size], which a NUL byte follows.
func (l *listing) add(off, size int, what uint8) {
	var key uint64
	if off+8 <= len(l.buf) && size >= 8 {
		key = binary.BigEndian.Uint64(l.buf[off:])
	} else {
		var b [8]byte
		copy(b[:], l.buf[off:off+size])
		key = binary.BigEndian.Uint64(b[:])
	}
	l.names = append(l.names, nameRef{key, uint32(off), uint16(size), what})
}

// name returns the name's bytes, valid until the next reset.
func (l *listing) name(r nameRef) []byte { return l.buf[r.off : r.off+uint32(r.size)] }

// cname is name with the NUL byte that ends it.
func (l *listing) cname(r nameRef) []byte { return l.buf[r.off : r.off+uint32(r.size)+1] }

// sort brings the names into bytewise order.
func (l *listing) sort() {
	slices.SortFunc(l.names, func(a, b nameRef) int {
		if a.key != b.key {
			return cmp.Compare(a.key, b.key)
		}
		return bytes.Compare(l.name(a), l.name(b))
	})
}
