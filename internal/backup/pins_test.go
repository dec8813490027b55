package backup_test

import (
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// killUndo makes an undo that dies when request n leaves, which reaches Drive
// or not.
func (w *world) killUndo(run int64, n int, reaches bool) (hit bool) {
	w.t.Helper()
	at, seen := fastDir(w.t), new(atomic.Int64)
	f := drivetest.From(n, drivetest.Cut)
	if reaches {
		f = drivetest.Several(drivetest.At(n, drivetest.Lost), drivetest.From(n+1, drivetest.Cut))
	}
	w.srv.Inject(f)
	w.hook(func(drivetest.Info) {
		if seen.Add(1) == int64(n+1) {
			hit = true
			w.keep(copyState(filepath.Dir(w.manifest), at))
		}
	})
	_, _ = w.undo(run)
	w.srv.OnRequest(nil)
	w.srv.Inject(nil)
	if hit {
		w.restore(at)
	}
	return hit
}

// pinned demands that Drive keeps just those old contents for good of which the
// history says so, has all of which it says so, and none that it says is gone.
// It returns how many are kept.
func (w *world) pinned() (n int) {
	w.t.Helper()
	store, err := manifest.Open(w.manifest)
	w.must(err)
	defer store.Close()
	known, err := store.Reader()
	w.must(err)
	defer known.Close()
	drive := w.open(store).Drive
	says, is := map[string]bool{}, map[string]bool{}
	files := map[manifest.FileID]bool{}
	var gone []manifest.Version
	w.must(known.Ended(func(v manifest.Version) error {
		if v.HeadRevision == "" {
			return nil
		}
		files[v.FileID] = true
		if v.Reason == manifest.EndRemoved {
			gone = append(gone, v)
			return nil
		}
		says[string(v.FileID)+" "+v.HeadRevision] = v.Kept
		return nil
	}))
	for id := range files {
		list, err := drive.Revisions(w.t.Context(), id)
		w.must(err)
		for i, rev := range list {
			if rev.Pinned {
				n++
			}
			for _, v := range gone {
				if v.FileID == id && v.MD5 == rev.MD5 {
					w.t.Errorf("the history says that Drive no longer has %s of run %d, and it has", v.Name, v.From)
				}
			}
			if name := string(id) + " " + rev.ID; rev.Pinned || i < len(list)-1 || says[name] {
				is[name] = rev.Pinned
			}
		}
	}
	for name, kept := range says {
		if is[name] != kept {
			w.t.Errorf("the history says of %s: kept %v; Drive says %v", name, kept, is[name])
		}
	}
	for name, kept := range is {
		if says[name] != kept {
			w.t.Errorf("Drive says of %s: kept %v; the history says %v", name, kept, says[name])
		}
	}
	return n
}

// TestUndoKilledPins kills an undo at every request. The next run, of whatever
// kind, knows what the killed one has pinned: what came back is let go, and of
// what did not, the history says that Drive keeps it. Another undo needs it
// and lets it go.
func TestUndoKilledPins(t *testing.T) {
	for _, tt := range []struct {
		reaches, again bool
	}{{false, false}, {false, true}, {true, false}, {true, true}} {
		for n, stayed := 0, 0; ; n++ {
			w, run, then := editedWorld(t)
			hit := w.killUndo(run, n, tt.reaches)
			if tt.again {
				sum, err := w.undo(run)
				if err != nil || len(sum.Conditions) > 0 {
					t.Errorf("the second: %v, %v, %v", err, sum.Conditions, sum.Failures)
				}
				got, _ := w.onDrive()
				if d := cmp.Diff(then, got, cmp.AllowUnexported(thing{})); d != "" {
					t.Errorf("-before the run +after two undos:\n%s", d)
				}
				if n := w.pinned(); n != 0 {
					t.Errorf("%d pins are left", n)
				}
			}
			w.ok()
			stayed += w.pinned()
			w.compare()
			w.quiet()
			if t.Failed() {
				t.Fatalf("killed at request %d, which reached Drive: %v; undone again: %v", n, tt.reaches, tt.again)
			}
			if !hit {
				if !tt.again && stayed == 0 {
					t.Error("no death came between pin and update")
				}
				break
			}
		}
	}
}

// TestUndoPinPurged: what an undo that failed has left pinned is known, and a
// purge that takes it off Drive has it forgotten.
func TestUndoPinPurged(t *testing.T) {
	w, run, _ := editedWorld(t)
	w.srv.Inject(drivetest.Only(drivetest.Always(drivetest.Refuse(403, "forbidden")), drivetest.UploadMulti))
	if sum, err := w.undo(run); err != nil || sum.ExitCode() != 3 {
		t.Fatalf("%v %+v", err, sum)
	}
	w.srv.Inject(nil)
	w.ok()
	if n := w.pinned(); n != 1 {
		t.Errorf("%d pins, want that of the edit", n)
	}
	w.quiet() // what is known to stay is not asked about
	if n := w.purgePinned(); n != 1 {
		t.Errorf("%d were found", n)
	}
	if n := w.pinned(); n != 0 {
		t.Errorf("%d pins after the purge", n)
	}
	if pins := w.metaOf("pins"); pins != "" {
		t.Errorf("pins remembered: %s", pins)
	}
}

// TestUndoPinTakenUp: what an undo that failed has left pinned, another one
// needs and lets go of, also when it is killed in between.
func TestUndoPinTakenUp(t *testing.T) {
	for n := 0; ; n++ {
		w, run, _ := editedWorld(t)
		w.srv.Inject(drivetest.Only(drivetest.Always(drivetest.Refuse(403, "forbidden")), drivetest.UploadMulti))
		_, err := w.undo(run)
		w.must(err)
		hit := w.killUndo(run, n, true)
		if _, err := w.undo(run); err != nil {
			t.Error(err)
		}
		if n := w.pinned(); n != 0 {
			t.Errorf("%d pins are left", n)
		}
		w.ok()
		w.compare()
		if t.Failed() {
			t.Fatalf("killed at request %d", n)
		}
		if !hit {
			return
		}
	}
}

// TestUndoPinNotShown: a file that Drive tells nothing more about, since it is
// somebody else's by now, keeps no run from its work. What was pinned of it
// stays known and costs no request; once it is shown again, a purge has it.
func TestUndoPinNotShown(t *testing.T) {
	for n, purged := 0, 0; ; n++ {
		w, run, _ := editedWorld(t)
		hit := w.killUndo(run, n, true)
		pins := w.metaOf("pins") != ""
		w.srv.Inject(drivetest.InBatch(drivetest.Only(drivetest.Always(drivetest.Refuse(403, "insufficientFilePermissions")), drivetest.RevisionGet)))
		w.write("docs/other", "has nothing to do with it")
		w.ok()
		if pins && w.metaOf("pins") == "" {
			t.Error("a pin was forgotten unseen")
		}
		w.quiet()
		w.srv.Inject(nil)
		purged += w.purgePinned()
		if n := w.purgePinned(); n > 0 {
			t.Errorf("%d pins after the purge", n)
		}
		if t.Failed() {
			t.Fatalf("killed at request %d", n)
		}
		if !hit {
			if purged == 0 {
				t.Error("no death left a pin")
			}
			return
		}
	}
}

// purgePinned takes off Drive what it keeps for good, and returns how many.
func (w *world) purgePinned() int {
	w.t.Helper()
	store, err := manifest.Open(w.manifest)
	w.must(err)
	defer store.Close()
	b := w.open(store)
	list, err := b.Pinned(w.t.Context(), backup.Purge{})
	w.must(err)
	_, err = b.Remove(w.t.Context(), list)
	w.must(err)
	return len(list)
}

// TestUndoNotShown: a file whose old content Drive does not tell about fails;
// the others are as they were.
func TestUndoNotShown(t *testing.T) {
	w, run, _ := editedWorld(t)
	w.srv.Inject(drivetest.InBatch(drivetest.Only(drivetest.Always(drivetest.Refuse(403, "insufficientFilePermissions")), drivetest.RevisionGet)))
	sum, err := w.undo(run)
	if err != nil || sum.ExitCode() != 3 || len(sum.Failures) != 1 || !strings.Contains(sum.Failures[0].Reason, "insufficientFilePermissions") {
		t.Errorf("%v, %+v", err, sum)
	}
}

// metaOf returns what the manifest keeps under a key.
func (w *world) metaOf(key string) string {
	w.t.Helper()
	known, err := manifest.OpenReader(w.manifest)
	w.must(err)
	defer known.Close()
	text, err := known.Meta(key)
	w.must(err)
	return text
}
