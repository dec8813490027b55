package restore_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/internal/ignore"
	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/internal/restore"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
	"github.com/autocloudbackup/acb/scan"
)

// A world is a source folder that was backed up, and a target.
type world struct {
	t           testing.TB
	src, target string
	manifest    string
	srv         *drivetest.Server
	overwrite   bool
	inside      bool // the target is what the source folder was
	dryRun      bool
	segment     int64 // of large files; 0 leaves it
	watch       func(restore.Result)
	bend        func(*http.Request, []byte) // changes what Drive answers

	mu    sync.Mutex
	ahead time.Duration // what remote has slept
}

func newWorld(t testing.TB, o drivetest.Options) *world {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, src: filepath.Join(dir, "src"), target: filepath.Join(dir, "target"), manifest: filepath.Join(dir, "manifest.db")}
	w.must(os.Mkdir(w.src, 0o755))
	o.NoSHA = true
	w.srv = drivetest.Start(o)
	t.Cleanup(func() { w.srv.Close() })
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) Sleep(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += max(d, 0)
	return ctx.Err()
}

func (w *world) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

func (w *world) drive() *remote.Drive {
	client := *w.srv.Client()
	if w.bend != nil {
		client.Transport = bender{client.Transport, w.bend}
	}
	d, err := remote.New(remote.Options{
		Endpoint: w.srv.URL, Client: &client, Folder: "Auto Cloud Backup", Host: "laptop",
		Installation: "inst-1", Now: w.Now, Sleep: w.Sleep,
	})
	w.must(err)
	return d
}

// A bender changes the answers on their way.
type bender struct {
	http.RoundTripper
	bend func(*http.Request, []byte)
}

func (b bender) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if len(body) > 0 {
		b.bend(req, body)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, err
}

// backup makes a run that must end well, and returns its number.
func (w *world) backup() manifest.RunID {
	w.t.Helper()
	store, err := manifest.Open(w.manifest)
	w.must(err)
	defer store.Close()
	b := &backup.Backup{
		Scan:   scan.Options{Now: func() time.Time { return time.Now().Add(time.Hour) }, Rehash: -1},
		Limits: plan.Options{MaxDelete: 1, MaxModify: 1}, Store: store, Drive: w.drive(),
		Log: discard, TokenRequests: func() int64 { return 0 },
		Sources: []scan.Source{{Path: w.path(""), Root: w.src, Rules: ignore.New(w.src, "acb.toml", nil)}},
	}
	sum, err := b.Run(w.t.Context(), backup.Request{})
	if err != nil || len(sum.Conditions) > 0 {
		w.t.Fatalf("backup: %v, %v, %v", err, sum.Conditions, sum.Failures)
	}
	return manifest.RunID(sum.Run)
}

// path is where a file of the source is in the manifest.
func (w *world) path(rel string) manifest.Path {
	p, err := scan.PathOf(filepath.Join(w.src, filepath.FromSlash(rel)))
	w.must(err)
	return p
}

// restore brings back parts of the source as they were after a run, into the target.
func (w *world) restore(ctx context.Context, run manifest.RunID, rels ...string) (*restore.Summary, error) {
	w.t.Helper()
	known, err := manifest.OpenReader(w.manifest)
	w.must(err)
	defer known.Close()
	r := &restore.Restore{
		View: known.At(run), Drive: w.drive(), Transfers: 3, Overwrite: w.overwrite, DryRun: w.dryRun,
		Log: discard, Now: w.Now, Watch: w.watch, Part: w.segment,
	}
	var what []restore.Selection
	for _, rel := range rels {
		what = append(what, restore.Selection{Path: w.path(rel), Into: w.target, Inside: w.inside})
	}
	return r.Run(ctx, what)
}

// ok is a restore that must bring back all.
func (w *world) ok(run manifest.RunID, rels ...string) *restore.Summary {
	w.t.Helper()
	sum, err := w.restore(w.t.Context(), run, rels...)
	if err != nil || !sum.Complete() {
		w.t.Fatalf("restore: %v, %+v", err, sum)
	}
	return sum
}

// version is what was at a path after a run.
func (w *world) version(run manifest.RunID, rel string) manifest.Version {
	w.t.Helper()
	known, err := manifest.OpenReader(w.manifest)
	w.must(err)
	defer known.Close()
	_, v, found, err := known.At(run).Lookup(w.path(rel))
	if err != nil || !found || v == nil {
		w.t.Fatalf("%s after run %d: %v, %v", rel, run, found, err)
	}
	return *v
}

func (w *world) idOf(run manifest.RunID, rel string) manifest.FileID {
	return w.version(run, rel).FileID
}

var discard = slog.New(slog.DiscardHandler)

func (w *world) write(rel, content string) {
	w.t.Helper()
	at := filepath.Join(w.src, filepath.FromSlash(rel))
	w.must(os.MkdirAll(filepath.Dir(at), 0o755))
	w.must(os.WriteFile(at, []byte(content), 0o644))
}

// tree draws a folder: kind, mode, time and content of all in it.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		st, err := os.Lstat(p)
		if err != nil {
			return err
		}
		line := fmt.Sprint(st.Mode(), " ", st.ModTime().UnixNano())
		switch {
		case st.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(p)
			if err != nil {
				return err
			}
			line += " -> " + to
		case st.Mode().IsRegular():
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			if len(b) > 64 {
				b = fmt.Appendf(nil, "%d bytes, %x", len(b), sumOf(b))
			}
			line += " " + string(b)
		}
		rel, _ := filepath.Rel(dir, p)
		out[filepath.ToSlash(rel)] = line
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// same compares the target with a tree.
func (w *world) same(want map[string]string) {
	w.t.Helper()
	if d := cmp.Diff(want, tree(w.t, filepath.Join(w.target, "src"))); d != "" {
		w.t.Errorf("-want +got:\n%s", d)
	}
}

// text is content of so many bytes.
func text(n int, seed string) string { return strings.Repeat(seed, n/len(seed)+1)[:n] }
