package backup_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote/drivetest"
	"github.com/autocloudbackup/acb/scan"
)

// purge makes a run that purges.
func (w *world) purge(p backup.Purge, change ...func(*backup.Backup)) (*backup.Summary, error) {
	w.t.Helper()
	store, err := manifest.Open(w.manifest)
	w.must(err)
	defer store.Close()
	return w.open(store, change...).CarryOutPurge(w.t.Context(), p)
}

// hiding is a world in which a folder, a file and half of another folder are
// hidden by now.
func hiding(t *testing.T) *world {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/stays", "stays")
	w.write("docs/old/a", "a")
	w.write("docs/old/deep/b", "b")
	w.write("docs/c.tmp", "c")
	w.write("docs/half/d.tmp", "d")
	w.write("docs/half/stays", "stays too")
	w.ok()
	w.rules = []string{"old/", "*.tmp"}
	w.ok()
	return w
}

// kept is what a purge leaves on Drive.
func (w *world) kept(want ...string) {
	w.t.Helper()
	_, ids := w.onDrive()
	for _, rel := range want {
		if p := drivePath(w.path(rel)); ids[p] == "" {
			w.t.Errorf("%s is gone", rel)
		}
	}
	for _, rel := range []string{"docs/old", "docs/old/a", "docs/old/deep", "docs/old/deep/b", "docs/c.tmp", "docs/half/d.tmp"} {
		if p := drivePath(w.path(rel)); ids[p] != "" {
			w.t.Errorf("%s is still there", rel)
		}
	}
}

// TestPurge: what is hidden goes in as few trashes as hold exactly that, and a
// request that fails is made good by the next purge.
func TestPurge(t *testing.T) {
	w := hiding(t)
	before := w.srv.Stats().Total()
	sum, err := w.purge(backup.Purge{})
	if c := sum.Counts; err != nil || c.Deleted != 4 || c.DeletedFolders != 1 || len(sum.Conditions) > 0 {
		t.Errorf("%v, %+v", err, sum)
	}
	w.atMost(w.srv.Stats().Total()-before, 3)
	w.kept("docs/stays", "docs/half/stays")
	w.quiet()
	if sum, err := w.purge(backup.Purge{}); err != nil || sum.Counts.Requests != 0 {
		t.Errorf("purged twice: %v, %+v", err, sum)
	}
	w.rules = nil // what was purged is new when it shows again
	if sum := w.ok(); sum.Counts.Created != 4 {
		t.Errorf("%+v", sum.Counts)
	}
	w.compare()
}

func TestPurgeFaults(t *testing.T) {
	for _, e := range []drivetest.Effect{drivetest.Lost, drivetest.Torn, drivetest.Unavailable} {
		for n := 0; ; n++ {
			w := hiding(t)
			w.srv.Inject(drivetest.From(n, e))
			_, _ = w.purge(backup.Purge{})
			hit := w.srv.Hits() > 0
			w.srv.Inject(nil)
			if sum, err := w.purge(backup.Purge{}); err != nil || len(sum.Conditions) > 0 {
				t.Fatalf("%v from %d on: %v, %+v", e, n, err, sum)
			}
			w.kept("docs/stays", "docs/half/stays")
			w.quiet()
			if t.Failed() {
				t.Fatalf("%v from %d on", e, n)
			}
			if !hit {
				break
			}
		}
	}
}

// TestInTrash: what may be removed for good is what acb has trashed, for
// whatever reason, and not what somebody else put there of today's backup.
func TestInTrash(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/stays", "stays")
	w.write("docs/back", "goes, comes back, and is trashed by hand")
	w.write("docs/gone", "goes, comes back, and goes")
	w.ok()
	w.remove("docs/back")
	w.remove("docs/gone")
	_, err := w.undo(w.ok().Run)
	w.must(err)
	w.write("docs/back", "goes, comes back, and is trashed by hand")
	w.ok() // gone goes
	w.write("docs/new", "was not to be")
	_, err = w.undo(w.ok().Run)
	w.must(err)
	w.must(w.srv.Trash(w.node("docs/back").ID))
	store, err := manifest.Open(w.manifest)
	w.must(err)
	defer store.Close()
	list, err := w.open(store).InTrash(t.Context(), backup.Purge{})
	w.must(err)
	var names []string
	for _, r := range list {
		_, name := r.Path.Split()
		names = append(names, name)
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"gone", "new"}) {
		t.Errorf("to be removed for good: %q", names)
	}
	// Somebody thinks better of it while acb asks.
	i := slices.IndexFunc(list, func(r backup.Removable) bool { return r.Size == int64(len("was not to be")) })
	kept := string(list[i].FileID)
	w.must(w.srv.Untrash(kept))
	sum, err := w.open(store).Remove(t.Context(), list)
	if err != nil || sum.Counts.Deleted != 1 || len(sum.Failures) != 1 {
		t.Errorf("%v, %+v", err, sum)
	}
	if _, err := w.srv.Content(kept); err != nil {
		t.Errorf("it is gone: %v", err)
	}
}

