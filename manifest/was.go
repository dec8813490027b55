package manifest

import "database/sql/driver"

// A Version is a file or symlink that was in a folder under a name: from run
// From on, until run To put something else there or took it away.
type Version struct {
	Folder   FolderID
	Entry    // of one that has ended, Flags, Day, CTime and Inode are not kept
	From, To RunID
	Reason   EndReason // why it ended; "" while it has not
}

// A FolderVersion is where a folder was: from run From on, until run To.
type FolderVersion struct {
	Folder   // of one that has ended, only ID, Parent, Name, FileID, Mode and ModTime are kept
	From, To RunID
}

// Now is the To of what has not ended, and the run of a View of today.
const Now RunID = 1<<63 - 1

const selectVersion = "SELECT folder, name, from_run, to_run, file_id, head_revision, size, md5, blake3, mtime, mode, kind, end_reason, kept FROM entry_was "

// EntriesWere returns the versions that were in a folder and are not any more,
// by name and then from the oldest on; with a name, only those under that
// name.
func (r *Reader) EntriesWere(in FolderID, name string) ([]Version, error) {
	if name == "" {
		return r.versions(selectVersion+"WHERE folder = ? ORDER BY name, rowid", int64(in))
	}
	return r.versions(selectVersion+"WHERE folder = ? AND name = ? ORDER BY rowid", int64(in), name)
}

// FileWas returns the versions of a FileID that have ended, wherever it was,
// from the oldest on.
func (r *Reader) FileWas(id FileID) ([]Version, error) {
	return r.versions(selectVersion+"WHERE file_id = ? ORDER BY rowid", string(id))
}

// CountKept returns how many past contents of a file Drive keeps for good, as
// far as the manifest knows.
func (s *Store) CountKept(id FileID) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.c.number("SELECT count(DISTINCT head_revision) FROM entry_was WHERE file_id = ? AND kept", string(id))
}

func (r *Reader) versions(query string, args ...driver.Value) (list []Version, err error) {
	err = r.eachVersion(query, func(v Version) error {
		list = append(list, v)
		return nil
	}, args...)
	return list, err
}

func (r *Reader) eachVersion(query string, each func(Version) error, args ...driver.Value) error {
	return r.c.query(query, func(v []driver.Value) error {
		w := Version{Folder: FolderID(integer(v[0])), From: RunID(integer(v[2])), To: RunID(integer(v[3])), Reason: EndReason(text(v[12]))}
		w.Name = text(v[1])
		w.FileID, w.HeadRevision, w.Since, w.Kept = FileID(text(v[4])), text(v[5]), integer(v[2]), integer(v[13]) != 0
		w.Size, w.ModTime, w.Mode, w.Kind = integer(v[6]), integer(v[9]), uint32(integer(v[10])), Kind(integer(v[11]))
		copy(w.MD5[:], blob(v[7]))
		copy(w.Hash[:], blob(v[8]))
		return each(w)
	}, args...)
}

const selectFolderVersion = "SELECT folder, parent, name, from_run, to_run, file_id, mode, mtime FROM folder_was "

// FolderWere returns where a folder was before it was where it is, from the
// oldest on; of a folder that is gone, all its places.
func (r *Reader) FolderWere(id FolderID) ([]FolderVersion, error) {
	return r.folderVersions(selectFolderVersion+"WHERE folder = ? ORDER BY rowid", int64(id))
}

// ChildrenWere returns the folders that were in parent and are not, or not
// under that name, by name and then from the oldest on; with a name, only
// those of that name.
func (r *Reader) ChildrenWere(parent FolderID, name string) ([]FolderVersion, error) {
	if name == "" {
		return r.folderVersions(selectFolderVersion+"WHERE parent = ? ORDER BY name, rowid", int64(parent))
	}
	return r.folderVersions(selectFolderVersion+"WHERE parent = ? AND name = ? ORDER BY rowid", int64(parent), name)
}

func (r *Reader) folderVersions(query string, args ...driver.Value) (list []FolderVersion, err error) {
	err = r.c.query(query, func(v []driver.Value) error {
		p := FolderVersion{From: RunID(integer(v[3])), To: RunID(integer(v[4]))}
		p.ID, p.Parent, p.Name = FolderID(integer(v[0])), FolderID(integer(v[1])), text(v[2])
		p.FileID, p.Mode, p.ModTime = FileID(text(v[5])), uint32(integer(v[6])), integer(v[7])
		list = append(list, p)
		return nil
	}, args...)
	return list, err
}
