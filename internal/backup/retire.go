package backup

import (
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/scan"
)

// retireOutside adds to what the scan saw that which the configuration no
// longer names: sources that were taken out, and what lay beside a source
// that was narrowed. It is retired: kept, out of sight, trashed only by purge.
func (r *run) retireOutside(seen *scan.Result) error {
	known, err := r.Store.Reader()
	if err != nil {
		return err
	}
	defer known.Close()
	root, ok, err := known.Row(manifest.Root)
	if err != nil || !ok {
		return err
	}
	return r.retireIn(known, root, "", seen)
}

// retireIn looks at what is in a folder above or outside the sources.
func (r *run) retireIn(known *manifest.Reader, in manifest.Row, at manifest.Path, seen *scan.Result) error {
	place := &manifest.Place{ID: in.ID, Path: at, Source: -1}
	files, err := known.Entries(in)
	if err != nil {
		return err
	}
	for _, e := range files {
		if e.Flags&(manifest.Retired|manifest.Pinned) != 0 || r.within(at.Join(e.Name)) {
			continue
		}
		was, will := &manifest.FileAt{In: place, Entry: e}, &manifest.FileAt{In: place, Entry: e}
		will.Flags |= manifest.Retired
		seen.Files = append(seen.Files, manifest.FileDiff{Old: was, New: will})
	}
	folders, err := known.Children(in.ID)
	if err != nil {
		return err
	}
	for _, row := range folders {
		p := at.Join(row.Name)
		switch {
		case r.within(p):
			continue // the scan's
		case r.above(p), row.Flags.Has(manifest.Prefix):
			if err := r.retireIn(known, row, p, seen); err != nil {
				return err
			}
			continue
		case row.Flags&(manifest.Retired|manifest.Pinned) != 0:
			continue
		}
		was, will := &manifest.FolderAt{In: place, Folder: row.Folder}, &manifest.FolderAt{In: place, Folder: row.Folder}
		will.Flags |= manifest.Retired
		seen.Folders = append(seen.Folders, manifest.FolderDiff{Old: was, New: will})
	}
	return nil
}

// within reports whether p is a source or lies in one.
func (r *run) within(p manifest.Path) bool {
	for _, s := range r.Sources {
		if p.Within(s.Path) {
			return true
		}
	}
	return false
}

// above reports whether a source lies below p.
func (r *run) above(p manifest.Path) bool {
	for _, s := range r.Sources {
		if s.Path.Within(p) {
			return true
		}
	}
	return false
}
