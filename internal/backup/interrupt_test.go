package backup_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// TestRandomInterrupted edits at random between runs that are interrupted,
// killed, or talk to a Drive where much goes wrong, on a machine whose clock
// jumps and whose Drive other hands get at.
func TestRandomInterrupted(t *testing.T) {
	for _, seed := range seeds(t, 50, 20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			out := newOutside(t)
			inBubble(t, func(t *testing.T, clock func() time.Time) {
				tr := fakeTrial(t, seed, clock, out)
				for round := 0; round < 4 && !t.Failed(); round++ {
					tr.hand.say("-- round %d", round)
					for range 1 + tr.rng.IntN(3) {
						out.after(tr.settle)
						tr.interrupted(seed*10 + uint64(round))
						if tr.rng.IntN(3) > 0 {
							tr.hand.edit(1 + tr.rng.IntN(8))
						}
						tr.jump()
					}
					if tr.rng.IntN(3) == 0 {
						tr.otherHands()
					}
					out.after(tr.settle)
					tr.hand.say("-- undisturbed")
					tr.ok()
					tr.compare()
					tr.quiet()
					tr.hand.edit(1 + tr.rng.IntN(10))
				}
			})
		})
	}
}

// jump sets the machine's clock wrong, or right again, as a laptop's that has
// slept or met a server of time.
func (tr *trial) jump() {
	if tr.rng.IntN(3) > 0 {
		return
	}
	by := []time.Duration{0, -40 * 24 * time.Hour, -time.Hour, -time.Second, time.Minute, 26 * time.Hour, 400 * 24 * time.Hour}
	d := by[tr.rng.IntN(len(by))]
	tr.hand.say("-- the clock is off by %v", d)
	tr.jumped.Store(int64(d))
}

func (tr *trial) interrupted(seed uint64) {
	tr.t.Helper()
	switch at := tr.rng.IntN(14); tr.rng.IntN(3) {
	case 0:
		tr.hand.say("-- cancelled at request %d", at)
		tr.cancelAt(at)
	case 1:
		tr.hand.say("-- killed at request %d", at)
		tr.killAfter(at)
	default:
		f := tr.fault(rand.New(rand.NewPCG(seed, 3)))
		tr.hand.say("-- %s", f)
		tr.srv.Inject(f)
		if _, err := tr.run(context.Background()); err != nil {
			tr.hand.say("-- it ended early: %v", err)
		}
		tr.srv.Inject(nil)
	}
}

// fault makes many requests go wrong, in several ways.
func (tr *trial) fault(r *rand.Rand) drivetest.Fault {
	var all []drivetest.Fault
	for _, e := range effects {
		p := []float64{0, 0.05, 0.3}[r.IntN(3)]
		f := drivetest.Chance(p, r.Uint64(), e)
		if r.IntN(2) == 0 && e.String() != drivetest.Torn.String() {
			f = drivetest.InBatch(f)
		}
		all = append(all, f)
	}
	return drivetest.Several(all...)
}

// TestDoneUnheardThenUndone kills a run whose request Drive carries out, and
// has the disk go on in a way that makes the manifest look right again, or the
// place that Drive has now disappear.
func TestDoneUnheardThenUndone(t *testing.T) {
	for _, c := range []struct {
		name       string
		edit, then func(w *world)
	}{
		{"file moved and moved back", func(w *world) { w.rename("docs/f", "docs/d/g") }, func(w *world) { w.rename("docs/d/g", "docs/f") }},
		{"folder moved and moved back", func(w *world) { w.rename("docs/d", "docs/e/d2") }, func(w *world) { w.rename("docs/e/d2", "docs/d") }},
		{"folder moved, then removed with its old parent", func(w *world) { w.rename("docs/e/sub", "docs/d/sub") }, func(w *world) { w.remove("docs/d/sub"); w.remove("docs/e") }},
		{"file trashed and put back", func(w *world) { w.rename("docs/f", "../f") }, func(w *world) { w.rename("../f", "docs/f") }},
		{"folder trashed and put back", func(w *world) { w.rename("docs/d", "../d") }, func(w *world) { w.rename("../d", "docs/d") }},
		{"time set and set back",
			func(w *world) { w.must(os.Chtimes(w.path("docs/f"), time.Time{}, time.Unix(1, 0))) },
			func(w *world) { w.must(os.Chtimes(w.path("docs/f"), time.Time{}, time.Unix(2, 0))) }},
		{"swapped and swapped back", func(w *world) { w.swap("docs/f", "docs/f2") }, func(w *world) { w.swap("docs/f", "docs/f2") }},
		{"swapped and one removed", func(w *world) { w.swap("docs/f", "docs/f2") }, func(w *world) { w.remove("docs/f") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			for n := 0; ; n++ {
				w := newWorld(t, drivetest.Options{}, "top/docs")
				w.dir = filepath.Join(w.dir, "top")
				w.write("docs/f", "a file")
				w.write("docs/f2", "another file")
				w.write("docs/d/x", "x")
				w.write("docs/e/sub/y", "yy")
				w.must(os.Chtimes(w.path("docs/f"), time.Time{}, time.Unix(2, 0)))
				w.ok()
				c.edit(w)
				hit := w.killAfter(n)
				c.then(w)
				w.ok()
				w.compare()
				w.quiet()
				if t.Failed() {
					t.Fatalf("killed at request %d", n)
				}
				if !hit {
					break
				}
			}
		})
	}
}

func (w *world) swap(a, b string) {
	w.t.Helper()
	w.rename(a, a+".tmp")
	w.rename(b, a)
	w.rename(a+".tmp", b)
}
