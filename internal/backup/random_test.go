package backup_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// seeds returns the seeds that a random test runs: n of them, short or a few
// under -short, $ACB_SEEDS when that is set, and only $ACB_SEED when that is.
func seeds(t *testing.T, n int, short ...int) []uint64 {
	t.Helper()
	if text := os.Getenv("ACB_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("ACB_SEED: %v", err)
		}
		return []uint64{seed}
	}
	if testing.Short() {
		n = append(short, max(n/6, 3))[0]
	}
	if text := os.Getenv("ACB_SEEDS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("ACB_SEEDS: %v", err)
		}
	}
	list := make([]uint64, n)
	for i := range list {
		list[i] = uint64(i + 1)
	}
	return list
}

// A trial is a world whose disk is edited at random.
type trial struct {
	*world
	rng  *rand.Rand
	hand *editor
}

// newTrial makes the trial of a seed: the same edits and the same Drive each
// time. What it did is logged when the test fails.
func newTrial(t *testing.T, seed uint64) *trial {
	rng := rand.New(rand.NewPCG(seed, 0x616362))
	w := newWorld(t, drivetest.Options{Seed: seed, Unsettled: unsettled(rng.Uint64())}, "docs", "pics")
	if rng.IntN(2) == 0 { // young time stamps matter
		w.now, w.settle = time.Now, 20*time.Millisecond
	}
	return w.trial(t, seed, rng)
}

// fakeTrial is newTrial in a bubble, with a clock that jumps.
func fakeTrial(t *testing.T, seed uint64, clock func() time.Time, out *outside) *trial {
	rng := rand.New(rand.NewPCG(seed, 0x616362))
	w := fakeWorld(t, clock, drivetest.Options{Seed: seed, Unsettled: unsettled(rng.Uint64())}, "docs", "pics")
	if rng.IntN(2) == 0 {
		w.now = func() time.Time { return out.after(0).Add(time.Duration(w.jumped.Load())) }
		w.settle = 20 * time.Millisecond
	}
	return w.trial(t, seed, rng)
}

func (w *world) trial(t *testing.T, seed uint64, rng *rand.Rand) *trial {
	w.copyLimit = rng.Int64N(2) << 20
	if os.Getenv("ACB_SEED") != "" {
		w.log = slog.NewTextHandler(t.Output(), nil)
	}
	tr := &trial{world: w, rng: rng, hand: newEditor(rand.New(rand.NewPCG(seed, 2)), w.sources)}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("replay with ACB_SEED=%d; the edits:\n\t%s", seed, strings.ReplaceAll(strings.Join(tr.hand.done, "\n\t"), w.dir+"/", ""))
		}
	})
	for _, s := range w.sources {
		for range 6 {
			tr.hand.n++
			w.must(os.WriteFile(tr.hand.free(s), []byte(fmt.Sprintf("first %d", tr.hand.n)), 0o644))
		}
	}
	tr.hand.edit(20)
	return tr
}

// unsettled picks one of the two behaviours at each point where Google's
// documents leave both open.
func unsettled(bits uint64) drivetest.Unsettled {
	bit := func(n int) bool { return bits>>n&1 == 1 }
	return drivetest.Unsettled{
		EditTouchesModified: bit(0), ListHidesTrash: bit(1), DeleteAnswers200: bit(2), RootHidden: bit(3),
		ConflictAtEnd: bit(4), DeletedIDUnusable: bit(5), Created201: bit(6), BareContentID: bit(7),
		BatchForward: bit(8), StrictRemoveParents: bit(9), MimeTypeRefused: bit(10), RepeatAcrossPages: bit(11),
		OrParentsEmpty: bit(12), UnusableReason: bit(13), NoGzip: bit(14),
		CopyKeepsProperties: bit(15), TrashedNotCopied: bit(16),
	}
}

