package restore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// lookAtOnce is how many contents of the past are looked for together: one
// request asks for so many.
const lookAtOnce = 100

// A GoneError says that Drive no longer has a content.
type GoneError struct {
	Why     string
	Nearest *remote.Revision // what it has of that file nearest in time; nil if nothing
}

// Error says so, and what Drive has instead.
func (e *GoneError) Error() string {
	s := "Drive no longer has this content: " + e.Why
	if e.Nearest != nil {
		s += fmt.Sprintf("; the nearest that it has of this file is of %s, %d bytes, revision %s",
			e.Nearest.Modified.Format(time.RFC3339), e.Nearest.Size, e.Nearest.ID)
	}
	return s
}

// dispatchOld finds out where the bytes of past contents are, and sends their
// tasks. A file that is in the trash is fetched from there; a content that is
// not the file's of today is pinned first, for Drive gives only those out.
func (r *run) dispatchOld(ctx context.Context) error {
	tasks := r.old
	r.old = nil
	if len(tasks) == 0 {
		return nil
	}
	err := r.locate(ctx, tasks)
	for i, t := range tasks {
		if err == nil {
			err = r.send(ctx, t)
		} else {
			tasks[i].dir.release(r)
		}
	}
	return err
}

// locate sets each task's blob, or why there is none.
func (r *run) locate(ctx context.Context, tasks []*task) error {
	ids := make([]manifest.FileID, len(tasks))
	for i, t := range tasks {
		ids[i] = t.want.FileID
	}
	states, err := r.Drive.Check(ctx, ids)
	if err != nil {
		return err
	}
	var past []*task
	var blobs []remote.Blob
	for _, t := range tasks {
		switch s := states[t.want.FileID]; {
		case s.Absent:
			t.gone = &GoneError{Why: "the file was deleted there for good"}
		case t.holds(s):
		default:
			t.blob.Revision = t.want.HeadRevision
			past, blobs = append(past, t), append(blobs, t.blob)
		}
	}
	if len(past) == 0 {
		return nil
	}
	found, err := r.Drive.LookAt(ctx, blobs)
	if err != nil {
		return err
	}
	if err := r.pin(ctx, blobs, found); err != nil {
		return err
	}
	for _, t := range past {
		if _, ok := found[t.blob]; !ok {
			t.gone = r.gone(ctx, t, "this revision was purged")
		}
	}
	return nil
}

// holds reports whether a file on Drive holds the content today.
func (t *task) holds(s remote.State) bool {
	if t.want.HeadRevision != "" && t.want.HeadRevision == s.HeadRevision {
		return true
	}
	return s.Size == t.want.Size && !t.want.MD5.IsZero() && s.MD5 == t.want.MD5
}

// pin pins those of the blobs that are not yet.
func (r *run) pin(ctx context.Context, blobs []remote.Blob, found map[remote.Blob]remote.Revision) error {
	var pins []remote.Blob
	for _, b := range blobs {
		if rev, ok := found[b]; ok && !rev.Pinned {
			pins = append(pins, b)
			rev.Pinned = true // two tasks may want the same
			found[b] = rev
		}
	}
	if r.DryRun || len(pins) == 0 {
		return nil
	}
	failed, err := r.Drive.Pin(ctx, pins)
	if err != nil {
		return err
	}
	for _, b := range pins {
		if failed[b] == nil {
			r.sum.Pinned = append(r.sum.Pinned, b) // what could not be pinned fails when it is fetched
		}
	}
	return nil
}

// whyGone returns the *GoneError that an error of a download means, or nil.
func (r *run) whyGone(ctx context.Context, t *task, err error) error {
	var e *remote.Error
	if !errors.As(err, &e) {
		return nil
	}
	switch {
	case e.Class == remote.NotFound:
		return r.gone(ctx, t, "the file was deleted there for good")
	case e.Reason == "otherContent":
		return r.gone(ctx, t, "another program has changed it")
	}
	return nil
}

// gone is a GoneError that names what Drive has instead.
func (r *run) gone(ctx context.Context, t *task, why string) error {
	e := &GoneError{Why: why}
	list, err := r.Drive.Revisions(ctx, t.want.FileID)
	if err != nil {
		return e // it is gone all the same
	}
	want := t.want.ModifiedAt()
	for i := range list {
		if e.Nearest == nil || list[i].Modified.Sub(want).Abs() < e.Nearest.Modified.Sub(want).Abs() {
			e.Nearest = &list[i]
		}
	}
	return e
}
