// Package restore brings back what Drive holds: it walks the tree as it was
// after some run, compares each file with what is at its target, fetches what
// is missing, and puts it in place when its sum is right.
//
// Nothing at the target is ever written over: a file appears there under its
// name when all of it has arrived, and what stood in its way is kept, or moved
// aside if the user says so. What an interrupted restore leaves behind is
// gone on with by the next.
package restore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// A Restore brings back parts of one View. One Run at a time.
type Restore struct {
	View      manifest.View // used by Run's goroutine alone
	Drive     *remote.Drive
	Transfers int  // files fetched at a time, and parts of large ones; 0 means 4
	Overwrite bool // move aside what is in the way
	DryRun    bool // look and compare, and write and fetch nothing
	Log       *slog.Logger
	Now       func() time.Time
	// Watch, when set, is told of each file as it ends, one at a time.
	Watch func(Result)

	segment  int64 // largeSegment; the package's tests lower it
	progress progress
}

// A Selection is what to bring back, and where to.
type Selection struct {
	Path manifest.Path // a file, or a folder with all below it
	// Match, when set, picks below Path: it is asked for each folder and file
	// by its path. A folder that matches is meant with all below it.
	Match func(p manifest.Path, isDir bool) bool
	// Into is the folder that takes Path under its own name, as the system
	// writes it; it is made if it is not there. Of the empty Path, which is
	// everything, it takes what is in it.
	Into string
}

// A NotFoundError says that nothing was at a path at the time asked for.
type NotFoundError struct{ Path manifest.Path }

// Error says so.
func (e *NotFoundError) Error() string {
	return fmt.Sprintf("%q was not backed up at that time", string(e.Path))
}

// Run brings the selections back. What cannot be had or written is in the
// Summary, which is never nil, and does not keep the rest from coming. The
// error is why Run ended early: the context's, a target that cannot be used,
// a full disk, a Drive that cannot be reached or that asks for a new sign-in.
func (r *Restore) Run(ctx context.Context, what []Selection) (*Summary, error) {
	outer := ctx
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	n := max(r.Transfers, 0)
	if n == 0 {
		n = 4
	}
	run := &run{
		Restore: r, stop: stop, sum: &Summary{}, work: make(chan *task), lines: make(chan struct{}, n),
		began: r.Now(), before: r.Drive.Stats(),
	}
	if r.segment == 0 {
		r.segment = largeSegment
	}
	r.progress.begin()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for t := range run.work {
				run.bring(ctx, t)
				t.dir.release(run)
			}
		})
	}
	err := run.walkAll(ctx, what)
	close(run.work)
	wg.Wait()
	return run.end(outer, ctx, err)
}

// run is one Run.
type run struct {
	*Restore
	stop   context.CancelCauseFunc // ends the run early
	work   chan *task
	lines  chan struct{} // a place for each request that may be under way
	began  time.Time
	before remote.Stats
	old    []*task // whose bytes have to be looked for
	tops   []*dir

	mu  sync.Mutex // guards what follows
	sum *Summary
	dry int // downloads in a row that failed for want of a line
}

// A task is one file to bring back.
type task struct {
	dir  *dir
	path manifest.Path
	name string // under which it is written
	want manifest.Version
	blob remote.Blob
	gone error // why its bytes are not to be had
}

// walkAll sends a task for each file that is meant.
func (r *run) walkAll(ctx context.Context, what []Selection) error {
	for _, s := range what {
		if err := r.walk(ctx, s); err != nil {
			return err
		}
	}
	return r.dispatchOld(ctx)
}

// end completes the summary.
func (r *run) end(outer, ctx context.Context, err error) (*Summary, error) {
	for _, top := range r.tops {
		if top.root == nil {
			continue
		}
		if e := syncAll(top.root); e != nil && err == nil && !r.DryRun {
			err = fmt.Errorf("write what was restored to disk: %w", e)
		}
		top.root.Close()
	}
	switch {
	case outer.Err() != nil:
		err = outer.Err()
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	}
	st := r.Drive.Stats()
	r.sum.Requests, r.sum.BytesReceived = st.Requests-r.before.Requests, st.Received-r.before.Received
	r.sum.Took = r.Now().Sub(r.began)
	return r.sum, err
}

// lost notes a file whose folder is not there: the folder is listed.
func (r *run) lost(t *task, err error) {
	how := Failed
	if errors.As(err, new(*inTheWayError)) {
		how = Kept
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum.Files[how]++
	r.progress.ended(t.want.Size)
}

// problem notes what is wrong with a folder.
func (r *run) problem(p manifest.Path, err error) {
	how := Failed
	if errors.As(err, new(*inTheWayError)) {
		how = Kept
	}
	res := Result{Path: p, Outcome: how, Err: err}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum.Problems = append(r.sum.Problems, res)
	r.Log.Error("restore", "path", string(p), "outcome", how.String(), "err", err.Error())
	if r.Watch != nil {
		r.Watch(res)
	}
	if r.ends(err) {
		r.stop(err)
	}
}

// note takes in how one file ended.
func (r *run) note(t *task, how Outcome, bytes int64, err error) {
	res := Result{Path: t.path, Outcome: how, Bytes: bytes, Err: err}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ends(err) {
		r.stop(err)
	}
	if how == Restored {
		r.dry = 0
	}
	r.sum.add(res)
	if err == nil {
		r.Log.Info("restore", "path", string(t.path), "id", string(t.blob.FileID), "outcome", how.String(), "bytes", bytes)
	} else {
		r.Log.Error("restore", "path", string(t.path), "id", string(t.blob.FileID), "outcome", how.String(), "err", err.Error())
	}
	r.progress.ended(t.want.Size)
	if r.Watch != nil {
		r.Watch(res)
	}
}

// ends reports whether an error ends the run, for it would meet every file.
func (r *run) ends(err error) bool {
	if diskFull(err) {
		return true
	}
	var e *remote.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Class {
	case remote.Auth, remote.DailyCap:
		return true
	case remote.Transient, remote.RateLimit:
		r.dry++
	}
	return r.dry >= dryLimit
}

// dryLimit is how many downloads in a row may find no line before the run is
// given up: each has been tried for about a minute.
const dryLimit = 3