// inventory counts files and symlinks: on disk, and in the manifest.
func (w *world) inventory() (disk, known int64) {
	w.t.Helper()
	for _, s := range w.sources {
		w.must(filepath.WalkDir(s, func(_ string, d fs.DirEntry, err error) error {
			if err == nil && (d.Type().IsRegular() || isLink(d.Type())) {
				disk++
			}
			return err
		}))
	}
	r, err := manifest.OpenReader(w.manifest)
	if errors.Is(err, fs.ErrNotExist) {
		return disk, 0
	}
	w.must(err)
	defer r.Close()
	w.must(r.Walk(manifest.Root, func(_ manifest.Path, _ manifest.Row, files []manifest.Entry) error {
		known += int64(len(files))
		return nil
	}))
	displaced, err := r.Displaced()
	w.must(err)
	return disk, known + int64(len(displaced))
}

// count demands that each file is in exactly one category: what is on disk
// and what was known, each once, and in both what is the same file still.
func count(t testing.TB, c backup.Counts, disk, known int64) {
	t.Helper()
	both := c.Modified + c.Touched + c.Moved + c.Unchanged
	if got := c.Created + both + c.Failed + c.Skipped; got != disk {
		t.Errorf("counted %d of %d files on disk: %+v", got, disk, c)
	}
	if got := both + c.Deleted + c.HeldBack + c.Retired + c.Unknown; got > known || got+c.Failed+c.Skipped < known {
		t.Errorf("counted %d of %d known files: %+v", got, known, c)
	}
}

// TestRandom edits at random between runs and, in every other run, between
// scan and upload. After a run that nothing came between, disk, Drive and
// manifest must tell the same, and the next run must find nothing to do.
func TestRandom(t *testing.T) {
	for _, seed := range seeds(t, 50, 8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, seed)
			for round := range 5 {
				tr.hand.say("-- round %d", round)
				if round > 0 {
					tr.hand.edit(1 + tr.rng.IntN(15))
				}
				time.Sleep(tr.settle)
				if round%2 == 1 {
					tr.disturbed()
					tr.hand.say("-- undisturbed")
					time.Sleep(tr.settle)
				}
				disk, known := tr.inventory()
				sum := tr.ok()
				count(t, sum.Counts, disk, known)
				tr.compare()
				tr.quiet()
				if t.Failed() {
					return
				}
			}
		})
	}
}

// TestOtherKindWhenSent replaces a symlink by a file, and the reverse, between
// scan and upload: one kind's item on Drive must not take the other's content.
func TestOtherKindWhenSent(t *testing.T) {
	for _, known := range []bool{true, false} {
		w := newWorld(t, drivetest.Options{}, "docs")
		file, link := w.path("docs/file"), w.path("docs/link")
		make := func(content string) {
			w.must(os.RemoveAll(file))
			w.must(os.RemoveAll(link))
			w.must(os.WriteFile(file, []byte(content), 0o644))
			w.must(os.Symlink(content, link))
		}
		w.write("docs/other", "other")
		if known {
			make("before")
		}
		w.ok()
		make("after")
		var once sync.Once
		w.srv.OnRequest(func(int, drivetest.Info) {
			once.Do(func() { w.keep(errors.Join(os.Remove(link), os.Rename(file, link), os.Symlink("a link now", file))) })
		})
		if _, err := w.run(t.Context()); err != nil {
			t.Error(err)
		}
		w.srv.OnRequest(nil)
		w.ok()
		w.compare()
		w.quiet()
	}
}

// disturbed makes a run with edits between its scan and its uploads.
func (tr *trial) disturbed() {
	tr.t.Helper()
	at, n := tr.rng.IntN(12), 0
	var mu sync.Mutex
	tr.srv.OnRequest(func(int, drivetest.Info) {
		mu.Lock()
		defer mu.Unlock()
		if n++; n > at && n <= at+3 {
			tr.hand.say("-- while it runs, at request %d", n-1)
			tr.hand.edit(1 + tr.rng.IntN(4))
		}
	})
	disk, known := tr.inventory()
	sum, err := tr.run(context.Background())
	tr.srv.OnRequest(nil)
	if err != nil {
		tr.t.Fatalf("disturbed run: %v", err)
	}
	count(tr.t, sum.Counts, disk, known)
}
