package backup_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// TestRebuildLag: what a listing lacks is looked up where something tells of it.
func TestRebuildLag(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.named()
	w.fill("docs/d", 3)
	w.ok()
	w.srv.SetListLag(time.Hour, 0)
	w.write("docs/d/e/new", "not listed yet")
	w.write("docs/d/f001", "changed")
	w.ok()
	// The copy is of after that run.
	w.must(manifest.Copy(w.manifest, manifest.CopyPath(w.manifest), time.Now()))
	w.forget(true)
	made, err := w.rebuild()
	w.must(err)
	if made.Dropped != 0 || made.Files != 4 {
		t.Errorf("%+v", made.Relisted)
	}
	w.sendsNothing()
}

// TestRebuildFaults: whatever request fails, there is the old manifest or the
// new one, and a rebuild that is made again ends right.
func TestRebuildFaults(t *testing.T) {
	for _, e := range append(effects[:len(effects):len(effects)], drivetest.Unavailable) {
		t.Run(e.String(), func(t *testing.T) {
			t.Parallel()
			fault := drivetest.At
			if e == drivetest.Unavailable { // and stays so
				fault = drivetest.From
			}
			for n, more := 0, true; more; n++ {
				inBubble(t, func(t *testing.T, clock func() time.Time) {
					w := fakeWorld(t, clock, drivetest.Options{Seed: uint64(n + 1)}, "docs")
					w.named()
					w.copyLimit = 1 << 20
					w.fill("docs/d", 3)
					w.ok()
					w.write("docs/d/new", "after the copy")
					w.ok()
					w.must(os.Truncate(w.manifest, 0))
					w.must(discard(manifest.CopyPath(w.manifest)))
					w.srv.Inject(fault(n, e))
					_, err := w.rebuild()
					more = w.srv.Calls() > n
					w.srv.Inject(nil)
					left, globErr := filepath.Glob(w.manifest + ".rebuilt*")
					w.must(globErr)
					if len(left) > 0 {
						t.Errorf("left lying about: %v", left)
					}
					if err != nil {
						if _, err := w.rebuild(); err != nil {
							t.Errorf("again: %v", err)
						}
					}
					w.sendsNothing()
					if t.Failed() {
						t.Fatalf("request %d; %v", n, err)
					}
				})
			}
		})
	}
}

func discard(file string) error {
	if err := os.Remove(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// TestRebuildAfterKill makes the manifest anew after a run that died at any
// request. The next scan makes nothing twice.
func TestRebuildAfterKill(t *testing.T) {
	for _, firstRun := range []bool{true, false} {
		for _, keepCopy := range []bool{true, false} {
			for n := 0; ; n++ {
				w := newWorld(t, drivetest.Options{}, "docs")
				w.named()
				w.write("docs/d/f", "the file")
				w.write("docs/d/g", "its neighbour")
				w.write("docs/e/h", "elsewhere")
				if !firstRun {
					w.ok()
					w.write("docs/d/f", "edited")
					w.write("docs/new/deep/f", "new")
					w.rename("docs/d/g", "docs/new/g")
					w.rename("docs/d", "docs/dd")
					w.remove("docs/e/h")
				}
				hit := w.killAfter(n)
				if !keepCopy {
					w.forget(false)
				}
				if _, err := w.rebuild(); err != nil && w.srv.Stats().ContentIn > 0 {
					t.Errorf("rebuild: %v", err)
				}
				w.named()
				w.limits.Allow = true
				w.ok()
				w.compare()
				w.quiet()
				if t.Failed() {
					t.Fatalf("first %v, copy %v, killed at %d", firstRun, keepCopy, n)
				}
				w.srv.Close()
				if !hit {
					break
				}
			}
		}
	}
}

// TestRebuildStopsOthers: the state folder that a rebuild took over from is
// stopped; a rebuild in the middle of its run does not take half of that.
func TestRebuildStopsOthers(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.fill("docs", 3)
	w.ok()
	other := w.clone()
	w.forget(false)
	_, err := w.rebuild()
	w.must(err)
	w.write("docs/new", "new")
	other.stopped()
	w.ok()
	w.compare()
	other = w.clone()
	w.write("docs/more", "more")
	begin := w.srv.Stats().Total()
	w.srv.OnRequest(func(i int, _ drivetest.Info) {
		if i-begin == 2 { // the host folder was found, nothing is listed yet
			other.ok()
		}
	})
	w.forget(false)
	if _, err := w.rebuild(); err == nil || !strings.Contains(err.Error(), "another acb is writing") {
		t.Errorf("rebuilt beside a run: %v", err)
	}
	w.srv.OnRequest(nil)
	_, err = w.rebuild()
	w.must(err)
	w.sendsNothing()
}
