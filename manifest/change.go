package manifest

// A ChangeKind says what became of a file or folder.
type ChangeKind uint8

// The kinds of change.
const (
	Created  ChangeKind = iota + 1
	Modified            // other content under the same FileID
	Touched             // same content, other modification time or mode
	Restat              // same content, time and mode; only the stored stat is renewed
	Moved               // another folder or name, same FileID; time and mode may differ too
	Deleted             // observed absent
	Retire              // hidden from now on, kept
	Unretire            // visible again, under the same FileID; otherwise unchanged
)

var changeNames = [...]string{"", "created", "modified", "touched", "restat", "moved", "deleted", "retired", "unretired"}

// String returns the kind in the words of the design.
func (k ChangeKind) String() string { return changeNames[k] }

// A FileChange is one file's or symlink's change. Old is nil for Created and
// New is nil for Deleted. New.Content is zero but for Hash, and but for moves
// and kinds below, whose content is Old's.
type FileChange struct {
	Kind     ChangeKind
	Old, New *FileAt
}

// A FolderChange is one folder's change: Created, Moved, Deleted, Restat,
// Retire or Unretire.
type FolderChange struct {
	Kind     ChangeKind
	Old, New *FolderAt
}

// Changes is what turns the manifest into what the disk shows, ordered by
// path: New's, or Old's where there is no New.
type Changes struct {
	Folders []FolderChange
	Files   []FileChange
}
