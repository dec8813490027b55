package backup_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote/drivetest"
	"github.com/autocloudbackup/acb/scan"
)

// held makes a run in which a guard must hold something back, and in which
// nothing on Drive may be changed, moved or trashed; new things may come.
func (w *world) held() *backup.Summary {
	w.t.Helper()
	before := w.srv.Tree("root")
	sum, err := w.run(w.t.Context())
	if sum.ExitCode() != 4 {
		w.t.Errorf("exit code %d, conditions %v, error %v; should be 4", sum.ExitCode(), sum.Conditions, err)
	}
	after := w.srv.Tree("root")
	for path, n := range before {
		if a := after[path]; a.ID != n.ID || a.MD5 != n.MD5 || a.Head != n.Head {
			w.t.Errorf("harmed: %s", path)
		}
	}
	return sum
}

func (w *world) fill(dir string, n int) {
	w.t.Helper()
	for i := range n {
		w.write(fmt.Sprintf("%s/f%03d", dir, i), fmt.Sprint(dir, " content ", i))
	}
}

func TestGuards(t *testing.T) {
	for _, c := range []struct {
		name  string
		harm  func(w *world)
		guard plan.Guard // NoGuard where no operation is held
		mend  func(w *world)
	}{
		{"source unmounted", func(w *world) { w.rename("docs", "away") }, plan.NoGuard, func(w *world) { w.rename("away", "docs") }},
		{"source replaced by a file", func(w *world) { w.rename("docs", "away"); w.write("docs", "a file") }, plan.NoGuard,
			func(w *world) { w.remove("docs"); w.rename("away", "docs") }},
		{"source emptied", func(w *world) { w.rename("docs", "away"); w.mkdir("docs") }, plan.Empty,
			func(w *world) { w.remove("docs"); w.rename("away", "docs") }},
		{"many deleted", func(w *world) { w.rename("docs/many", "away") }, plan.MaxDelete, func(w *world) { w.rename("away", "docs/many") }},
		{"many deleted, allowed", func(w *world) { w.remove("docs/many") }, plan.MaxDelete, func(w *world) { w.limits.Allow = true }},
		{"many changed", func(w *world) {
			for i := range 290 {
				w.write(fmt.Sprintf("docs/many/f%03d", i), "encrypted "+fmt.Sprint(i))
			}
			w.remove("docs/few/f001")
		}, plan.MaxModify, func(w *world) { w.limits.Allow = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, drivetest.Options{}, "docs", "pics")
			w.fill("docs/few", 5)
			w.fill("docs/many", 300)
			w.fill("pics", 5)
			w.ok()
			c.harm(w)
			w.write("pics/new", "goes on")
			if !strings.HasPrefix(c.name, "source") {
				w.write("docs/few/new", "goes on here as well")
			}
			for range 2 { // and again: a second run must not take it for granted
				sum := w.held()
				if ok := slices.ContainsFunc(sum.Held, func(h plan.Held) bool { return h.Guard == c.guard }); ok != (c.guard != plan.NoGuard) {
					t.Errorf("held %v, should be by %q", sum.Held, c.guard)
				}
			}
			w.node("pics/new")
			if !strings.HasPrefix(c.name, "source") {
				w.node("docs/few/new")
			}
			c.mend(w)
			w.ok()
			w.compare()
			w.limits.Allow = false
			w.quiet()
		})
	}
}

func (w *world) mkdir(rel string) {
	w.t.Helper()
	w.write(rel+"/x", "")
	w.remove(rel + "/x")
}

// keeps makes a run and demands that the things named, and only they, are on
// Drive although not on disk (or hidden), under the ids they had.
func (w *world) keeps(ids map[string]string, rels ...string) {
	w.t.Helper()
	w.ok()
	for _, rel := range rels {
		if id := w.node(rel).ID; id != ids[rel] {
			w.t.Errorf("%s is %s now, was %s", rel, id, ids[rel])
		}
	}
	w.compare(func(path string) bool {
		return slices.ContainsFunc(rels, func(rel string) bool { return within(path, drivePath(w.path(rel))) })
	})
	w.quiet()
}