// TestPurgeUndone: what was backed up by name, outside of all sources, comes back
// as that, with the folders that are only there to hold it.
func TestPurgeUndone(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/stays", "stays")
	w.write("out/deep/pinned", "backed up by name")
	w.ok()
	p, err := scan.PathOf(w.path("out/deep/pinned"))
	w.must(err)
	_, err = w.request(t.Context(), backup.Request{Targets: []scan.Target{{Path: p, Root: w.path("out/deep/pinned")}}})
	w.must(err)
	ids := w.ids("out/deep/pinned")
	for range 2 {
		sum, err := w.purge(backup.Purge{})
		if err != nil || sum.Counts.Deleted != 1 || sum.Counts.DeletedFolders != 1 {
			t.Fatalf("%v, %+v", err, sum)
		}
		_, err = w.undo(sum.Run)
		w.must(err)
		w.has(ids)
		w.ok()
		w.agrees()
		w.quiet()
		w.has(ids)
	}
}

// TestPurgeSome: only what is named, and only what is old enough.
func TestPurgeSome(t *testing.T) {
	w := hiding(t)
	for _, p := range []backup.Purge{
		{Before: time.Now().Add(-time.Hour)},
		{Paths: []manifest.Path{"none"}},
	} {
		if sum, err := w.purge(p); err != nil || sum.Counts.Deleted != 0 || sum.Counts.Requests != 0 {
			t.Errorf("%+v: %v, %+v", p, err, sum.Counts)
		}
	}
	half := manifest.Path(drivePath(w.path("docs/old/deep")))
	if sum, err := w.purge(backup.Purge{Paths: []manifest.Path{half}}); err != nil || sum.Counts.Deleted != 1 || sum.Counts.DeletedFolders != 1 {
		t.Errorf("%v, %+v", err, sum.Counts)
	}
	w.quiet()
	canceled, stop := context.WithCancel(t.Context())
	stop()
	store, err := manifest.Open(w.manifest)
	w.must(err)
	defer store.Close()
	if sum, err := w.open(store).CarryOutPurge(canceled, backup.Purge{}); sum.ExitCode() != 130 || errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v, %+v", err, sum)
	}
}

// TestPurgePinnedFolder: of a folder that was backed up by name all goes, but
// for a source that lies in it by now.
func TestPurgePinnedFolder(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/stays", "stays")
	w.write("by name/a", "a")
	w.write("by name/deep/b", "b")
	w.write("by name/source/stays", "stays too")
	w.ok()
	p, err := scan.PathOf(w.path("by name"))
	w.must(err)
	if sum, err := w.request(t.Context(), backup.Request{Targets: []scan.Target{{Path: p, Root: w.path("by name")}}}); err != nil || sum.Counts.Created != 3 {
		t.Fatalf("%v, %+v", err, sum)
	}
	w.sources = append(w.sources, w.path("by name/source"))
	sum, err := w.purge(backup.Purge{})
	if c := sum.Counts; err != nil || c.Deleted != 2 || c.DeletedFolders != 1 || len(sum.Conditions) > 0 {
		t.Errorf("%v, %+v", err, sum)
	}
	_, ids := w.onDrive()
	for rel, want := range map[string]bool{"docs/stays": true, "by name/a": false, "by name/deep": false, "by name/source/stays": true} {
		if got := ids[drivePath(w.path(rel))] != ""; got != want {
			t.Errorf("%s is on Drive: %v, want %v", rel, got, want)
		}
	}
	w.ok()
	w.quiet()
}

// TestRemoveInterrupted interrupts the first batch of what is removed for good:
// the history knows what is gone, and the rest can still be removed.
func TestRemoveInterrupted(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.limits.Allow = true
	w.fill("docs/d", 150)
	w.write("docs/stays", "stays")
	w.ok()
	w.remove("docs/d")
	w.ok()
	remove := func() *backup.Summary {
		store, err := manifest.Open(w.manifest)
		w.must(err)
		defer store.Close()
		b := w.open(store)
		list, err := b.InTrash(t.Context(), backup.Purge{})
		w.must(err)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		batches := 0
		w.hook(func(r drivetest.Info) {
			if r.Kind == drivetest.Batch {
				batches++
			}
			if batches == 4 { // after the claim and a look in two
				stop()
			}
		})
		sum, _ := b.Remove(ctx, list)
		w.srv.OnRequest(nil)
		return sum
	}
	first := remove()
	if n := first.Counts.Deleted; n != 100 || len(first.Failures) > 0 {
		t.Errorf("%d removed, failures %v", n, first.Failures)
	}
	if second := remove(); second.Counts.Deleted != 50 {
		t.Errorf("%d removed", second.Counts.Deleted)
	}
	removed := 0
	r, err := manifest.OpenReader(w.manifest)
	w.must(err)
	defer r.Close()
	w.must(r.Ended(func(v manifest.Version) error {
		if v.Reason == manifest.EndRemoved {
			removed++
		}
		return nil
	}))
	if removed != 150 {
		t.Errorf("the history has %d as removed", removed)
	}
}
