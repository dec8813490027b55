//go:build linux

package scan_test

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
	"github.com/autocloudbackup/acb/scan"
)

// A house is a folder that is backed up, on a disk that fails.
type house struct {
	t    *testing.T
	root string
	dir  string // holds the manifest
	srv  *drivetest.Server
	now  time.Time
	most float64 // of its files, the share that may be deleted at once
}

// newHouse makes a house in a bubble of testing/synctest. now is the time
// outside.
func newHouse(t *testing.T, now time.Time, script string) *house {
	t.Helper()
	h := &house{t: t, root: t.TempDir(), now: now, most: 1, srv: drivetest.Pipe(drivetest.Options{NoSHA: true})}
	t.Cleanup(func() { h.srv.Close() })
	var err error
	if h.dir, err = os.MkdirTemp("/dev/shm", "acb-test-"); err != nil { // memory, where there is such a thing: it is written often
		h.dir = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(h.dir) })
	h.sh(script)
	return h
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) sh(script string) {
	h.t.Helper()
	cmd := exec.Command("sh", "-eu", "-c", script)
	cmd.Dir = h.root
	if out, err := cmd.CombinedOutput(); err != nil {
		h.t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// run makes one backup.
func (h *house) run() (*backup.Summary, error) {
	h.t.Helper()
	store, err := manifest.Open(filepath.Join(h.dir, "manifest.db"))
	h.must(err)
	defer func() { h.must(store.Close()) }()
	log := slog.New(slog.DiscardHandler)
	drive, err := remote.New(remote.Options{
		Endpoint: h.srv.URL, Client: h.srv.Client(), Folder: "top", Host: "host", Installation: "inst-1", Now: time.Now, Log: log,
	})
	h.must(err)
	p, err := scan.PathOf(h.root)
	h.must(err)
	b := &backup.Backup{
		Sources: []scan.Source{{Path: p, Root: h.root}},
		Scan:    scan.Options{Now: func() time.Time { return h.now.Add(time.Hour) }, Rehash: -1, Walkers: 1},
		Limits:  plan.Options{MaxDelete: h.most, MaxModify: 1},
		Store:   store, Drive: drive, Log: log, TokenRequests: func() int64 { return 0 },
	}
	return b.Run(h.t.Context(), backup.Request{})
}

// onDisk returns the MD5 of each file and symlink, and "" for folders.
func (h *house) onDisk() map[string]string {
	h.t.Helper()
	sums := make(map[string]string)
	h.must(filepath.WalkDir(h.root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == h.root {
			return err
		}
		rel := p[len(h.root)+1:]
		var content []byte
		switch {
		case d.IsDir():
			sums[rel] = ""
			return nil
		case d.Type()&fs.ModeSymlink != 0:
			var to string
			if to, err = os.Readlink(p); err == nil {
				rel, content = rel+".rclonelink", []byte(to)
			}
		default:
			content, err = os.ReadFile(p)
		}
		sum := md5.Sum(content)
		sums[rel] = hex.EncodeToString(sum[:])
		return err
	}))
	return sums
}

// onDrive is onDisk of what Drive holds.
func (h *house) onDrive() map[string]string {
	sums := make(map[string]string)
	for p, n := range h.srv.Tree("root") {
		if rel, ok := strings.CutPrefix(p, "top/host"+h.root+"/"); ok {
			sums[rel] = n.MD5
		}
	}
	return sums
}

// differences lists what is not the same on disk and on Drive.
func (h *house) differences() (all []string) {
	disk, drive := h.onDisk(), h.onDrive()
	for p, sum := range disk {
		if got, ok := drive[p]; !ok || got != sum {
			all = append(all, fmt.Sprintf("%s is %q on disk, %q on Drive (there: %v)", p, sum, got, ok))
		}
	}
	for p := range drive {
		if _, ok := disk[p]; !ok {
			all = append(all, p+" is on Drive only")
		}
	}
	return all
}

// TestRunFaults fails every call of a run to the file system in turn: each
// open, stat, listing and reading, while it scans, hashes and sends. Whatever
// was saved and is on disk stays on Drive, nothing is in the bin because of
// it, the summary does not say that all is well, and the next run puts it right.
func TestRunFaults(t *testing.T) {
	const tree = `
mkdir -p a/sub/low b/sub deep/er/est
echo 1 >a/one; echo 22 >a/two; echo 333 >a/sub/three; echo 4444 >a/sub/low/four
echo 55555 >b/five; echo 666666 >b/sub/six
echo 7777777 >deep/seven; echo 88888888 >deep/er/eight; echo 999999999 >deep/er/est/nine
ln -s one a/link; echo '*.o' >b/.acbignore`
	edits := map[string]string{
		"first run":         "",
		"unchanged":         "true",
		"created":           "mkdir n; echo new >n/new; ln -s x n/l; echo same >b/new",
		"changed":           "echo changed >a/one; echo 55556 >b/five; rm a/link; ln -s two a/link; touch -d @1600000000 b/sub/six",
		"moved":             "mv a c; mv deep/er b/; mv b/five deep/5; mkdir n; mv deep/seven n/7",
		"moved and changed": "mv a/one one; mv deep/seven a/one; echo 7 >>a/one; mv b c; echo x >c/five",
		"deleted":           "rm -r a; rm deep/seven deep/er/eight; echo new >new",
		"replaced":          "rm -r a; echo a file >a; rm deep/seven; mkdir deep/seven; echo in >deep/seven/in",
	}
	for name, edit := range edits {
		for i, cause := range []error{syscall.EIO, syscall.EACCES, syscall.ENOENT, syscall.ESTALE} {
			t.Run(fmt.Sprintf("%s/%v", name, cause), func(t *testing.T) {
				t.Parallel()
				first, step := int64(0), int64(1)
				switch {
				case os.Getenv("ACB_SEEDS") != "": // make soak
				case testing.Short():
					first, step = int64(i), 11
				case cause != syscall.EIO:
					first, step = int64(i), 4
				}
				now := time.Now()
				for n, did := first, "a call"; did != "" && !t.Failed(); n += step { // until all calls have failed once
					synctest.Test(t, func(t *testing.T) {
						h := newHouse(t, now, tree)
						if edit != "" {
							_, err := h.run()
							h.must(err)
							if d := h.differences(); len(d) > 0 {
								t.Fatal(d)
							}
							h.sh(edit)
						}
						did = h.fail(n, cause)
						if t.Failed() {
							t.Fatalf("call %d, %s: %v", n, did, cause)
						}
					})
				}
			})
		}
	}
}

// fail makes a run whose nth call fails, and one whose calls do not.
func (h *house) fail(n int64, cause error) (call string) {
	h.t.Helper()
	did, end := scan.FailNth(h.root, n, cause)
	sum, err := h.run()
	end()
	if err != nil {
		h.t.Errorf("the run ended early: %v", err)
	}
	h.nothingBinned()
	if d := h.differences(); len(d) > 0 && sum.ExitCode() == 0 && cause != syscall.ENOENT {
		h.t.Errorf("exit code 0, and yet: %v", d)
	}
	if sum, err = h.run(); err != nil || sum.ExitCode() != 0 {
		h.t.Errorf("the run after it: %v, %v", err, sum.Conditions)
	}
	for _, d := range h.differences() {
		h.t.Errorf("after the run after it: %s", d)
	}
	return did()
}

// nothingBinned demands that nothing is in the bin that is on disk, wherever
// that may be, and not on Drive otherwise.
func (h *house) nothingBinned() {
	h.t.Helper()
	live, disk := make(map[string]bool), make(map[string]string)
	for _, sum := range h.onDrive() {
		live[sum] = true
	}
	for p, sum := range h.onDisk() {
		disk[sum] = p
	}
	for p, n := range h.srv.TreeWithTrash("root") {
		if at, there := disk[n.MD5]; n.Trashed && n.MD5 != "" && there && !live[n.MD5] {
			h.t.Errorf("%s is in the bin, and on disk as %s", p, at)
		}
	}
}
