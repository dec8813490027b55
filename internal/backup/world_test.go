package backup_test

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/internal/ignore"
	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
	"github.com/autocloudbackup/acb/scan"
)

const (
	topName      = "Auto Cloud Backup"
	hostName     = "laptop"
	installation = "inst-1"
)

// A world is a disk with sources, a manifest and a Drive. Each run opens the
// manifest and the Drive anew, as a process of its own would.
type world struct {
	t        testing.TB
	dir      string   // holds the sources
	sources  []string // absolute
	manifest string   // file
	srv      *drivetest.Server
	limits   plan.Options
	rules    []string // ignore lines of the configuration
	req      backup.Request
	settle   time.Duration
	now      func() time.Time                    // the scan's clock
	log      slog.Handler                        // nil: none
	signIn   func() (*http.Client, func() int64) // for one run; nil: the look-alike's own client
	days     int                                 // that due has let pass

	copyLimit  int64 // of the manifest's copy on Drive
	binding    backup.Binding
	checkDrive time.Duration // how often Drive is asked what others did

	watch func() // is told of each request

	mu    sync.Mutex
	ahead time.Duration // what remote has slept

	fake   func() time.Time // the machine's clock in a bubble; nil outside
	jumped atomic.Int64     // by how much it is off, nanoseconds
}

// later stands an hour ahead, so that no time stamp is too young.
func later() time.Time { return time.Now().Add(time.Hour) }

// newWorld makes a world with one empty source folder per name.
func newWorld(t testing.TB, o drivetest.Options, names ...string) *world {
	t.Helper()
	o.NoSHA = true
	return emptyWorld(t, drivetest.Start(o), realDir(t, t.TempDir()), names)
}

func emptyWorld(t testing.TB, srv *drivetest.Server, dir string, names []string) *world {
	t.Helper()
	w := &world{
		t: t, dir: dir, limits: plan.Options{MaxDelete: 0.25, MaxModify: 0.5},
		manifest: filepath.Join(fastDir(t), "manifest.db"), now: later, srv: srv,
	}
	t.Cleanup(func() {
		srv.Close()
		srv, w.srv = nil, nil // testing keeps what was to be cleaned up until all seeds are done
	})
	for _, n := range names {
		w.sources = append(w.sources, filepath.Join(w.dir, n))
		w.must(os.MkdirAll(filepath.Join(w.dir, n), 0o755))
	}
	return w
}

// realDir resolves what temporary folders are links to, on some systems.
func realDir(t testing.TB, dir string) string {
	t.Helper()
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	return real
}

// fastDir returns a temporary folder in memory where there is one: a manifest
// is made durable often, and where these tests lose power, a platter knows
// what the disk would have had.
func fastDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "acb-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// Sleep takes no time but moves remote's clock on.
func (w *world) Sleep(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += max(d, 0)
	return ctx.Err()
}

// Now is remote's clock.
func (w *world) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

// open makes a Backup for one run. change may change it.
func (w *world) open(store *manifest.Store, change ...func(*backup.Backup)) *backup.Backup {
	w.t.Helper()
	log := slog.New(slog.DiscardHandler)
	if w.log != nil {
		log = slog.New(w.log)
	}
	opts := remote.Options{
		Endpoint: w.srv.URL, Client: w.srv.Client(), Folder: topName, Host: hostName,
		Installation: installation, Transfers: 2, Now: w.Now, Sleep: w.Sleep, Log: log,
	}
	tokens := func() int64 { return 0 }
	if w.fake != nil {
		opts.Now, opts.Sleep = w.fake, nil
	}
	if w.signIn != nil {
		opts.Client, tokens = w.signIn()
	}
	drive, err := remote.New(opts)
	w.must(err)
	b := &backup.Backup{
		Scan:   scan.Options{Now: w.now, Settle: w.settle, Rehash: -1},
		Limits: w.limits, Store: store, Drive: drive, Log: log, TokenRequests: tokens,
		CopyLimit: w.copyLimit, Binding: w.binding, CheckDrive: w.checkDrive,
	}
	for _, s := range w.sources {
		p, err := scan.PathOf(s)
		w.must(err)
		var patterns []ignore.Pattern
		for i, l := range w.rules {
			pattern, err := ignore.NewPattern(l, l, i+1)
			w.must(err)
			patterns = append(patterns, pattern)
		}
		b.Sources = append(b.Sources, scan.Source{Path: p, Root: s, Rules: ignore.New(s, "acb.toml", patterns)})
	}
	for _, f := range change {
		f(b)
	}
	return b
}

// run makes one run, with the manifest opened before and closed after it.
func (w *world) run(ctx context.Context, change ...func(*backup.Backup)) (*backup.Summary, error) {
	w.t.Helper()
	return w.request(ctx, w.req, change...)
}

func (w *world) request(ctx context.Context, req backup.Request, change ...func(*backup.Backup)) (*backup.Summary, error) {
	w.t.Helper()
	store, err := manifest.Open(w.manifest)
	w.must(err)
	b := w.open(store, change...)
	sum, err := b.Run(ctx, req)
	w.must(store.Close())
	return sum, err
}

// ok makes a run that must end without any condition.
func (w *world) ok(change ...func(*backup.Backup)) *backup.Summary {
	w.t.Helper()
	sum, err := w.run(w.t.Context(), change...)
	if err != nil || len(sum.Conditions) > 0 {
		w.t.Fatalf("run: %v, conditions %v, failures %v, held %v, unsaved %v", err, sum.Conditions, sum.Failures, sum.Held, sum.Unsaved)
	}
	return sum
}

// quiet makes a run that must find nothing to do.
func (w *world) quiet() {
	w.t.Helper()
	before := w.srv.Stats().Total()
	sum := w.ok()
	if n := w.srv.Stats().Total() - before; n != 0 || sum.Counts.Requests != 0 {
		w.t.Errorf("unchanged, yet %d requests (%d by acb's count): %v", n, sum.Counts.Requests, lastRequests(w.srv, n))
	}
}

// lastRequests names the last n requests.
func lastRequests(srv *drivetest.Server, n int) string {
	var b strings.Builder
	log := srv.Log()
	for _, r := range log[max(0, len(log)-n):] {
		b.WriteString("\n\t" + r.Method + " " + r.Path)
		for _, p := range r.Parts {
			b.WriteString("\n\t\t" + p.Method + " " + p.Path)
		}
	}
	return b.String()
}

// path returns the absolute path of a slash-separated one below the world.
func (w *world) path(rel string) string { return filepath.Join(w.dir, filepath.FromSlash(rel)) }

// write writes a file, and the folders above it.
func (w *world) write(rel, content string) {
	w.t.Helper()
	w.must(os.MkdirAll(filepath.Dir(w.path(rel)), 0o755))
	w.must(os.WriteFile(w.path(rel), []byte(content), 0o644))
}

func (w *world) rename(from, to string) {
	w.t.Helper()
	w.must(os.MkdirAll(filepath.Dir(w.path(to)), 0o755))
	w.must(os.Rename(w.path(from), w.path(to)))
}

func (w *world) remove(rel string) {
	w.t.Helper()
	w.must(os.RemoveAll(w.path(rel)))
}

// meta changes what the manifest keeps beside the tree.
func (w *world) meta(values map[string]string) {
	w.t.Helper()
	store, err := manifest.Open(w.manifest)
	w.must(err)
	w.must(store.SetMeta(values))
	w.must(store.Close())
}
