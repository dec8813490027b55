package backup_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/autocloudbackup/acb/internal/restore"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
	"github.com/autocloudbackup/acb/scan"
)

// snapshot is what the folders hold, each under its own name: kind, mode, time
// and content of everything. It walks with path/filepath and shares no code
// with scan and restore.
func snapshot(t testing.TB, dirs ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, top := range dirs {
		err := filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			st, err := os.Lstat(path)
			if err != nil {
				return err
			}
			line := fmt.Sprint(st.Mode(), " ", st.ModTime().UnixNano())
			switch {
			case st.Mode()&fs.ModeSymlink != 0:
				to, err := os.Readlink(path)
				if err != nil {
					return err
				}
				line += " -> " + to
			case st.Mode().IsRegular():
				content, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				line += fmt.Sprintf(" %.60q, %d bytes, %x", content, len(content), md5.Sum(content))
			case !st.IsDir():
				return nil // sockets, pipes and devices are never backed up
			}
			rel, err := filepath.Rel(filepath.Dir(top), path)
			out[filepath.ToSlash(rel)] = line
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// kindsOnly leaves of folders only that they are there: of a past run, the
// mode and time of a folder are those that it had last in that place.
func kindsOnly(tree map[string]string) map[string]string {
	out := map[string]string{}
	for path, line := range tree {
		if strings.HasPrefix(line, "d") {
			line = "folder"
		}
		out[path] = line
	}
	return out
}

// A retrieval restores all sources from one view into a target of its own.
type retrieval struct {
	*world
	known     *manifest.Reader
	run       manifest.RunID
	target    string
	overwrite bool
}

func (w *world) retrieve(run manifest.RunID) *retrieval {
	w.t.Helper()
	known, err := manifest.OpenReader(w.manifest)
	w.must(err)
	w.t.Cleanup(func() { known.Close() })
	return &retrieval{world: w, known: known, run: run, target: filepath.Join(fastDir(w.t), "target")}
}

func (g *retrieval) do(ctx context.Context) (*restore.Summary, error) {
	g.t.Helper()
	log := slog.New(slog.DiscardHandler)
	drive, err := remote.New(remote.Options{
		Endpoint: g.srv.URL, Client: g.srv.Client(), Folder: topName, Host: hostName,
		Installation: installation, Now: g.Now, Sleep: g.Sleep, Log: log,
	})
	g.must(err)
	r := &restore.Restore{
		View: g.known.At(g.run), Drive: drive, Transfers: 3, Part: 100_000, Overwrite: g.overwrite, Log: log, Now: g.Now,
	}
	var what []restore.Selection
	for _, s := range g.sources {
		p, err := scan.PathOf(s)
		g.must(err)
		what = append(what, restore.Selection{Path: p, Into: g.target})
	}
	return r.Run(ctx, what)
}

// ok is a retrieval that must bring everything.
func (g *retrieval) ok() {
	g.t.Helper()
	sum, err := g.do(g.t.Context())
	if err != nil || !sum.Complete() {
		g.t.Fatalf("restore: %v, %+v", err, sum)
	}
}

// stop makes a retrieval that ends when request n begins, after then was
// called, and reports whether there was one.
func (g *retrieval) stop(n int, then func()) (hit bool) {
	g.t.Helper()
	ctx, cancel := context.WithCancel(g.t.Context())
	defer cancel()
	var once sync.Once
	first := g.srv.Stats().Total()
	g.srv.OnRequest(func(i int, _ drivetest.Info) {
		if i-first >= n {
			once.Do(func() { hit = true; then(); cancel() })
		}
	})
	_, err := g.do(ctx)
	g.srv.OnRequest(nil)
	if hit != errors.Is(err, context.Canceled) {
		g.t.Fatalf("interrupted at request %d (%v): %v", n, hit, err)
	}
	return hit
}

// kill makes a retrieval that dies when request n begins: the target is left
// as it was at that moment.
func (g *retrieval) kill(n int) (hit bool) {
	g.t.Helper()
	left := g.target + "-left"
	hit = g.stop(n, func() {
		// What goes while it is copied would be gone a moment later.
		out, err := exec.Command("cp", "-a", g.target, left).CombinedOutput()
		if err != nil && !bytes.Contains(out, []byte("No such file")) {
			g.keep(fmt.Errorf("%w: %s", err, out))
		}
	})
	if hit {
		g.must(os.RemoveAll(g.target))
		g.must(os.Rename(left, g.target))
	}
	return hit
}

// halves reports names that hold what is not wanted under them.
func (g *retrieval) halves(want map[string]string) {
	g.t.Helper()
	for path, line := range snapshot(g.t, g.targets()...) {
		if !strings.HasPrefix(filepath.Base(path), ".acb-restore.") && !strings.HasPrefix(line, "d") && line != want[path] {
			g.t.Errorf("after an interruption %s is %s, and should be %q", path, line, want[path])
		}
	}
}

func (g *retrieval) targets() (dirs []string) {
	for _, s := range g.sources {
		if dir := filepath.Join(g.target, filepath.Base(s)); fileExists(dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

func fileExists(path string) bool { _, err := os.Lstat(path); return err == nil }

// same compares the target with what the sources were.
func (g *retrieval) same(want map[string]string) {
	g.t.Helper()
	got := snapshot(g.t, g.targets()...)
	if g.run != manifest.Now {
		want, got = kindsOnly(want), kindsOnly(got)
	}
	if d := cmp.Diff(want, got); d != "" {
		g.t.Errorf("restored after run %d: -want +got:\n%s", g.run, d)
	}
}

// readFaults are the ways in which a request of a restore can go wrong.
var readFaults = []drivetest.Effect{
	drivetest.Unavailable, drivetest.LostAs(503), drivetest.Cut, drivetest.Lost, drivetest.Torn,
	drivetest.RateLimited, drivetest.TooMany(time.Second),
}

// TestRandomRestore edits at random over some runs, and brings the sources
// back as they are and as they were after any of the runs: undisturbed, with
// requests that fail, interrupted, killed, beside a run that goes on, and over
// another state.
func TestRandomRestore(t *testing.T) {
	for _, seed := range seeds(t, 24, 4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, seed)
			then := map[manifest.RunID]map[string]string{}
			var runs []manifest.RunID
			backUp := func() {
				t.Helper()
				time.Sleep(tr.settle)
				run := manifest.RunID(tr.ok().Run)
				tr.hand.say("-- run %d", run)
				then[run] = snapshot(t, tr.sources...)
				runs = append(runs, run)
			}
			for range 4 {
				backUp()
				tr.hand.edit(1 + tr.rng.IntN(15))
			}
			backUp()
			for way := range 7 {
				run := runs[tr.rng.IntN(len(runs))]
				g := tr.retrieve(run)
				want := then[run]
				if tr.rng.IntN(3) == 0 {
					g.run, want = manifest.Now, then[runs[len(runs)-1]]
				}
				tr.hand.say("-- restore %d, way %d", g.run, way)
				tr.bringBack(way, g, want, backUp)
				if t.Failed() {
					return
				}
			}
		})
	}
}

// bringBack restores in one of seven ways.
func (tr *trial) bringBack(way int, g *retrieval, want map[string]string, backUp func()) {
	tr.t.Helper()
	n := tr.rng.IntN(20)
	switch way {
	case 0:
	case 1, 2:
		tr.srv.Inject(drivetest.Chance(0.1, tr.rng.Uint64(), readFaults[tr.rng.IntN(len(readFaults))]))
	case 3:
		for g.stop(n, func() {}) {
			g.halves(want)
			n += tr.rng.IntN(20)
		}
	case 4:
		for g.kill(n) {
			g.halves(want)
			n += tr.rng.IntN(20)
		}
	case 5: // what was of today when the reader was opened is of the past when it is fetched
		tr.hand.edit(1 + tr.rng.IntN(15))
		backUp()
	case 6:
		other := *g
		other.run = manifest.RunID(1 + tr.rng.IntN(4))
		other.ok()
		g.overwrite = true
		g.ok()
		got, wanted := kindsOnly(snapshot(tr.t, g.targets()...)), kindsOnly(want)
		for path, line := range wanted {
			if got[path] != line {
				tr.t.Errorf("restored after run %d, over run %d: %s is %s, and should be %s", g.run, other.run, path, got[path], line)
			}
		}
		return
	}
	g.ok()
	tr.srv.Inject(nil)
	g.same(want)
}

// lived makes a world in which everything has happened, and draws what it holds.
func lived(t *testing.T) (*world, map[string]string) {
	w := newWorld(t, drivetest.Options{}, "docs")
	everything(w)
	w.ok()
	everythingElse(w)
	w.ok()
	return w, snapshot(t, w.sources...)
}

// TestRestoreFaults: whichever request fails once, everything comes.
func TestRestoreFaults(t *testing.T) {
	t.Parallel()
	w, want := lived(t)
	for _, effect := range readFaults {
		for n := 0; ; n += stride(3) {
			g := w.retrieve(manifest.Now)
			w.srv.Inject(drivetest.At(n, effect))
			g.ok()
			hit := w.srv.Calls() > n
			w.srv.Inject(nil)
			g.same(want)
			if t.Failed() {
				t.Fatalf("%v", drivetest.At(n, effect))
			}
			w.must(os.RemoveAll(g.target))
			if !hit {
				break
			}
		}
	}
}

// TestRestoreOfThePastFaults: likewise with the requests that find out where
// an old content is, and pin it; each of its versions is fetched once.
func TestRestoreOfThePastFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t, drivetest.Options{}, "docs")
	ways := append(slices.Clone(readFaults), drivetest.Effect{})
	const requests = 4 // look up the file, the revision, pin it, fetch it
	then := map[manifest.RunID]map[string]string{}
	for i := range requests * len(ways) {
		w.write("docs/file", fmt.Sprint("version ", i))
		then[manifest.RunID(w.ok().Run)] = snapshot(t, w.sources...)
	}
	w.write("docs/file", "the last")
	w.ok()
	for run, want := range then {
		i := int(run) - 1
		n, effect := i%requests, ways[i/requests]
		g := w.retrieve(run)
		if i/requests == len(readFaults) {
			if !g.kill(n) {
				t.Errorf("no request %d", n)
			}
			g.halves(want)
		} else {
			w.srv.Inject(drivetest.At(n, effect))
		}
		g.ok()
		if w.srv.Calls() <= n {
			t.Errorf("no request %d", n)
		}
		w.srv.Inject(nil)
		g.same(want)
	}
}

