package backup

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/scan"
)

// acked counts what Drive acknowledged.
func (j *journal) acked(ack remote.Ack) {
	j.tell(ack, nil)
	j.sum.Counts.add(ack.Op, int64(ack.Op.FileCount()))
	if ack.Full {
		j.sum.NotKept = append(j.sum.NotKept, ack.Op.Path)
	}
	j.costly = costlier(j.costly, reportMost, Cost{ack.Op.Path, ack.Bytes})
	if j.pass > 0 && ack.Op.File != nil && ack.Op.File.Old != nil {
		j.sum.Counts.Unchanged-- // as which the first pass saw it
	}
}

// tell hands an operation that ended to who watches.
func (j *journal) tell(ack remote.Ack, err error) {
	if j.Watch != nil {
		j.Watch(ack, err)
	}
}

// add counts n files under what op does, and op's folder where it is one.
func (c *Counts) add(op *plan.Op, n int64) {
	switch op.Kind {
	case plan.CreateFolder:
		c.CreatedFolders++
	case plan.MoveFolder:
		c.MovedFolders++
	case plan.TrashFolder:
		c.DeletedFolders++
		c.Deleted += n
	case plan.TrashFile:
		c.Deleted += n
	case plan.MoveFile:
		c.Moved += n
	case plan.Copy:
		c.Created += n
		c.Copied += n
		c.BytesCopied += op.Stat.Size
	case plan.Upload:
		c.Created += n
	case plan.Update:
		c.Modified += n
	case plan.Patch:
		c.Touched += n
	}
}

// countLocal counts a file that changed in the manifest only.
func (j *journal) countLocal(k manifest.ChangeKind) {
	if k == manifest.Retire {
		j.sum.Counts.Retired++
	} else {
		j.sum.Counts.Unchanged++
	}
}

// fail counts an operation that could not be carried out. A file that is gone
// when it is to be sent is no failure, as the next scan sees it absent; unless
// it is its source that is gone.
func (j *journal) fail(op *plan.Op, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		gone := j.rootStands(op.Sources[0])
		if gone == nil {
			j.sum.Counts.Skipped += int64(op.FileCount())
			return
		}
		err = gone
	}
	j.tell(remote.Ack{Op: op}, err)
	j.sum.Counts.Failed += int64(op.FileCount())
	j.sum.Failures = append(j.sum.Failures, Failure{Path: op.Path, Reason: reason(op, err)})
	j.sum.add(Incomplete)
}

// reason words an error for a list that has the path already.
func reason(op *plan.Op, err error) string {
	e, ok := err.(*remote.Error) // itself: of a wrapped one the wrapping tells more
	if !ok || e.Path != op.Path {
		return err.Error()
	}
	own := *e
	own.Path = ""
	return own.Error()
}

// count counts what the scan and the plan decided by themselves, and says what
// could not be looked at. A later pass, which Drive made necessary, sees the
// same files again: of those only what fails now counts.
func (r *run) count(seen *scan.Result, changes manifest.Changes) {
	r.sum.Failures, r.sum.Unsaved, r.sum.Held = nil, nil, nil
	r.sum.Counts.Failed, r.sum.Counts.HeldBack = 0, 0
	r.sum.Conditions = slices.DeleteFunc(r.sum.Conditions, func(c Condition) bool { return c == Incomplete })
	if r.pass == 0 {
		if !r.named() {
			r.seen = r.seenSources(seen)
		}
		r.countSources(seen)
		for _, f := range changes.Files {
			switch f.Kind {
			case manifest.Keep:
				r.sum.Counts.Retired++
			case manifest.Retire:
				r.sum.Counts.Retired-- // the scan has counted it, and countLocal will
			}
		}
	}
	r.sum.Counts.BytesRead += seen.BytesRead
	for _, s := range seen.Skips {
		r.countSkip(s)
	}
	r.sum.Held = r.planned.Held
	for _, h := range r.planned.Held {
		r.sum.Counts.HeldBack += int64(h.Files())
		if h.Guard != plan.Unread { // that one is told by what failed
			r.sum.add(HeldBack)
		}
	}
}

func (r *run) countSources(seen *scan.Result) {
	r.countScan(&seen.Outside)
	for i := range seen.Sources {
		s := &seen.Sources[i]
		r.countScan(&s.Counts)
		if r.named() {
			continue // what could not be looked at is among the skips
		}
		r.sum.Sources = append(r.sum.Sources, SourceSummary{Path: r.Backup.Sources[i].Root, State: s.State, Reason: s.Reason})
		if s.State != scan.OK {
			r.sum.add(HeldBack)
		}
	}
}

func (r *run) countScan(s *scan.Counts) {
	c := &r.sum.Counts
	c.Unchanged += s.Unchanged
	c.Retired += s.Retired + s.Pinned
	c.Unknown += s.Unknown
	c.Skipped += s.Skipped
	c.Ignored += s.Ignored
	c.Own += s.Own
}

func (r *run) countSkip(s scan.Skip) {
	f := Failure{Path: s.Path, Reason: s.Class.String() + ": " + s.Reason}
	if s.Class != scan.Vanished && s.Class != scan.OwnFile {
		r.Log.Warn("not backed up", "path", string(f.Path), "reason", f.Reason)
	}
	switch {
	case s.Class == scan.Vanished, s.Class == scan.Special, s.Class == scan.OwnFile:
		// Nothing that could or should have been saved.
	case s.Class == scan.NotThere && !r.named():
		// A source, and its state says so.
	case s.Class == scan.Mountpoint:
		r.sum.Unsaved = append(r.sum.Unsaved, f)
	case s.Class == scan.Changing, r.named() && r.asked(s.Path):
		r.sum.Counts.Failed++
		r.sum.Failures = append(r.sum.Failures, f)
		r.sum.add(Incomplete)
	default:
		r.sum.Unsaved = append(r.sum.Unsaved, f)
		r.sum.add(Incomplete)
	}
}

// asked reports whether the user named p.
func (r *run) asked(p manifest.Path) bool {
	return slices.ContainsFunc(r.req.Targets, func(t scan.Target) bool { return t.Path == p })
}

// countPlanned counts the plan as if all of it had been done, for a dry run.
func (r *run) countPlanned() {
	for _, stage := range r.planned.Stages {
		for _, op := range stage {
			r.sum.Counts.add(op, int64(op.FileCount()))
		}
	}
	for _, f := range r.planned.Local.Files {
		r.journal.countLocal(f.Kind)
	}
}
