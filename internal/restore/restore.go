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
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// A Restore brings back parts of one View. One Run at a time.
type Restore struct {
	View      manifest.View // used by Run's goroutine alone
	Drive     *remote.Drive
	Transfers int   // files fetched at a time, and parts of large ones; 0 means 4
	Part      int64 // bytes of a part in which a large file is fetched; 0 means 16 MiB
	Overwrite bool  // move aside what is in the way
	DryRun    bool  // look and compare, and write and fetch nothing
	Log       *slog.Logger
	Now       func() time.Time
	// Watch, when set, is told of each file as it ends, one at a time.
	Watch func(Result)

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
	// Inside says that Into is what Path was, as a drive is, and takes what is
	// in it.
	Inside bool
}

// A NotFoundError says that nothing was at a path at the time asked for, or
// nothing below it that a pattern matches.
type NotFoundError struct {
	Path    manifest.Path
	Pattern bool
}

// Error says so.
func (e *NotFoundError) Error() string {
	if e.Pattern {
		return "nothing in it that was backed up at that time matches the pattern"
	}
	return "it was not backed up at that time"
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
		Restore: r, stop: stop, sum: &Summary{}, work: make(chan *task), arrived: make(chan *task, batchFiles), lines: make(chan struct{}, n),
		began: r.Now(), before: r.Drive.Stats(), pinned: map[remote.Blob]*pinned{}, places: map[string]bool{},
	}
	if run.part = r.Part; run.part == 0 {
		run.part = largePart
	}
	r.progress.begin()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for t := range run.work {
				if run.bring(ctx, t) {
					t.release(run)
				}
				run.under.Done()
			}
		})
	}
	var placing sync.WaitGroup
	placing.Go(func() { run.placeAll(ctx) })
	err := run.walkAll(ctx, what)
	close(run.work)
	wg.Wait()
	close(run.arrived)
	placing.Wait()
	for _, t := range run.sought { // the run has ended early
		t.release(run)
	}
	return run.end(outer, ctx, err)
}

// run is one Run.
type run struct {
	*Restore
	stop    context.CancelCauseFunc // ends the run early
	work    chan *task
	arrived chan *task    // that wait for their names
	lines   chan struct{} // a place for each request that may be under way
	part    int64         // Part, or its default
	began   time.Time
	before  remote.Stats
	tops    []*dir
	disks   disks
	under   sync.WaitGroup // tasks that a worker has, or is to have

	mu     sync.Mutex // guards what follows
	sum    *Summary
	dry    int     // downloads in a row that failed for want of a line
	sought []*task // whose bytes have to be looked for
	pinned map[remote.Blob]*pinned
	places map[string]bool // to which something is under way, as the system writes them
}

// pinned counts the tasks for which a content was pinned.
type pinned struct{ wanted, had int }

// A task is one file to bring back.
type task struct {
	dir  *dir
	path manifest.Path
	name string // under which it is written
	want manifest.Version
	blob remote.Blob

	inTheWay bool // something else has its name, to be moved aside

	sought  bool // its bytes were looked for, and what follows says what came of it
	gone    *GoneError
	instead *GoneError // why the blob is another file's that has the same content
	refused error      // why a content that is there is not to be had
}

// release lets go of a task that has ended.
func (t *task) release(r *run) {
	r.mu.Lock()
	delete(r.places, t.place())
	r.mu.Unlock()
	t.dir.release(r)
}

func (t *task) place() string { return t.dir.at + "/" + t.name }

// walkAll sends a task for each file that is meant, and again those whose
// bytes had to be looked for.
func (r *run) walkAll(ctx context.Context, what []Selection) error {
	for _, s := range what {
		if err := r.walk(ctx, s); err != nil {
			return err
		}
	}
	r.under.Wait()
	return r.dispatchSought(ctx, 1)
}

// end completes the summary.
func (r *run) end(outer, ctx context.Context, err error) (*Summary, error) {
	if e := r.disks.sync(); e != nil && err == nil { // names, and folders
		err = fmt.Errorf("write what was restored to disk: %w", e)
	}
	r.disks.close()
	for _, top := range r.tops {
		if top.root != nil {
			top.root.Close()
		}
	}
	switch {
	case outer.Err() != nil:
		err = outer.Err()
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	}
	for _, b := range slices.SortedFunc(maps.Keys(r.pinned), compareBlobs) {
		r.sum.Pinned = append(r.sum.Pinned, Pinned{b, r.pinned[b].had == r.pinned[b].wanted})
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
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tell(Result{Path: p, Outcome: how, Err: err})
	r.heed(err)
}

// missing notes something that was asked for and never was.
func (r *run) missing(err *NotFoundError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum.Files[Failed]++
	r.tell(Result{Path: err.Path, Outcome: Failed, Err: err})
}

// tell notes a problem that is not one file's.
func (r *run) tell(res Result) {
	r.sum.Problems = append(r.sum.Problems, res)
	r.Log.Error("restore", "path", string(res.Path), "outcome", res.Outcome.String(), "err", res.Err.Error())
	if r.Watch != nil {
		r.Watch(res)
	}
}

// note takes in how one file ended.
func (r *run) note(t *task, how Outcome, bytes int64, err error) {
	res := Result{Path: t.path, Outcome: how, Bytes: bytes, Err: err}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heed(err)
	if p := r.pinned[t.blob]; p != nil && (how == Restored || how == Present) {
		p.had++
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

// online notes that a download did find a line.
func (r *run) online() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dry = 0
}

// heed ends the run by an error that every file would meet.
func (r *run) heed(err error) {
	if diskFull(err) {
		r.stop(fmt.Errorf("the target is full: make room there and restore once more, which goes on from here: %w", err))
		return
	}
	var e *remote.Error
	if !errors.As(err, &e) {
		return
	}
	switch e.Class {
	case remote.Auth, remote.DailyCap:
		r.stop(err)
	case remote.Transient, remote.RateLimit:
		if r.dry++; r.dry >= dryLimit {
			r.stop(err)
		}
	}
}

// dryLimit is how many downloads in a row may find no line before the run is
// given up: each has been tried for about a minute.
const dryLimit = 3
