package backup_test

import (
	"os"
	"sync"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// TestBackAgain: what the scan saw absent and is there again when its trash
// comes up stays on Drive and is counted; what else is gone is trashed.
func TestBackAgain(t *testing.T) {
	for _, c := range []struct {
		name, away, back string
		held, deleted    int64
	}{
		{"file", "away", "docs/a/f", 1, 3},
		{"folder", "gone", "docs/b", 3, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, drivetest.Options{}, "docs")
			for _, f := range []string{"docs/a/f", "docs/a/g", "docs/b/one", "docs/b/sub/two", "docs/b/sub/three"} {
				w.write(f, "content of "+f)
			}
			w.ok()
			ids := w.ids(c.back)
			w.rename("docs/a/f", "away")
			w.rename("docs/b", "gone")
			w.write("docs/new", "is sent before anything is trashed")
			var once sync.Once
			w.srv.OnRequest(func(_ int, r drivetest.Info) {
				if r.Kind == drivetest.UploadMulti {
					once.Do(func() { w.keep(os.Rename(w.path(c.away), w.path(c.back))) })
				}
			})
			sum, err := w.run(t.Context())
			w.srv.OnRequest(nil)
			w.must(err)
			if sum.Counts.HeldBack != c.held || sum.Counts.Deleted != c.deleted || sum.Counts.Created != 1 {
				t.Errorf("%+v", sum.Counts)
			}
			w.compare()
			w.keeps(ids, c.back)
		})
	}
}

// TestUnmountedBeforeTrash: when the disk goes after all was sent, nobody can
// look whether what the scan saw absent is, and nothing is trashed.
func TestUnmountedBeforeTrash(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.fill("docs", 3)
	w.ok()
	w.remove("docs/f001")
	w.write("docs/new", "is sent before anything is trashed")
	w.srv.OnRequest(func(_ int, r drivetest.Info) {
		if r.Kind == drivetest.UploadMulti {
			w.keep(os.Rename(w.path("docs"), w.path("elsewhere")))
			w.keep(os.Mkdir(w.path("docs"), 0o755))
		}
	})
	sum, err := w.run(t.Context())
	w.srv.OnRequest(nil)
	w.must(err)
	if sum.Counts.Created != 1 || sum.Counts.HeldBack != 1 || sum.Counts.Deleted != 0 {
		t.Errorf("%+v", sum.Counts)
	}
	w.node("docs/f001")
	w.must(os.Remove(w.path("docs")))
	w.rename("elsewhere", "docs")
	w.ok()
	w.compare()
	w.quiet()
}

// TestBusyWhileScanned: a file that never holds still while the scan reads it
// is a failure, its old copy stays, and so does what was to be trashed.
func TestBusyWhileScanned(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/busy", "content 1")
	w.write("docs/gone", "is taken away")
	w.ok()
	ids := w.ids("docs/gone")
	w.write("docs/busy", "content 2")
	w.remove("docs/gone")
	stamp := int64(0)
	var mu sync.Mutex
	w.now = func() time.Time { // which the scan asks between the first stat and the reading
		mu.Lock()
		defer mu.Unlock()
		stamp++
		w.keep(os.Chtimes(w.path("docs/busy"), time.Time{}, time.Unix(stamp, 0)))
		return later()
	}
	sum, err := w.run(t.Context())
	w.must(err)
	if sum.ExitCode() != 3 || sum.Counts.Failed != 1 || sum.Counts.HeldBack != 1 || sum.Counts.Modified+sum.Counts.Deleted != 0 {
		t.Errorf("exit %d, %+v", sum.ExitCode(), sum.Counts)
	}
	if id := w.node("docs/gone").ID; id != ids["docs/gone"] {
		t.Errorf("docs/gone is %q now, was %v", id, ids)
	}
	w.now = later
	w.ok()
	w.compare()
	w.quiet()
}
