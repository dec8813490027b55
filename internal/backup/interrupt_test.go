package backup_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// cancelAt makes a run that is interrupted when request n begins, and reports
// whether there was one.
func (w *world) cancelAt(n int) (hit bool) {
	w.t.Helper()
	_, hit = w.stopAt(n, func() {})
	return hit
}

// killAt makes a run that dies when request n begins: the manifest is left as
// it was at that moment, whatever the process did afterwards. What is on its
// way to Drive gets there.
func (w *world) killAt(n int) (hit bool) {
	w.t.Helper()
	at := fastDir(w.t)
	_, hit = w.stopAt(n, func() { w.keep(copyState(filepath.Dir(w.manifest), at)) })
	if hit {
		if n%2 == 1 {
			w.must(tearLog(filepath.Join(at, "manifest.db-wal")))
		}
		w.must(os.RemoveAll(filepath.Dir(w.manifest)))
		w.must(copyState(at, filepath.Dir(w.manifest)))
	}
	return hit
}

// keep notes an error from where the test cannot be ended.
func (w *world) keep(err error) {
	if err != nil {
		w.t.Error(err)
	}
}

// tearLog adds to a manifest's log what a power cut leaves of a write that was
// not synced: the beginning of it, and then whatever was on the disk.
func tearLog(path string) error {
	log, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || len(log) < 32+24+4096 {
		return nil
	}
	torn := append(log[32:32+24+4096:32+24+4096], make([]byte, 4096)...)
	return os.WriteFile(path, append(log, torn...), 0o600)
}

// copyState copies the files of a manifest that may be in use, but for the
// index that SQLite makes anew.
func copyState(from, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for _, name := range []string{"manifest.db", "manifest.db-wal"} {
		content, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), content, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// stopAt makes a run whose context ends when request n begins, right after
// then was called.
func (w *world) stopAt(n int, then func()) (sum *backup.Summary, hit bool) {
	w.t.Helper()
	var seen atomic.Int64
	return w.endAt(func(drivetest.Info) bool { return seen.Add(1) > int64(n) }, then)
}

// endAt is stopAt for the first request that is the one.
func (w *world) endAt(is func(drivetest.Info) bool, then func()) (sum *backup.Summary, hit bool) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var once sync.Once
	w.srv.OnRequest(func(_ int, r drivetest.Info) {
		if is(r) {
			once.Do(func() { hit = true; then(); cancel() })
		}
	})
	sum, err := w.run(ctx)
	w.srv.OnRequest(nil)
	if err != nil {
		w.t.Fatalf("interrupted: %v", err)
	}
	return sum, hit
}

// effects are the ways in which a request can go wrong.
var effects = []drivetest.Effect{
	drivetest.Unavailable, drivetest.LostAs(503), drivetest.Cut, drivetest.Lost, drivetest.Torn,
	drivetest.RateLimited, drivetest.TooMany(time.Second), drivetest.Fresh404(2),
}

// scene is a first run and then one operation of every kind, made ready in a
// world: create folder levels, upload, large upload, update, large update,
// move file, move folder, patch, trash file, trash folder, swap.
func scene(t testing.TB, o drivetest.Options, first, large bool) *world {
	w := newWorld(t, o, "docs")
	w.write("docs/a/one", "1")
	w.write("docs/a/two", "22")
	w.write("docs/a/three", "333")
	w.write("docs/move/me/deep/x", "xxxxx")
	w.write("docs/move/me/y", "yyyyyy")
	w.write("docs/rm/r/z", "zzzzzzz")
	w.write("docs/rm/r/s/zz", "zzzzzzzz")
	w.write("docs/gone", "gonegonegone")
	w.write("docs/swap1", "swap 1 swap 1")
	w.write("docs/swap2", "swap 2 swap 2 2")
	w.write("docs/same", strings.Repeat("same", manifest.Large/4))
	w.write("docs/rm/twin1", strings.Repeat("twin", manifest.Large/4+1))
	w.write("docs/rm/twin2", strings.Repeat("twin", manifest.Large/4+1))
	if large { // just above what goes up in one request
		w.write("docs/big", strings.Repeat("big 1", 1<<20+1))
	}
	if first {
		return w
	}
	w.ok()
	w.compare()
	w.write("docs/new/level/two/file", "new file new file")
	w.write("docs/new/level/other", "other file")
	w.write("docs/new/copy", strings.Repeat("same", manifest.Large/4))
	w.write("docs/a/twin3", strings.Repeat("t3", manifest.Large/2+1))
	w.write("docs/new/twin4", strings.Repeat("t3", manifest.Large/2+1))
	w.write("docs/a/two", "two is longer now")
	w.rename("docs/a/three", "docs/new/level/three")
	w.rename("docs/move/me", "docs/new/me")
	w.must(os.Chtimes(w.path("docs/a/one"), time.Time{}, time.Unix(1_600_000_000, 5)))
	w.remove("docs/rm")
	w.remove("docs/gone")
	if large {
		w.write("docs/big", strings.Repeat("big 2", 1<<20+2))
	}
	w.rename("docs/swap1", "docs/tmp")
	w.rename("docs/swap2", "docs/swap1")
	w.rename("docs/tmp", "docs/swap2")
	return w
}

