package manifest

// This file writes single rows of the tree and of the history; fold.go says
// which.

// entriesOf returns a folder's files, or a *DamagedError.
func entriesOf(c *conn, id FolderID) ([]Entry, error) {
	r := reading(c)
	row, _, err := r.Row(id)
	if err != nil {
		return nil, err
	}
	return r.Entries(row)
}

// reading returns a reader on the writer's connection: within a transaction,
// it sees what that has done so far.
func reading(c *conn) *Reader { return &Reader{c: c} }

// write writes the folder's row and the records of its files.
func (w *folderWork) write(c *conn, files []Entry) error {
	rec, err := pack(w.row.ID, files)
	if err != nil {
		return err
	}
	r := &w.row
	// Also takes the place of the row under another parent: id is unique.
	err = c.exec(`REPLACE INTO folder (parent, id, name, file_id, flags, fs, mode, inode, birth, mtime, subfolders, since, sum, files)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		int64(r.Parent), int64(r.ID), r.Name, string(r.FileID), int64(r.Flags), int64(r.FS), int64(r.Mode),
		int64(r.Inode), r.Birth, r.ModTime, int64(r.Subfolders), r.since, r.sum(), rec)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return c.exec("DELETE FROM content WHERE id = ?", int64(r.ID))
	}
	return c.exec("REPLACE INTO content VALUES (?, ?)", int64(r.ID), packContents(r.ID, files))
}

// writeFacts writes the row of a folder whose files stay as they are.
func (w *folderWork) writeFacts(c *conn) error {
	r := &w.row
	return c.exec(`UPDATE folder SET parent = ?, name = ?, file_id = ?, flags = ?, fs = ?, mode = ?, inode = ?, birth = ?, mtime = ?,
		subfolders = ?, since = ?, sum = ? WHERE parent = ? AND id = ?`,
		int64(r.Parent), r.Name, string(r.FileID), int64(r.Flags), int64(r.FS), int64(r.Mode), int64(r.Inode), r.Birth, r.ModTime,
		int64(r.Subfolders), r.since, r.sum(), int64(w.parent), int64(r.ID))
}

// folderWas writes down where a folder was until the given run.
func folderWas(c *conn, f *Folder, since, until int64) error {
	return c.exec("INSERT INTO folder_was VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		int64(f.ID), int64(f.Parent), f.Name, since, until, string(f.FileID), int64(f.Mode), f.ModTime)
}

// entryWas writes down a version that was there until the given run.
func entryWas(c *conn, in FolderID, e *Entry, until int64, why EndReason) error {
	var md5, hash []byte
	if !e.MD5.IsZero() {
		md5 = e.MD5[:]
	}
	if !e.Hash.IsZero() {
		hash = e.Hash[:]
	}
	kept := int64(0)
	if e.Kept {
		kept = 1
	}
	return c.exec("INSERT INTO entry_was VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		int64(in), e.Name, e.Since, until, string(e.FileID), e.HeadRevision, e.Size, md5, hash, e.ModTime, int64(e.Mode), int64(e.Kind), string(why), kept)
}
