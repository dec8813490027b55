package backup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// A Removable is what can be taken off Drive for good: a file in its trash
// that was backed up once, or an old content that Drive keeps for good.
type Removable struct {
	Path manifest.Path // where it was
	manifest.Version
	Blob remote.Blob // of an old content; a file has no Revision
}

// InTrash returns the files in Drive's trash that acb has put there, at or
// below the paths of p, and that ended before p.Before. One that is part of the
// backup again and was put there by somebody else is none of them.
func (b *Backup) InTrash(ctx context.Context, p Purge) ([]Removable, error) {
	list, err := b.ended(p, func(v manifest.Version) bool {
		return v.Reason == manifest.EndDeleted || v.Reason == manifest.EndPurged || v.Reason == manifest.EndUndone
	})
	if err == nil {
		list, err = b.notInUse(list)
	}
	if err != nil || len(list) == 0 {
		return nil, err
	}
	ids := make([]manifest.FileID, len(list))
	for i, r := range list {
		ids[i] = r.FileID
	}
	states, err := b.Drive.Check(ctx, ids)
	if err != nil {
		return nil, err
	}
	var found []Removable
	seen := map[manifest.FileID]bool{}
	for _, r := range list {
		if s := states[r.FileID]; s.Trashed && !seen[r.FileID] {
			seen[r.FileID] = true
			found = append(found, r)
		}
	}
	return found, nil
}

// notInUse leaves out the files that the manifest has.
func (b *Backup) notInUse(list []Removable) ([]Removable, error) {
	if len(list) == 0 {
		return nil, nil
	}
	known, err := b.Store.Reader()
	if err != nil {
		return nil, err
	}
	defer known.Close()
	used := map[manifest.FileID]bool{}
	for _, r := range list {
		used[r.FileID] = false
	}
	err = known.Walk(manifest.Root, func(_ manifest.Path, _ manifest.Row, files []manifest.Entry) error {
		for i := range files {
			if _, asked := used[files[i].FileID]; asked {
				used[files[i].FileID] = true
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read what is in use: %w", err)
	}
	return slices.DeleteFunc(list, func(r Removable) bool { return used[r.FileID] }), nil
}

// Pinned returns the old contents that Drive keeps for good, chosen as InTrash
// does.
func (b *Backup) Pinned(ctx context.Context, p Purge) ([]Removable, error) {
	list, err := b.ended(p, func(v manifest.Version) bool {
		return v.HeadRevision != "" && (v.Reason == manifest.EndModified || v.Reason == manifest.EndOverwritten)
	})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	blobs, ids := make([]remote.Blob, len(list)), make([]manifest.FileID, len(list))
	for i, r := range list {
		blobs[i], ids[i] = remote.Blob{FileID: r.FileID, Revision: r.HeadRevision, Size: r.Size}, r.FileID
		list[i].Blob = blobs[i]
	}
	states, hidden, err := b.Drive.LookAt(ctx, blobs)
	if err != nil {
		return nil, err
	}
	for _, e := range hidden {
		return nil, e
	}
	heads, err := b.Drive.Check(ctx, ids)
	if err != nil {
		return nil, err
	}
	var found []Removable
	for _, r := range list {
		// What the file holds today is no old content, whatever the history says.
		if states[r.Blob].Pinned && heads[r.FileID].HeadRevision != r.HeadRevision {
			found = append(found, r)
		}
	}
	return found, nil
}

// ended returns the past versions that p means.
func (b *Backup) ended(p Purge, which func(manifest.Version) bool) ([]Removable, error) {
	known, err := b.Store.Reader()
	if err != nil {
		return nil, err
	}
	defer known.Close()
	last, err := p.lastRun(known)
	if err != nil {
		return nil, err
	}
	var list []Removable
	err = known.Ended(func(v manifest.Version) error {
		if !which(v) || v.To > last {
			return nil
		}
		dir, there, err := known.At(v.To - 1).PathOf(v.Folder)
		if at := dir.Join(v.Name); err == nil && there && p.names(at) {
			list = append(list, Removable{Path: at, Version: v})
		}
		return err
	})
	return list, err
}

// Remove takes files and old contents off Drive for good, and writes into the
// history that they are.
func (b *Backup) Remove(ctx context.Context, list []Removable) (*Summary, error) {
	r := b.begin(Request{}, &edit{kind: "purge", reason: manifest.EndPurged})
	var ids []manifest.FileID
	var blobs []remote.Blob
	for _, it := range list {
		if it.Blob.Revision != "" {
			blobs = append(blobs, it.Blob)
		} else {
			ids = append(ids, it.FileID)
		}
	}
	var failedIDs map[manifest.FileID]error
	err := r.ready()
	if err == nil {
		err = r.claim(ctx)
	}
	if err == nil {
		failedIDs, err = b.removeTrashed(ctx, ids)
	}
	asked, failedBlobs := err == nil, map[remote.Blob]error{}
	if asked {
		failedBlobs, err = b.Drive.Unkeep(ctx, blobs)
	}
	var gone []manifest.Content
	for _, it := range list {
		e, left := failedIDs[it.FileID], failedIDs == nil
		if it.Blob.Revision != "" {
			e, left = failedBlobs[it.Blob], !asked
		}
		switch {
		case left, e != nil && err != nil: // why is in err
		case e != nil:
			r.sum.Counts.Failed++
			r.sum.Failures = append(r.sum.Failures, Failure{Path: it.Path, Reason: e.Error()})
			r.sum.add(Incomplete)
		default:
			r.sum.Counts.Deleted++
			gone = append(gone, manifest.Content{FileID: it.FileID, HeadRevision: it.Blob.Revision})
		}
	}
	if markErr := errors.Join(b.Store.MarkRemoved(gone), r.forgetPins(gone)); markErr != nil && err == nil {
		err = fmt.Errorf("write manifest: %w", markErr)
	}
	return r.end(ctx, err)
}

// removeTrashed removes files for good that are in the trash still: whoever was
// asked may have taken one out of it meanwhile.
func (b *Backup) removeTrashed(ctx context.Context, ids []manifest.FileID) (failed map[manifest.FileID]error, err error) {
	states, err := b.Drive.Check(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := map[manifest.FileID]error{}
	ids = slices.DeleteFunc(ids, func(id manifest.FileID) bool {
		if s := states[id]; !s.Absent && !s.Trashed {
			out[id] = errors.New("somebody has taken it out of the trash, so it stays")
		}
		return out[id] != nil
	})
	failed, err = b.Drive.Remove(ctx, ids)
	maps.Copy(failed, out)
	return failed, err
}
