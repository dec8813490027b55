package backup_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// A mishap is something that happens to a run at its request n.
type mishap struct {
	name string
	// run makes a run to which it happens, and reports whether there was a
	// request n.
	run func(w *world, n int) (hit bool)
}

// effects are the ways in which a request can go wrong.
var effects = []drivetest.Effect{
	drivetest.Refuse(500, "internalError"), drivetest.LostAs(500), drivetest.Cut, drivetest.Lost, drivetest.Torn, drivetest.RateLimited, drivetest.TooMany(90 * time.Second),
	drivetest.Unauthorized, drivetest.Fresh404(2), drivetest.Hang, drivetest.HangAfter,
}

// inner are those that a part of a batch can meet.
var inner = []drivetest.Effect{
	drivetest.Refuse(500, "internalError"), drivetest.LostAs(500), drivetest.RateLimited,
	drivetest.Unauthorized, drivetest.Fresh404(2), drivetest.DropPart,
}

// lasting are those that may go on until the run gives up: Drive is gone, its
// answers do not arrive, it refuses.
var lasting = []drivetest.Effect{
	drivetest.Cut, drivetest.Lost, drivetest.LostAs(500), drivetest.HangAfter, drivetest.RateLimited, drivetest.Unauthorized,
}

// mishaps are all of them.
var mishaps = allMishaps()

func allMishaps() []mishap {
	list := []mishap{
		{"killed before", (*world).killBefore}, {"killed after", (*world).killAfter}, {"cancelled", (*world).cancelAt},
	}
	add := func(faults func(n int) drivetest.Fault, calls func(*drivetest.Server) int) {
		list = append(list, mishap{faults(0).String(), func(w *world, n int) bool {
			w.t.Helper()
			w.srv.Inject(faults(n))
			defer w.srv.Inject(nil)
			if _, err := w.run(context.Background()); err != nil {
				w.t.Logf("the run ended early: %v", err)
			}
			return calls(w.srv) > n
		}})
	}
	for _, e := range effects {
		add(func(n int) drivetest.Fault { return drivetest.At(n, e) }, (*drivetest.Server).Calls)
	}
	for _, e := range lasting {
		add(func(n int) drivetest.Fault { return drivetest.From(n, e) }, (*drivetest.Server).Calls)
	}
	for _, e := range inner {
		add(func(n int) drivetest.Fault { return drivetest.InBatch(drivetest.At(n, e)) }, (*drivetest.Server).Parts)
	}
	return list
}

// cancelAt makes a run that is interrupted when request n begins, and reports
// whether there was one.
func (w *world) cancelAt(n int) (hit bool) {
	w.t.Helper()
	return w.stopAt(n, func() {})
}

// killBefore makes a run whose process dies when request n leaves: Drive hears
// of nothing any more, and of request n neither.
func (w *world) killBefore(n int) (hit bool) {
	w.t.Helper()
	return w.killAt(n, drivetest.From(n, drivetest.Cut))
}

// killAfter makes a run whose process dies once request n is on its way: Drive
// does it, and hears of nothing any more.
func (w *world) killAfter(n int) (hit bool) {
	w.t.Helper()
	return w.killAt(n, drivetest.Several(drivetest.At(n, drivetest.Lost), drivetest.From(n+1, drivetest.Cut)))
}

// killAt makes a run that dies when request n begins: the manifest is left as
// it was at that moment, whatever the process did afterwards.
func (w *world) killAt(n int, f drivetest.Fault) (hit bool) {
	w.t.Helper()
	at := fastDir(w.t)
	w.srv.Inject(f)
	hit = w.stopAt(n, func() { w.keep(copyState(filepath.Dir(w.manifest), at)) })
	w.srv.Inject(nil)
	if hit {
		if n%2 == 1 {
			w.must(tearLog(filepath.Join(at, "manifest.db-wal")))
		}
		w.restore(at)
	}
	return hit
}

// killIn makes a run that dies once the request that is the one is on its way.
func (w *world) killIn(is func(drivetest.Info) bool) (hit bool) {
	w.t.Helper()
	at := fastDir(w.t)
	hit = w.endAt(is, func() {
		w.keep(copyState(filepath.Dir(w.manifest), at))
		w.srv.Inject(drivetest.Always(drivetest.Cut))
	})
	w.srv.Inject(nil)
	if hit {
		w.restore(at)
	}
	return hit
}