// TestRestoreNotShown: a file whose old content Drive does not show to this
// account is not brought; the others are.
func TestRestoreNotShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/file", "first")
	w.write("docs/other", "stays")
	run := manifest.RunID(w.ok().Run)
	w.write("docs/file", "second")
	w.ok()
	w.srv.Inject(drivetest.InBatch(drivetest.Only(drivetest.Always(drivetest.Refuse(403, "insufficientFilePermissions")), drivetest.RevisionGet)))
	g := w.retrieve(run)
	sum, err := g.do(t.Context())
	if err != nil || len(sum.Problems) != 1 || !strings.Contains(fmt.Sprint(sum.Problems[0].Err), "insufficientFilePermissions") {
		t.Fatalf("%v, %+v", err, sum)
	}
	if got, err := os.ReadFile(filepath.Join(g.target, "docs", "other")); string(got) != "stays" {
		t.Errorf("the other: %q, %v", got, err)
	}
}

// TestRestoreStoppedAtEveryRequest: a restore that is interrupted, or dies, at
// whichever request leaves nothing half done under its name, and the next one
// brings everything.
func TestRestoreStoppedAtEveryRequest(t *testing.T) {
	t.Parallel()
	w, want := lived(t)
	for n := 0; ; n += stride(2) {
		interrupted, killed := w.retrieve(manifest.Now), w.retrieve(manifest.Now)
		hit := interrupted.stop(n, func() {})
		killed.kill(n)
		for _, g := range []*retrieval{interrupted, killed} {
			g.halves(want)
			g.ok()
			g.same(want)
			w.must(os.RemoveAll(g.target))
		}
		if !hit || t.Failed() {
			return
		}
	}
}