func (w *world) ids(rels ...string) map[string]string {
	m := make(map[string]string)
	for _, rel := range rels {
		m[rel] = w.node(rel).ID
	}
	return m
}

func TestKeep(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.fill("docs/d", 3)
	w.fill("docs/e", 3)
	w.ok()
	ids := w.ids("docs/d", "docs/d/f000", "docs/e/f001")
	w.limits.Keep = true
	w.rename("docs/d", "away")
	w.remove("docs/e/f001")
	w.keeps(ids, "docs/d", "docs/e/f001")
	w.rename("away", "docs/d") // back again, under the same ids
	w.ok()
	for rel, id := range w.ids("docs/d", "docs/d/f000") {
		if id != ids[rel] {
			t.Errorf("%s came back under another id", rel)
		}
	}
	w.keeps(ids, "docs/e/f001")
}

func TestRetired(t *testing.T) {
	hide := []struct {
		name       string
		hide, show func(w *world)
		kept       []string
	}{
		{"by rules",
			func(w *world) { w.rules = []string{"d/", "*.tmp"} }, func(w *world) { w.rules = nil },
			[]string{"docs/d", "docs/e/x.tmp"}},
		{"by an ignore file",
			func(w *world) { w.write("docs/.acbignore", "d/\n*.tmp\n") }, func(w *world) { w.remove("docs/.acbignore") },
			[]string{"docs/d", "docs/e/x.tmp"}},
		{"by config",
			func(w *world) { w.sources = w.sources[1:] }, func(w *world) { w.sources = []string{w.path("docs"), w.path("pics")} },
			[]string{"docs"}},
		{"by narrowing",
			func(w *world) { w.sources[0] = w.path("docs/e") }, func(w *world) { w.sources[0] = w.path("docs") },
			[]string{"docs/d", "docs/top"}},
	}
	for _, c := range hide {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, drivetest.Options{}, "docs", "pics")
			w.fill("docs/d/sub", 3)
			w.write("docs/e/x.tmp", "temporary")
			w.write("docs/e/y", "y")
			w.write("docs/top", "top")
			w.fill("pics", 3)
			w.ok()
			ids := w.ids("docs", "docs/d", "docs/d/sub/f000", "docs/e/x.tmp", "docs/top")
			disk := w.onDisk()
			c.hide(w)
			w.ok()
			sent := w.srv.Stats().ContentIn
			w.sameAs(disk, ids)
			w.quiet()
			c.show(w)
			w.ok()
			w.sameAs(disk, ids)
			if n := w.srv.Stats().ContentIn - sent; n > 0 {
				t.Errorf("%d bytes sent to show again what was kept", n)
			}
			w.compare()
			w.quiet()
		})
	}
}

// TestReplacedByHidden replaces a file by a folder that the rules hide, and the
// reverse: what was there is gone, whatever it is that has its name now.
func TestReplacedByHidden(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.fill("docs", 3)
	w.write("docs/build", "a script")
	w.write("docs/out/a", "in a folder")
	w.ok()
	w.rules = []string{"build/", "out", "!out/"}
	w.remove("docs/build")
	w.write("docs/build/a.o", "hidden")
	w.remove("docs/out")
	w.write("docs/out", "hidden as well")
	if sum := w.ok(); sum.Counts.Deleted != 2 || sum.Counts.HeldBack != 0 {
		t.Errorf("%+v", sum.Counts)
	}
	w.quiet()
	drive, _ := w.onDrive()
	for _, rel := range []string{"docs/build", "docs/out"} {
		if d, there := drive[drivePath(w.path(rel))]; there {
			t.Errorf("%s is still there: %+v", rel, d)
		}
	}
}