// tearLog adds to a manifest's log what a power cut leaves of a write that was
// not synced: the beginning of it, and then whatever was on the disk.
func tearLog(path string) error {
	log, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || len(log) < 32+24+4096 {
		return nil
	}
	torn := append(log[32:32+24+4096:32+24+4096], make([]byte, 4096)...)
	return os.WriteFile(path, append(log, torn...), 0o600)
}

// keep notes an error from where the test cannot be ended.
func (w *world) keep(err error) {
	if err != nil {
		w.t.Error(err)
	}
}

// copyState copies the files of a manifest that may be in use, but for the
// index that SQLite makes anew.
func copyState(from, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for _, name := range []string{"manifest.db", "manifest.db-wal"} {
		content, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), content, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// restore puts a copied state in the place of the present one.
func (w *world) restore(from string) {
	w.t.Helper()
	dir := filepath.Dir(w.manifest)
	for _, name := range []string{"manifest.db", "manifest.db-wal", "manifest.db-shm"} {
		w.must(removeIfThere(filepath.Join(dir, name)))
	}
	w.must(copyState(from, dir))
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// stopAt makes a run whose context ends when request n begins, right after
// then was called.
func (w *world) stopAt(n int, then func()) (hit bool) {
	w.t.Helper()
	var seen atomic.Int64
	return w.endAt(func(drivetest.Info) bool { return seen.Add(1) > int64(n) }, then)
}

// endAt is stopAt for the first request that is the one.
func (w *world) endAt(is func(drivetest.Info) bool, then func()) (hit bool) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var once sync.Once
	w.hook(func(r drivetest.Info) {
		if is(r) {
			once.Do(func() { hit = true; then(); cancel() })
		}
	})
	_, err := w.run(ctx)
	w.srv.OnRequest(nil)
	if err != nil {
		w.t.Fatalf("interrupted: %v", err)
	}
	return hit
}

// hook has f, if any, and who watches told of each request, one at a time.
func (w *world) hook(f func(drivetest.Info)) {
	var mu sync.Mutex
	watch := w.watch
	w.srv.OnRequest(func(_ int, r drivetest.Info) {
		mu.Lock()
		defer mu.Unlock()
		if watch != nil {
			watch()
		}
		if f != nil {
			f(r)
		}
	})
}

// mended demands that one more run puts everything right, that it sends
// nothing that Drive has, that nothing is left on Drive that nobody knows, and
// that then there is nothing left to do. ids are the items before the edit.
func (w *world) mended(ids map[string]bool) {
	w.t.Helper()
	sums := make(map[string]string) // of what Drive has, half done as it may be
	for at, n := range w.srv.Tree(w.host().ID) {
		sums[strings.TrimSuffix(at, ".rclonelink")] = n.MD5
	}
	var missing, sends int64
	for path, d := range w.onDisk() {
		if d.kind != "d" && sums[path] != d.md5 {
			missing += d.size
			sends++
		}
	}
	then := w.srv.Stats()
	w.ok()
	now := w.srv.Stats()
	w.compare()
	w.quiet()
	if n := now.ContentIn - then.ContentIn; n > missing {
		w.t.Errorf("%d bytes were sent, although Drive lacked %d", n, missing)
	}
	for _, k := range []drivetest.Kind{drivetest.UploadMulti, drivetest.UploadStart} {
		sends -= int64(now.Requests[k] - then.Requests[k])
	}
	if sends < 0 {
		w.t.Errorf("%d contents were sent that Drive had", -sends)
	}
	if n := now.SentTwice - then.SentTwice; n > 0 {
		w.t.Errorf("%d bytes were sent although Drive had acknowledged them", n)
	}
	live := w.srv.Tree("root")
	known := make(map[string]bool)
	for _, n := range live {
		known[n.ID] = true
	}
	for path, n := range w.srv.TreeWithTrash("root") {
		if !known[n.ID] && !ids[n.ID] {
			w.t.Errorf("an orphan in the bin: %s", path)
		}
	}
}

// items returns the ids of all that is on Drive.
func (w *world) items() map[string]bool {
	ids := make(map[string]bool)
	for _, n := range w.srv.TreeWithTrash("root") {
		ids[n.ID] = true
	}
	return ids
}

// stride is how many cases a test goes on by: 1, and short under -short, where
// the race detector makes every run slow and the paths are what matters.
func stride(short int) int {
	if testing.Short() {
		return short
	}
	return 1
}
