package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// settle finds out what became of what an interrupted run, or an earlier pass of
// this one, has left.
func (r *run) settle(ctx context.Context) error {
	if err := r.settleIntents(ctx); err != nil {
		return err
	}
	return r.settlePins(ctx)
}

// settleIntents settles the requests that were left without an answer: Drive is
// asked about their ids, what it has is taken over, and the rest is planned
// anew. What that can go on with is in half. What may still arrive is not asked
// about before it is time.
func (r *run) settleIntents(ctx context.Context) error {
	r.half = nil
	clear(r.journal.intents)
	intents, err := r.Store.Unsettled()
	intents = slices.DeleteFunc(intents, func(in manifest.Intent) bool {
		waits := in.Late && r.early(&in)
		if waits {
			r.half = append(r.half, in)
		}
		return waits
	})
	if err != nil || len(intents) == 0 {
		return err
	}
	r.progress.phase("settling what was interrupted")
	ids := make([]manifest.FileID, len(intents))
	for i, in := range intents {
		ids[i] = idOf(in)
	}
	states, err := r.Drive.Check(ctx, ids)
	if err != nil {
		return fmt.Errorf("settle the run before: %w", err)
	}
	folders, err := r.settledFolders(intents, states)
	if err != nil {
		return fmt.Errorf("settle the run before: %w", err)
	}
	var steps []manifest.Step
	var seqs []int64
	var lost []manifest.FileID
	var changes []manifest.Intent
	for _, in := range intents {
		state := states[idOf(in)]
		if in.Kind == manifest.ChangeItem {
			changes = append(changes, in)
			continue
		}
		if in.Kind == manifest.UpdateFile && state.Absent {
			lost = append(lost, in.FileID)
		}
		switch step, ok := settled(in, state, folders); {
		case ok:
			step.Intent = in.Seq
			steps = append(steps, step)
			r.Log.Info("settled", "name", cmp.Or(in.Name, in.NewFolder.Name), "id", string(idOf(in)))
		case r.goesOn(in, state):
			r.half = append(r.half, in)
		default:
			seqs = append(seqs, in.Seq)
		}
	}
	// A folder may be created by an intent after the one for a file in it.
	slices.SortStableFunc(steps, func(a, b manifest.Step) int { return int(b.Kind) - int(a.Kind) })
	if err := errors.Join(r.Store.Ack(steps), r.Store.Settle(seqs...), r.Store.Fold()); err != nil {
		return fmt.Errorf("settle the run before: %w", err)
	}
	if err := r.settleChanges(changes, states); err != nil {
		return fmt.Errorf("settle the run before: %w", err)
	}
	return r.lose(ctx, lost)
}

// goesOn reports whether what was begun can be gone on with: a file half-sent,
// or an id that nothing was made under.
func (r *run) goesOn(in manifest.Intent, s remote.State) bool {
	switch in.Kind {
	case manifest.CreateFolder:
		return s.Absent && hour(r.started)-in.Hour < idHours
	case manifest.CreateFile:
		return s.Absent && (in.Session.Address != "" || hour(r.started)-in.Hour < idHours)
	case manifest.UpdateFile:
		return !s.Absent && in.Session.Address != ""
	}
	return false
}

// settledFolders returns the folders that files and folders were to be put
// into, as the manifest and Drive have them. One that others have deleted, but
// for what they moved out of it before, is lost; one that they have put into the
// trash goes on only for the sake of that.
func (r *run) settledFolders(intents []manifest.Intent, states States) (map[manifest.FolderID]manifest.FileID, error) {
	lay, err := knownLayout(r.Store)
	if err != nil {
		return nil, err
	}
	known, err := r.Store.Reader()
	if err != nil {
		return nil, err
	}
	defer known.Close()
	begun := map[manifest.FolderID]manifest.Intent{}
	for _, in := range intents {
		if in.Kind == manifest.CreateFolder {
			begun[in.NewFolder.ID] = in
		}
	}
	folders := map[manifest.FolderID]manifest.FileID{manifest.Root: lay.Host}
	// climb looks for a folder, and for those above it. Of what was begun, it
	// takes what Drive has, and all that a living item needs.
	var climb func(id manifest.FolderID, needed bool) error
	climb = func(id manifest.FolderID, needed bool) error {
		if folders[id] != "" {
			return nil
		}
		in, ok := begun[id]
		if !ok {
			row, found, err := known.Row(id)
			if found {
				folders[id] = row.FileID
			}
			return err
		}
		s := states[idOf(in)]
		if err := climb(in.NewFolder.Parent, needed || living(s)); err != nil {
			return err
		}
		if folders[in.NewFolder.Parent] != "" && (needed || !s.Absent && !s.Explicit) {
			folders[id] = idOf(in)
		}
		return nil
	}
	for _, in := range intents {
		var err error
		switch in.Kind {
		case manifest.CreateFolder:
			err = climb(in.NewFolder.ID, false)
		case manifest.CreateFile, manifest.UpdateFile:
			err = climb(in.Folder, living(states[in.FileID]))
		}
		if err != nil {
			return nil, err
		}
	}
	return folders, nil
}

// living reports whether an item is there and in no trash.
func living(s remote.State) bool { return !s.Absent && !s.Trashed }

