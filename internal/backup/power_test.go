//go:build (linux || darwin) && (amd64 || arm64)

package backup_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// TestPowerCut cuts the power at each moment of a run: before and after each
// time that the disk is synced, and at each request. Drive has done all that
// it was asked to until then, the disk has what was synced and any part of
// what was not. The next run puts it right.
func TestPowerCut(t *testing.T) {
	for i, k := range works {
		if !slices.Contains([]string{"all at once", "first run of everything", "large upload", "large update"}, k.name) {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			large := strings.HasPrefix(k.name, "large")
			if testing.Short() && large {
				t.Skip("sums of large contents take long under the race detector")
			}
			t.Parallel()
			out := newOutside(t)
			moments := make(map[string]int)
			for n, at := 0, "the beginning"; at != ""; n += stride(15) {
				rng := rand.New(rand.NewPCG(uint64(i), uint64(n)))
				some := []damage{allLost, torn, anyPart, allKept}
				if os.Getenv("ACB_SEEDS") == "" { // not make soak
					some = some[max(0, rng.IntN(6)-2):][:1]
				}
				for _, d := range some {
					inBubble(t, func(t *testing.T, clock func() time.Time) {
						w, p, ids := k.beginOn(t, clock, uint64(n))
						at = w.powerCut(p, n, d, rng, out)
						moments[at]++
						w.mended(ids)
						if t.Failed() {
							t.Fatalf("power cut at moment %d, %s; what was not synced: %s", n, at, d)
						}
					})
					if t.Failed() {
						return
					}
				}
			}
			t.Log(moments)
			for _, at := range []string{"log to be synced", "log synced", "manifest to be synced", "manifest synced", "request"} {
				if moments[at] == 0 && !large && !testing.Short() {
					t.Errorf("the power was never cut at this moment: %s", at)
				}
			}
		})
	}
}

// TestPowerCutsInARow cuts the power during runs in a row, by seed: those that
// put right what the first cut has left, too.
func TestPowerCutsInARow(t *testing.T) {
	for _, seed := range seeds(t, 40, 3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			out := newOutside(t)
			inBubble(t, func(t *testing.T, clock func() time.Time) {
				rng := rand.New(rand.NewPCG(seed, 0x706f77))
				k := works[rng.IntN(len(works))]
				w, p, ids := k.beginOn(t, clock, seed)
				story := k.name
				for range 2 + rng.IntN(3) {
					n, d := rng.IntN(25), damage(rng.IntN(int(damages)))
					story += fmt.Sprintf("; moment %d, %s, %s", n, w.powerCut(p, n, d, rng, out), d)
				}
				w.mended(ids)
				if t.Failed() {
					t.Fatalf("replay with ACB_SEED=%d: %s", seed, story)
				}
			})
		})
	}
}

// beginOn is begin with a platter below the manifest.
func (k work) beginOn(t *testing.T, clock func() time.Time, n uint64) (w *world, p *platter, ids map[string]bool) {
	t.Helper()
	w, ids = k.begin(t, clock, n, func(w *world) { p = w.below() })
	return w, p, ids
}

// powerCut makes a run during which the power is cut at moment n, and says
// what moment that was, "" if the run had none.
func (w *world) powerCut(p *platter, n int, d damage, rng *rand.Rand, out *outside) (at string) {
	w.t.Helper()
	if rng.IntN(2) == 0 { // so that what was acknowledged becomes durable while other requests are under way
		w.srv.SetThrottle(drivetest.Throttle{Latency: 300 * time.Millisecond})
	}
	left, at := w.runUntil(p, n, func() map[string][]byte { return p.cut(d, rng) }, out)
	if at != "" {
		w.must(p.leave(left))
	}
	w.srv.SetThrottle(drivetest.Throttle{})
	w.allKnown()
	return at
}

// runUntil makes a run whose process ends at moment n, and returns what cut
// returned then, and which moment it was, "" if there was none. Drive hears
// nothing after it.
func (w *world) runUntil(p *platter, n int, cut func() map[string][]byte, out *outside) (left map[string][]byte, at string) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var seen atomic.Int64
	over := make(chan struct{})
	moment := func(name string, busy bool) {
		if seen.Add(1) != int64(n)+1 {
			return
		}
		if busy { // Drive goes on while the disk is not done
			out.after(2 * time.Millisecond)
		}
		w.srv.Inject(drivetest.Always(drivetest.Cut))
		left, at = cut(), name
		close(over)
		cancel()
	}
	p.watched(func(name string, synced bool) {
		what := "manifest"
		if strings.HasSuffix(name, "-wal") {
			what = "log"
		}
		if synced {
			moment(what+" synced", false)
		} else {
			moment(what+" to be synced", true)
		}
	})
	w.srv.OnRequest(func(int, drivetest.Info) { moment("request", false) })
	_, err := w.run(ctx)
	p.watched(nil)
	w.srv.OnRequest(nil)
	w.srv.Inject(nil)
	if seen.Load() > int64(n) {
		<-over
	} else {
		w.must(err)
	}
	return left, at
}

// allKnown demands that the manifest, as a power cut has left it, is whole and
// knows of all that is on Drive: an item's id is durable before the request
// leaves that makes it.
func (w *world) allKnown() {
	w.t.Helper()
	dir := fastDir(w.t)
	w.must(copyState(filepath.Dir(w.manifest), dir))
	store, err := manifest.Open(filepath.Join(dir, "manifest.db"))
	w.must(err)
	defer store.Close()
	r, err := store.Reader()
	w.must(err)
	defer r.Close()
	if err := r.Check(); err != nil {
		w.t.Error(err)
	}
	ids := make(map[manifest.FileID]bool)
	w.must(r.Walk(manifest.Root, func(_ manifest.Path, row manifest.Row, files []manifest.Entry) error {
		ids[row.FileID] = true
		for _, e := range files {
			ids[e.FileID] = true
		}
		return nil
	}))
	displaced, err := r.Displaced()
	w.must(err)
	for _, e := range displaced {
		ids[e.FileID] = true
	}
	begun, err := store.Unsettled()
	w.must(err)
	for _, in := range begun {
		ids[in.FileID], ids[in.NewFolder.FileID] = true, true
	}
	if w.host().ID == "" {
		return
	}
	for path, n := range w.srv.Tree(w.host().ID) {
		if !ids[manifest.FileID(n.ID)] {
			w.t.Errorf("%s is on Drive as %s, and the manifest does not know of it", path, n.ID)
		}
	}
}
