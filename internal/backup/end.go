package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/scan"
)

// sources tells the planner what the scan found of each source.
func (r *run) sources(seen *scan.Result) ([]plan.Source, error) {
	known, err := r.Store.Reader()
	if err != nil {
		return nil, err
	}
	defer known.Close()
	list := make([]plan.Source, len(r.Backup.Sources))
	for i, src := range r.Backup.Sources {
		if len(seen.Files) > plan.AtLeast {
			if list[i].Files, err = filesAt(known, src.Path); err != nil {
				return nil, err
			}
		}
		if r.named() {
			continue
		}
		switch seen.Sources[i].State {
		case scan.OK:
		case scan.Empty:
			list[i].Guard = plan.Empty
		case scan.OtherFS:
			list[i].Guard = plan.Elsewhere
		default:
			list[i].Guard = plan.Missing
		}
	}
	if slices.ContainsFunc(seen.Sources, func(s scan.SourceResult) bool { return s.Doubt }) {
		for i := range list {
			list[i].Failed = true // things move between sources, too
		}
	}
	for _, s := range seen.Skips {
		if s.Source >= 0 && s.Class == scan.Changing {
			list[s.Source].Failed = true
		}
	}
	return list, nil
}

// filesAt counts the files that the manifest has at and below a path, without
// those that are hidden.
func filesAt(known *manifest.Reader, path manifest.Path) (int64, error) {
	row, file, found, err := known.Lookup(path)
	var c manifest.Counts
	switch {
	case err != nil || !found:
	case file != nil:
		return 1, nil
	default:
		c, err = known.SubtreeCounts(row.ID)
	}
	if isDamage(err) {
		err = nil // the scan says so
	}
	return c.Files - c.Retired, err
}

// applied takes over what Apply left undone.
func (r *run) applied(res remote.Result) error {
	bySource := make(map[int]*plan.Held)
	var seqs []int64 // of what was begun and never left
	for _, h := range res.Held {
		if seq := r.journal.intents[h.Op].seq; seq != 0 {
			seqs = append(seqs, seq)
		}
		src := max(h.Op.Sources[0], 0)
		held := bySource[src]
		if held == nil {
			held = &plan.Held{Source: src, Guard: plan.Unread}
			bySource[src] = held
		}
		held.Ops = append(held.Ops, h.Op)
		r.sum.Counts.HeldBack += int64(h.Op.FileCount())
		r.Log.Warn("held back", "path", string(h.Op.Path), "kind", h.Op.Kind.String(), "reason", h.Reason)
	}
	for i := range r.Backup.Sources {
		if h := bySource[i]; h != nil {
			r.sum.Held = append(r.sum.Held, *h)
		}
	}
	if err := r.Store.Settle(seqs...); err != nil {
		return err
	}
	if err := r.keepHalt(res.Halt); err != nil {
		return err
	}
	if res.Stopped != nil {
		r.sum.add(QuotaMet)
		r.sum.Quota = res.Stopped.Error()
	}
	return r.keepGens(res.Gens, r.died)
}

// end writes the run's row and returns its summary. The error is what the
// run ended early for, if the summary has no word of its own for it.
func (r *run) end(ctx context.Context, err error) (*Summary, error) {
	r.progress.phase("finishing")
	through := err == nil
	err = r.condition(ctx, err)
	if len(r.failed) > 0 {
		r.sum.Failures = append(r.sum.Failures, r.failed...)
		r.sum.add(Incomplete)
	}
	c := &r.sum.Counts
	st := r.Drive.Stats()
	c.Requests, c.Calls, c.Throttled = st.Requests-r.before.Requests, st.Calls-r.before.Calls, st.Throttled-r.before.Throttled
	c.BytesSent, c.QuotaUnits = st.Sent-r.before.Sent, st.Units-r.before.Units
	c.TokenRequests = r.TokenRequests() - r.tokens
	now := r.Scan.Now()
	r.sum.Took, r.sum.Run = now.Sub(r.started), int64(r.id)
	counters, jsonErr := r.report()
	if jsonErr != nil {
		return r.sum, errors.Join(err, jsonErr)
	}
	row := manifest.RunSummary{Counters: counters, Complete: r.sum.complete()}
	for _, cond := range r.sum.Conditions {
		row.Conditions = append(row.Conditions, string(cond))
	}
	if through {
		row.Sources = r.seen
	}
	endErr := also(r.close(), r.Store.EndRun(r.id, now, row))
	if endErr == nil && err == nil {
		r.copies(ctx)
		endErr = r.recount()
	}
	r.Log.Info("run ended", "run", int64(r.id), "conditions", row.Conditions, "seconds", r.sum.Took.Seconds(), "counters", c)
	if endErr != nil {
		r.sum.add(Fatal)
		err = also(err, fmt.Errorf("write manifest: %w", endErr))
	}
	return r.sum, err
}

// also joins two errors, unless the second has the cause of the first: a disk
// that is full says so at every write.
func also(err, more error) error {
	if err == nil || more == nil {
		return errors.Join(err, more)
	}
	cause := more
	for next := errors.Unwrap(cause); next != nil; next = errors.Unwrap(cause) {
		cause = next
	}
	if strings.Contains(err.Error(), cause.Error()) {
		return err
	}
	return errors.Join(err, more)
}

// condition puts into the summary what err means for the user.
func (r *run) condition(ctx context.Context, err error) error {
	err = r.orRolledBack(err)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		r.sum.add(Interrupted)
		return nil
	}
	r.sum.add(ConditionOf(err))
	r.Log.Error("run", "error", err)
	return err
}

// seenSources returns what the guards of later runs compare with, if this one
// gets through: the sources that are what they should be, and of which every
// known folder was met where they are now.
func (r *run) seenSources(seen *scan.Result) []manifest.Source {
	var list []manifest.Source
	for i, s := range seen.Sources {
		if s.State == scan.OK && !s.Partly {
			list = append(list, manifest.Source{Path: r.Backup.Sources[i].Path, Folder: s.Folder, FS: s.FS, Inode: s.Inode})
		}
	}
	return list
}