// settleChanges takes over the moves, patches and trashes that Drive has
// carried out. The folders that were created beside them are settled already.
// If there is one that is to be done again, then so are the trashes of folders:
// the manifest may have the item in one of them still, and would forget it.
func (r *run) settleChanges(changes []manifest.Intent, states States) error {
	if len(changes) == 0 {
		return nil
	}
	known, err := r.Store.Reader()
	if err != nil {
		return err
	}
	defer known.Close()
	lay, err := knownLayout(r.Store)
	if err != nil {
		return err
	}
	folders := map[manifest.FolderID]manifest.FileID{manifest.Root: lay.Host} // as far as they are asked for
	var steps []manifest.Step
	var seqs []int64
	for _, in := range changes {
		step, ok, err := changed(known, folders, in.Change, states[in.FileID])
		if err != nil {
			return err
		}
		if !ok {
			seqs = append(seqs, in.Seq)
			continue
		}
		if step.Kind == manifest.PutFolder {
			folders[step.Dir.ID] = step.Dir.FileID
		}
		step.Intent = in.Seq
		steps = append(steps, step)
		r.Log.Info("settled", "id", string(in.FileID))
	}
	if len(seqs) > 0 {
		steps = slices.DeleteFunc(steps, func(s manifest.Step) bool {
			if s.Kind == manifest.DropFolder {
				seqs = append(seqs, s.Intent)
			}
			return s.Kind == manifest.DropFolder
		})
	}
	return errors.Join(r.Store.Ack(steps), r.Store.Settle(seqs...), r.Store.Fold())
}

// changed reports whether Drive has carried a change out, and returns it as
// Drive has it. What is in the trash was not taken out of it, or is to be; what
// else was to be done to it is done again then.
func changed(known *manifest.Reader, folders map[manifest.FolderID]manifest.FileID, step manifest.Step, s remote.State) (manifest.Step, bool, error) {
	var in manifest.FolderID
	var name string
	switch step.Kind {
	case manifest.Drop, manifest.DropFolder:
		return step, s.Absent || s.Explicit, nil
	case manifest.PutFolder:
		in, name = step.Dir.Parent, step.Dir.Name
	default:
		in, name = step.Folder, step.Entry.Name
	}
	if s.Absent || s.Trashed || s.Name != name {
		return step, false, nil
	}
	parent, asked := folders[in]
	if !asked {
		row, _, err := known.Row(in)
		if err != nil {
			return step, false, err
		}
		parent = row.FileID
	}
	if parent == "" || s.Parent != parent {
		return step, false, nil
	}
	if step.Kind == manifest.PutFolder {
		return step, true, nil
	}
	e := &step.Entry
	if step.Kind == manifest.Put && (s.ModTime != e.ModTime || s.Mode != e.Mode) {
		return step, false, nil
	}
	if s.MD5 != e.MD5 { // another hand: the scan reads the file to tell
		e.Content, e.Size = s.Content, s.Size
		e.Hash = manifest.Hash{} // Drive holds that of the content before
		e.Flags |= manifest.Racy
	}
	return step, true, nil
}

func idOf(in manifest.Intent) manifest.FileID {
	if in.Kind == manifest.CreateFolder {
		return in.NewFolder.FileID
	}
	return in.FileID
}

// settled says what an intent changed in the tree, and whether it did. What is
// taken over is as Drive has it, so that the scan compares the file on disk with
// that before anything counts as saved. What is in the trash for a folder above
// it only comes back with that folder.
func settled(in manifest.Intent, s remote.State, folders map[manifest.FolderID]manifest.FileID) (manifest.Step, bool) {
	if in.Kind == manifest.CreateFolder {
		dir := in.NewFolder
		if s.Absent {
			dir.Flags |= manifest.Lost
		}
		return manifest.Step{Kind: manifest.PutFolder, Dir: dir}, folders[dir.ID] != ""
	}
	if s.Absent || s.Explicit {
		return manifest.Step{}, false
	}
	if in.Kind == manifest.UpdateFile && s.HeadRevision == in.HeadRevision {
		return manifest.Step{}, false
	}
	parent, ok := folders[in.Folder]
	if !ok {
		return manifest.Step{}, false // what held it is gone
	}
	e := asOnDrive(manifest.Entry{Name: in.Name, Flags: in.Flags, Stat: in.Stat}, in.FileID, s)
	if s.Name != in.Name || s.Parent != parent {
		e.ModTime = 0 // begun elsewhere, or moved by somebody
	}
	return manifest.Step{Kind: manifest.Put, Folder: in.Folder, Entry: e, Reason: manifest.EndModified}, true
}

// asOnDrive is an entry with what Drive has of it, which the scan compares with
// the disk. The BLAKE3 of a large update follows its content as a patch: until
// then Drive holds that of the content before. Its MD5 is always right. Where
// somebody has been at it, no time of its own makes a patch, which puts it right.
func asOnDrive(e manifest.Entry, id manifest.FileID, s remote.State) manifest.Entry {
	e.Content, e.FileID = s.Content, id
	e.Size, e.ModTime, e.Mode = s.Size, s.ModTime, s.Mode
	e.Hash = manifest.Hash{}
	e.Flags |= manifest.Racy
	if !s.Modified.Equal(time.Unix(0, s.ModTime).Truncate(time.Millisecond)) {
		e.ModTime = 0
	}
	return e
}
