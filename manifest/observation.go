package manifest

// An Observation is how the disk differs from the manifest, as one scan saw
// it. Only *observed* differences are in it: what could not be listed or
// stat'ed is unknown, is in neither list, and so keeps what it had.
//
// In every difference Old is what the manifest holds and New is what the disk
// shows. Old alone means observed absent; New alone means never seen before;
// both mean the same folder or the same name in the same folder.
type Observation struct {
	Folders []FolderDiff
	Files   []FileDiff
	// Unknown lists the known paths that this scan could not or should not
	// look at. A folder above one of them is not trashed whole.
	Unknown []Path
}

// A Place is a folder as one side of a difference names it.
type Place struct {
	ID     FolderID
	Path   Path // where it was (Old) or is now (New)
	Source int  // index into the run's sources; -1 above or outside all of them
}

// A FileAt is an entry and the folder that holds it.
type FileAt struct {
	In *Place
	Entry
}

// Path returns where the entry is.
func (f *FileAt) Path() Path { return f.In.Path.Join(f.Name) }

// A FileDiff is one file or symlink that differs. With both sides, In.ID and
// Name are equal on both, and New.Hash is set where the content was read:
// always if the size is the same, where the size equals that of another
// content that is gone or was replaced, so that Diff can find moves, and where
// a new large file may equal another one, so that it can be copied.
// New.Content is otherwise zero. New.Flags holds Racy, Retired and Pinned as
// they are to be stored.
//
// Twin, of a file that is new or that Drive lost, is a known one whose content
// equals New's, so that Drive can copy it. It may be moved, changed or deleted
// in the same observation.
type FileDiff struct {
	Old, New *FileAt
	Twin     *FileAt
}

// A FolderAt is a folder and the folder that holds it.
type FolderAt struct {
	In *Place // the parent
	Folder
}

// Path returns where the folder is.
func (f *FolderAt) Path() Path { return f.In.Path.Join(f.Name) }

// A FolderDiff is one folder that is new (Old nil), observed absent (New nil;
// every known folder and file below is listed as absent too), or known by its
// ID with other facts: another parent or name is a move, another flag a
// retirement or its end, anything else only a new stat.
// A new folder carries an ID that the manifest has never used.
type FolderDiff struct {
	Old, New *FolderAt
}
