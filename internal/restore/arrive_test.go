package restore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/autocloudbackup/acb/internal/restore"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// TestArrivedBefore: what had arrived when a run ended, and had no name yet, is
// not fetched again, unless it is not what it should be.
func TestArrivedBefore(t *testing.T) {
	w := newWorld(t, drivetest.Options{})
	w.segment = 100_000
	w.write("small", "small")
	w.write("large", text(350_000, "large"))
	w.write("bad", "good")
	w.must(os.Symlink("somewhere", filepath.Join(w.src, "link")))
	run := w.backup()
	want := tree(t, w.src)
	w.ok(run, "")
	for _, name := range []string{"small", "large", "bad", "link"} {
		at := filepath.Join(w.target, "src", name)
		temp := filepath.Join(w.target, "src", restore.TempName(w.version(run, name), name))
		w.must(os.Rename(at, temp))
		if name == "bad" {
			w.must(os.WriteFile(temp, []byte("evil"), 0o600))
		}
		if name == "small" {
			w.must(os.Chmod(temp, 0o600))
		}
	}
	w.srv.ResetStats()
	w.ok(run, "")
	w.same(want)
	if got := w.srv.Stats().ContentOut; got != int64(len("good")) {
		t.Errorf("%d bytes were fetched", got)
	}
}

// TestOverlap: selections that overlap bring each file once, also while it is
// under way.
func TestOverlap(t *testing.T) {
	w := newWorld(t, drivetest.Options{})
	var bytes int64
	for i := range 40 {
		w.write(fmt.Sprint("d/", i), fmt.Sprint("file ", i))
		bytes += int64(len(fmt.Sprint("file ", i)))
	}
	run := w.backup()
	known, err := manifest.OpenReader(w.manifest)
	w.must(err)
	defer known.Close()
	src := filepath.Join(w.target, "src")
	what := []restore.Selection{{Path: w.path("d"), Into: src}}
	for i := range 40 {
		what = append(what, restore.Selection{Path: w.path(fmt.Sprint("d/", i)), Into: filepath.Join(src, "d")})
	}
	what = append(what, what[0])
	w.srv.ResetStats()
	r := &restore.Restore{View: known.At(run), Drive: w.drive(), Transfers: 8, Log: discard, Now: w.Now}
	sum, err := r.Run(t.Context(), what)
	if err != nil || !sum.Complete() || sum.Files[restore.Restored] != 40 || sum.Files[restore.Present] != 80 {
		t.Errorf("%v, %+v", err, sum)
	}
	if got := w.srv.Stats().ContentOut; got != bytes {
		t.Errorf("%d bytes were fetched of %d", got, bytes)
	}
	if d := len(tree(t, src)); d != 41 {
		t.Errorf("%d files and folders are there", d)
	}
}
