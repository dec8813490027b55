package backup_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// These tests hold the number of requests to what design §9 allows, to the
// request: whoever adds one is told here.

func ceil(n, by int) int { return (n + by - 1) / by }

// requests makes a run and returns how many requests it took.
func (w *world) requests(change ...func(*backup.Backup)) (int, *backup.Summary) {
	w.t.Helper()
	before := w.srv.Stats()
	sum := w.ok(change...)
	after := w.srv.Stats()
	if n := after.TokenRequests() - before.TokenRequests(); n != 0 {
		w.t.Errorf("%d token requests, although the sign-in is not renewed by the client", n)
	}
	n := after.Total() - before.Total()
	if sum.Counts.Requests != int64(n) {
		w.t.Errorf("counted %d requests, Drive had %d", sum.Counts.Requests, n)
	}
	if calls := after.TotalCalls() - before.TotalCalls(); sum.Counts.Calls != int64(calls) {
		w.t.Errorf("counted %d calls, Drive had %d", sum.Counts.Calls, calls)
	}
	return n, sum
}

func (w *world) atMost(got, want int) {
	w.t.Helper()
	if got > want {
		w.t.Errorf("%d requests, at most %d are needed:%s", got, want, lastRequests(w.srv, min(got, 40)))
	}
}

func TestRequestsFirstRun(t *testing.T) {
	for _, c := range []struct{ folders, files int }{{1, 3}, {5, 100}, {120, 2}, {150, 10}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, drivetest.Options{}, "docs")
			for i := range c.folders {
				for j := range c.files {
					w.write(fmt.Sprintf("docs/d%d/f%d", i, j), fmt.Sprint(i, j))
				}
			}
			files := c.folders * c.files
			levels := strings.Count(drivePath(w.sources[0]), "/") + 1 // of prefix folders and the source, one folder each
			folders := levels + c.folders + 2                         // and top and host
			n, _ := w.requests()
			w.atMost(n, files+ceil(files+folders, 1000)+levels+ceil(c.folders, 100)+4)
			w.quiet()
		})
	}
}

func TestRequestsFolderMoved(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs", "pics")
	for i := range 400 {
		w.write(fmt.Sprintf("docs/many/d%d/f%d", i%7, i), fmt.Sprint(i))
	}
	w.write("docs/stays", "s")
	w.write("pics/a", "a")
	w.ok()
	for _, to := range []string{"docs/renamed", "pics/elsewhere"} {
		from, _ := filepath.Glob(w.path("*/*"))
		for _, f := range from {
			if info, err := os.Stat(f); err == nil && info.IsDir() {
				w.must(os.Rename(f, w.path(to)))
			}
		}
		n, sum := w.requests()
		w.atMost(n, 3)
		if sum.Counts.MovedFolders != 1 || sum.Counts.Unchanged != 402 || sum.Counts.BytesSent != 0 {
			t.Errorf("counted %+v", sum.Counts)
		}
		w.compare()
		w.quiet()
	}
}

func TestRequestsManyAlike(t *testing.T) {
	const n = 250
	file := func(i int) string { return fmt.Sprintf("docs/f%03d", i) }
	for _, c := range []struct {
		name string
		edit func(w *world, i int)
	}{
		{"trashes", func(w *world, i int) { w.remove(file(i)) }},
		{"renames", func(w *world, i int) { w.rename(file(i), file(i)+".new") }},
		{"patches", func(w *world, i int) {
			w.must(os.Chtimes(w.path(file(i)), time.Time{}, time.Unix(int64(i), 0)))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, drivetest.Options{}, "docs")
			w.limits = plan.Options{MaxDelete: 1, MaxModify: 1}
			for i := range n + 10 {
				w.write(file(i), fmt.Sprint("content ", i))
			}
			w.ok()
			for i := range n {
				c.edit(w, i)
			}
			got, _ := w.requests()
			w.atMost(got, ceil(n, 100)+2)
			w.compare()
			w.quiet()
		})
	}
}

// TestRequestsCopies copies files that Drive has, and makes new ones that are
// equal: no content leaves but one of these.
func TestRequestsCopies(t *testing.T) {
	const n = 130
	w := newWorld(t, drivetest.Options{}, "docs")
	content := strings.Repeat("c", manifest.Large)
	w.write("docs/a/original", content)
	w.ok()
	for i := range n {
		w.write(fmt.Sprintf("docs/a/%03d", i), content)
	}
	before := w.srv.Stats()
	got, sum := w.requests()
	w.atMost(got, ceil(n, 100)+1)
	if c := sum.Counts; c.Created != n || c.Copied != n || c.BytesCopied != n*manifest.Large || c.BytesSent != 0 {
		t.Errorf("counted %+v", c)
	}
	w.compare()
	w.quiet()
	for i := range 3 {
		w.write(fmt.Sprintf("docs/twin%d", i), strings.Repeat("d", manifest.Large+1))
	}
	got, sum = w.requests()
	w.atMost(got, 1+1+1)
	if c := sum.Counts; c.Created != 3 || c.Copied != 2 || c.BytesSent != manifest.Large+1 {
		t.Errorf("counted %+v", c)
	}
	if in := w.srv.Stats().ContentIn - before.ContentIn; in != manifest.Large+1 {
		t.Errorf("%d bytes reached Drive", in)
	}
	w.compare()
	w.quiet()
}

// TestCopyOfLost: an original that is found to be gone from Drive is made
// anew in the same run, out of its copy.
func TestCopyOfLost(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	content := strings.Repeat("c", manifest.Large)
	w.write("docs/original", content)
	w.ok()
	w.must(w.srv.Delete(w.node("docs/original").ID))
	w.write("docs/copy", content)
	sum := w.ok()
	if c := sum.Counts; c.Created != 2 || c.Copied != 1 || c.BytesSent != manifest.Large {
		t.Errorf("counted %+v", c)
	}
	w.compare()
	w.quiet()
}
