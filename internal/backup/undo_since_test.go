package backup_test

import (
	"errors"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// left makes a run that takes another back, and compares what it leaves, and
// why, with want. What is on Drive then is what the manifest says, nothing of
// it twice, and the next scan finds nothing of what the disk holds lacking.
func (w *world) left(run int64, want map[string]string) {
	w.t.Helper()
	sum, err := w.undo(run)
	if err != nil {
		w.t.Fatal(err)
	}
	why := map[string]string{}
	for _, f := range sum.Failures {
		why[string(f.Path)] = f.Reason
	}
	for rel, reason := range maps.Clone(want) {
		delete(want, rel)
		want[drivePath(w.path(rel))] = reason
	}
	if d := cmp.Diff(want, why); d != "" {
		w.t.Errorf("left: -want +got:\n%s", d)
	}
	w.agrees()
}

// agrees demands that the manifest has nothing twice, and Drive what it says,
// but for what the next scan is to compare with the disk.
func (w *world) agrees() {
	w.t.Helper()
	known, err := manifest.OpenReader(w.manifest)
	w.must(err)
	at := map[manifest.FileID]manifest.Path{}
	w.must(known.Walk(manifest.Root, func(p manifest.Path, _ manifest.Row, files []manifest.Entry) error {
		for _, f := range files {
			if before := at[f.FileID]; before != "" {
				w.t.Errorf("the manifest has %s also as %s", before, p.Join(f.Name))
			}
			at[f.FileID] = p.Join(f.Name)
		}
		return nil
	}))
	w.must(known.Close())
	sum, err := w.verify(backup.Verify{Full: true})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range sum.Verified.Findings {
		if f.What != backup.Unread {
			w.t.Errorf("%s is %s", f.Path, f.What)
		}
	}
}

// has demands that Drive has the things named under the ids they had.
func (w *world) has(ids map[string]string) {
	w.t.Helper()
	if d := cmp.Diff(ids, w.ids(slices.Collect(maps.Keys(ids))...)); d != "" {
		w.t.Errorf("on Drive: -want +got:\n%s", d)
	}
}

// settled makes a scan after an undo, which saves again what is on disk.
func (w *world) settled() {
	w.t.Helper()
	w.ok()
	w.compare()
	w.quiet()
}

// TestUndoTwice: what came back and went elsewhere since is not brought back
// once more, so that the next scan does not trash what is in use.
func TestUndoTwice(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/stays", "stays")
	w.write("docs/a", "comes back, and moves")
	w.write("docs/d/in", "likewise, in a folder")
	w.ok()
	w.remove("docs/a")
	w.remove("docs/d")
	run := w.ok().Run
	w.left(run, map[string]string{})
	w.write("docs/a", "comes back, and moves")
	w.write("docs/d/in", "likewise, in a folder")
	w.ok()
	w.rename("docs/a", "docs/b")
	w.rename("docs/d", "docs/e")
	w.ok()
	ids := w.ids("docs/b", "docs/e/in")
	w.left(run, map[string]string{
		"docs/a": "it came back already", "docs/d": "it came back already", "docs/d/in": "it came back already",
	})
	w.has(ids)
	w.settled()
	w.has(ids)
}

// TestUndoOfUndo: an undo is a run like any, and can be taken back.
func TestUndoOfUndo(t *testing.T) {
	w, run, _ := editedWorld(t)
	now, _ := w.onDrive()
	sum, err := w.undo(run)
	if err != nil || len(sum.Conditions) > 0 {
		t.Fatalf("%v, %+v", err, sum)
	}
	w.left(sum.Run, map[string]string{})
	got, _ := w.onDrive()
	if d := cmp.Diff(now, got, cmp.AllowUnexported(thing{})); d != "" {
		t.Errorf("-before the undo +after its undo:\n%s", d)
	}
	w.settled()
}

// TestUndoRestored: a restore brings what was there after a run, before it was
// taken back, after that, and when the disk was saved again.
func TestUndoRestored(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/stays", "stays")
	w.write("docs/edit", "first")
	w.write("docs/gone", "goes")
	w.write("docs/d/move", "moves")
	w.write("docs/trash/deep/b", "b")
	first := w.ok()
	then := snapshot(t, w.sources...)
	w.write("docs/edit", "second")
	w.write("docs/new/file", "new")
	w.remove("docs/gone")
	w.remove("docs/trash")
	w.rename("docs/d/move", "docs/moved")
	w.rename("docs/d", "docs/e")
	second := w.ok()
	now := snapshot(t, w.sources...)
	undo, err := w.undo(second.Run)
	w.must(err)
	for range 2 {
		w.brings(manifest.RunID(first.Run), then)
		w.brings(manifest.RunID(second.Run), now)
		w.brings(manifest.RunID(undo.Run), then)
		w.settled()
	}
	w.brings(manifest.Now, now)
}

// TestUndoPlaceTaken: a move whose old place is taken by now stays, and so does
// the folder that it went into.
func TestUndoPlaceTaken(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/a", "moves")
	w.write("docs/b", "moves after it")
	w.ok()
	w.rename("docs/a", "docs/new/x")
	w.rename("docs/b", "docs/a")
	run := w.ok().Run
	w.write("docs/b", "something else")
	w.ok()
	ids := w.ids("docs/new/x", "docs/a")
	const taken = "something else is in its place by now"
	w.left(run, map[string]string{"docs/new": "it holds other things by now", "docs/new/x": taken, "docs/a": taken})
	w.has(ids)
	w.settled()
}

// TestUndoFolderMoved: places are those in a folder, wherever that is by now.
func TestUndoFolderMoved(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/d/a", "moves out")
	w.write("docs/d/edit", "first")
	w.write("docs/d/stays", "stays")
	w.ok()
	w.rename("docs/d/a", "docs/x")
	w.write("docs/d/edit", "second")
	run := w.ok().Run
	w.rename("docs/d", "docs/e")
	w.write("docs/e/a", "something else")
	w.write("docs/d/edit", "something else, in another folder of that name")
	w.ok()
	w.left(run, map[string]string{"docs/x": "something else is in its place by now"})
	w.settled()
}

// TestUndoFolderGone: one change whose folder is gone does not keep the others
// from being taken back.
func TestUndoFolderGone(t *testing.T) {
	for name, empty := range map[string]bool{"in the trash": false, "deleted for good": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, drivetest.Options{}, "docs")
			w.write("docs/d/a", "moves out")
			w.write("docs/g/deep/b", "moves out too, and its folder goes")
			w.write("docs/new/stays", "stays")
			w.write("docs/c", "moves")
			w.ok()
			w.rename("docs/d/a", "docs/new/a")
			w.rename("docs/g/deep/b", "docs/newer/b")
			w.remove("docs/g")
			w.rename("docs/c", "docs/moved")
			run := w.ok().Run
			w.remove("docs/d")
			w.ok()
			want := map[string]string{"docs/new/a": "its folder is not there"}
			if empty {
				w.srv.EmptyTrash()
				const gone = "Drive no longer has it in its trash"
				maps.Copy(want, map[string]string{
					"docs/g": gone, "docs/g/deep": gone, "docs/newer/b": "its folder is not there", "docs/newer": "it holds other things by now",
				})
			}
			w.left(run, want)
			_, ids := w.onDrive()
			if ids[drivePath(w.path("docs/c"))] == "" {
				t.Error("the other move was not taken back")
			}
			w.settled()
		})
	}
}

