package backup_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// clone returns the same disk and Drive seen through a copy of the state
// folder, as it is now.
func (w *world) clone() *world {
	w.t.Helper()
	c := &world{
		t: w.t, dir: w.dir, sources: w.sources, srv: w.srv, limits: w.limits, settle: w.settle, now: w.now, fake: w.fake,
		manifest: filepath.Join(fastDir(w.t), "manifest.db"),
	}
	w.keep(copyState(filepath.Dir(w.manifest), filepath.Dir(c.manifest)))
	return c
}

// stopped makes a run that must be stopped before it changes or sends anything.
func (w *world) stopped() {
	w.t.Helper()
	before, sent := w.srv.Tree("root"), w.srv.Stats().ContentIn
	sum := w.held()
	c := &sum.Counts
	if n := c.Created + c.Modified + c.Moved + c.Touched + c.Deleted + c.CreatedFolders; n > 0 || w.srv.Stats().ContentIn > sent {
		w.t.Errorf("it went on: %+v", c)
	}
	if after := w.srv.Tree("root"); len(after) != len(before) {
		w.t.Errorf("%d items on Drive, were %d", len(after), len(before))
	}
}

// TestClonesInTurn: two copies of one state folder on machines that cannot be
// told apart. Whoever is second is stopped, whatever it wants to do, and the
// first goes on.
func TestClonesInTurn(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(w *world)
	}{
		{"create", func(w *world) { w.write("docs/new", "new") }},
		{"create a folder", func(w *world) { w.mkdir("docs/d") }},
		{"update", func(w *world) { w.write("docs/f001", "changed") }},
		{"move", func(w *world) { w.rename("docs/f001", "docs/moved") }},
		{"trash", func(w *world) { w.remove("docs/f001") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			first := newWorld(t, drivetest.Options{}, "docs")
			first.fill("docs", 5)
			first.ok()
			second := first.clone()
			c.do(first)
			first.ok()
			first.compare()
			second.write("docs/second", "seen by the second first")
			second.stopped()
			second.stopped() // and does not learn that it may
			first.write("docs/more", "more")
			first.ok()
			first.compare()
			first.quiet()
		})
	}
}

// TestClonedInMidRun copies the state folder at every request of a run, a
// first one and a later one, which then ends. The copy is stopped; or it has
// all that the run did, and then the original is the one to be stopped.
func TestClonedInMidRun(t *testing.T) {
	for _, firstRun := range []bool{true, false} {
		stopped, taken := 0, 0
		for n := 0; ; n++ {
			w := newWorld(t, drivetest.Options{}, "docs")
			w.fill("docs/d", 3)
			if !firstRun {
				w.ok()
				w.write("docs/d/new", "new")
				w.write("docs/d/f001", "changed")
				w.rename("docs/d", "docs/e")
				w.remove("docs/e/f002")
			}
			var copied *world
			begin := w.srv.Stats().Total()
			w.srv.OnRequest(func(i int, _ drivetest.Info) {
				if i-begin == n {
					copied = w.clone()
				}
			})
			w.ok()
			w.srv.OnRequest(nil)
			if copied == nil {
				break
			}
			w.write("docs/later", "later")
			sent := w.srv.Stats().ContentIn
			if sum, err := copied.run(t.Context()); err == nil && len(sum.Conditions) == 0 {
				taken++
				copied.compare()
				if more := w.srv.Stats().ContentIn - sent; more > int64(len("later")) {
					t.Errorf("copied at request %d: %d bytes sent", n, more)
				}
				w.write("docs/later still", "later still")
				w.stopped()
			} else {
				stopped++
				w.ok()
				w.compare()
			}
		}
		if stopped == 0 {
			t.Errorf("first run %v: %d copies went on, none was stopped", firstRun, taken)
		}
		t.Logf("first run %v: %d stopped, %d had everything", firstRun, stopped, taken)
	}
}

