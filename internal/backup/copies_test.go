package backup_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

const copyOnDrive = topName + "/.acb-manifest-" + hostName + ".db.gz"

// copied opens what Drive holds as the manifest's copy.
func (w *world) copied() *manifest.Reader {
	w.t.Helper()
	content, err := w.srv.Content(w.srv.Tree("root")[copyOnDrive].ID)
	w.must(err)
	zip, err := gzip.NewReader(bytes.NewReader(content))
	w.must(err)
	path := filepath.Join(w.t.TempDir(), "manifest.db")
	f, err := os.Create(path)
	w.must(err)
	_, err = io.Copy(f, zip)
	w.must(errors.Join(err, f.Close()))
	r, err := manifest.OpenReader(path)
	w.must(err)
	w.t.Cleanup(func() { r.Close() })
	return r
}

// TestCopyOnDrive: after a run that changed something, once a day, and in a
// request that is counted apart.
func TestCopyOnDrive(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.copyLimit = 1 << 20
	days := 0
	w.now = func() time.Time { return later().AddDate(0, 0, days) }
	for i, step := range []struct {
		edit               func()
		days               int
		overhead, requests int64 // requests below 0: whatever it takes
	}{
		{func() { w.write("docs/a", "a") }, 0, 2, -1},
		{func() { w.write("docs/b", "b") }, 0, 0, -1},
		{func() {}, 1, 0, 0},                                          // nothing changed
		{func() { w.must(os.Chmod(w.path("docs"), 0o700)) }, 1, 0, 0}, // nothing on Drive
		{func() { w.rename("docs/b", "docs/c") }, 1, 1, 2},
		{func() { w.must(w.srv.Delete(w.srv.Tree("root")[copyOnDrive].ID)); w.remove("docs/c") }, 2, -1, 2},
	} {
		step.edit()
		days = step.days
		before := w.srv.Stats().Total()
		sum := w.ok()
		c := sum.Counts
		if step.overhead >= 0 && c.OverheadRequests != step.overhead || step.requests >= 0 && c.Requests != step.requests ||
			(c.OverheadBytes > 0) != (c.OverheadRequests > 0) || c.Requests+c.OverheadRequests != int64(w.srv.Stats().Total()-before) {
			t.Errorf("step %d: %d requests and %d more, %d bytes; Drive had %d", i, c.Requests, c.OverheadRequests, c.OverheadBytes, w.srv.Stats().Total()-before)
		}
		if c.OverheadRequests == 0 {
			continue
		}
		r := w.copied()
		runs, err := r.LastRuns(1)
		w.must(err)
		if err := r.Check(); err != nil || runs[0].ID != manifest.RunID(sum.Run) || runs[0].Ended.IsZero() {
			t.Errorf("step %d: the copy on Drive is of run %+v, %v", i, runs, err)
		}
		own, err := manifest.OpenReader(w.manifest)
		w.must(err)
		runs, err = own.LastRuns(1)
		w.must(errors.Join(err, own.Close()))
		if want := fmt.Sprintf(`"overhead_requests":%d,`, c.OverheadRequests); !strings.Contains(string(runs[0].Counters), want) {
			t.Errorf("step %d: the run's row does not say %s", i, want)
		}
	}
	// Above the limit nothing is sent, and nothing is left lying about.
	w.copyLimit, days = 100, 9
	w.write("docs/e", "e")
	if sum := w.ok(); sum.Counts.OverheadRequests != 0 || sum.NotCopied != "" {
		t.Errorf("%+v, %s", sum.Counts, sum.NotCopied)
	}
	if list, err := filepath.Glob(filepath.Join(filepath.Dir(w.manifest), "*copy*")); len(list) != 1 || err != nil {
		t.Errorf("beside the manifest: %v, %v", list, err)
	}
}

// TestCopyFaults lets each request of a run with a copy go wrong in each way:
// what is saved is saved, and after the next change Drive has one copy.
func TestCopyFaults(t *testing.T) {
	for _, e := range effects {
		t.Run(e.String(), func(t *testing.T) {
			t.Parallel()
			for n, more := 0, true; more; n += stride(3) {
				inBubble(t, func(t *testing.T, clock func() time.Time) {
					w := fakeWorld(t, clock, drivetest.Options{Seed: uint64(n + 1)}, "docs")
					w.copyLimit = 1 << 20
					w.write("docs/a", "a")
					w.srv.Inject(drivetest.At(n, e))
					sum, _ := w.run(t.Context())
					more = w.srv.Calls() > n
					w.srv.Inject(nil)
					w.ok()
					w.write("docs/b", "b")
					w.ok()
					w.compare()
					if err := w.copied().Check(); err != nil {
						t.Error(err)
					}
					if t.Failed() {
						t.Fatalf("request %d; conditions %v, not copied: %s", n, sum.Conditions, sum.NotCopied)
					}
				})
			}
		})
	}
}

// TestBringBack goes back to the copy of before the last run. Nothing on Drive
// is changed by it, not even after things that it thinks are new have come.
func TestBringBack(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/a", "a")
	w.write("docs/b", "b")
	w.ok()
	w.must(manifest.Copy(w.manifest, filepath.Join(w.dir, "copy.db"), time.Now()))
	w.must(os.Rename(manifest.CopyPath(w.manifest), manifest.CopyPath(w.manifest)+".away"))
	if _, err := backup.BringBack(w.manifest, "", time.Now()); err == nil || !strings.Contains(err.Error(), "there is no copy at") {
		t.Errorf("BringBack = %v", err)
	}
	w.write("docs/a", "changed")
	w.remove("docs/b")
	w.ok()
	w.must(os.Truncate(w.manifest, 0))
	kept, err := backup.BringBack(w.manifest, filepath.Join(w.dir, "copy.db"), time.Now())
	w.must(err)
	if st, err := os.Stat(kept); err != nil || st.Size() != 0 {
		t.Errorf("what was there: %v, %v", st, err)
	}
	w.write("docs/a", "changed again")
	for range 2 {
		w.held()
	}
	if _, err := os.Stat(w.manifest + ".new"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
