//go:build !windows

package restore_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/autocloudbackup/acb/internal/restore"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// asNobody runs the test again as a user who may not do everything, and
// reports whether it has, which it does for root.
func asNobody(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return false
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	copied := filepath.Join(dir, "test")
	if err := os.WriteFile(copied, content, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(copied, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir, cmd.Env = "/", append(os.Environ(), "TMPDIR=/tmp")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("as another user: %v\n%s", err, out)
	}
	return true
}

// TestAboveUnwritable brings a folder back into one that its owner may not write
// to, as that of all homes: what is in it comes, and only what would have to be
// made beside it does not.
func TestAboveUnwritable(t *testing.T) {
	if asNobody(t) {
		return
	}
	w := newWorld(t, drivetest.Options{})
	above := filepath.Join(filepath.Dir(w.src), "above")
	w.src, w.target = filepath.Join(above, "src"), above // in place
	w.write("a", "one")
	w.write("d/b", "two")
	run := w.backup()
	want := tree(t, w.src)
	same := func() {
		t.Helper()
		got := tree(t, w.src)
		got["d"] = want["d"] // was there, and has news in it
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	}
	gone := filepath.Join(w.src, "d/b")
	w.must(os.Remove(gone))
	w.must(os.Chmod(above, 0o555))
	t.Cleanup(func() { os.Chmod(above, 0o755); os.Chmod(w.src, 0o755) })
	w.ok(run, "")
	same()

	// Likewise what was directly below the root, or on a drive.
	w.must(os.Remove(gone))
	w.must(os.Remove(filepath.Join(w.src, "a")))
	w.must(os.Chmod(w.src, 0o555))
	w.target, w.inside = w.src, true
	sum, err := w.restore(t.Context(), run, "")
	if err != nil || sum.Files[restore.Restored] != 1 || sum.Files[restore.Failed] != 1 {
		t.Errorf("%v, %+v", err, sum)
	}
	if _, err := os.Stat(gone); err != nil {
		t.Error(err)
	}
	w.must(os.Chmod(w.src, 0o755))
	w.ok(run, "")
	same()
	w.target, w.inside = above, false

	w.must(os.Chmod(above, 0o755))
	w.must(os.RemoveAll(w.src))
	w.must(os.Chmod(above, 0o555))
	for _, rel := range []string{"", "a"} {
		if _, err := w.restore(t.Context(), run, rel); err == nil || !strings.Contains(err.Error(), "write to the target: ") {
			t.Errorf("%q into a folder that is read-only: %v", rel, err)
		}
	}
}
