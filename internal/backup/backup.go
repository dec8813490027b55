// Package backup is the story of acb on one page: settle what was left, scan,
// diff, plan, apply, commit.
package backup

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/scan"
)

// A Backup is one installation of acb: its sources, its manifest, its Drive.
// One Run or Plan at a time.
type Backup struct {
	Sources []scan.Source
	Scan    scan.Options // Now and Own at least
	Limits  plan.Options
	Store   *manifest.Store
	Drive   *remote.Drive
	Log     *slog.Logger
	// CopyLimit is the largest copy of the manifest that is kept on Drive, in
	// bytes as they are sent; 0 keeps none there.
	CopyLimit int64
	Binding   Binding // where this is; the manifest must belong there
	// KeepRevisions has Drive keep every content for good.
	KeepRevisions bool
	// CheckDrive is how often Drive is asked what somebody else did to the
	// backup; 0 means never.
	CheckDrive time.Duration
	// TokenRequests returns how often a token was asked for so far.
	TokenRequests func() int64
	// Watch, when set, is told of each operation when Drive has confirmed it,
	// or with the reason when it is given up; one at a time. Of one that is
	// given up, only Op is set.
	Watch func(ack remote.Ack, err error)

	progress progress
}

// A Request says what one run is to look at.
type Request struct {
	Targets []scan.Target // --path: only these; none means every source
	verify  *Verify       // what is sent is what it found
}

// maxPasses bounds how often one run plans anew because Drive turned out to
// have lost something: the folder, then what was in it, and once more for
// what was lost meanwhile.
const maxPasses = 3

// Run makes one backup. What Drive acknowledged before an error is kept, so
// that the next Run goes on from there. The Summary is never nil; the error
// says why the run ended early, and Summary.Conditions what that means.
func (b *Backup) Run(ctx context.Context, req Request) (*Summary, error) {
	r := b.begin(req, nil)
	err := r.ready()
	for again := true; again && err == nil && r.pass < maxPasses; r.pass++ {
		again, err = r.once(ctx)
	}
	if err == nil {
		_, err = r.putBackRest(ctx)
	}
	return r.end(ctx, err)
}

// once settles what was left, puts right what others did, plans, takes in what
// Drive has of that already, and carries the plan out; again as apply has it.
func (r *run) once(ctx context.Context) (again bool, err error) {
	if err := r.settle(ctx); err != nil {
		return false, err
	}
	if err := r.checkDrive(ctx); err != nil {
		return false, err
	}
	if err := r.plan(ctx); err != nil {
		return false, err
	}
	if err := r.takeIn(ctx); err != nil {
		return false, err
	}
	return r.apply(ctx)
}

// Plan makes the plan that Run would carry out, and changes nothing.
func (b *Backup) Plan(ctx context.Context, req Request) (*plan.Plan, *Summary, error) {
	r := b.begin(req, nil)
	if err := r.plan(ctx); err != nil {
		return nil, r.sum, err
	}
	r.countPlanned()
	if err := r.forecast(); err != nil {
		return nil, r.sum, err
	}
	r.sum.Took = r.Scan.Now().Sub(r.started)
	return r.planned, r.sum, nil
}

// A run is one Run or Plan under way.
type run struct {
	*Backup
	req     Request
	edit    *edit // nil of a run that scans
	id      manifest.RunID
	started time.Time
	before  remote.Stats  // what the Drive had cost, if it made a run before
	tokens  int64         // likewise
	roots   []os.FileInfo // of the sources, before the scan
	pass    int
	sum     *Summary
	seen    []manifest.Source // as the first pass saw them; none of a --path run
	half    []manifest.Intent // begun and not done, to be gone on with
	looked  *scan.Result      // what the scan saw, without what differs
	planned *plan.Plan
	journal *journal
	died    bool      // an earlier run, or this is a copy of the state folder from its middle; and Drive was not asked yet
	strange States    // what this installation has made, Drive was seen to have, and the manifest does not know; nil before it was asked
	claimed bool      // no copy of this state folder has changed Drive, nor will
	waiting []Drift   // to be put right when their folders are there
	logEnd  string    // where to go on in the change log when they are; "" if something else is left, or nothing waits
	failed  []Failure // of what no plan is about: planning anew does not put it right
}

