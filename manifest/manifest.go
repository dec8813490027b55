// Package manifest holds what acb knows: the words that every other package
// shares (Path, Entry, Folder, Hash, FileID), the store that keeps them with
// its journal and history, and Diff, which turns what a scan saw into changes.
//
// It imports no other package of acb and never sees the network.
package manifest

import (
	"encoding/hex"
	"time"
)

// A Hash is the BLAKE3-256 of a content; the zero Hash means "not known".
type Hash [32]byte

// IsZero reports whether the hash is not known.
func (h Hash) IsZero() bool { return h == Hash{} }

// String returns the hash in lower-case hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// An MD5 is Drive's md5Checksum of a content; the zero MD5 means "not known".
type MD5 [16]byte

// IsZero reports whether the sum is not known.
func (m MD5) IsZero() bool { return m == MD5{} }

// String returns the sum in lower-case hexadecimal, as Drive writes it.
func (m MD5) String() string { return hex.EncodeToString(m[:]) }

// A FileID is Drive's name for a file or folder. It is reserved before the
// first request that uses it, and an item keeps it for life.
type FileID string

// A FolderID is the manifest's own number for a folder. It stays when the
// folder moves and is never used again, so that a moved folder rewrites one
// row and not its subtree.
type FolderID int64

// Root is the folder that stands for the host folder on Drive; every Path is
// below it.
const Root FolderID = 1

// An FS numbers a file system within one manifest; the store maps it to the
// file system's UUID or volume serial. Zero means "not known". Device numbers
// change from boot to boot and are never stored.
type FS uint32

// RestorePrefix begins the name of what a restore has not put in place yet.
// One that was interrupted leaves such files, also in sources: they are acb's
// own to a scan, and go on to be what they were meant to be by the next restore.
const RestorePrefix = ".acb-restore."

// A Kind is what a name is. Only these three are backed up.
type Kind uint8

// The kinds. Their numbers are stored: never renumber them.
const (
	NoKind  Kind = iota
	File         // a regular file
	Symlink      // a symbolic link; its content is its target
	Dir          // a folder
)

// String returns the kind's name as messages and tables use it.
func (k Kind) String() string {
	return [...]string{"none", "file", "symlink", "folder"}[k]
}

// Flags mark what is special about an entry or a folder. Their bits are
// stored: never renumber them.
type Flags uint8

// The flags.
const (
	// Racy: the content may have changed without the stat telling, because
	// the time stamp was too young when it was read; the next scan hashes it.
	Racy Flags = 1 << iota
	// Retired: hidden by the rules of today or its source left the config.
	// Kept on Drive, never absent, trashed only by purge.
	Retired
	// Pinned: backed up by --path although ignored or outside every source.
	// Stays until purged.
	Pinned
	// Lost: Drive no longer has it. The next plan creates it anew.
	Lost
	// Prefix: a folder above the sources, there to hold them; never scanned.
	Prefix
	// Unmet: taken over from Drive when the manifest was made anew, and not
	// met on this disk since. That it is not there is no news.
	Unmet
)

// Has reports whether all bits of g are set.
func (f Flags) Has(g Flags) bool { return f&g == g }

// A Stat is what one lstat tells about a file or symlink, as far as acb
// compares it.
type Stat struct {
	Kind    Kind
	Mode    uint32 // permission, setuid, setgid and sticky bits (07777)
	Size    int64  // bytes; of a symlink, the length of its target
	ModTime int64  // nanoseconds since 1970, UTC
	CTime   int64  // likewise; 0 where the file system does not keep it stable
	Inode   uint64 // 0 where the file system does not keep it stable
}

// ModifiedAt returns ModTime as a time in UTC.
func (s Stat) ModifiedAt() time.Time { return time.Unix(0, s.ModTime).UTC() }

// A Content is what Drive holds for an entry, as Drive acknowledged it.
type Content struct {
	FileID       FileID
	HeadRevision string
	Hash         Hash
	MD5          MD5
	Kept         bool  // Drive keeps it for good, also when another replaces it
	Since        int64 // the run in which this version came to be; the store sets it
}

// An Entry is one file or symlink as acb last saved it.
type Entry struct {
	Name  string // as on disk, byte for byte
	Flags Flags
	Day   int32 // day its content was last read, in days since 1970, UTC
	Stat
	Content
}

// A Folder is one folder as acb last saved it. Its files and subfolders are
// kept apart from it, see Row.
type Folder struct {
	ID      FolderID
	Parent  FolderID // 0 for Root
	Name    string   // as on disk, byte for byte
	FileID  FileID
	Flags   Flags
	FS      FS
	Mode    uint32
	Inode   uint64
	Birth   int64 // nanoseconds since 1970; 0 where the file system has none
	ModTime int64 // nanoseconds since 1970
}
