package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// ready returns why the run may not be made here, and looks whether an earlier
// one died.
func (r *run) ready() (err error) {
	if r.died, err = r.open(); err != nil {
		return err
	}
	return r.checkBinding()
}

// open reports whether a run has begun to change Drive and not ended: its
// process died, or this state folder is a copy that was made while it was on.
func (b *Backup) open() (bool, error) {
	open, err := b.Store.Meta(metaOpen)
	return open != "", err
}

// close notes that this run has ended, if it has opened one that Apply has not
// closed.
func (r *run) close() error {
	if open, err := r.open(); err != nil || !open || r.died {
		return err
	}
	return r.Store.SetMeta(map[string]string{metaOpen: ""})
}

// takeIn has a run that is going to create something look whether Drive has it
// already, if an earlier run died. A copy of the state folder that was made in
// the middle of that one knows nothing of what came after, and meets its own
// generation on Drive if that one never got to its last batch. What is found in
// the place of something that is to be created is taken into the manifest, and
// all is planned anew.
func (r *run) takeIn(ctx context.Context) error {
	if !r.died || !slices.ContainsFunc(r.planned.Stages, creates) {
		return nil
	}
	if r.strange == nil {
		r.progress.phase("asking Drive what an interrupted run has made")
		seen, err := r.askDrive(ctx, false)
		if err != nil {
			return fmt.Errorf("look for what an interrupted run has made: %w", err)
		}
		if _, held, err := r.standing(ctx, seen); err != nil || len(held) > 0 {
			return errors.Join(err, foreign(held))
		}
		r.strange = seen.strange
	}
	steps, err := r.found()
	if err == nil {
		err = errors.Join(r.Store.Ack(steps), r.Store.Fold())
	}
	if err != nil {
		return fmt.Errorf("take in what an interrupted run has made: %w", err)
	}
	if r.died = false; len(steps) == 0 {
		return nil
	}
	return r.plan(ctx)
}

func creates(stage []*plan.Op) bool {
	return slices.ContainsFunc(stage, func(op *plan.Op) bool { return op.Kind.Creates() })
}

// found says what of the strange items has the place of something that is to
// be created.
func (r *run) found() (steps []manifest.Step, err error) {
	at := map[spot]manifest.FileID{}
	for id, s := range r.strange {
		if other := at[spot{s.Parent, s.Name}]; other == "" || id < other {
			at[spot{s.Parent, s.Name}] = id
		}
	}
	lay, err := knownLayout(r.Store)
	if err != nil {
		return nil, err
	}
	folders := map[manifest.FolderID]manifest.FileID{manifest.Root: lay.Host}
	for _, stage := range r.planned.Stages {
		for _, op := range stage {
			if !op.Kind.Creates() {
				continue
			}
			if _, asked := folders[op.Parent]; !asked {
				row, _, err := r.Store.Row(op.Parent)
				if err != nil {
					return nil, err
				}
				folders[op.Parent] = row.FileID
			}
			id := at[spot{folders[op.Parent], op.Name}]
			if s := r.strange[id]; id != "" && s.Kind == kindOf(op) {
				r.Log.Info("on Drive already", "path", string(op.Path), "id", string(id))
				folders[op.Folder] = id
				steps = append(steps, madeAs(op, id, s)...)
			}
		}
	}
	return steps, nil
}

// kindOf is what an operation creates.
func kindOf(op *plan.Op) manifest.Kind {
	if op.Kind == plan.CreateFolder {
		return manifest.Dir
	}
	return op.Stat.Kind
}

// madeAs are the steps by which an item becomes what op was to create.
func madeAs(op *plan.Op, id manifest.FileID, s remote.State) (steps []manifest.Step) {
	if op.Kind == plan.CreateFolder {
		dir := op.Dir.New.Folder
		dir.FileID = id
		dir.Flags &^= manifest.Lost
		return []manifest.Step{{Kind: manifest.PutFolder, Dir: dir, Reason: manifest.EndMoved}}
	}
	if old := op.File.Old; old != nil {
		steps = append(steps, manifest.Step{Kind: manifest.Drop, Folder: old.In.ID, Entry: old.Entry, Reason: manifest.EndLost})
	}
	e := asOnDrive(op.File.New.Entry, id, s)
	e.Flags &^= manifest.Lost
	return append(steps, manifest.Step{Kind: manifest.Put, Folder: op.Parent, Entry: e, Reason: manifest.EndModified})
}
