package backup

import (
	"context"
	"fmt"
	"slices"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// An edit is a run that carries out changes which the user asked for, instead
// of those that a scan has seen. No source is looked at, and no guard holds:
// the user was shown what would be done.
type edit struct {
	kind    string             // of the run, in the history
	reason  manifest.EndReason // why what it takes away has ended
	changes func(known *manifest.Reader) (manifest.Changes, error)
	// open, when set, opens what an operation sends: what is on disk is not it.
	open func(*plan.Op) (remote.Content, error)
	// acked, when set, is told of each operation that Drive has confirmed.
	acked func(remote.Ack)
	// goOn has the ids that an earlier run reserved, and made nothing under,
	// used for the same places.
	goOn bool
}

// planEdit plans an edit. All of it belongs to one source for the planner.
func (r *run) planEdit() error {
	known, err := r.Store.Reader()
	if err != nil {
		return err
	}
	defer known.Close()
	changes, err := r.edit.changes(known)
	if err != nil {
		return err
	}
	r.planned = plan.New(changes, nil, []plan.Source{{}}, plan.Options{Allow: true})
	if r.planned.Trashes() {
		if err := r.sound(); err != nil {
			return fmt.Errorf("%s: nothing is trashed: %w", r.edit.kind, err)
		}
	}
	return nil
}

// carryOut makes the run of an edit, as Run does with a scan. What an earlier
// run has half sent waits for the next scan.
func (b *Backup) carryOut(ctx context.Context, e edit) (*Summary, error) {
	r := b.begin(Request{}, &e)
	err := r.ready()
	if err == nil {
		err = r.settle(ctx)
	}
	r.half = slices.DeleteFunc(r.half, func(in manifest.Intent) bool { return !e.goOn || in.Session.Address != "" })
	if err == nil {
		err = r.planEdit()
	}
	if err == nil {
		var again bool
		if again, err = r.apply(ctx); again && err == nil {
			r.sum.add(Incomplete) // the next scan makes good what Drive has lost
		}
	}
	return r.end(ctx, err)
}

// preview plans an edit and changes nothing.
func (b *Backup) preview(e edit) (*plan.Plan, *Summary, error) {
	r := b.begin(Request{}, &e)
	if err := r.planEdit(); err != nil {
		return nil, r.sum, err
	}
	r.countPlanned()
	err := r.forecast()
	r.sum.Took = r.Scan.Now().Sub(r.started)
	return r.planned, r.sum, err
}
