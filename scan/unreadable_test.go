//go:build linux

package scan_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/scan"
)

// TestUnreadableForGood: a file that can never be read is told in each run, and
// keeps others from being trashed only where they may have come to its place.
func TestUnreadableForGood(t *testing.T) {
	const tree = "mkdir d; echo 1 >d/gone; echo 22 >d/stays; echo 333 >locked"
	for _, c := range []struct {
		name, edit string
		cause      error
		goes       bool // d/gone, on Drive as well
	}{
		{"as it was", "chmod 600 locked; rm d/gone", syscall.EACCES, true},
		{"as it was, on a bad sector", "chmod 600 locked; rm d/gone", syscall.EIO, true},
		{"changed", "echo 4444 >locked; rm d/gone", syscall.EACCES, false},
		{"another one", "cp -p locked l; mv l locked; rm d/gone", syscall.EACCES, false},
		{"looks like the one that is gone", "chmod 600 locked; echo 444 >d/gone; touch -r locked d/gone", syscall.EACCES, false},
		{"new", "echo 55555 >d/locked; rm d/gone", syscall.EACCES, true},
		{"new, on a bad sector", "echo 55555 >d/locked; rm d/gone", syscall.EIO, false},
		{"the one that is gone", "mv d/gone d/locked", syscall.EACCES, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := time.Now()
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, now, tree)
				run := func(code int) {
					t.Helper()
					if sum, err := h.run(); err != nil || sum.ExitCode() != code {
						t.Errorf("exit code %d, want %d: %v, %v", sum.ExitCode(), code, err, sum.Failures)
					}
				}
				run(0)
				h.sh(c.edit)
				if c.name == "looks like the one that is gone" {
					run(0)
					h.sh("chmod 644 locked; rm d/gone")
				}
				end := scan.FailOpen(h.root, "locked", c.cause)
				for range 2 {
					run(3)
					if _, there := h.onDrive()["d/gone"]; there == c.goes {
						t.Errorf("on Drive: %q", slices.Sorted(maps.Keys(h.onDrive())))
					}
				}
				end()
				run(0)
				for _, d := range h.differences() {
					t.Error(d)
				}
			})
		})
	}
}

// TestIncompleteSettles: what the guards compare with is known as well after
// runs of which none could save all.
func TestIncompleteSettles(t *testing.T) {
	now := time.Now()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, now, "mkdir d; for i in $(seq 408); do echo $i >d/$i; done; echo 1 >locked")
		h.most = 0.25
		defer scan.FailOpen(h.root, "locked", syscall.EACCES)()
		run := func(code int, deleted int64) {
			t.Helper()
			if sum, err := h.run(); err != nil || sum.ExitCode() != code || sum.Counts.Deleted != deleted {
				t.Errorf("exit code %d, %d deleted, want %d, %d: %v, %v", sum.ExitCode(), sum.Counts.Deleted, code, deleted, err, sum.Held)
			}
		}
		run(3, 0)
		r, err := manifest.OpenReader(filepath.Join(h.dir, "manifest.db"))
		h.must(err)
		defer r.Close()
		if known, err := r.Sources(); err != nil || len(known) != 1 || known[0].FS == 0 {
			t.Errorf("sources: %+v, %v", known, err)
		}
		h.sh("for i in $(seq 102); do rm d/$i; done")
		run(3, 102)
		h.sh("for i in $(seq 103 204); do rm d/$i; done")
		run(4, 0) // a third of what is left
		h.sh("for i in $(seq 150 204); do echo $i >d/$i; done")
		run(3, 47)
	})
}

// TestClosedFolder: a new folder that may not be read may hold what has left its
// place, unless it is somebody else's or the system's.
func TestClosedFolder(t *testing.T) {
	for _, c := range []struct {
		name, prepare string
		cause         error
		goes          bool // what was moved into it, on Drive
	}{
		{"one's own", "true", syscall.EACCES, false},
		{"one's own, kept by the system", "true", syscall.EPERM, true},
		{"somebody else's", "chown 12345 n", syscall.EACCES, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.HasPrefix(c.prepare, "chown") && os.Geteuid() != 0 {
				t.Skip("SKIPPED: only root gives a folder to somebody else")
			}
			now := time.Now()
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, now, "mkdir d; echo 1 >d/goes; echo 22 >d/stays")
				if _, err := h.run(); err != nil {
					t.Fatal(err)
				}
				h.sh("mkdir n; mv d/goes n/here; " + c.prepare)
				end := scan.FailOpenFolder(h.root, "n", c.cause)
				sum, err := h.run()
				if err != nil || sum.ExitCode() != 3 {
					t.Errorf("exit code %d, %v", sum.ExitCode(), err)
				}
				if _, there := h.onDrive()["d/goes"]; there == c.goes {
					t.Errorf("on Drive: %q", slices.Sorted(maps.Keys(h.onDrive())))
				}
				end()
				if _, err := h.run(); err != nil {
					t.Error(err)
				}
				for _, d := range h.differences() {
					t.Error(d)
				}
			})
		})
	}
}
