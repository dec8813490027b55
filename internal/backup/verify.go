package backup

import (
	"context"
	"errors"
	"fmt"
)

// A Verify compares Drive with the manifest. The zero value asks Drive's change
// log only, one request if nothing was changed.
type Verify struct {
	Full   bool    // compare everything that Drive lists
	Sample float64 // of the files, the share that is downloaded and compared as well; 0 to 1
	// Repair puts right what was found, as far as the source or Drive's trash
	// still has it: items are moved, renamed and taken out of the trash, what is
	// gone or overwritten is sent again, and what the manifest does not know is
	// moved into quarantine. Nothing is trashed.
	Repair bool
}

// The levels of a Verify.
const (
	Quick = "quick"
	Full  = "full"
	Deep  = "deep"
)

func (v *Verify) level() string {
	switch {
	case v.Sample > 0:
		return Deep
	case v.Full:
		return Full
	}
	return Quick
}

// Verified is what a Verify found.
type Verified struct {
	Level    string
	Ended    bool      // all was looked at
	Findings []Finding // folders before what is in them
	Left     int       // of them, those that are not put right
	Items    int64     // that Drive listed; 0 if it was not asked to
	Files    int64     // that were downloaded and compared
	Bytes    int64     // of those
	// RolledBack: Drive has gone back to an earlier state than this manifest
	// had brought it to.
	RolledBack bool
	// Earlier are those of the overwritten files that hold again what they held
	// before their last change here.
	Earlier int
}

// A Finding is a Drift, and what became of it.
type Finding struct {
	Drift
	Fixed  bool
	Reason string // why it is not put right, of a repair
}

// Verify compares Drive with the manifest, as a run of its own. Errors and
// conditions are those of Run; a finding that is left is Incomplete.
func (b *Backup) Verify(ctx context.Context, v Verify) (*Summary, error) {
	r := b.begin(Request{verify: &v}, nil)
	r.sum.Verified = &Verified{Level: v.level()}
	err := r.ready()
	if err == nil {
		err = r.verify(ctx, &v)
		r.sum.Verified.Ended = err == nil
	}
	return r.end(ctx, err)
}

func (r *run) verify(ctx context.Context, v *Verify) error {
	if lay, err := knownLayout(r.Store); err != nil || lay.Host == "" || lay.Begun {
		return errors.Join(err, errors.New("verify: nothing is backed up yet: acb scan makes the first backup"))
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	r.progress.phase("asking Drive what is there")
	seen, err := r.askDrive(ctx, v.Full || v.Sample > 0)
	if err != nil {
		return err
	}
	rolled, held, err := r.standing(ctx, seen)
	if err == nil && !rolled {
		err = foreign(held)
	}
	if err != nil {
		return err
	}
	r.sum.Verified.RolledBack = rolled
	if r.sum.Verified.RolledBack && !seen.listed {
		lay, err := knownLayout(r.Store) // the change log knows nothing of that
		if err == nil {
			err = r.listed(ctx, lay, seen)
		}
		if err != nil {
			return err
		}
	}
	r.sum.Listed, r.sum.Verified.Items = seen.why, seen.items
	err = r.deep(ctx, v.Sample, seen.found)
	if err := errors.Join(err, r.tellFindings(seen.found.sorted())); err != nil {
		return err // what was found so far is told
	}
	return r.conclude(ctx, v, seen, held)
}

// conclude puts right what was found if it should, and keeps where to go on in
// the change log if nothing is left that only the log tells.
func (r *run) conclude(ctx context.Context, v *Verify, seen *drifted, held []int64) error {
	done := len(seen.found.touched()) == 0
	if v.Repair && len(r.sum.Verified.Findings) > 0 {
		if r.sum.Verified.RolledBack {
			known, err := r.gens(metaGens)
			if err == nil {
				err = r.Store.SetMeta(map[string]string{metaGens: gensText(append(known, held...))})
			}
			if err != nil {
				return err
			}
		}
		var err error
		if done, err = r.repair(ctx, seen); err != nil {
			return err
		}
	}
	for i := range r.sum.Verified.Findings {
		if f := &r.sum.Verified.Findings[i]; !f.Fixed {
			r.sum.Verified.Left++
			done = done && !f.What.Has(Extra|Duplicate)
		}
	}
	if r.sum.Verified.Left > 0 {
		r.sum.add(Incomplete)
	}
	if r.sum.Verified.RolledBack && !v.Repair {
		r.sum.add(HeldBack)
	}
	if !done {
		return nil
	}
	return r.keepLogEnd(seen.next)
}

// tellFindings takes over what was found, and what a run before has found and
// was to be sent again by it.
func (r *run) tellFindings(found []Drift) error {
	known, err := r.Store.Reader()
	if err != nil {
		return err
	}
	defer known.Close()
	lay, err := knownLayout(r.Store)
	if err != nil {
		return err
	}
	all := drifts{}
	for _, d := range found {
		all[d.Item] = d
	}
	err = eachItem(known, lay, func(d Drift) {
		switch _, differs := all[d.Item]; {
		case d.lost:
			d.What = Gone
			all[d.Item] = d
		case d.unread() && !differs:
			d.What = Unread
			all[d.Item] = d
		}
	})
	if isDamage(err) {
		r.failed = append(r.failed, Failure{Reason: err.Error()})
		err = nil
	}
	for _, d := range all.sorted() {
		r.sum.Verified.Findings = append(r.sum.Verified.Findings, Finding{Drift: d})
		r.Log.Warn("found on Drive", "path", string(d.Path), "id", string(d.Item), "what", d.What.String())
	}
	if err == nil {
		r.sum.Verified.Earlier, err = r.goneBack(found)
	}
	if err != nil {
		return fmt.Errorf("read manifest: %w", err)
	}
	return nil
}
