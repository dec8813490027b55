package backup_test

import (
	"errors"
	"os"
	"testing"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// rollBack lets runs go by on a Drive, and then gives the account back as it
// was before them.
func rollBack(t *testing.T, w *world, dir string, runs ...func()) {
	t.Helper()
	w.srv.Close()
	then := t.TempDir()
	w.must(os.CopyFS(then, os.DirFS(dir)))
	start := func(dir string) {
		w.srv = drivetest.Start(drivetest.Options{Dir: dir, NoSHA: true})
	}
	start(dir)
	for _, run := range runs {
		run()
		w.ok()
	}
	w.srv.Close()
	start(then)
}

// TestDriveRolledBack: an account that has gone back to an earlier state stops
// scans and is called what it is; a repair sends again what went.
func TestDriveRolledBack(t *testing.T) {
	for i, quick := range []bool{true, false, true, false} {
		asked := i >= 2 // so that the log can be read from where it was read last
		dir := t.TempDir()
		w := newWorld(t, drivetest.Options{Dir: dir}, "docs")
		w.fill("docs/d", 5)
		w.write("docs/edited", "once")
		w.write("docs/e/old", "old")
		w.ok()
		if asked {
			w.clean(backup.Verify{})
		}
		rollBack(t, w, dir,
			func() { w.write("docs/d/new", "new"); w.write("docs/edited", "twice"); w.mkdir("docs/f") },
			func() { w.rename("docs/d/f001", "docs/moved"); w.remove("docs/d/f002"); w.rename("docs/e", "docs/g") })
		w.write("docs/d/later", "later")
		var rolled *backup.RolledBackError
		if sum, err := w.run(t.Context()); sum.ExitCode() != 4 || !errors.As(err, &rolled) || sum.Counts.Created > 0 {
			t.Errorf("scan: exit %d, %v", sum.ExitCode(), err)
		}
		if sum, err := w.run(t.Context(), w.due); sum.ExitCode() != 4 || !errors.As(err, &rolled) || sum.Counts.Mended > 0 {
			t.Errorf("scan that asks: exit %d, %v", sum.ExitCode(), err)
		}
		sum, err := w.verify(backup.Verify{Full: !quick})
		if err != nil || sum.ExitCode() != 4 || !sum.Verified.RolledBack || sum.Verified.Left == 0 || sum.Verified.Earlier != 1 {
			t.Errorf("exit %d, %v: %+v %v", sum.ExitCode(), err, sum.Verified, words(sum))
		}
		sum, err = w.verify(backup.Verify{Repair: true, Full: !quick})
		if err != nil || sum.ExitCode() != 0 || !sum.Verified.RolledBack || sum.Verified.Left > 0 {
			t.Errorf("repair: exit %d, %v: %v", sum.ExitCode(), err, words(sum))
		}
		w.ok()
		w.compareBut(topName + "/" + hostName + " quarantine")
		w.clean(backup.Verify{Full: true})
		w.srv.Close()
	}
}

// TestVerifyOfACopy: a copy of the state folder that another one has overtaken
// finds that out, and repairs nothing.
func TestVerifyOfACopy(t *testing.T) {
	first := newWorld(t, drivetest.Options{}, "docs")
	first.fill("docs/d", 5)
	first.ok()
	second := first.clone()
	first.rename("docs/d/f001", "docs/moved")
	first.remove("docs/d/f002")
	first.write("docs/new", "new")
	first.ok()
	for _, v := range []backup.Verify{{}, {Full: true}, {Repair: true}, {Full: true, Repair: true}} {
		var stale *remote.GenError
		if sum, err := second.verify(v); sum.ExitCode() != 4 || !errors.As(err, &stale) || sum.Counts.Mended > 0 {
			t.Errorf("%+v: exit %d, %v", v, sum.ExitCode(), err)
		}
	}
	first.clean(backup.Verify{Full: true})
	first.compare()
}

// TestVerifyFaults: whatever request fails or loses its answer, another verify
// ends what was begun, and nothing is there twice.
func TestVerifyFaults(t *testing.T) {
	for _, effect := range []drivetest.Effect{drivetest.Unavailable, drivetest.Lost, drivetest.Torn} {
		for n := 0; ; n++ {
			w := newWorld(t, drivetest.Options{}, "docs")
			w.fill("docs/d", 3)
			w.fill("docs/e", 2)
			w.ok()
			w.must(firstOf(w.srv.Delete(w.node("docs/d/f001").ID), w.srv.Trash(w.node("docs/d/f002").ID), w.srv.Move(w.node("docs/e/f000").ID, "root"),
				w.srv.SetContent(w.node("docs/e/f001").ID, []byte("theirs"))))
			w.stray(w.node("docs/e").ID, "x", "f")
			w.srv.Inject(drivetest.From(n, effect))
			sum, _ := w.verify(backup.Verify{Full: true, Repair: true})
			hit := w.srv.Hits() > 0
			if hit && sum.ExitCode() == 0 {
				w.compareBut(topName + "/" + hostName + " quarantine") // it had all it needed
			}
			w.srv.Inject(nil)
			if sum, err := w.verify(backup.Verify{Full: true, Repair: true}); err != nil || sum.ExitCode() != 0 {
				t.Errorf("again: exit %d, %v: %v", sum.ExitCode(), err, words(sum))
			}
			w.clean(backup.Verify{Full: true})
			w.ok()
			w.compareBut(topName + "/" + hostName + " quarantine")
			w.srv.Close()
			if t.Failed() {
				t.Fatalf("%v from request %d on", effect, n)
			}
			if !hit {
				break
			}
		}
	}
}