// TestUndoFolderSwap: folders that took each other's places go back as files do.
func TestUndoFolderSwap(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/d/a", "in d")
	w.write("docs/e/b", "in e")
	w.write("docs/f/c", "in f")
	w.ok()
	then, _ := w.onDrive()
	w.swap("docs/d", "docs/e")
	w.rename("docs/f", "docs/g")
	w.write("docs/f/new", "in another f")
	run := w.ok().Run
	w.left(run, map[string]string{})
	got, _ := w.onDrive()
	if d := cmp.Diff(then, got, cmp.AllowUnexported(thing{})); d != "" {
		t.Errorf("-before the run +after its undo:\n%s", d)
	}
	w.settled()
}

// TestUndoReplaced: what took the place of something of another kind, and what
// took each other's, goes back, also by an undo or scan after one that failed.
func TestUndoReplaced(t *testing.T) {
	for _, again := range []bool{false, true} {
		for n := 0; ; n++ {
			w := newWorld(t, drivetest.Options{}, "docs")
			w.write("docs/stays", "s")
			w.write("docs/a", "file to link")
			w.write("docs/b", "file to folder")
			w.write("docs/c/in", "folder to file")
			w.write("docs/x", "swap x")
			w.write("docs/y", "swap y!")
			w.write("docs/p/1", "p one")
			w.write("docs/q/2", "q two")
			w.ok()
			then, _ := w.onDrive()
			w.remove("docs/a")
			w.link("docs/a")
			w.remove("docs/b")
			w.write("docs/b/in", "now in a folder")
			w.remove("docs/c")
			w.write("docs/c", "now a file")
			w.swap("docs/x", "docs/y")
			w.swap("docs/p", "docs/q")
			run := w.ok().Run
			w.srv.Inject(drivetest.From(n, drivetest.Lost))
			sum, err := w.undo(run)
			hit := w.srv.Hits() > 0
			w.srv.Inject(nil)
			if !hit {
				got, _ := w.onDrive()
				if d := cmp.Diff(then, got, cmp.AllowUnexported(thing{})); d != "" || err != nil || len(sum.Conditions) > 0 {
					t.Errorf("%v %+v\n%s", err, sum, d)
				}
				w.agrees()
			}
			if again {
				_, _ = w.undo(run)
			}
			w.settled()
			if t.Failed() {
				t.Fatalf("from %d on, again %v", n, again)
			}
			w.srv.Close()
			if !hit {
				break
			}
		}
	}
}

