package backup

import (
	"context"
	"errors"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// A revival is a file or folder that comes out of Drive's trash.
type revival struct {
	path manifest.Path
	step manifest.Step // what brings it back into the manifest
	fix  remote.Fix
	need bool // it was trashed itself
}

// bringOut takes out of Drive's trash what a run has put there. What went
// along with a folder comes back with it.
func (r *run) bringOut(ctx context.Context, run manifest.RunID, steps []UndoStep) error {
	known, err := r.Store.Reader()
	if err != nil {
		return err
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
		return nil
	}
	states, err := r.Drive.Check(ctx, ids)
	if err != nil {
		return err
	}
	if list, err = r.revivable(known, list, states); err != nil || len(list) == 0 {
		return err
	}
	return r.revive(ctx, list)
}

// revivable leaves out what Drive no longer has, and what belongs into a
// folder that is not there.
func (r *run) revivable(known *manifest.Reader, list []revival, states map[manifest.FileID]remote.State) ([]revival, error) {
	there := map[manifest.FolderID]bool{} // comes back, or is there
	var out []revival
	for _, v := range list {
		in := v.step.Folder
		if v.step.Kind == manifest.PutFolder {
			in = v.step.Dir.Parent
		}
		if !there[in] {
			_, ok, err := known.Row(in)
			if err != nil {
				return nil, err
			}
			there[in] = ok
		}
		s := states[v.fix.FileID]
		switch {
		case s.Absent:
			r.undoFailed(v.path, "Drive no longer has it in its trash")
			continue
		case !there[in]:
			r.undoFailed(v.path, "its folder is not there")
			continue
		case v.step.Kind == manifest.Put && !v.step.Entry.MD5.IsZero() && s.MD5 != v.step.Entry.MD5:
			v.step.Entry.Content, v.step.Entry.Size = s.Content, s.Size // another hand; the scan sees to it
			v.step.Entry.FileID = v.fix.FileID
		}
		if v.step.Kind == manifest.PutFolder {
			there[v.step.Dir.ID] = true
		}
		v.need = s.Explicit
		out = append(out, v)
	}
	return out, nil
}

// revive takes out of the trash what was put there itself, folders first, and
// brings all of it back into the manifest.
func (r *run) revive(ctx context.Context, list []revival) error {
	if err := r.layout(ctx); err != nil {
		return err
	}
	if err := r.claim(ctx); err != nil {
		return err
	}
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
	for _, v := range list {
		in := v.step.Folder
		if v.step.Kind == manifest.PutFolder {
			in = v.step.Dir.Parent
		}
		err := failed[v.fix.FileID]
		if err == nil && without[in] {
			err = errors.New("its folder stays in the trash")
		}
		if err != nil {
			without[v.step.Dir.ID] = v.step.Kind == manifest.PutFolder
			r.undoFailed(v.path, err.Error())
			continue
		}
		steps = append(steps, v.step)
		if v.step.Kind == manifest.PutFolder {
			r.sum.Counts.CreatedFolders++
		} else {
			r.sum.Counts.Created++
		}
	}
	return errors.Join(r.Store.Ack(steps), r.Store.Fold())
}
