package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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

// Drifts asks Drive what somebody else did to what the manifest holds since it
// was asked last: one request for a thousand changes, its own included, one
// if there are none. Where the change log cannot be read from where it was read
// last, all is listed, and why says so. Next is where to go on when what was
// found is put right; the manifest keeps it then.
func (b *Backup) Drifts(ctx context.Context) (found []Drift, next, why string, err error) {
	lay, err := knownLayout(b.Store)
	if err != nil {
		return nil, "", "", err
	}
	token, err := b.Store.Meta(metaChanges)
	if err != nil {
		return nil, "", "", err
	}
	why = "it is not known where to begin"
	if token != "" {
		found, next, err = b.changes(ctx, lay, token)
		var unreadable *remote.LogError
		if !errors.As(err, &unreadable) {
			return found, next, "", err
		}
		why = unreadable.Error()
	}
	b.Log.Warn("Drive's change log cannot be used, everything is listed", "reason", why)
	found, next, err = b.everything(ctx, lay)
	return found, next, why, err
}

// changes compares what the change log names.
func (b *Backup) changes(ctx context.Context, lay remote.Layout, token string) ([]Drift, string, error) {
	states := map[manifest.FileID]remote.State{}
	found := drifts{}
	next, err := b.Drive.Changes(ctx, token, func(page map[manifest.FileID]remote.State) error {
		maps.Copy(states, page)
		if len(states) < compareAt {
			return nil
		}
		defer clear(states)
		return b.compare(lay, states, found, nil)
	})
	if err == nil {
		err = b.compare(lay, states, found, nil)
	}
	if err != nil {
		return nil, "", err
	}
	list, err := b.confirm(ctx, found)
	return list, next, err
}

// everything compares all that Drive lists of this installation. What a
// listing lacks is looked up by id, for listings lag.
func (b *Backup) everything(ctx context.Context, lay remote.Layout) ([]Drift, string, error) {
	next, err := b.Drive.ChangesStart(ctx)
	if err != nil {
		return nil, "", err
	}
	states := map[manifest.FileID]remote.State{}
	err = b.Drive.ListOwn(ctx, func(id manifest.FileID, s remote.State) error {
		states[id] = s
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("look for what others changed: %w", err)
	}
	found := drifts{}
	var missing []manifest.FileID
	if err := b.compare(lay, states, found, func(id manifest.FileID) { missing = append(missing, id) }); err != nil {
		return nil, "", err
	}
	if len(missing) > 0 {
		more, err := b.Drive.Check(ctx, missing)
		if err == nil {
			err = b.compare(lay, more, found, nil)
		}
		if err != nil {
			return nil, "", err
		}
	}
	list, err := b.confirm(ctx, found)
	return list, next, err
}

// drifts are what was found, the last that was seen of each item.
type drifts map[manifest.FileID]Drift

func (b *Backup) compare(lay remote.Layout, states map[manifest.FileID]remote.State, into drifts, unlisted func(manifest.FileID)) error {
	if len(states) == 0 && unlisted == nil {
		return nil
	}
	known, err := b.Store.Reader()
	if err != nil {
		return err
	}
	defer known.Close()
	c := comparison{known: known, layout: lay, states: states, unlisted: unlisted, see: func(d Drift) { into[d.Item] = d }}
	return c.run()
}

// confirm looks up by id what seems to be gone, for a change log that says
// "removed" does not tell deletion from other things. It returns all in the
// order of their paths.
func (b *Backup) confirm(ctx context.Context, found drifts) ([]Drift, error) {
	var gone []manifest.FileID
	for id, d := range found {
		if d.What.Has(Gone) {
			gone = append(gone, id)
		}
	}
	if len(gone) > 0 {
		states, err := b.Drive.Check(ctx, gone)
		if err != nil {
			return nil, err
		}
		for id, s := range states {
			d := found[id]
			if d.judge(s); d.What == 0 {
				delete(found, id)
			} else {
				found[id] = d
			}
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b Drift) int {
		return cmp.Or(cmp.Compare(a.level, b.level), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Item, b.Item))
	}), nil
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
	found, next, why, err := r.Drifts(ctx)
	var answer *remote.Error
	if errors.As(err, &answer) && (answer.Class == remote.Transient || answer.Class == remote.RateLimit) {
		r.Log.Warn("Drive was not asked what others changed", "err", err)
		r.sum.Unasked = err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	r.sum.Listed = why
	all, err := r.putRight(ctx, found)
	if _, lost := remote.IsLost(err); lost { // just now
		return r.hostLost(ctx)
	}
	if err != nil || !all {
		return err // asked again by the next run, from where this one began
	}
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
