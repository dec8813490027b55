package backup

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// deep downloads a share of the files that are as they should be, as far as
// Drive says, and compares the bytes with what was saved: every n-th file,
// beginning at one that is drawn. What it finds goes into found. In memory it
// holds a piece of each download.
func (r *run) deep(ctx context.Context, share float64, found drifts) error {
	if share <= 0 {
		return nil
	}
	lay, err := knownLayout(r.Store)
	if err != nil {
		return err
	}
	known, err := r.Store.Reader()
	if err != nil {
		return err
	}
	defer known.Close()
	r.progress.phase("downloading and comparing")
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	p := &proving{run: r, stop: stop, found: drifts{}}
	files := make(chan Drift)
	var all sync.WaitGroup
	for range r.Drive.Transfers() {
		all.Go(func() {
			for d := range files {
				p.prove(ctx, d)
			}
		})
	}
	due := rand.Float64()
	walkErr := eachItem(known, lay, func(d Drift) {
		if _, differs := found[d.Item]; differs || d.lost || d.kind == manifest.Dir || d.Old.Hash.IsZero() && d.Old.MD5.IsZero() {
			return
		}
		if due += share; due < 1 {
			return
		}
		due--
		select {
		case files <- d:
		case <-ctx.Done():
		}
	})
	close(files)
	all.Wait()
	for id, d := range p.found {
		found[id] = d
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if isDamage(walkErr) {
		return nil // told with the findings
	}
	return walkErr
}

// proving is what the downloads of one deep share.
type proving struct {
	*run
	stop  context.CancelCauseFunc
	mu    sync.Mutex // guards found and what the run keeps of it
	found drifts
}

// prove downloads one file. One that seems damaged is downloaded once more, and
// looked up, before it is called that: it may have been overwritten meanwhile.
func (p *proving) prove(ctx context.Context, d Drift) {
	if ctx.Err() != nil {
		return
	}
	right, err := p.holds(ctx, &d)
	if err == nil && !right || isLostContent(err) {
		err = p.again(ctx, &d)
	}
	var answer *remote.Error
	fatal := err != nil && (!errors.As(err, &answer) || answer.Class == remote.Auth || answer.Class == remote.DailyCap ||
		answer.Class == remote.Canceled)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case fatal:
		p.stop(err)
	case err != nil:
		p.failed = append(p.failed, Failure{Path: d.Path, Reason: err.Error()})
	default:
		p.progress.proved(d.Old.Size)
		p.sum.Verified.Files++
		p.sum.Verified.Bytes += d.Old.Size
		if d.What != 0 {
			p.found[d.Item] = d
		}
	}
}

// isLostContent reports whether a download failed because of what has happened
// to the item, so that its state tells more.
func isLostContent(err error) bool {
	var answer *remote.Error
	return errors.As(err, &answer) && (answer.Class == remote.NotFound || answer.Reason == "otherContent")
}

// holds downloads a file and reports whether it is what was saved.
func (p *proving) holds(ctx context.Context, d *Drift) (bool, error) {
	proof := d.Old.Proof()
	n, err := p.Drive.Download(ctx, remote.Blob{FileID: d.Item, Size: d.Old.Size}, 0, d.Old.Size, proof)
	return n == d.Old.Size && proof.Holds(), err
}

// again makes sure that a file is not what was saved, and says in d what it is.
func (p *proving) again(ctx context.Context, d *Drift) error {
	states, err := p.Drive.Check(ctx, []manifest.FileID{d.Item})
	if err != nil {
		return err
	}
	if d.judge(states[d.Item]); d.What.Has(Gone | Changed) {
		return nil
	}
	right, err := p.holds(ctx, d)
	if err == nil && !right {
		d.What |= Damaged
	}
	if err != nil {
		err = fmt.Errorf("download again: %w", err)
	}
	return err
}
