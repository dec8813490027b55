package restore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// seekAtOnce is how many contents are looked for together: one request asks
// for so many.
const seekAtOnce = 100

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

const (
	deletedForGood = "the file was deleted there for good"
	changedByOther = "another program has changed it"
	purged         = "this revision was purged"
)

// certain reports whether Drive should hold the content as its file's of today.
func (t *task) certain() bool {
	return t.want.To == manifest.Now && !t.want.Flags.Has(manifest.Lost)
}

// seek keeps a task whose bytes have to be looked for until there are enough
// of them to be asked for together.
func (r *run) seek(t *task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sought = append(r.sought, t)
}

// dispatchSought finds out where the bytes of the tasks are that were kept, if
// those are so many, and sends the tasks again. A file that is in the trash is
// fetched from there; a content that is not the file's of today is pinned
// first, for Drive gives only those out; and a large one that Drive has no more
// under that id may be another file's.
func (r *run) dispatchSought(ctx context.Context, least int) error {
	r.mu.Lock()
	tasks := r.sought
	if len(tasks) < least {
		r.mu.Unlock()
		return nil
	}
	r.sought = nil
	r.mu.Unlock()
	var err error
	for len(tasks) > 0 {
		now := tasks[:min(len(tasks), seekAtOnce)]
		tasks = tasks[len(now):]
		if err == nil {
			err = r.locate(ctx, now)
		}
		for _, t := range now {
			if t.sought = true; err == nil {
				err = r.send(ctx, t)
			} else {
				t.release(r)
			}
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
	for _, t := range tasks {
		switch s := states[t.want.FileID]; {
		case s.Absent:
			t.gone = &GoneError{Why: deletedForGood}
		case t.holds(s):
		case t.want.HeadRevision == "":
			t.gone = &GoneError{Why: changedByOther}
		default:
			t.blob.Revision = t.want.HeadRevision
			past = append(past, t)
		}
	}
	if err := r.locatePast(ctx, past); err != nil {
		return err
	}
	return r.locateTwins(tasks)
}

// holds reports whether a file on Drive holds the content today.
func (t *task) holds(s remote.State) bool {
	if t.want.HeadRevision != "" && t.want.HeadRevision == s.HeadRevision {
		return true
	}
	return s.Size == t.want.Size && !t.want.MD5.IsZero() && s.MD5 == t.want.MD5
}

// locatePast looks for revisions, and pins those that are not yet.
func (r *run) locatePast(ctx context.Context, past []*task) error {
	if len(past) == 0 {
		return nil
	}
	blobs := make([]remote.Blob, len(past))
	for i, t := range past {
		blobs[i] = t.blob
	}
	found, hidden, err := r.Drive.LookAt(ctx, blobs)
	if err != nil {
		return err
	}
	for i, t := range past {
		if e := hidden[t.blob]; e != nil {
			t.refused = e
			continue
		}
		if _, ok := found[t.blob]; !ok {
			r.locateSame(ctx, t, found)
			blobs[i] = t.blob
		}
	}
	refused, err := r.pin(ctx, blobs, found)
	for _, t := range past {
		if _, ok := found[t.blob]; !ok {
			if t.refused == nil { // else it is not known
				t.gone = &GoneError{Why: purged}
			}
		} else if e := refused[t.blob]; e != nil {
			t.refused = fmt.Errorf("an old content is given out only if Drive keeps it for good, which it does not: %w", e)
		}
	}
	return err
}

// locateSame looks for another revision of a file with the content of one that
// is gone: it was changed to and fro, or an undo has sent it again. That one
// is added to found.
func (r *run) locateSame(ctx context.Context, t *task, found map[remote.Blob]remote.Revision) {
	list, err := r.Drive.Revisions(ctx, t.want.FileID)
	if err != nil {
		t.refused = fmt.Errorf("look for another revision with the same content: %w", err)
		return
	}
	for _, rev := range list {
		if rev.Size == t.want.Size && !rev.MD5.IsZero() && rev.MD5 == t.want.MD5 {
			t.blob.Revision = rev.ID
			found[t.blob] = rev
		}
	}
}

// pin pins those of the blobs that are not yet, and returns why some are not.
func (r *run) pin(ctx context.Context, blobs []remote.Blob, found map[remote.Blob]remote.Revision) (map[remote.Blob]error, error) {
	var pins []remote.Blob
	asked := map[remote.Blob]bool{}
	r.mu.Lock()
	for _, b := range blobs {
		rev, ok := found[b]
		if !ok || rev.Pinned && r.pinned[b] == nil || r.DryRun {
			continue
		}
		if !rev.Pinned && !asked[b] { // two tasks may want the same
			pins, asked[b] = append(pins, b), true
			r.pinned[b] = &pinned{}
		}
		r.pinned[b].wanted++
	}
	r.mu.Unlock()
	if len(pins) == 0 {
		return nil, nil
	}
	refused, err := r.Drive.Pin(ctx, pins)
	r.mu.Lock()
	defer r.mu.Unlock()
	for b := range refused {
		delete(r.pinned, b)
	}
	return refused, err
}

// locateTwins looks for what is gone among the large contents of today.
func (r *run) locateTwins(tasks []*task) error {
	var sums []manifest.Sum
	gone := map[manifest.FileID]bool{}
	for _, t := range tasks {
		if s, ok := t.want.Sum(); ok && t.gone != nil {
			sums = append(sums, s)
			gone[t.want.FileID] = true
		}
	}
	if len(sums) == 0 {
		return nil
	}
	twins, err := r.View.FindLarge(sums, gone)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		s, _ := t.want.Sum()
		if twin := twins[s]; t.gone != nil && twin != nil {
			t.blob = remote.Blob{FileID: twin.FileID, Size: t.want.Size}
			t.instead, t.gone = t.gone, nil
		}
	}
	return nil
}

// isOther reports whether an error says that Drive holds no such content there.
func isOther(err error) bool {
	var e *remote.Error
	return errors.As(err, &e) && (e.Class == remote.NotFound || e.Reason == "otherContent" ||
		e.Status == http.StatusRequestedRangeNotSatisfiable)
}

// nearest returns the GoneError of a task, which names what Drive has instead.
func (r *run) nearest(ctx context.Context, t *task) error {
	if t.gone.Why == deletedForGood {
		return t.gone
	}
	list, err := r.Drive.Revisions(ctx, t.want.FileID)
	if err != nil {
		return t.gone // it is gone all the same
	}
	e := &GoneError{Why: t.gone.Why}
	want := t.want.ModifiedAt()
	for i := range list {
		if e.Nearest == nil || list[i].Modified.Sub(want).Abs() < e.Nearest.Modified.Sub(want).Abs() {
			e.Nearest = &list[i]
		}
	}
	return e
}
