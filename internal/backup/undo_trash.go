package backup

import (
	"context"
	"errors"
	"fmt"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// A revival is a file or folder that comes out of Drive's trash.
type revival struct {
	path manifest.Path
	step manifest.Step // what brings it back into the manifest
	fix  remote.Fix
	need bool // it was trashed itself, or somebody has moved it
}

// place is where it comes back to.
func (v *revival) place() place {
	if v.step.Kind == manifest.PutFolder {
		return place{v.step.Dir.Parent, v.step.Dir.Name}
	}
	return place{v.step.Folder, v.step.Entry.Name}
}

// bringOut takes out of Drive's trash what a run has put there, and returns the
// places of what does not come back. What went along with a folder comes back
// with it.
func (r *run) bringOut(ctx context.Context, steps []UndoStep) (stays map[place]bool, err error) {
	known, err := r.Store.Reader()
	if err != nil {
		return nil, err
	}
	defer known.Close()
	var list []revival // folders before what is in them, as Between has them
	var ids []manifest.FileID
	for _, s := range steps {
		if s.Kind != manifest.WasDeleted {
			continue
		}
		v := revival{path: s.Old}
		if s.IsDir() {
			f := s.Dir.Old.Folder
			v.step = manifest.Step{Kind: manifest.PutFolder, Dir: f, Reason: manifest.EndUndone}
			v.fix = remote.Fix{Path: s.Old, FileID: f.FileID, Kind: manifest.Dir, Untrash: true, ModTime: f.ModTime}
		} else {
			e := s.File.Old.Entry
			e.Flags |= manifest.Racy // the history does not tell the stat, so the scan reads it
			v.step = manifest.Step{Kind: manifest.Put, Folder: s.File.Old.Folder, Entry: e, Reason: manifest.EndUndone}
			v.fix = remote.Fix{Path: s.Old, FileID: e.FileID, Kind: e.Kind, Untrash: true, ModTime: e.ModTime}
		}
		list, ids = append(list, v), append(ids, v.fix.FileID)
	}
	if len(list) == 0 {
		return nil, nil
	}
	states, err := r.Drive.Check(ctx, ids)
	if err != nil {
		return nil, err
	}
	stays = map[place]bool{}
	if list, err = r.revivable(known, list, states, stays); err != nil || len(list) == 0 {
		return stays, err
	}
	return stays, r.revive(ctx, list, stays)
}

// revivable leaves out what Drive no longer has, and what belongs into a
// folder that is not there. Their places are added to stays.
func (r *run) revivable(known *manifest.Reader, list []revival, states States, stays map[place]bool) ([]revival, error) {
	lay, err := knownLayout(r.Store)
	if err != nil {
		return nil, err
	}
	folders := map[manifest.FolderID]manifest.FileID{manifest.Root: lay.Host} // that come back or are there; "" is neither
	var out []revival
	for _, v := range list {
		at := v.place()
		parent, asked := folders[at.folder]
		if !asked {
			row, _, err := known.Row(at.folder)
			if err != nil {
				return nil, err
			}
			parent = row.FileID
			folders[at.folder] = parent
		}
		s := states[v.fix.FileID]
		if s.Absent || parent == "" {
			why := "its folder is not there"
			if s.Absent {
				why = "Drive no longer has it in its trash"
			}
			r.undoFailed(v.path, why)
			stays[at] = true
			continue
		}
		if e := &v.step.Entry; v.step.Kind == manifest.Put && !e.MD5.IsZero() && s.MD5 != e.MD5 {
			e.Content, e.Size = s.Content, s.Size // another hand; the scan sees to it
			e.FileID, e.Hash = v.fix.FileID, manifest.Hash{}
		}
		if v.step.Kind == manifest.PutFolder {
			folders[v.step.Dir.ID] = v.fix.FileID
		}
		v.fix.Untrash = s.Explicit
		if s.Parent != parent {
			v.fix.Parent, v.fix.From = parent, s.Parent
		}
		if s.Name != at.name {
			v.fix.Name = at.name
		}
		v.need = s.Explicit || v.fix.Parent != "" || v.fix.Name != ""
		out = append(out, v)
	}
	return out, nil
}

// revive takes out of the trash what was put there itself, folders first, and
// brings all of it back into the manifest.
func (r *run) revive(ctx context.Context, list []revival, stays map[place]bool) error {
	if err := r.layout(ctx); err != nil {
		return err
	}
	if err := r.claim(ctx); err != nil {
		return err
	}
	intents := make([]manifest.Intent, len(list))
	for i, v := range list {
		intents[i] = manifest.Intent{Kind: manifest.ChangeItem, FileID: v.fix.FileID, Change: v.step}
	}
	if err := r.Store.Begin(intents); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	r.journal.wrote = true
	failed := map[manifest.FileID]error{}
	for _, dirs := range []bool{true, false} {
		var fixes []remote.Fix
		for _, v := range list {
			if v.need && dirs == (v.fix.Kind == manifest.Dir) {
				fixes = append(fixes, v.fix)
			}
		}
		if err := r.Drive.PutBack(ctx, fixes, func(f remote.Fix, err error) { failed[f.FileID] = err }); err != nil {
			return err
		}
	}
	without := map[manifest.FolderID]bool{} // folders that stay in the trash
	var steps []manifest.Step
	for i, v := range list {
		at := v.place()
		err := failed[v.fix.FileID]
		if err == nil && without[at.folder] {
			err = errors.New("its folder stays in the trash")
		}
		if err != nil {
			without[v.step.Dir.ID] = v.step.Kind == manifest.PutFolder
			stays[at] = true
			r.undoFailed(v.path, err.Error())
			continue // the next run asks Drive what became of it
		}
		v.step.Intent = intents[i].Seq
		steps = append(steps, v.step)
		if v.step.Kind == manifest.PutFolder {
			r.sum.Counts.CreatedFolders++
		} else {
			r.sum.Counts.Created++
		}
	}
	return errors.Join(r.Store.Ack(steps), r.Store.Fold())
}
