package remote

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/autocloudbackup/acb/manifest"
)

// lookHolds is how long a look at the generation holds. Long runs repeat it,
// for one request in so many minutes.
const lookHolds = 10 * time.Minute

// anew looks at the generation again before the run replaces or trashes
// something, if the last look was long ago: a machine that slept in between, or
// a state folder that was in use elsewhere meanwhile, must not go by what it
// knew then. What it finds wrong ends the run.
func (r *run) anew(ctx context.Context) error {
	if err := r.claiming.take(ctx); err != nil {
		return classify(err)
	}
	defer r.claiming.give()
	now := r.d.opt.Now()
	if !longAgo(r.d.looked, now) {
		return nil
	}
	host, err := r.env.Folder(manifest.Root)
	if err != nil {
		return fmt.Errorf("check generation: %w", err)
	}
	f, e := r.d.get(ctx, host, "id,appProperties")
	if e != nil && e.Class != NotFound {
		return e.about("check generation", "", host)
	}
	r.mu.Lock()
	known := r.result.Gens
	r.mu.Unlock()
	if e != nil {
		r.lose(host)
		err = fmt.Errorf("check generation: host folder: %w", &LostError{host})
	} else if held := slices.DeleteFunc(gensOf(f), func(g int64) bool { return slices.Contains(known, g) }); len(held) > 0 {
		err = &GenError{held}
	}
	if err != nil {
		r.stop(err)
		return err
	}
	r.d.looked = now
	return nil
}

// longAgo reports whether more than lookHolds has gone by, by the clock on the
// wall or by the processor's, which stands still while a machine sleeps. A
// wall clock that was put back tells nothing, and so counts as long ago.
func longAgo(then, now time.Time) bool {
	wall := now.Round(0).Sub(then.Round(0))
	return wall < 0 || wall > lookHolds || now.Sub(then) > lookHolds
}
