package manifest

import (
	"cmp"
	"slices"
)

// Ever returns all that was ever at a path: files and symlinks, and folders,
// from the oldest on. From and To are cut to the time in which it was at that
// path: the folders above may have come there later, or left before.
func (r *Reader) Ever(p Path) (files []Version, folders []FolderVersion, err error) {
	folders = []FolderVersion{{Folder: Folder{ID: Root}, To: Now}}
	names := p.Names()
	for i, name := range names {
		above := folders
		folders = nil
		for _, dir := range above {
			if i == len(names)-1 {
				list, err := r.filesEver(dir, name)
				if err != nil {
					return nil, nil, err
				}
				files = append(files, list...)
			}
			list, err := r.foldersEver(dir, name)
			if err != nil {
				return nil, nil, err
			}
			folders = append(folders, list...)
		}
	}
	slices.SortStableFunc(files, func(a, b Version) int { return cmp.Compare(a.From, b.From) })
	slices.SortStableFunc(folders, func(a, b FolderVersion) int { return cmp.Compare(a.From, b.From) })
	return files, folders, nil
}

// filesEver returns what was under a name in a folder while that was at dir.
func (r *Reader) filesEver(dir FolderVersion, name string) ([]Version, error) {
	list, err := r.EntriesWere(dir.ID, name)
	if err != nil {
		return nil, err
	}
	row, found, err := r.Row(dir.ID)
	if err != nil {
		return nil, err
	}
	if found {
		now, err := r.entry(row, name)
		if err != nil {
			return nil, err
		}
		if now != nil {
			list = append(list, Version{Folder: dir.ID, Entry: *now, From: RunID(now.Since), To: Now})
		}
	}
	cut := list[:0]
	for _, v := range list {
		v.From, v.To = max(v.From, dir.From), min(v.To, dir.To)
		if v.From < v.To {
			cut = append(cut, v)
		}
	}
	return cut, nil
}

// foldersEver returns the folders that were under a name in a folder while
// that was at dir.
func (r *Reader) foldersEver(dir FolderVersion, name string) ([]FolderVersion, error) {
	list, err := r.ChildrenWere(dir.ID, name)
	if err != nil {
		return nil, err
	}
	rows, err := r.rows(selectRow+"WHERE parent = ? AND name = ?", int64(dir.ID), name)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		list = append(list, row.today().FolderVersion)
	}
	cut := list[:0]
	for _, p := range list {
		p.From, p.To = max(p.From, dir.From), min(p.To, dir.To)
		if p.From < p.To {
			cut = append(cut, p)
		}
	}
	return cut, nil
}

// Vanished calls each for the last version of every name that is in no folder
// any more, in no particular order.
func (r *Reader) Vanished(each func(Version) error) error {
	var last *Version
	var in FolderID // whose files of today are in now
	var now []Entry
	flush := func() error {
		if last == nil {
			return nil
		}
		v := *last
		last = nil
		if v.Folder != in {
			var err error
			if now, err = r.entriesNow(v.Folder); err != nil {
				return err
			}
			in = v.Folder
		}
		if indexOf(now, v.Name) >= 0 {
			return nil
		}
		return each(v)
	}
	err := r.eachVersion(selectVersion+"ORDER BY folder, name, rowid", func(v Version) error {
		if last != nil && (last.Folder != v.Folder || last.Name != v.Name) {
			if err := flush(); err != nil {
				return err
			}
		}
		last = &v
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// entriesNow returns the files of a folder, none if there is no such folder.
func (r *Reader) entriesNow(id FolderID) ([]Entry, error) {
	row, found, err := r.Row(id)
	if err != nil || !found {
		return nil, err
	}
	return r.Entries(row)
}

// Ended calls each for every version that has ended, in no particular order.
func (r *Reader) Ended(each func(Version) error) error {
	var list []Version // for each may read the same rows
	err := r.eachVersion(selectVersion+"ORDER BY folder, name, rowid", func(v Version) error {
		list = append(list, v)
		return nil
	})
	for i := 0; err == nil && i < len(list); i++ {
		err = each(list[i])
	}
	return err
}

// A Revised is what has become of a past content of a file on Drive.
type Revised struct {
	FileID   FileID
	Was, Now string // revisions that hold it
	Kept     bool   // for good
}

// Revise writes into the history under which revisions Drive has contents, and
// which it keeps for good, whatever versions held them.
func (s *Store) Revise(list []Revised) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(list) == 0 {
		return nil
	}
	return s.record(func() error {
		for _, c := range list {
			kept := int64(0)
			if c.Kept {
				kept = 1
			}
			err := s.c.exec("UPDATE entry_was SET head_revision = ?, kept = ? WHERE file_id = ? AND head_revision = ?",
				c.Now, kept, string(c.FileID), c.Was)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// MarkRemoved writes into the history that Drive no longer has these contents,
// whatever versions held them; without a HeadRevision, any of that file.
func (s *Store) MarkRemoved(gone []Content) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(gone) == 0 {
		return nil
	}
	return s.record(func() error {
		for _, c := range gone {
			err := s.c.exec("UPDATE entry_was SET end_reason = ?, kept = 0 WHERE file_id = ? AND ? IN ('', head_revision)",
				string(EndRemoved), string(c.FileID), c.HeadRevision)
			if err != nil {
				return err
			}
		}
		return nil
	})
}