func (b *Backup) begin(req Request, e *edit) *run {
	r := &run{Backup: b, req: req, edit: e, started: b.Scan.Now(), before: b.Drive.Stats(), tokens: b.TokenRequests(), sum: &Summary{}}
	r.id = b.Store.BeginRun(r.kind(), r.started)
	r.journal = newJournal(r)
	r.Log.Info("run began", "run", int64(r.id), "kind", r.kind())
	b.progress.reset(r.started)
	if err := os.RemoveAll(b.undoDir()); err != nil {
		r.Log.Warn("left over from an undo", "err", err.Error())
	}
	return r
}

// kind names the run in the history.
func (r *run) kind() string {
	switch {
	case r.edit != nil:
		return r.edit.kind
	case r.req.verify != nil:
		return "verify"
	case r.named():
		return "path"
	}
	return "scan"
}

// plan scans, diffs and plans.
func (r *run) plan(ctx context.Context) error {
	r.progress.phase("scanning")
	r.lookAtRoots()
	seen, err := r.scan(ctx)
	if err != nil {
		return err
	}
	r.progress.phase("planning")
	changes := manifest.Diff(seen.Observation)
	sources, err := r.sources(seen)
	if err != nil {
		return err
	}
	r.planned = plan.New(changes, seen.Unknown, sources, r.Limits)
	if r.planned.Trashes() {
		err = r.sound()
	}
	if err != nil {
		r.Log.Error("manifest is damaged, nothing is trashed", "error", err)
		for i := range sources {
			sources[i].Guard = plan.Damaged
		}
		r.planned = plan.New(changes, seen.Unknown, sources, r.Limits)
	}
	r.count(seen, changes)
	seen.Observation.Files, seen.Observation.Folders = nil, nil // large in a first run
	r.looked = seen
	return nil
}

// sound returns all that is wrong with the manifest. What is damaged is
// unknown to the scan, but damage may be where no scan sees it: in how a row
// is found, or in what tells one folder from another.
func (r *run) sound() error {
	known, err := r.Store.Reader()
	if err != nil {
		return err
	}
	return errors.Join(known.Check(), known.Close())
}

func (r *run) scan(ctx context.Context) (*scan.Result, error) {
	opts := r.Scan
	opts.Progress = r.progress.scanned
	if r.named() {
		return scan.Paths(ctx, r.Store, r.Sources, r.req.Targets, opts)
	}
	return scan.Tree(ctx, r.Store, r.Sources, opts)
}

// named reports whether the run looks at paths that the user named, and so at
// no source as a whole: seen.Sources are those paths then.
func (r *run) named() bool { return len(r.req.Targets) > 0 }

// apply carries the plan out and commits what Drive acknowledged. Again says
// that Drive has lost something, and that another pass will make it good.
// With nothing to do there is no request at all.
func (r *run) apply(ctx context.Context) (again bool, err error) {
	if err := errors.Join(r.resume(), r.journal.local(r.planned.Local)); err != nil {
		return false, err
	}
	var lost []manifest.FileID
	if len(r.planned.Stages) > 0 {
		lost, err = r.send(ctx)
	}
	if r.journal.wrote {
		err = also(err, r.Store.Fold())
	}
	if host, ok := remote.IsLost(err); ok {
		r.Log.Warn("host folder is no longer on Drive", "id", string(host))
		return true, r.hostLost(ctx)
	}
	if err == nil {
		err = r.lose(ctx, lost)
	}
	return len(lost) > 0, err
}

// send has remote carry out the stages.
func (r *run) send(ctx context.Context) (lost []manifest.FileID, err error) {
	r.progress.applying(r.planned, r.journal.sentBefore(), r.Scan.Now())
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	env, done, err := r.environment(ctx, stop)
	if err != nil {
		return nil, err
	}
	res, err := r.Drive.Apply(ctx, r.planned.Stages, env)
	r.claimed = r.claimed || err == nil
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	return res.Lost, also(also(err, done()), r.applied(res))
}
