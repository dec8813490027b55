package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/autocloudbackup/acb/manifest"
)

// undoKind names the run in the history.
const undoKind = "undo"

// An UndoStep is one difference that a run has made, to be taken back.
type UndoStep struct {
	manifest.Difference
	Why string // why it cannot be taken back; "" if it can
}

// ErrNoRun says that the manifest knows no run of that number.
var ErrNoRun = errors.New("there is no such run")

// PlanUndo says what it means to take back what a run did: whatever was
// changed again since stays as it is. What is as it was before the run, because
// an undo that was interrupted got so far, needs no step. It asks nobody.
// The error wraps ErrNoRun if there was none.
func (b *Backup) PlanUndo(run manifest.RunID) ([]UndoStep, error) {
	known, err := b.Store.Reader()
	if err != nil {
		return nil, err
	}
	defer known.Close()
	switch of, found, err := known.Run(run); {
	case err != nil:
		return nil, err
	case !found:
		return nil, fmt.Errorf("undo run %d: %w; acb log lists them", run, ErrNoRun)
	case of.Kind == rebuildKind:
		return nil, fmt.Errorf("undo: run %d made the manifest anew and changed nothing on Drive, so there is nothing to take back", run)
	}
	steps, err := standing(known, run)
	if err != nil {
		return nil, err
	}
	return steps, judge(known, steps, nil)
}

// Undo takes back on Drive, and in the manifest, what a run did; on disk
// nothing changes. What was put into the trash comes out of it, what was moved
// goes back, what was new goes into the trash, and what was replaced is
// fetched from the revision that Drive keeps and sent again. What cannot be
// taken back is among the summary's failures.
func (b *Backup) Undo(ctx context.Context, run manifest.RunID) (*Summary, error) {
	if _, err := b.PlanUndo(run); err != nil {
		return &Summary{}, err
	}
	r := b.begin(Request{}, &edit{kind: undoKind, reason: manifest.EndUndone})
	err := r.ready()
	if err == nil {
		err = r.settle(ctx)
	}
	r.half = nil
	var steps []UndoStep
	if err == nil {
		steps, err = b.PlanUndo(run) // as it is now that all is settled
	}
	for _, s := range steps {
		if s.Why != "" {
			r.undoFailed(s.Path(), s.Why)
		}
	}
	if steps = possible(steps); err == nil && len(steps) > 0 {
		err = r.undo(ctx, steps)
	}
	return r.end(ctx, err)
}

func (r *run) undoFailed(p manifest.Path, why string) {
	r.sum.Counts.Failed++
	r.sum.Failures = append(r.sum.Failures, Failure{Path: p, Reason: why})
	r.sum.add(Incomplete)
}

// undo takes steps back: what comes out of the trash, then what is moved or
// goes into it, then contents, each in the places that the one before has left.
func (r *run) undo(ctx context.Context, steps []UndoStep) error {
	stays, err := r.bringOut(ctx, steps)
	if err == nil {
		steps, err = r.stillPossible(steps, stays)
	}
	if err != nil {
		return err
	}
	old := &oldContents{run: r, ctx: ctx, was: map[manifest.FileID]*manifest.Version{}}
	for _, s := range steps {
		if s.File.Old != nil {
			old.was[s.File.Old.FileID] = s.File.Old
		}
	}
	defer old.letGo()
	defer os.RemoveAll(r.undoDir())
	r.edit.open, r.edit.acked = old.open, old.acked
	for pass := range 2 {
		r.edit.changes = func(known *manifest.Reader) (manifest.Changes, error) { return inverse(known, steps, pass) }
		if err := r.planEdit(); err != nil {
			return err
		}
		if err := old.pin(r.planned); err != nil {
			return err
		}
		again, err := r.apply(ctx)
		if again {
			r.sum.add(Incomplete) // the next scan makes good what Drive has lost
		}
		if err != nil {
			return err
		}
	}
	return old.letGo()
}

// stillPossible returns the steps that remain when all is out of the trash that
// comes out of it, and notes those that do not go without what stays there.
func (r *run) stillPossible(steps []UndoStep, stays map[place]bool) ([]UndoStep, error) {
	known, err := r.Store.Reader()
	if err != nil {
		return nil, err
	}
	defer known.Close()
	steps = slices.DeleteFunc(steps, func(s UndoStep) bool { return s.Kind == manifest.WasDeleted })
	if err := judge(known, steps, stays); err != nil {
		return nil, err
	}
	for _, s := range steps {
		if s.Why != "" {
			r.undoFailed(s.Path(), s.Why)
		}
	}
	return possible(steps), nil
}