// TestClonedInMidRunThatDies copies the state folder at each request of a run,
// which then dies at each later one. Its last batch never leaves, so that the
// copy meets its own generation; and yet it makes nothing again that is there.
func TestClonedInMidRunThatDies(t *testing.T) {
	for _, firstRun := range []bool{true, false} {
		taken := 0
		for n, copied := 0, true; copied && !t.Failed(); n += stride(2) {
			copied = false
			for m, hit := n, true; hit && !t.Failed(); m += stride(3) {
				w := newWorld(t, drivetest.Options{}, "docs")
				if !firstRun {
					w.ok()
				}
				w.write("docs/new/deep/file", "a file")
				w.write("docs/new/other", "another file")
				w.write("docs/beside", "one more")
				w.must(os.Symlink("beside", w.path("docs/link")))
				var second *world
				begin := w.srv.Stats().Total()
				w.watch = func() {
					if second == nil && w.srv.Stats().Total()-begin >= n {
						second = w.clone()
					}
				}
				hit = w.killAfter(m)
				w.watch = nil
				if second == nil {
					break
				}
				copied = true
				lacks, sent := lacking(w), w.srv.Stats().ContentIn
				sum, err := second.run(t.Context())
				if gen := new(remote.GenError); errors.As(err, &gen) {
					continue // it was made before the run began, or the run came to its last batch
				}
				if err != nil || len(sum.Conditions) > 0 {
					t.Errorf("%v, %v, %v", err, sum.Conditions, sum.Failures)
				}
				taken++
				if sent = w.srv.Stats().ContentIn - sent; sent != lacks {
					t.Errorf("%d bytes were sent, and Drive lacked %d", sent, lacks)
				}
				second.compare()
				second.quiet()
				if t.Failed() {
					t.Errorf("first run %v, copied at request %d, killed at %d", firstRun, n, m)
				}
				w.srv.Close()
			}
		}
		if taken == 0 {
			t.Error("no copy went on")
		}
	}
}

// TestDiedAsksOnce: what a run asks after one that was killed, beyond what it does
// anyhow, is the change log, once; if it creates something, or it is time.
func TestDiedAsksOnce(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/f", "a file")
	w.ok()
	asks := func(want int, change ...func(*backup.Backup)) {
		t.Helper()
		before := w.srv.Stats().Calls[drivetest.Changes]
		w.ok(change...)
		if n := w.srv.Stats().Calls[drivetest.Changes] - before; n != want {
			t.Errorf("the change log was asked %d times, should be %d", n, want)
		}
	}
	die := func() {
		w.write("docs/f", "a file, "+time.Now().String())
		w.killAfter(1)
	}
	die()
	asks(0) // an update is nothing new
	w.write("docs/g", "a second")
	asks(1)
	w.write("docs/h", "a third")
	asks(0)
	die()
	w.write("docs/i", "a fourth")
	asks(1, w.due)
	w.write("docs/j", "a fifth")
	w.cancelAt(1)
	asks(0) // that one ended
	w.compare()
}

// lacking returns how many bytes are on disk and in no file on Drive.
func lacking(w *world) (n int64) {
	w.t.Helper()
	has := map[string]bool{}
	for _, node := range w.srv.Tree("root") {
		has[node.MD5] = true
	}
	for _, d := range w.onDisk() {
		if d.kind != "d" && !has[d.md5] {
			n += d.size
		}
	}
	return n
}

// TestClonedBeforeTheFirstRun copies a state folder that has seen no run, or one
// that ended when it had reserved the ids of its folders, and kills the next one
// of the original at every request. The copy begins the backup; or it is
// stopped, if the original has.
func TestClonedBeforeTheFirstRun(t *testing.T) {
	for _, begun := range []bool{false, true} {
		for n, hit := 0, true; hit && !t.Failed(); n++ {
			w := newWorld(t, drivetest.Options{}, "docs")
			w.fill("docs/d", 3)
			w.named()
			if begun {
				w.killBefore(1)
			}
			copied := w.clone()
			if hit = w.killAfter(n); !hit {
				break
			}
			if sum, err := copied.run(t.Context()); err == nil && len(sum.Conditions) == 0 {
				copied.compare()
				w.stopped()
				copied.quiet()
			} else {
				w.ok()
				w.compare()
			}
			if t.Failed() {
				t.Errorf("ids reserved before: %v; killed at request %d", begun, n)
			}
			w.srv.Close()
		}
	}
}

// TestClonesAtOnce lets a copy run in the middle of a run of the original.
func TestClonesAtOnce(t *testing.T) {
	for n := 0; ; n++ {
		first := newWorld(t, drivetest.Options{}, "docs")
		first.fill("docs", 3)
		first.ok()
		second := first.clone()
		first.write("docs/new", "new")
		first.write("docs/f001", "changed")
		first.remove("docs/f002")
		begin, secondWon := first.srv.Stats().Total(), false
		var met atomic.Bool
		first.srv.OnRequest(func(i int, _ drivetest.Info) {
			if i-begin != n || !met.CompareAndSwap(false, true) {
				return
			}
			sum, _ := second.run(t.Context())
			secondWon = sum.ExitCode() == 0
		})
		sum, _ := first.run(t.Context())
		first.srv.OnRequest(nil)
		if !met.Load() {
			break
		}
		if firstWon := sum.ExitCode() == 0; firstWon == secondWon {
			t.Errorf("met at request %d: exit %d, the other went on: %v", n, sum.ExitCode(), secondWon)
		}
		winner, loser := first, second
		if secondWon {
			winner, loser = second, first
		}
		winner.compare()
		winner.quiet()
		winner.write("docs/last", "last")
		loser.stopped()
		winner.ok()
		winner.compare()
	}
}

