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
	Keep                // observed absent, but retired or pinned: stays until purged
)

var changeNames = [...]string{"", "created", "modified", "touched", "restat", "moved", "deleted", "retired", "unretired", "kept"}

// String returns the kind in the words of the design.
func (k ChangeKind) String() string { return changeNames[k] }

// A FileChange is one file's or symlink's change. New is nil for Deleted and
// Keep. Old is nil for Created, unless Drive lost the item that Old names and
// it is created anew. New.Content is Old's where the content stays; otherwise
// it is zero but for Hash.
//
// Twin, of a Created, is a file whose content equals New's: one that Drive
// holds, or another New of the same changes, whose FileID is not known yet.
type FileChange struct {
	Kind     ChangeKind
	Old, New *FileAt
	Twin     *FileAt
}

// A FolderChange is one folder's change: Created, Moved, Deleted, Restat,
// Retire, Unretire or Keep; Old and New as in a FileChange.
type FolderChange struct {
	Kind     ChangeKind
	Old, New *FolderAt
}

// Changes is what turns the manifest into what the disk shows: folders by
// path, so parents first, and files by folder and name. What counts is New's
// place, or Old's where there is no New.
type Changes struct {
	Folders []FolderChange
	Files   []FileChange
}