// inverse is what turns what is there today into what was before: in the first
// pass places and what is new, in the second contents, times and modes, of what
// got to its place.
func inverse(known *manifest.Reader, steps []UndoStep, pass int) (c manifest.Changes, err error) {
	now := known.At(manifest.Now)
	u := newUndoing(known, steps)
	at := func(id manifest.FolderID) (*manifest.Place, error) {
		p, found, err := now.PathOf(id)
		if err == nil && !found {
			err = fmt.Errorf("folder %d is not there", id)
		}
		return &manifest.Place{ID: id, Path: p}, err
	}
	for _, s := range steps {
		var in manifest.Pair[*manifest.Place]
		switch {
		case s.Kind == manifest.WasDeleted:
			continue
		case s.IsDir():
			if pass > 0 {
				continue
			}
			if in.New, err = at(s.Dir.New.Parent); err != nil {
				return c, err
			}
			today := &manifest.FolderAt{In: in.New, Folder: s.Dir.New.Folder}
			if s.Kind == manifest.WasCreated {
				c.Folders = append(c.Folders, manifest.FolderChange{Kind: manifest.Deleted, Old: today})
				continue
			}
			if in.Old, err = at(s.Dir.Old.Parent); err != nil {
				return c, err
			}
			back := *today
			back.In, back.Parent, back.Name = in.Old, s.Dir.Old.Parent, s.Dir.Old.Name
			c.Folders = append(c.Folders, manifest.FolderChange{Kind: manifest.Moved, Old: today, New: &back})
		case pass > 0 && s.Kind != manifest.WasCreated:
			to := s.old()
			o, err := u.occupants(to.folder)
			if err != nil {
				return c, err
			}
			if o.files[to.name] != s.File.New.FileID {
				continue
			}
			fallthrough
		default:
			change, err := fileInverse(s, pass, at)
			if err != nil {
				return c, err
			}
			if change != nil {
				c.Files = append(c.Files, *change)
			}
		}
	}
	return c, nil
}

// fileInverse is one file's part of inverse, nil if there is none in this pass.
func fileInverse(s UndoStep, pass int, at func(manifest.FolderID) (*manifest.Place, error)) (*manifest.FileChange, error) {
	was, is := s.File.Old, s.File.New
	if pass == 0 {
		if s.Kind != manifest.WasCreated && s.Kind != manifest.WasMoved {
			return nil, nil
		}
		inNow, err := at(is.Folder)
		today := &manifest.FileAt{In: inNow, Entry: is.Entry}
		if err != nil || s.Kind == manifest.WasCreated {
			return &manifest.FileChange{Kind: manifest.Deleted, Old: today}, err
		}
		inOld, err := at(was.Folder)
		back := &manifest.FileAt{In: inOld, Entry: is.Entry}
		back.Name = was.Name
		return &manifest.FileChange{Kind: manifest.Moved, Old: today, New: back}, err
	}
	if s.Kind == manifest.WasCreated {
		return nil, nil
	}
	inOld, err := at(was.Folder)
	if err != nil {
		return nil, err
	}
	today := &manifest.FileAt{In: inOld, Entry: is.Entry} // where the first pass has put it
	today.Name = was.Name
	stat := was.Stat
	stat.CTime, stat.Inode = 0, 0 // the history does not keep them
	wanted := *today
	wanted.Stat, wanted.Flags = stat, wanted.Flags|manifest.Racy
	switch {
	case !sameVersionContent(was, is):
		wanted.Content = manifest.Content{Hash: was.Hash}
		return &manifest.FileChange{Kind: manifest.Modified, Old: today, New: &wanted}, nil
	case was.ModTime != is.ModTime || was.Mode != is.Mode:
		return &manifest.FileChange{Kind: manifest.Touched, Old: today, New: &wanted}, nil
	}
	return nil, nil
}

func sameVersionContent(a, b *manifest.Version) bool {
	return a.Kind == b.Kind && a.Size == b.Size && a.Hash == b.Hash && a.MD5 == b.MD5
}