// TestUndoLost: what took the place of something that cannot be brought back
// stays.
func TestUndoLost(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/a", "a file")
	w.ok()
	w.remove("docs/a")
	w.link("docs/a")
	run := w.ok().Run
	w.srv.EmptyTrash()
	_, ids := w.onDrive()
	link := ids[drivePath(w.path("docs/a"))]
	w.left(run, map[string]string{"docs/a": "what was in its place before cannot be brought back"}) // told last
	if _, ids := w.onDrive(); ids[drivePath(w.path("docs/a"))] != link {
		t.Error("the link is gone")
	}
	w.settled()
}

// TestUndoKeepsOld: an old content that did not get to be the file's again
// stays on Drive.
func TestUndoKeepsOld(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/edit", "first")
	w.ok()
	w.write("docs/edit", "second")
	run := w.ok().Run
	w.srv.Inject(drivetest.Only(drivetest.Always(drivetest.Refuse(403, "storageQuotaExceeded")), drivetest.UploadMulti))
	if sum, err := w.undo(run); err != nil || len(sum.Conditions) == 0 {
		t.Fatalf("%v, %+v", err, sum)
	}
	w.srv.Inject(nil)
	w.left(run, map[string]string{})
	if got, err := w.srv.Content(w.node("docs/edit").ID); err != nil || string(got) != "first" {
		t.Errorf("Drive holds %q, %v", got, err)
	}
	w.settled()
}

// TestUndoUnheard: what was to come out of the trash when an undo was
// interrupted is on disk again by the next scan, which finds out what became of
// it.
func TestUndoUnheard(t *testing.T) {
	for _, e := range []drivetest.Effect{drivetest.Lost, drivetest.Unavailable} {
		for n := 0; ; n++ {
			w := newWorld(t, drivetest.Options{}, "docs")
			w.write("docs/stays", "stays")
			w.write("docs/gone", "goes")
			w.write("docs/trash/a", "a")
			w.write("docs/trash/deep/b", "b")
			w.ok()
			w.rename("docs/gone", "gone")
			w.rename("docs/trash", "trash")
			run := w.ok().Run
			w.srv.Inject(drivetest.From(n, e))
			_, _ = w.undo(run)
			hit := w.srv.Hits() > 0
			w.srv.Inject(nil)
			w.rename("gone", "docs/gone")
			w.rename("trash", "docs/trash")
			w.settled()
			if t.Failed() {
				t.Fatalf("%v from %d on", e, n)
			}
			if !hit {
				break
			}
		}
	}
}

// TestUndoRefused: a call that Drive refuses leaves its item as it is, in the
// manifest too, whatever depends on it.
func TestUndoRefused(t *testing.T) {
	for n := 0; ; n++ {
		w := newWorld(t, drivetest.Options{}, "docs")
		w.write("docs/a", "moves, and gets another time")
		w.write("docs/d/b", "moves out of a folder that goes")
		w.write("docs/c", "changes")
		w.ok()
		w.rename("docs/a", "docs/new/x")
		w.must(os.Chtimes(w.path("docs/new/x"), time.Time{}, time.Unix(1_600_000_000, 5)))
		w.rename("docs/d/b", "docs/b")
		w.remove("docs/d")
		w.write("docs/c", "changed")
		run := w.ok().Run
		w.srv.Inject(drivetest.InBatch(drivetest.Nth(drivetest.Update, n, drivetest.Refuse(403, "insufficientFilePermissions"))))
		_, err := w.undo(run)
		hit := w.srv.Hits() > 0
		w.srv.Inject(nil)
		if err == nil {
			w.agrees()
		}
		w.settled()
		if t.Failed() {
			t.Fatalf("part %d refused", n)
		}
		if !hit {
			return
		}
	}
}

// TestUndoElsewhere: a state folder that belongs to another machine or client
// takes nothing back, as it does nothing else.
func TestUndoElsewhere(t *testing.T) {
	w, run, _ := editedWorld(t)
	for key, is := range map[string]func(error) bool{
		"machine": func(err error) bool { return errors.As(err, new(*backup.MachineError)) },
		"client":  func(err error) bool { return errors.As(err, new(*backup.ClientError)) },
	} {
		w.meta(map[string]string{key: "another"})
		before := w.srv.Stats().Total()
		store, err := manifest.Open(w.manifest)
		w.must(err)
		_, err = w.open(store, func(b *backup.Backup) { b.Binding = backup.Binding{Machine: "this one", Client: "this one"} }).Undo(t.Context(), manifest.RunID(run))
		w.must(store.Close())
		if n := w.srv.Stats().Total() - before; !is(err) || n != 0 {
			t.Errorf("%s: %v, %d requests", key, err, n)
		}
		w.meta(map[string]string{key: ""})
	}
}

// TestUndoNothingDone: a run that was not, or that changed nothing on Drive, is
// not taken back, whatever it changed in the manifest.
func TestUndoNothingDone(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/a", "a")
	w.named()
	w.ok()
	w.forget(false)
	_, err := w.rebuild()
	w.must(err)
	before := w.srv.Stats().Total()
	for _, run := range []int64{1, 7} {
		if _, err := w.undo(run); err == nil {
			t.Errorf("run %d was taken back", run)
		}
	}
	if n := w.srv.Stats().Total() - before; n != 0 {
		t.Errorf("%d requests", n)
	}
	w.ok()
	w.compare()
}
