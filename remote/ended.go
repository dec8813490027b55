package remote

// How the operations of a run end: confirmed, failed or held back.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
)

// ack tells the journal that Drive has confirmed op.
func (r *run) ack(a Ack, began time.Time) {
	op := a.Op
	a.Took = r.d.opt.Now().Sub(began)
	r.mu.Lock()
	delete(r.unclear, op)
	r.result.Done++
	r.dry = 0
	r.delivered = r.delivered || StorageFull.halts(op.Kind)
	switch {
	case op.Kind == plan.CreateFolder:
		r.made[op.Folder] = a.Content.FileID
	case op.Kind == plan.Upload && op.File != nil: // for its copies to come
		op.File.New.Content = a.Content
	}
	r.mu.Unlock()
	attrs := [...]slog.Attr{
		slog.String("path", string(op.Path)), slog.String("id", string(a.Content.FileID)),
		slog.Int64("bytes", a.Bytes), slog.Float64("seconds", a.Took.Seconds()), slog.String("from", string(op.From)),
	}
	n := len(attrs)
	if op.From == "" {
		n--
	}
	r.d.opt.Log.LogAttrs(context.Background(), slog.LevelInfo, op.Kind.String(), attrs[:n]...)
	r.journal.Lock()
	defer r.journal.Unlock()
	if err := r.env.Journal.Done(a); err != nil {
		r.stop(fmt.Errorf("write journal: %w", err))
	}
}

// dryLimit is how many operations in a row may end unreachable before the run
// is given up: each has been tried for about a minute.
const dryLimit = 3

// fail takes op off the run. An operation that was only interrupted is not
// failed, but its source is not complete either.
func (r *run) fail(op *plan.Op, err error) {
	e := (*Error)(nil)
	errors.As(err, &e)
	r.mu.Lock()
	if !op.Kind.Trashes() && !neverReadable(op, err) {
		for _, s := range op.Sources {
			r.bad[s] = true
		}
	}
	if op.Kind == plan.CreateFolder {
		r.missing[op.Folder] = err
	}
	interrupted := e != nil && e.Class == Canceled
	if !interrupted {
		r.result.Failed++
	}
	if e != nil {
		e.about(op.Kind.String(), op.Path, op.FileID)
		switch e.Class {
		case Auth:
			r.stop(e)
		case StorageFull, ItemsFull, DailyCap:
			r.halt(e)
		case Transient, RateLimit:
			if r.dry++; r.dry >= dryLimit {
				r.stop(fmt.Errorf("Drive cannot be reached: %w", e))
			}
		}
	}
	if e != nil && e.Reason == reasonCrowded {
		r.crowded[op.Parent] = e.again()
	}
	id, undone := IsLost(err)
	if undone {
		r.lost[id] = true
	}
	undone = undone || !r.unclear[op]
	delete(r.unclear, op)
	r.mu.Unlock()
	if interrupted {
		return
	}
	attrs := []any{"path", string(op.Path), "id", op.FileID, "err", err.Error()}
	if op.From != "" {
		attrs = append(attrs, "from", string(op.From))
	}
	r.d.opt.Log.Error(op.Kind.String()+" failed", attrs...)
	r.journal.Lock()
	defer r.journal.Unlock()
	r.env.Journal.Failed(op, err, undone)
}

// heard takes in how a request ended that was to carry op out, in full or in
// part. Only an answer that refuses it leaves no doubt: Drive refuses before it
// does anything. Source: Drive API guide, "Resolve errors"; for what is made
// under a reserved id, reports of 409 after answers that were lost.
func (r *run) heard(op *plan.Op, e *Error, unsure bool) {
	if !unsure && e.refusal() {
		return
	}
	r.mu.Lock()
	r.unclear[op] = true
	r.mu.Unlock()
}

// neverReadable reports whether a new file was not sent because it may not be
// read. No trash waits for that, as it may stay like that for good: whether
// something that is gone has come there, the scan has looked at.
func neverReadable(op *plan.Op, err error) bool {
	return op.Kind == plan.Upload && op.File != nil && op.File.Old == nil && errors.Is(err, fs.ErrPermission)
}

// hold keeps a trash from being carried out.
func (r *run) hold(op *plan.Op, reason string) {
	r.mu.Lock()
	r.result.Held = append(r.result.Held, Held{op, reason})
	r.mu.Unlock()
	r.d.opt.Log.Warn(op.Kind.String()+" held back", "path", string(op.Path), "id", op.FileID, "reason", reason)
}

// incomplete returns why a trash must wait, "" when it need not.
func (r *run) incomplete(op *plan.Op) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range op.Sources {
		if r.bad[s] {
			return "another operation in the same source was not done"
		}
	}
	return ""
}

// lose notes that Drive no longer has an item.
func (r *run) lose(id manifest.FileID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost[id] = true
}

// gone notes that a folder is no longer on Drive, so that what goes below it
// is not tried.
func (r *run) gone(folder manifest.FolderID, id manifest.FileID) error {
	err := &LostError{id}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost[id] = true
	r.missing[folder] = err
	return err
}
