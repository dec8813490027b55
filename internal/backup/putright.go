package backup

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// putRight undoes on Drive what somebody else did, folders before what is in
// them, and marks what has to be sent again. It reports whether nothing is left
// to be done.
func (r *run) putRight(ctx context.Context, found []Drift) (all bool, err error) {
	gone := map[manifest.FileID]bool{}
	for _, d := range found {
		r.Log.Warn("changed on Drive by somebody else", "path", string(d.Path), "id", string(d.Item), "what", d.What.String())
		if d.What.Has(Gone) && d.in != notKept {
			gone[d.Item] = true
		}
	}
	before, err := knownLayout(r.Store)
	if err != nil {
		return false, err
	}
	if len(found) > 0 && !gone[before.Host] {
		if err := r.claim(ctx); err != nil {
			return false, err
		}
	}
	for _, d := range found {
		if gone[d.Item] && !gone[d.parent] {
			r.mended(d)
		}
	}
	if err := r.lose(ctx, slices.Collect(maps.Keys(gone))); err != nil {
		return false, err
	}
	if lay, err := knownLayout(r.Store); err != nil || lay.Host != before.Host {
		return err == nil, err // all of it is made anew
	}
	if err := r.takeOver(found); err != nil {
		return false, err
	}
	var todo []Drift
	for _, d := range found {
		switch {
		case !d.What.Has(Trashed | Moved | Renamed | Replaced):
		case d.waits || gone[d.parent]:
			r.waiting = append(r.waiting, d)
		default:
			todo = append(todo, d)
		}
	}
	return r.putBack(ctx, todo)
}

// takeOver notes what files were overwritten with, so that the scan compares
// the disk with that and this run sends again what differs.
func (r *run) takeOver(found []Drift) error {
	var steps []manifest.Step
	for _, d := range found {
		if !d.What.Has(Changed | Replaced | Damaged) {
			continue
		}
		e := d.Old
		if d.What.Has(Changed | Replaced) {
			e.HeadRevision = d.Now.HeadRevision
		}
		if d.What.Has(Changed | Damaged) {
			e.Hash, e.MD5 = manifest.Hash{}, manifest.MD5{}
			e.Flags |= manifest.Racy
			r.mended(d)
		}
		if d.What.Has(Changed) {
			e.MD5, e.Size = d.Now.MD5, d.Now.Size
		}
		steps = append(steps, manifest.Step{Kind: manifest.Put, Folder: d.in, Entry: e, Reason: manifest.EndOverwritten})
	}
	return errors.Join(r.Store.Ack(steps), r.Store.Fold())
}

// putBack carries out the fixes.
func (r *run) putBack(ctx context.Context, todo []Drift) (all bool, err error) {
	all = true
	for len(todo) > 0 {
		n := 1
		for n < len(todo) && todo[n].level == todo[0].level {
			n++
		}
		failed, err := r.putBackLevel(ctx, todo[:n])
		if err != nil {
			return false, err
		}
		for _, d := range todo[:n] {
			if err := failed[d.Item]; err != nil {
				all = false
				r.failed = append(r.failed, Failure{Path: d.Path, Reason: err.Error()})
			} else {
				r.mended(d)
			}
		}
		todo = todo[n:]
	}
	return all, nil
}

// putBackLevel carries out fixes that do not depend on each other, and returns
// those that failed.
func (r *run) putBackLevel(ctx context.Context, level []Drift) (failed map[manifest.FileID]error, err error) {
	failed = map[manifest.FileID]error{}
	var fixes []remote.Fix
	for _, d := range level {
		if d.Now.Explicit || d.What.Has(Moved|Renamed|Replaced) {
			fixes = append(fixes, d.fix())
		}
	}
	err = r.Drive.PutBack(ctx, fixes, func(f remote.Fix, err error) { failed[f.FileID] = err })
	if err != nil {
		return nil, err
	}
	for _, d := range level {
		// In the trash because of a folder above it that is not among what was
		// found, as when it is none of ours. To have moved it out was enough.
		if d.What.Has(Trashed) && !d.Now.Explicit && !d.What.Has(Moved) && failed[d.Item] == nil {
			failed[d.Item] = r.Drive.Untrash(ctx, d.fix())
		}
	}
	return failed, nil
}

// putBackRest puts back what belongs into a folder that this run has had to
// make again, and reports whether nothing is left to be done. What the run has
// moved or trashed since is where it belongs.
func (r *run) putBackRest(ctx context.Context) (all bool, err error) {
	if len(r.waiting) == 0 {
		return true, nil
	}
	known, err := r.Store.Reader()
	if err != nil {
		return false, err
	}
	defer known.Close()
	made := true
	var todo []Drift
	for _, d := range r.waiting {
		row, ok, err := known.Row(d.in)
		switch {
		case err != nil:
			return false, err
		case !ok: // it is not on disk any more
			continue
		case row.Flags.Has(manifest.Lost):
			made = false
			continue
		}
		if stands, err := d.stands(known, row); err != nil {
			return false, err
		} else if !stands {
			continue
		}
		d.parent = row.FileID
		d.What |= Moved
		todo = append(todo, d)
	}
	all, err = r.putBack(ctx, todo)
	if all = all && made; err == nil && all && r.logEnd != "" {
		err = r.keepLogEnd(r.logEnd)
	}
	return all, err
}

// mended counts and lists what is, or is going to be, as it should.
func (r *run) mended(d Drift) {
	r.sum.Counts.Mended++
	r.sum.Mended = append(r.sum.Mended, Mended{Path: d.Path, What: d.What})
}

// claim keeps copies of this state folder away before the first change of a
// run that is not Apply's.
func (r *run) claim(ctx context.Context) error {
	if r.claimed {
		return nil
	}
	err := r.claimHost(ctx, true)
	r.claimed = err == nil
	return err
}