// on binds a run to a machine and an OAuth client.
func on(machine, client string) func(*backup.Backup) {
	return func(b *backup.Backup) { b.Binding = backup.Binding{Machine: machine, Client: client} }
}

// TestElsewhere: a state folder on another machine, or with another OAuth
// client, stops without asking anybody, whatever there is to do. What is not
// known is no difference.
func TestElsewhere(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.fill("docs", 3)
	w.ok()             // before machines were known
	w.ok(on("m", "c")) // changes nothing, and so binds nothing
	w.write("docs/new", "new")
	w.ok(on("m", "c"))
	var machine *backup.MachineError
	var client *backup.ClientError
	for _, c := range []struct {
		machine, client string
		want            any
	}{
		{"m", "c", nil}, {"", "c", nil}, {"m", "", nil}, {"", "", nil},
		{"n", "c", &machine}, {"n", "", &machine}, {"m", "d", &client}, {"n", "d", &client},
	} {
		for _, change := range []func(){func() {}, func() { w.write("docs/more", c.machine+c.client+"more") }} {
			change()
			before := w.srv.Stats().Total()
			sum, err := w.run(t.Context(), on(c.machine, c.client), w.due)
			if stopped := c.want != nil; stopped != (sum.ExitCode() == 4) || stopped && !errors.As(err, c.want) || !stopped && err != nil {
				t.Errorf("%+v: exit %d, %v", c, sum.ExitCode(), err)
			}
			if n := w.srv.Stats().Total() - before; c.want != nil && n > 0 {
				t.Errorf("%+v: %d requests", c, n)
			}
		}
	}
	w.ok(on("m", "c"))
	w.compare()
}

// TestAdopt: the copy that is adopted goes on, and the other one is stopped,
// also where machines cannot be told apart.
func TestAdopt(t *testing.T) {
	for _, machines := range [][2]string{{"m", "n"}, {"m", "m"}, {"", ""}} {
		w := newWorld(t, drivetest.Options{}, "docs")
		w.fill("docs", 3)
		w.ok(on(machines[0], "c"))
		moved := w.clone()
		if _, err := moved.adopt(on(machines[1], "d")); err == nil {
			t.Error("adopted with another OAuth client")
		}
		found, err := moved.adopt(on(machines[1], "c"))
		if err != nil || found.Host != hostName || found.Moved != (machines[0] != machines[1]) {
			t.Fatalf("%+v %v", found, err)
		}
		w.write("docs/new", "new")
		if sum, _ := w.run(t.Context(), on(machines[0], "c")); sum.ExitCode() != 4 || sum.Counts.Created > 0 {
			t.Errorf("%v: the other copy went on: exit %d", machines, sum.ExitCode())
		}
		moved.ok(on(machines[1], "c"))
		moved.compare()
		var stale *remote.GenError
		if _, err := w.adopt(on(machines[0], "c")); !errors.As(err, &stale) {
			t.Errorf("%v: an old copy was adopted: %v", machines, err)
		}
		moved.quiet()
	}
}

// TestAdoptFaults lets each request of an adoption go wrong in each way: again,
// it ends right, and the other copy is stopped.
func TestAdoptFaults(t *testing.T) {
	for _, e := range effects {
		t.Run(e.String(), func(t *testing.T) {
			t.Parallel()
			for n, more := 0, true; more; n++ {
				inBubble(t, func(t *testing.T, clock func() time.Time) {
					w := fakeWorld(t, clock, drivetest.Options{Seed: uint64(n + 1)}, "docs")
					w.fill("docs", 3)
					w.ok(on("m", "c"))
					moved := w.clone()
					w.srv.Inject(drivetest.At(n, e))
					_, err := moved.adopt(on("n", "c"))
					more = w.srv.Calls() > n
					w.srv.Inject(nil)
					if err != nil {
						if _, err := moved.adopt(on("n", "c")); err != nil {
							t.Errorf("again: %v", err)
						}
					}
					w.write("docs/new", "new")
					if sum, _ := w.run(t.Context(), on("m", "c")); sum.ExitCode() != 4 || sum.Counts.Created > 0 {
						t.Errorf("the other copy went on: exit %d", sum.ExitCode())
					}
					moved.ok(on("n", "c"))
					moved.compare()
					moved.quiet()
					if t.Failed() {
						t.Fatalf("request %d: %v", n, err)
					}
				})
			}
		})
	}
}

func (w *world) adopt(change ...func(*backup.Backup)) (backup.Adoption, error) {
	w.t.Helper()
	store, err := manifest.Open(w.manifest)
	w.must(err)
	defer store.Close()
	return w.open(store, change...).Adopt(w.t.Context())
}
