package backup_test

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// undo makes a run that takes another back.
func (w *world) undo(run int64) (*backup.Summary, error) {
	w.t.Helper()
	store, err := manifest.Open(w.manifest)
	w.must(err)
	defer store.Close()
	return w.open(store).Undo(w.t.Context(), manifest.RunID(run))
}

// editedWorld is a world with a run that did something of every kind; then is
// what Drive held before.
func editedWorld(t *testing.T) (w *world, run int64, then map[string]thing) {
	w = newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/stays", "stays")
	w.write("docs/edit", "first")
	w.write("docs/both", "moves and changes")
	w.write("docs/gone", "goes")
	w.write("docs/d/move", "moves")
	w.write("docs/d/in", "rides along")
	w.write("docs/trash/a", "a")
	w.write("docs/trash/deep/b", "b")
	w.write("docs/partly/a", "pa")
	w.ok()
	then, _ = w.onDrive()
	w.write("docs/edit", "second")
	w.write("docs/new/file", "new")
	w.remove("docs/gone")
	w.remove("docs/trash")
	w.remove("docs/partly/a")
	w.rename("docs/d/move", "docs/moved")
	w.rename("docs/d", "docs/e")
	sum := w.ok()
	return w, sum.Run, then
}

// TestUndo: Drive and manifest are as they were before the run, and the disk
// is not touched.
func TestUndo(t *testing.T) {
	w, run, then := editedWorld(t)
	disk := w.onDisk()
	sum, err := w.undo(run)
	if err != nil || len(sum.Conditions) > 0 {
		t.Fatalf("%v, %+v", err, sum)
	}
	got, _ := w.onDrive()
	if d := cmp.Diff(then, got, cmp.AllowUnexported(thing{})); d != "" {
		t.Errorf("-before the run +after its undo:\n%s", d)
	}
	if d := cmp.Diff(disk, w.onDisk(), cmp.AllowUnexported(thing{})); d != "" {
		t.Errorf("the disk was changed:\n%s", d)
	}
	if sum, err := w.undo(run); err != nil || sum.Counts.Requests != 0 || sum.Counts.Failed != 0 || len(sum.Conditions) > 0 {
		t.Errorf("again: %v, %+v", err, sum)
	}
	w.ok() // the scan saves again what is on disk
	w.compare()
	w.quiet()
}

// TestUndoLater: what was changed again since stays, and is told.
func TestUndoLater(t *testing.T) {
	w, run, _ := editedWorld(t)
	w.write("docs/edit", "third")
	w.write("docs/new/more", "more")
	w.write("docs/gone", "something else")
	w.ok()
	sum, err := w.undo(run)
	if err != nil || sum.ExitCode() != 3 {
		t.Fatalf("%v, %+v", err, sum)
	}
	why := map[string]string{}
	for _, f := range sum.Failures {
		why[string(f.Path)] = f.Reason
	}
	want := map[string]string{
		drivePath(w.path("docs/edit")): "run 3 has changed it again",
		drivePath(w.path("docs/new")):  "it holds other things by now",
		drivePath(w.path("docs/gone")): "something else is in its place by now",
	}
	if !maps.Equal(why, want) {
		t.Errorf("%s", cmp.Diff(want, why))
	}
	w.ok()
	w.compare()
}

// TestUndoGone: what Drive no longer has is told, and the rest is taken back.
func TestUndoGone(t *testing.T) {
	w, run, _ := editedWorld(t)
	w.srv.EmptyTrash()
	sum, err := w.undo(run)
	if err != nil || sum.ExitCode() != 3 {
		t.Fatalf("%v, %+v", err, sum)
	}
	things, _ := w.onDrive()
	if things[drivePath(w.path("docs/d/move"))].kind == "" || things[drivePath(w.path("docs/new"))].kind != "" {
		t.Error("the rest was not taken back")
	}
	w.ok()
	w.compare()
	w.quiet()
}

// TestUndoFaults: a request that fails is made good by the next scan, or by
// another undo before it.
func TestUndoFaults(t *testing.T) {
	for i, e := range []drivetest.Effect{drivetest.Lost, drivetest.Unavailable, drivetest.Torn, drivetest.Lost} {
		for n := 0; ; n++ {
			w, run, then := editedWorld(t)
			w.srv.Inject(drivetest.From(n, e))
			_, _ = w.undo(run)
			hit := w.srv.Hits() > 0
			w.srv.Inject(nil)
			if i > 0 {
				sum, err := w.undo(run)
				if err != nil || len(sum.Conditions) > 0 {
					t.Errorf("the second: %v, %v, %v", err, sum.Conditions, sum.Failures)
				}
				got, _ := w.onDrive()
				if d := cmp.Diff(then, got, cmp.AllowUnexported(thing{})); d != "" {
					t.Errorf("-before the run +after two undos:\n%s", d)
				}
			}
			w.ok()
			w.compare()
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
