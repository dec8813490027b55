package backup

import (
	"context"
	"fmt"

	"github.com/autocloudbackup/acb/manifest"
)

// lose marks what Drive no longer has, the folders above it that are not there
// either, and all below them that went along, so that the next plan creates
// them anew.
func (r *run) lose(ctx context.Context, lost []manifest.FileID) error {
	if len(lost) == 0 {
		return nil
	}
	gone := make(map[manifest.FileID]bool, len(lost))
	for _, id := range lost {
		gone[id] = true
	}
	lay, err := knownLayout(r.Store)
	if err != nil {
		return err
	}
	if err := r.loseAround(ctx, gone, above, lay.Host); err != nil {
		return err
	}
	if gone[lay.Host] {
		r.Log.Warn("host folder is no longer on Drive", "id", string(lay.Host))
		return r.hostLost(ctx)
	}
	if err := r.loseAround(ctx, gone, below); err != nil {
		return err
	}
	lost = lost[:0]
	for id := range gone {
		r.Log.Warn("no longer on Drive", "id", string(id))
		lost = append(lost, id)
	}
	return r.Store.MarkLost(lost)
}

// around finds the items that may have gone with what is gone.
type around func(known *manifest.Reader, gone map[manifest.FileID]bool) ([]manifest.FileID, error)

// loseAround adds to gone what Drive does not have of the items that find
// names, and of more.
func (r *run) loseAround(ctx context.Context, gone map[manifest.FileID]bool, find around, more ...manifest.FileID) error {
	known, err := r.Store.Reader()
	if err != nil {
		return err
	}
	defer known.Close()
	ids, err := find(known, gone)
	if err != nil {
		return err
	}
	if ids = append(ids, more...); len(ids) == 0 {
		return nil
	}
	states, err := r.Drive.Check(ctx, ids)
	if err != nil {
		return fmt.Errorf("look for what was beside a lost item: %w", err)
	}
	for id, s := range states {
		if s.Absent {
			gone[id] = true
		}
	}
	return nil
}

// above returns the ids of the folders above what is gone.
func above(known *manifest.Reader, gone map[manifest.FileID]bool) (ids []manifest.FileID, err error) {
	type folder struct {
		parent manifest.FolderID
		id     manifest.FileID
	}
	folders := make(map[manifest.FolderID]folder)
	seen := make(map[manifest.FolderID]bool)
	climb := func(at manifest.FolderID) {
		for at != manifest.Root && at != 0 && !seen[at] {
			seen[at] = true
			if f := folders[at]; f.id != "" && !gone[f.id] {
				ids = append(ids, f.id)
			}
			at = folders[at].parent
		}
	}
	err = known.Walk(manifest.Root, func(_ manifest.Path, row manifest.Row, files []manifest.Entry) error {
		folders[row.ID] = folder{row.Parent, row.FileID}
		if gone[row.FileID] {
			climb(row.Parent)
		}
		for _, e := range files {
			if gone[e.FileID] {
				climb(row.ID)
				break
			}
		}
		return nil
	})
	return ids, err
}

// below returns the ids of all that the manifest has below the folders that
// are gone.
func below(known *manifest.Reader, gone map[manifest.FileID]bool) (ids []manifest.FileID, err error) {
	within := make(map[manifest.FolderID]bool)
	err = known.Walk(manifest.Root, func(_ manifest.Path, row manifest.Row, files []manifest.Entry) error {
		if within[row.Parent] && row.FileID != "" && !gone[row.FileID] {
			ids = append(ids, row.FileID)
		}
		if !within[row.Parent] && !gone[row.FileID] {
			return nil
		}
		within[row.ID] = true
		for _, e := range files {
			if !gone[e.FileID] {
				ids = append(ids, e.FileID)
			}
		}
		return nil
	})
	return ids, err
}