// sameAs demands that Drive holds all that was on disk, under the given ids.
func (w *world) sameAs(disk map[string]thing, ids map[string]string) {
	w.t.Helper()
	drive, _ := w.onDrive()
	for path, d := range disk {
		if drive[path] != d {
			w.t.Errorf("%q is %+v, was %+v", path, drive[path], d)
		}
	}
	for rel, id := range ids {
		if now := w.node(rel).ID; now != id {
			w.t.Errorf("%s is %s now, was %s", rel, now, id)
		}
	}
}

func TestPinned(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.rules = []string{"*.iso"}
	w.fill("docs", 3)
	w.write("docs/image.iso", "hidden by a rule")
	w.write("other/outside", "outside of all sources")
	w.ok()
	var req backup.Request
	for _, rel := range []string{"docs/image.iso", "other/outside"} {
		p, err := scan.PathOf(w.path(rel))
		w.must(err)
		req.Targets = append(req.Targets, scan.Target{Path: p, Root: w.path(rel)})
	}
	sum, err := w.request(t.Context(), req)
	if err != nil || sum.ExitCode() != 0 || sum.Counts.Created != 2 {
		t.Fatalf("%v %+v", err, sum)
	}
	ids := w.ids("docs/image.iso", "other", "other/outside")
	w.keeps(ids, "docs/image.iso", "other")
	w.remove("docs/image.iso") // pinned: stays until purged
	w.remove("other")
	w.keeps(ids, "docs/image.iso", "other")
}

// TestRolledBack puts an older state folder back: what Drive holds was made by
// a later state of it, so that nothing may be updated or trashed.
func TestRolledBack(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.fill("docs", 5)
	w.ok()
	older := fastDir(t)
	w.must(copyState(filepath.Dir(w.manifest), older))
	w.write("docs/f001", "changed after the copy")
	w.write("docs/g", "made after the copy")
	w.remove("docs/f003")
	w.ok()
	newer := fastDir(t)
	w.must(copyState(filepath.Dir(w.manifest), newer))

	w.restore(older)
	w.write("docs/f000", "changed later still")
	w.remove("docs/f004")
	sum := w.held()
	if sum.Counts.Modified+sum.Counts.Deleted > 0 {
		t.Errorf("counted %+v", sum.Counts)
	}
	w.held()

	w.restore(newer) // the way out: go on with the right one
	w.ok()
	w.compare()
	w.quiet()
}

// TestPinnedAfterDeath: a run of --path that dies at any request leaves what
// did reach Drive pinned.
func TestPinnedAfterDeath(t *testing.T) {
	taken := 0
	for n := 0; ; n++ {
		w := newWorld(t, drivetest.Options{}, "docs")
		w.rules = []string{"*.iso"}
		w.fill("docs", 1)
		w.write("docs/image.iso", "hidden by a rule")
		w.ok()
		p, err := scan.PathOf(w.path("docs/image.iso"))
		w.must(err)
		req := backup.Request{Targets: []scan.Target{{Path: p, Root: w.path("docs/image.iso")}}}
		died, hit, first := fastDir(t), false, w.srv.Stats().Total()
		w.srv.OnRequest(func(i int, _ drivetest.Info) {
			if i-first == n {
				hit = true
				w.keep(copyState(filepath.Dir(w.manifest), died))
			}
		})
		_, err = w.request(t.Context(), req)
		w.srv.OnRequest(nil)
		w.must(err)
		if !hit {
			break
		}
		w.restore(died)
		w.ok()
		known, err := manifest.OpenReader(w.manifest)
		w.must(err)
		_, entry, found, err := known.Lookup(p)
		w.must(errors.Join(err, known.Close()))
		if found {
			taken++
			if !entry.Flags.Has(manifest.Pinned) {
				t.Errorf("died at request %d: %v, not pinned any more", n, entry.Flags)
			}
		}
	}
	if taken == 0 {
		t.Error("no death came between a request and its acknowledgement")
	}
}

