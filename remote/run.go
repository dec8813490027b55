package remote

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
)

// run is one Apply.
type run struct {
	d    *Drive
	env  Env
	stop context.CancelCauseFunc // ends the run; what is in flight finishes

	ahead   int  // creates to come that have no id yet; of one goroutine at a time
	renewed bool // the id pool was dropped once; under journal

	journal  sync.Mutex // held while the journal is told something
	mending  turn       // held while somebody's trash is undone
	claiming turn       // held while it is found out whether this run may change anything
	claimed  bool       // it may; under claiming

	mu      sync.Mutex // guards what follows
	made    map[manifest.FolderID]manifest.FileID
	missing map[manifest.FolderID]error // folders that were not created, or are gone
	unclear map[*plan.Op]bool           // what may have been done, although it will be said to have failed
	bad     map[int]bool                // sources in which something was not done
	lost    map[manifest.FileID]bool
	tail    []*call                  // hashes of large files, to ride in the last batch
	instead []*plan.Op               // uploads that were to be copies
	there   map[manifest.FileID]bool // items under reserved ids whose content is wrong
	raise   *call                    // the last generation
	raised  int64                    // which
	dry     int                      // operations in a row that ended without Drive doing anything
	result  Result

	crowded   map[manifest.FolderID]*Error // folders that take nothing more
	asked     time.Time                    // when Drive last refused all operations of a kind
	delivered bool                         // a content arrived

	room     room
	recalled bool // what an earlier run was refused has been taken in
	probing  bool // whether Drive takes contents is in doubt
}

func newRun(d *Drive, env Env, stages [][]*plan.Op, stop context.CancelCauseFunc) *run {
	r := &run{
		d: d, env: env, stop: stop, mending: newTurn(), claiming: newTurn(), claimed: env.Claimed || d.fresh,
		made: map[manifest.FolderID]manifest.FileID{}, missing: map[manifest.FolderID]error{}, unclear: map[*plan.Op]bool{},
		bad: map[int]bool{}, lost: map[manifest.FileID]bool{}, there: map[manifest.FileID]bool{},
		crowded: map[manifest.FolderID]*Error{}, room: room{turn: make(chan struct{}, 1)},
		result: Result{Gens: env.Gen.Known},
	}
	for _, ops := range stages {
		for _, op := range ops {
			if op.Kind.Creates() && op.FileID == "" {
				r.ahead++
			}
		}
	}
	return r
}

// stage carries out one stage: contents, then metadata, so that the hashes of
// large files can ride with the metadata, then the contents of what turned out
// not to be metadata alone.
func (r *run) stage(ctx context.Context, ops []*plan.Op, last bool) {
	r.recall(ctx, ops)
	var contents, metadata []*plan.Op
	for _, op := range ops {
		if op.Kind.Sends() {
			contents = append(contents, op)
		} else {
			metadata = append(metadata, op)
		}
	}
	clear(ops) // an operation that has ended is let go of
	r.contents(ctx, contents)
	r.metadata(ctx, metadata, last)
	r.contents(ctx, r.takeInstead())
}

// begin reserves ids for those of ops that create, and tells the journal of
// all. ops are at most maxIDs.
func (r *run) begin(ctx context.Context, ops []*plan.Op) error {
	var creates []*plan.Op
	for _, op := range ops {
		if op.Kind.Creates() && op.FileID == "" {
			creates = append(creates, op)
		}
	}
	if err := r.claim(ctx, len(creates) > 0); err != nil {
		r.stop(err)
		return &Error{Class: Canceled, Err: err}
	}
	if len(creates) > 0 {
		ids, e := r.d.reserve(ctx, len(creates), r.ahead)
		if e != nil {
			return e
		}
		r.ahead -= len(creates)
		for i, op := range creates {
			op.FileID = ids[i]
		}
	}
	return r.record(ops)
}

// record tells the journal what begins; its error ends the run.
func (r *run) record(ops []*plan.Op) error {
	if len(ops) == 0 {
		return nil
	}
	r.journal.Lock()
	defer r.journal.Unlock()
	if err := r.env.Journal.Begin(ops); err != nil {
		err = fmt.Errorf("write journal: %w", err)
		r.stop(err)
		return err
	}
	return nil
}

// renew gives a create another id after Drive refused the one it had. The
// rest of the pool is as old and is dropped, once a run.
func (r *run) renew(ctx context.Context, op *plan.Op) error {
	r.journal.Lock()
	if !r.renewed {
		r.renewed = true
		r.d.ids.drop()
	}
	r.journal.Unlock()
	ids, e := r.d.reserve(ctx, 1, maxIDs)
	if e != nil {
		return e
	}
	r.d.opt.Log.Warn("reserved id refused, took another", "path", string(op.Path), "id", op.FileID, "new", ids[0])
	op.FileID = ids[0]
	return r.record([]*plan.Op{op})
}

// parent returns the FileID of the folder that holds op's item.
func (r *run) parent(id manifest.FolderID) (manifest.FileID, error) {
	r.mu.Lock()
	made, err := r.made[id], r.missing[id]
	r.mu.Unlock()
	if err != nil {
		var above *noFolderError
		if errors.As(err, &above) {
			return "", above
		}
		return "", &noFolderError{err}
	}
	if made != "" {
		return made, nil
	}
	return r.env.Folder(id)
}

// A noFolderError is why what belongs into a folder cannot be put there.
type noFolderError struct{ err error }

func (e *noFolderError) Error() string { return "its folder is not there: " + e.err.Error() }
func (e *noFolderError) Unwrap() error { return e.err }

// takeTail returns the house-keeping calls that are due: the hashes of large
// files and, when the run has changed something or is about to, the
// generation.
func (r *run) takeTail(changing bool) []*call {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := r.tail
	r.tail = nil
	if r.raise != nil || !changing && r.result.Done == 0 {
		return calls
	}
	host, err := r.env.Folder(manifest.Root)
	if err != nil {
		return calls
	}
	if r.raised, err = r.env.Gen.Next(); err != nil {
		r.stop(fmt.Errorf("write manifest: %w", err))
		return calls
	}
	r.raise = r.d.genCall(host, r.raised, r.result.Gens)
	r.result.Gens = append(slices.Clone(r.result.Gens), r.raised)
	return append(calls, r.raise)
}

// later has a call ride with the next house-keeping calls.
func (r *run) later(c *call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tail = append(r.tail, c)
}

// flush sends house-keeping calls on their own.
func (r *run) flush(ctx context.Context, calls []*call) {
	if err := r.d.send(ctx, calls, r.housekept); err != nil {
		r.d.opt.Log.Warn("last calls not sent", "err", err.Error())
	}
}

// housekept takes in how a house-keeping call ended. A hash that is not on Drive
// is in the manifest all the same; a generation that may not be there is one
// of those that the next run knows.
func (r *run) housekept(c *call) {
	if c.err != nil {
		r.d.opt.Log.Warn("patch failed", "call", c.path, "err", c.err.Error())
		if c.err.Class == Auth {
			r.stop(c.err)
		}
		return
	}
	if c == r.raise {
		r.mu.Lock()
		r.result.Gens = []int64{r.raised}
		r.mu.Unlock()
	}
}

// sum completes the result.
func (r *run) sum() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Lost = slices.Sorted(maps.Keys(r.lost))
	r.result.Halt = r.halting()
}
