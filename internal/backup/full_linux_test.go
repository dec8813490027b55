package backup_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// smallDisk mounts a disk of so many bytes in memory, which takes root.
func smallDisk(t testing.TB, bytes string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("acb-test", dir, "tmpfs", 0, "size="+bytes); err != nil {
		t.Skipf("SKIPPED: a small disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// leave fills a disk but for so many bytes, and returns what fills it.
func leave(t testing.TB, dir string, bytes int64) string {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	if n := int64(st.Bavail)*st.Bsize - bytes; n > 0 {
		if err := os.WriteFile(ballast, make([]byte, n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return ballast
}

// TestDiskFull lets the disk of the state folder become full at every point of
// a run: opening, journal, commit, folding, copy. The run ends with an error
// that says so and what to do; with room again, the next one mends all, and
// sends nothing again that Drive has.
func TestDiskFull(t *testing.T) {
	for _, first := range []bool{true, false} {
		full, copies := 0, 0
		for free := int64(0); ; free += 16 << 10 {
			w := newWorld(t, drivetest.Options{}, "docs")
			everything(w)
			ids := w.items()
			if !first {
				w.ok()
				ids = w.items()
				everythingElse(w)
			}
			dir := smallDisk(t, "3m")
			state := filepath.Join(dir, "state")
			if !first {
				w.must(copyState(filepath.Dir(w.manifest), state))
			}
			w.manifest = filepath.Join(state, "manifest.db")
			ballast := leave(t, dir, free)
			notCopied, err := w.tryRun()
			w.must(os.Remove(ballast))
			for _, text := range []string{errText(err), notCopied} {
				if text != "" && !(strings.Contains(text, dir) && (strings.Contains(text, "full") || strings.Contains(text, "no space left"))) {
					t.Errorf("unexplained: %s", text)
				}
			}
			w.mended(ids)
			if t.Failed() {
				t.Fatalf("first run %v, %d bytes free: %v", first, free, err)
			}
			w.srv.Close()
			if err != nil {
				full++
			} else if notCopied != "" {
				copies++
			} else if full > 0 {
				break
			}
		}
		if full < 3 || copies == 0 {
			t.Errorf("first run %v: the disk was full %d times in the run, %d times in the copy", first, full, copies)
		}
	}
}

// tryRun is run, but for the error of opening the manifest, which it returns.
func (w *world) tryRun() (notCopied string, err error) {
	store, err := manifest.Open(w.manifest)
	if err != nil {
		return "", err
	}
	sum, err := w.open(store).Run(context.Background(), backup.Request{})
	if closeErr := store.Close(); err == nil {
		err = closeErr
	}
	return sum.NotCopied, err
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
