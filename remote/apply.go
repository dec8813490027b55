package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
)

// Env is what Apply needs of its caller. Folder, Open and Still are called
// from several goroutines at once.
type Env struct {
	// Folder returns the FileID of a folder that the manifest knows, of
	// manifest.Root the host folder's. It need not know the folders that this
	// Apply creates.
	Folder func(manifest.FolderID) (manifest.FileID, error)
	// Open opens what is to be sent for an operation.
	Open func(*plan.Op) (Content, error)
	// Still looks at the disk right before a trash leaves: nil means that
	// what is trashed is still absent, anything else holds the trash back.
	Still func(*plan.Op) error
	// Journal is told what begins and what is done.
	Journal Journal
	// Gen guards against a cloned or rolled-back manifest.
	Gen Gen
	// Halt is what the last Apply returned, nil if there was none: what Drive
	// refused then is not tried again blindly.
	Halt *Halt
	// Claimed says that a Claim has found this manifest to be the right one.
	Claimed bool
	// Keep, when set, says how a new content is kept.
	Keep func(*plan.Op) Keeping
	// Sent, when set, is told of content bytes as they leave, in small
	// numbers and from several goroutines.
	Sent func(bytes int)
}

// Keeping says whether Drive is to keep a content for good, also when another
// replaces it. What it keeps counts against its storage.
type Keeping uint8

// The ways of keeping.
const (
	Loose   Keeping = iota // as Drive does: 30 days, and 100 of a file
	ForGood                // as far as Drive does: 200 of a file
	Full                   // ForGood, if Drive did not keep as many of this file already
)

// A Content is one file opened for reading. Of a symlink, it is the target.
type Content interface {
	io.ReaderAt
	// Stat returns what the open file is now; it tells whether the file
	// changed while it was read.
	Stat() (manifest.Stat, error)
	Close() error
}

// A Journal keeps what must survive a crash. Its methods are called from one
// goroutine at a time.
type Journal interface {
	// Begin is told of operations before any of their requests leaves; those
	// that create have their FileID set. What it is told is durable when it
	// returns. It may be told of one operation twice: under another FileID,
	// when Drive refused the first; and of a move or patch, when the content
	// on Drive turns out to be another and is sent again.
	Begin(ops []*plan.Op) error
	// Done is told once of each operation that Drive has confirmed. An error
	// ends the run.
	Done(Ack) error
	// KeepSession is told of an upload that takes more than one request, when
	// it begins and with each part that Drive has acknowledged. What it is told
	// first of an upload is durable when it returns, later words within a second.
	KeepSession(op *plan.Op, s manifest.Session) error
	// Session returns what is known of a half-sent upload of op's content,
	// from this run or an earlier one; the zero Session if there is none.
	Session(op *plan.Op) manifest.Session
	// Failed is told once of each operation that was tried and not confirmed,
	// or could not be tried. undone says that Drive has certainly not carried
	// it out in this Apply; an earlier one may have left it half done.
	Failed(op *plan.Op, err error, undone bool)
}

// An Ack is one operation as Drive confirmed it.
type Ack struct {
	Op      *plan.Op
	Content manifest.Content // what Drive now holds; of folders and trashes only the FileID
	Stat    manifest.Stat    // of a content, as it was read; else the operation's own
	Full    bool             // Drive should keep this content for good, and keeps as many of the file as it can
	Bytes   int64            // content bytes sent, repeats included
	Took    time.Duration
}

// A Result says how an Apply went. What is in none of its counts was not
// tried, because the run ended early.
type Result struct {
	Done, Failed int
	// Held are the trashes that were not carried out, each with the reason.
	Held []Held
	// Lost are items that Drive does not have any more.
	Lost []manifest.FileID
	// Stopped is why contents were no longer sent, or not all: the class is
	// StorageFull, ItemsFull or DailyCap. Nil means that nothing stopped them.
	Stopped *Error
	// Halt is for Env.Halt of the next Apply; nil when nothing stands in the way.
	Halt *Halt
	// Gens are the generations that the host folder may hold now.
	Gens []int64
}

// Held is a trash that was not carried out.
type Held struct {
	Op     *plan.Op
	Reason string
}

// A LostError says that an item that acb made is not on Drive any more: it was
// deleted for good, or this sign-in does not see it.
type LostError struct {
	FileID manifest.FileID
}

// Error says so.
func (e *LostError) Error() string {
	return fmt.Sprintf("Drive no longer has item %s", e.FileID)
}

// Apply carries out stages of operations, one stage after the other. The
// operations of a stage do not depend on each other: contents are sent
// Options.Transfers at a time, then metadata calls up to 100 in a request.
// Apply takes the stages over and empties them as it goes, so that what is
// done takes no memory.
//
// A failed operation does not stop the others. In a source in which an
// operation failed or was not done, trashes are held back. The error is why
// the run had to end early: the context's, a *GenError, a *LostError of the
// host folder, an *Error of class Auth or of a Drive that cannot be reached,
// or the journal's. What was acknowledged before is in the journal.
func (d *Drive) Apply(ctx context.Context, stages [][]*plan.Op, env Env) (Result, error) {
	outer := ctx
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r := newRun(d, env, stages, stop)
	defer func() { d.fresh = false }()
	r.result.Halt = env.Halt
	if d.fresh {
		d.looked = d.opt.Now()
	}
	last := tailStage(stages)
	for i, ops := range stages {
		r.stage(ctx, ops, i == last)
		if ctx.Err() != nil {
			break
		}
	}
	if ctx.Err() == nil {
		r.flush(ctx, r.takeTail(false))
	}
	r.sum()
	if cause := context.Cause(ctx); ctx.Err() != nil && outer.Err() == nil {
		return r.result, cause
	}
	return r.result, outer.Err()
}

// tailStage returns the stage whose batches carry the house-keeping calls of
// the run: the last one with metadata, unless contents follow; -1 for none.
func tailStage(stages [][]*plan.Op) int {
	for i := len(stages) - 1; i >= 0; i-- {
		content := false
		for _, op := range stages[i] {
			if !op.Kind.Sends() {
				return i
			}
			content = true
		}
		if content {
			return -1
		}
	}
	return -1
}

// IsLost reports whether err is because an item is not on Drive any more, and
// which.
func IsLost(err error) (manifest.FileID, bool) {
	var l *LostError
	if errors.As(err, &l) {
		return l.FileID, true
	}
	return "", false
}