// mended demands that one more run puts everything right, sends nothing again
// that Drive has, and that then there is nothing left to do.
func (w *world) mended() {
	w.t.Helper()
	disk := w.onDisk()
	before, ids := w.onDrive()
	nodes := w.srv.Tree("root")
	w.ok()
	w.compare()
	w.quiet()
	revs := make(map[string]int)
	for _, n := range nodes {
		revs[n.ID] = n.Revs
	}
	for _, n := range w.srv.Tree("root") {
		if was, ok := revs[n.ID]; ok && n.Revs != was {
			for path, id := range ids {
				if id == n.ID && before[path].md5 == disk[path].md5 {
					w.t.Errorf("%s was on Drive, and was sent again", path)
				}
			}
		}
	}
}

func TestCancelledAtEveryRequest(t *testing.T) { t.Parallel(); atEveryRequest(t, (*world).cancelAt) }
func TestKilledAtEveryRequest(t *testing.T)    { t.Parallel(); atEveryRequest(t, (*world).killAt) }

func atEveryRequest(t *testing.T, stop func(*world, int) bool) {
	for _, first := range []bool{true, false} {
		for n := 0; ; n += stride(4) {
			w := scene(t, drivetest.Options{Seed: uint64(n + 1), Unsettled: unsettled(uint64(n) * 0x9e3779b97f4a7c15)}, first, true)
			hit := stop(w, n)
			w.mended()
			if twice := w.srv.Stats().SentTwice; twice != 0 {
				t.Errorf("%d bytes were sent again that Drive had", twice)
			}
			if t.Failed() {
				t.Fatalf("first run %v, stopped at request %d", first, n)
			}
			w.srv.Close()
			if !hit {
				if n < 8 {
					t.Errorf("only %d requests were struck", n)
				}
				break
			}
		}
	}
}

// TestFaultAtEveryRequest lets every request of two runs go wrong in every way.
func TestFaultAtEveryRequest(t *testing.T) {
	for _, e := range effects {
		t.Run(e.String(), func(t *testing.T) {
			t.Parallel()
			for _, first := range []bool{true, false} {
				strike(t, first, true, func(n int) drivetest.Fault { return drivetest.At(n, e) }, (*drivetest.Server).Calls)
			}
			if e.String() != drivetest.Cut.String() && e.String() != drivetest.Torn.String() {
				strike(t, false, false, func(n int) drivetest.Fault { return drivetest.InBatch(drivetest.At(n, e)) }, (*drivetest.Server).Parts)
			}
		})
	}
}

// stride is 1, and short under -short, where the race detector makes every run
// slow and the paths are what matters.
func stride(short int) int {
	if testing.Short() {
		return short
	}
	return 1
}

// strike lets request n go wrong for every n that there is.
func strike(t *testing.T, first, large bool, fault func(n int) drivetest.Fault, calls func(*drivetest.Server) int) {
	for n := 0; ; n += stride(8) {
		w := scene(t, drivetest.Options{Seed: uint64(n + 1), Unsettled: unsettled(uint64(n) * 0x9e3779b97f4a7c15)}, first, large)
		w.srv.Inject(fault(n))
		sum, err := w.run(context.Background())
		made := calls(w.srv)
		w.srv.Inject(nil)
		if err != nil {
			t.Logf("the run ended early: %v", err)
		}
		w.mended()
		if t.Failed() {
			t.Fatalf("first run %v, %s; conditions %v, failures %v", first, fault(n), sum.Conditions, sum.Failures)
		}
		w.srv.Close()
		if made <= n {
			return
		}
	}
}

// TestRandomInterrupted edits at random between runs that are interrupted,
// killed, or talk to a Drive where much goes wrong.
func TestRandomInterrupted(t *testing.T) {
	for _, seed := range seeds(t, 50) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, seed)
			for round := range 4 {
				tr.hand.say("-- round %d", round)
				for range 1 + tr.rng.IntN(3) {
					time.Sleep(tr.settle)
					tr.interrupted(seed*10 + uint64(round))
					if tr.rng.IntN(3) > 0 {
						tr.hand.edit(1 + tr.rng.IntN(8))
					}
				}
				time.Sleep(tr.settle)
				tr.hand.say("-- undisturbed")
				tr.ok()
				tr.compare()
				tr.quiet()
				if t.Failed() {
					return
				}
				tr.hand.edit(1 + tr.rng.IntN(10))
			}
		})
	}
}

func (tr *trial) interrupted(seed uint64) {
	tr.t.Helper()
	switch at := tr.rng.IntN(14); tr.rng.IntN(3) {
	case 0:
		tr.hand.say("-- cancelled at request %d", at)
		tr.cancelAt(at)
	case 1:
		tr.hand.say("-- killed at request %d", at)
		tr.killAt(at)
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
				hit := w.killAt(n)
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

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