// TestUnmountedMeanwhile: a disk that goes while a run sends is a failure and
// no thousand files that happened to vanish; what was to be trashed stays. Each
// file is in a folder of its own: the one that is open is read to its end.
func TestUnmountedMeanwhile(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.fill("docs", 5)
	w.ok()
	for i := range 20 {
		w.write(fmt.Sprintf("docs/%d/new", i), fmt.Sprint("new ", i))
	}
	ids := w.ids("docs/f001")
	w.remove("docs/f001")
	var once sync.Once // uploads come side by side
	w.srv.OnRequest(func(_ int, r drivetest.Info) {
		if r.Kind == drivetest.UploadMulti {
			once.Do(func() {
				w.keep(os.Rename(w.path("docs"), w.path("elsewhere")))
				w.keep(os.Mkdir(w.path("docs"), 0o755))
			})
		}
	})
	sum, err := w.run(t.Context())
	w.srv.OnRequest(nil)
	w.must(err)
	if sum.ExitCode() != 3 || sum.Counts.Failed == 0 || sum.Counts.Deleted != 0 {
		t.Errorf("exit %d, %+v", sum.ExitCode(), sum.Counts)
	}
	if w.node("docs/f001").ID != ids["docs/f001"] {
		t.Error("docs/f001 was trashed")
	}
	w.must(os.Remove(w.path("docs")))
	w.must(os.Rename(w.path("elsewhere"), w.path("docs")))
	w.ok()
	w.compare()
}

// TestMovedOntoKept moves a folder to where another one was, which is gone but
// for what is to stay on Drive: there are no two folders of one name there, and
// what stays is in the one that there is.
func TestMovedOntoKept(t *testing.T) {
	for name, kept := range map[string]string{"file": "docs/e/y.tmp", "folder": "docs/e/sub/y.tmp", "folder in it": "docs/e/build/in"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, drivetest.Options{}, "docs")
			w.write("docs/c/a", "one")
			w.write("docs/c/b", "two")
			w.write("docs/c/sub/c", "three")
			w.write("docs/e/x", "four")
			w.write(kept, "kept")
			w.ok()
			w.rules = []string{"*.tmp", "build/"}
			w.ok()
			id := w.node(kept).ID
			w.rename("docs/e", "../gone")
			w.rename("docs/c", "docs/e")
			w.remove("docs/e/a")
			w.write("docs/e/new", "a new one")
			sent := w.srv.Stats().ContentIn
			w.ok()
			w.compare(func(path string) bool {
				return strings.HasPrefix(drivePath(w.path(kept)), path) // it, and the folders above
			})
			if n := w.srv.Stats().ContentIn - sent; n != int64(len("a new one")) {
				t.Errorf("%d bytes were sent", n)
			}
			if w.node(kept).ID != id {
				t.Error("what was kept is another one")
			}
			w.quiet()
		})
	}
}

// TestMovedOntoHeld moves a folder to where another one was, whose trash is held
// back: for as long as both are on Drive, each is known for what it is.
func TestMovedOntoHeld(t *testing.T) {
	for _, names := range [][2]string{{"docs/c", "docs/e"}, {"docs/e", "docs/c"}, {"docs/c", "pics"}} {
		t.Run(names[0]+" to "+names[1], func(t *testing.T) {
			w := newWorld(t, drivetest.Options{}, "docs", "pics")
			w.write(names[0]+"/a", "one")
			w.write(names[0]+"/b", "two")
			w.write("docs/d", "three")
			w.fill(names[1], 150)
			w.ok()
			w.rename(names[1], "../gone")
			w.rename(names[0], names[1])
			w.remove(names[1] + "/a")
			w.write("pics/new", "a new one")
			before := 0
			for range 2 {
				before = w.srv.Stats().Total()
				if sum, err := w.run(t.Context()); err != nil || !slices.Equal(sum.Conditions, []backup.Condition{backup.HeldBack}) {
					t.Fatalf("%v, %v", err, sum.Conditions)
				}
			}
			if n := w.srv.Stats().Total() - before; n > 0 {
				t.Errorf("%d requests, although nothing has changed:%s", n, lastRequests(w.srv, n))
			}
			w.limits.Allow = true
			w.ok()
			w.compare()
			w.quiet()
		})
	}
}
