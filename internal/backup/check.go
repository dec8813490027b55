package backup

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// compareAt is how many changes are read before they are compared with the
// manifest, which means to walk through it. It bounds the memory of a check
// after a first run of a million files.
const compareAt = 50_000

// A drifted is what was found by asking Drive.
type drifted struct {
	found   drifts
	strange States        // what this installation has made, Drive has, and the manifest does not know
	next    string        // where to go on in the change log when what was found is put right
	why     string        // the change log could not be read from where it was read last; "" if it could
	host    *remote.State // what the host folder is, if the change log was read
	listed  bool          // all that Drive has was listed
	items   int64         // so many, then
}

// askDrive asks Drive what somebody else did to what the manifest holds since
// it was asked last: one request for a thousand changes, its own included, one
// if there are none. All is listed if full says so, or if the change log cannot
// be read from where it was read last.
func (b *Backup) askDrive(ctx context.Context, full bool) (*drifted, error) {
	lay, err1 := knownLayout(b.Store)
	token, err2 := b.Store.Meta(metaChanges)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	l := &drifted{found: drifts{}, why: "it is not known where to begin", listed: full}
	if token != "" {
		err := b.changes(ctx, lay, token, l)
		var unreadable *remote.LogError
		switch {
		case err == nil:
			l.why = ""
		case errors.As(err, &unreadable):
			l.why = unreadable.Error()
		default:
			return nil, err
		}
	}
	if l.why != "" {
		b.Log.Warn("Drive's change log cannot be used, everything is listed", "reason", l.why)
		l.listed = true
		var err error
		if l.next, err = b.Drive.ChangesStart(ctx); err != nil {
			return nil, err
		}
	}
	if l.listed {
		return l, b.listed(ctx, lay, l)
	}
	return l, nil
}

// changes compares what the change log names.
func (b *Backup) changes(ctx context.Context, lay remote.Layout, token string, l *drifted) error {
	states, more := States{}, States{}
	compare := func() error {
		defer clear(states)
		return b.compare(lay, states, more, l.found)
	}
	next, host, err := b.Drive.Changes(ctx, token, lay.Host, func(page States) error {
		maps.Copy(states, page)
		if len(states) < compareAt {
			return nil
		}
		return compare()
	})
	if host.Absent || host.Trashed {
		states[lay.Host] = host // whatever the log says
	}
	if err == nil {
		err = compare()
	}
	if err != nil {
		return err
	}
	l.next, l.host = next, &host
	if l.strange, err = b.extras(lay, host, more, l.found); err != nil {
		return err
	}
	return b.confirm(ctx, l.found)
}

// compare compares what Drive was seen to have with the manifest. What this
// installation has made and the manifest does not know is added to more.
func (b *Backup) compare(lay remote.Layout, states, more States, found drifts) error {
	known, err := b.Store.Reader()
	if err != nil {
		return err
	}
	defer known.Close()
	strange, err := found.compare(known, lay, states)
	for _, id := range strange {
		if s := states[id]; b.Drive.Owns(s) && !s.Trashed {
			more[id] = s
		} else {
			delete(more, id)
		}
	}
	return err
}

// extras returns what the manifest does not know, and adds to found the topmost
// of it in the host folder.
func (b *Backup) extras(lay remote.Layout, host remote.State, more States, found drifts) (States, error) {
	if len(more) == 0 {
		return States{}, nil
	}
	begun, err := b.begun()
	if err != nil {
		return nil, err
	}
	known, err := b.Store.Reader()
	if err != nil {
		return nil, err
	}
	defer known.Close()
	ids := slices.Collect(maps.Keys(more))
	more[lay.Host] = host
	return found.extras(known, lay, more, ids, begun)
}

// begun returns what may be on Drive and is not in the tree of the manifest:
// what is under way, and the manifest's own copy.
func (b *Backup) begun() (map[manifest.FileID]bool, error) {
	intents, err1 := b.Store.Unsettled()
	own, err2 := b.Store.Meta(metaCopy)
	begun := map[manifest.FileID]bool{manifest.FileID(own): true}
	for _, in := range intents {
		begun[idOf(in)] = true
	}
	return begun, errors.Join(err1, err2)
}

// listed compares all that Drive lists of this installation.
func (b *Backup) listed(ctx context.Context, lay remote.Layout, l *drifted) error {
	begun, err := b.begun()
	if err != nil {
		return err
	}
	known, err := b.Store.Reader()
	if err != nil {
		return err
	}
	defer known.Close()
	found, strange, items, err := Listed(ctx, b.Drive, b.Drive.Installation(), known, lay, begun)
	for _, d := range found {
		l.found[d.Item] = d
	}
	l.strange, l.items = strange, items
	return err
}

// confirm looks up by id what seems to be gone, for a change log that says
// "removed" does not tell deletion from other things.
func (b *Backup) confirm(ctx context.Context, found drifts) error {
	var gone []manifest.FileID
	for id, d := range found {
		if d.What.Has(Gone) {
			gone = append(gone, id)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	states, err := b.Drive.Check(ctx, gone)
	if err != nil {
		return err
	}
	for id, s := range states {
		d := found[id]
		if d.judge(s); d.What == 0 {
			delete(found, id)
		} else {
			found[id] = d
		}
	}
	return nil
}

// checkDrive puts right what somebody else did on Drive, if it is time to ask.
// What is gone or overwritten is marked, so that this run's plan sends it
// again. A Drive that cannot be reached is no reason not to scan.
func (r *run) checkDrive(ctx context.Context) error {
	due, err := r.checkDue()
	if err != nil || !due {
		return err
	}
	r.progress.phase("asking Drive what others changed")
	seen, err := r.askDrive(ctx, false)
	var answer *remote.Error
	if errors.As(err, &answer) && (answer.Class == remote.Transient || answer.Class == remote.RateLimit) {
		r.Log.Warn("Drive was not asked what others changed", "err", err)
		r.sum.Unasked = err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	if _, held, err := r.standing(ctx, seen); err != nil || len(held) > 0 {
		return errors.Join(err, foreign(held))
	}
	r.sum.Listed, r.strange = seen.why, seen.strange
	all, err := r.putRight(ctx, seen.found.touched())
	if _, lost := remote.IsLost(err); lost { // just now
		return r.hostLost(ctx)
	}
	if err != nil || !all {
		return err // asked again by the next run, from where this one began
	}
	if len(r.waiting) > 0 {
		r.logEnd = seen.next
		return nil
	}
	return r.keepLogEnd(seen.next)
}

// keepLogEnd makes durable where to go on in the change log: all that it told so
// far is put right.
func (r *run) keepLogEnd(next string) error {
	return r.Store.SetMeta(map[string]string{metaChanges: next, metaChecked: strconv.FormatInt(r.started.Unix(), 10)})
}

// checkDue reports whether Drive is to be asked: of a scan of all sources, if
// there is anything on Drive yet, CheckDrive after the last time. A clock that
// went back is no reason to wait.
func (r *run) checkDue() (bool, error) {
	lay, err1 := knownLayout(r.Store)
	last, err2 := r.metaNumber(metaChecked)
	if err := errors.Join(err1, err2); err != nil || r.named() || r.pass > 0 || r.CheckDrive <= 0 || lay.Host == "" || lay.Begun {
		return false, err
	}
	age := r.started.Sub(time.Unix(last, 0))
	return age >= r.CheckDrive || age < 0, nil
}
