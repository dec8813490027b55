package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/autocloudbackup/acb/manifest"
)

// An UndoStep is one difference that a run has made, to be taken back.
type UndoStep struct {
	manifest.Difference
	Why string // why it cannot be taken back; "" if it can
}

// PlanUndo says what it means to take back what a run did: whatever was
// changed again since stays as it is. It asks nobody.
func (b *Backup) PlanUndo(run manifest.RunID) ([]UndoStep, error) {
	known, err := b.Store.Reader()
	if err != nil {
		return nil, err
	}
	defer known.Close()
	differ, err := known.Between(run-1, run)
	if err != nil {
		return nil, err
	}
	steps := make([]UndoStep, len(differ))
	for i, d := range differ {
		steps[i] = UndoStep{Difference: d, Why: since(d)}
	}
	u := undoing{known: known, before: known.At(run - 1), now: known.At(manifest.Now)}
	return steps, u.judge(steps)
}

// since says what a later run has done to what a run made.
func since(d manifest.Difference) string {
	var to manifest.RunID
	switch {
	case d.File.New != nil:
		to = d.File.New.To
	case d.Dir.New != nil:
		to = d.Dir.New.To
	default:
		return ""
	}
	if to == manifest.Now {
		return ""
	}
	return fmt.Sprintf("run %d has changed it again", to)
}

// undoing works out what can be taken back.
type undoing struct {
	known       *manifest.Reader
	before, now manifest.View
}

// judge finds out which steps cannot be taken: a place that is taken by now, a
// folder to go that holds other things.
func (u *undoing) judge(steps []UndoStep) error {
	leaving := map[manifest.FileID]bool{} // what is at its place today only until this undo
	for _, s := range steps {
		if s.Why == "" && s.File.New != nil && (s.Kind == manifest.WasCreated || s.Kind == manifest.WasMoved) {
			leaving[s.File.New.FileID] = true
		}
	}
	for i := range steps {
		s := &steps[i]
		if s.Why != "" || s.Kind == manifest.WasCreated || s.Old == "" {
			continue
		}
		dir, file, found, err := u.now.Lookup(s.Old)
		if err != nil {
			return err
		}
		same := file != nil && s.File.New != nil && file.FileID == s.File.New.FileID ||
			file == nil && s.Dir.New != nil && dir.ID == s.Dir.New.ID
		if found && !same && (file == nil || !leaving[file.FileID]) {
			s.Why = "something else is in its place by now"
		}
	}
	// From the innermost outwards: folders come in the order of their paths.
	going := map[manifest.FolderID]bool{}
	for _, s := range slices.Backward(steps) {
		if s.Kind == manifest.WasCreated && s.IsDir() && s.Why == "" {
			empty, err := u.empties(s.Dir.New.ID, leaving, going)
			if err != nil {
				return err
			}
			going[s.Dir.New.ID] = empty
		}
	}
	for i := range steps {
		if s := &steps[i]; s.Kind == manifest.WasCreated && s.IsDir() && s.Why == "" && !going[s.Dir.New.ID] {
			s.Why = "it holds other things by now"
		}
	}
	return nil
}

// empties reports whether all that is in a folder today leaves it.
func (u *undoing) empties(id manifest.FolderID, leaving map[manifest.FileID]bool, going map[manifest.FolderID]bool) (bool, error) {
	files, err := u.now.Files(id)
	if err != nil {
		return false, err
	}
	folders, err := u.now.Folders(id)
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(files, func(v manifest.Version) bool { return !leaving[v.FileID] }) &&
		!slices.ContainsFunc(folders, func(f manifest.FolderVersion) bool { return !going[f.ID] }), nil
}

// Undo takes back on Drive, and in the manifest, what a run did; on disk
// nothing changes. What was put into the trash comes out of it, what was moved
// goes back, what was new goes into the trash, and what was replaced is
// fetched from the revision that Drive keeps and sent again. What cannot be
// taken back is among the summary's failures.
func (b *Backup) Undo(ctx context.Context, run manifest.RunID) (*Summary, error) {
	steps, err := b.PlanUndo(run)
	if err != nil {
		return &Summary{}, err
	}
	r := b.begin(Request{}, &edit{kind: "undo", reason: manifest.EndUndone})
	for _, s := range steps {
		if s.Why != "" {
			r.undoFailed(s.Path(), s.Why)
		}
	}
	steps = slices.DeleteFunc(steps, func(s UndoStep) bool { return s.Why != "" })
	err = r.settle(ctx)
	r.half = nil
	if err == nil && len(steps) > 0 {
		err = r.undo(ctx, run, steps)
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
func (r *run) undo(ctx context.Context, run manifest.RunID, steps []UndoStep) error {
	if err := r.bringOut(ctx, run, steps); err != nil {
		return err
	}
	old := &oldContents{run: r, ctx: ctx}
	defer old.letGo()
	r.edit.open = old.open
	for pass := range 2 {
		r.edit.changes = func(known *manifest.Reader) (manifest.Changes, error) { return inverse(known, steps, pass) }
		if err := r.planEdit(); err != nil {
			return err
		}
		if err := old.pin(r.planned, revisions(steps)); err != nil {
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

// revisions says which revision each file held before, and its size.
func revisions(steps []UndoStep) func(manifest.FileID) (string, int64) {
	old := map[manifest.FileID]*manifest.Version{}
	for _, s := range steps {
		if s.File.Old != nil {
			old[s.File.Old.FileID] = s.File.Old
		}
	}
	return func(id manifest.FileID) (string, int64) { return old[id].HeadRevision, old[id].Size }
}

// inverse is what turns what is there today into what was before: in the first
// pass places and what is new, in the second contents, times and modes.
func inverse(known *manifest.Reader, steps []UndoStep, pass int) (c manifest.Changes, err error) {
	now := known.At(manifest.Now)
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
	inNow, err := at(is.Folder)
	if s.Kind == manifest.WasCreated {
		if pass > 0 {
			return nil, nil
		}
		return &manifest.FileChange{Kind: manifest.Deleted, Old: &manifest.FileAt{In: inNow, Entry: is.Entry}}, err
	}
	inOld, oldErr := at(was.Folder)
	if err = errors.Join(err, oldErr); err != nil {
		return nil, err
	}
	today, back := &manifest.FileAt{In: inNow, Entry: is.Entry}, &manifest.FileAt{In: inOld, Entry: is.Entry}
	back.Name = was.Name
	if pass == 0 {
		if s.Kind != manifest.WasMoved {
			return nil, nil
		}
		return &manifest.FileChange{Kind: manifest.Moved, Old: today, New: back}, nil
	}
	today = &manifest.FileAt{In: inOld, Entry: back.Entry} // where the first pass has put it
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
