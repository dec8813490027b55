// Package plan turns changes into ordered operations on Drive. It is pure: no
// I/O, no clock. The guards that keep a bad day on disk from becoming a bad
// day on Drive live here.
package plan

import "github.com/autocloudbackup/acb/manifest"

// An OpKind says what an operation does on Drive.
type OpKind uint8

// The kinds of operation, in the order in which their stages run.
const (
	CreateFolder OpKind = iota + 1
	MoveFolder          // rename, or other parent, or both; one call whatever it holds
	MoveFile            // likewise; sends time and mode as well
	Copy                // a new file: Drive copies a content that it has, under a reserved FileID
	Upload              // a new file: content under a reserved FileID
	Update              // new content under the FileID it has
	Patch               // new time or mode under the FileID it has; no content
	TrashFile
	TrashFolder // with everything below it
)

var opNames = [...]string{"", "create folder", "move folder", "move", "copy", "upload", "update", "patch", "trash", "trash folder"}

// String returns the kind as messages and tables use it.
func (k OpKind) String() string { return opNames[k] }

// Creates reports whether the operation makes a new item and so needs a
// reserved FileID before its request leaves.
func (k OpKind) Creates() bool { return k == CreateFolder || k == Copy || k == Upload }

// Sends reports whether the operation carries content, which can never ride
// in a batch (Drive API guide, "Improve performance").
func (k OpKind) Sends() bool { return k == Upload || k == Update }

// Trashes reports whether the operation takes something away on Drive.
func (k OpKind) Trashes() bool { return k == TrashFile || k == TrashFolder }

// An Op is one operation on one item of Drive.
type Op struct {
	Kind OpKind
	// Path is where the item is on disk; for a trash, where it was.
	Path manifest.Path
	// From is where a moved item was, or where a copied one is in the
	// manifest or will be in this run.
	From manifest.Path
	// FileID is the item's. For an operation that creates, it is empty until
	// remote has reserved one.
	FileID manifest.FileID
	// Name is the item's name on disk after the operation.
	Name string
	// Parent holds the item after the operation; its own FileID may be
	// reserved only in an earlier stage of the same run.
	Parent manifest.FolderID
	// OldParent holds a moved item before the operation.
	OldParent manifest.FolderID
	// Folder is a folder operation's own number; 0 for files.
	Folder manifest.FolderID
	// Stat is what to send: kind, size, time and mode as scanned. Folders
	// have Kind, ModTime and Mode only.
	Stat manifest.Stat
	// Old is what Drive holds now, nil for folders and for an operation that
	// creates. An update's answer must carry another head revision.
	Old *manifest.Content
	// Files is how many files a TrashFolder takes along.
	Files int
	// Sources are the sources (indices of the run) that the operation
	// touches: one, or two for a move between sources.
	Sources []int
	// File or Dir is the change that the operation carries out; the other is
	// nil. A Copy copies File.Twin: if an operation of an earlier stage brings
	// that to Drive, its Content is zero but for Hash until it is acknowledged.
	File *manifest.FileChange
	Dir  *manifest.FolderChange
}
