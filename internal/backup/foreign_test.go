package backup_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// otherClient lets the state folder be gone and the OAuth client be another
// one: wide may read all of the Drive, else it sees what it made.
func (w *world) otherClient() (wide func(bool)) {
	w.forget(false)
	client := w.srv.AddClient("another").ID
	return func(yes bool) {
		w.signIn = func() (*http.Client, func() int64) {
			ask := drivetest.Ask{Client: client}
			if yes {
				ask.Scopes = []string{"drive.file", "drive.readonly"}
			}
			return w.srv.ClientFor(ask), func() int64 { return 0 }
		}
	}
}

// copyForeign copies what the other client made, as acb manifest adopt does.
func (w *world) copyForeign(ctx context.Context, from string) (*backup.Foreign, *backup.Summary, error) {
	w.t.Helper()
	if err := backup.MayCopyForeign(w.manifest); err != nil {
		return nil, nil, err
	}
	store, err := manifest.Open(w.manifest)
	w.must(err)
	defer func() { w.must(store.Close()) }()
	b := w.open(store)
	host, err := backup.FindForeign(ctx, b.Drive, topName, hostName, from)
	if err != nil {
		return nil, nil, err
	}
	f, err := b.ReadForeign(ctx, host)
	if err != nil {
		return nil, nil, err
	}
	if _, _, err := b.PlanForeign(f); err != nil {
		return f, nil, err
	}
	sum, err := b.CopyForeign(ctx, f)
	return f, sum, err
}

// oddTree is what a backup holds that a listing tells little of.
func (w *world) oddTree() {
	w.write("docs/a", "a")
	w.write("docs/d/e/b", "b")
	w.write("docs/d/same", "the same")
	w.write("docs/d/same too", "the same")
	w.write("docs/empty", "")
	w.must(os.Chmod(w.path("docs/a"), 0o750))
	w.must(os.Mkdir(w.path("docs/nothing in it"), 0o700))
	w.must(os.Chtimes(w.path("docs/d/e/b"), time.Unix(5, 123456789), time.Unix(5, 123456789)))
	if err := os.Symlink("d/e", w.path("docs/link")); err != nil {
		w.t.Skip("no links here: ", err)
	}
}

// TestForeign: what another client made is copied without a byte sent, and
// after the next scan, which sends none, Drive equals the disk to the
// nanosecond. The old tree is not touched, nor needed any more.
func TestForeign(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.oddTree()
	w.ok()
	wide := w.otherClient()
	top := w.srv.Tree("root")[topName].ID
	old := w.srv.Tree(top)
	wide(true)
	f, sum, err := w.copyForeign(t.Context(), "")
	if err != nil || len(sum.Conditions) > 0 || sum.Counts.Copied != 6 || len(f.Left) > 0 {
		t.Fatalf("%v, %+v, left %v", err, sum, f)
	}
	if d := cmp.Diff(old, w.srv.Tree(top)); d != "" {
		t.Errorf("the old tree was touched: -was +is:\n%s", d)
	}
	if _, _, err := w.copyForeign(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "holds a backup already") {
		t.Errorf("again: %v", err)
	}
	w.must(w.srv.Delete(top))
	wide(false)
	w.allPatched()
}

// allPatched makes the first scan after that: it sends no content, and puts
// right what a listing does not tell.
func (w *world) allPatched() {
	w.t.Helper()
	before := w.srv.Stats().ContentIn
	sum := w.ok()
	if c := sum.Counts; c.BytesSent > 0 || c.Created+c.Modified+c.Deleted+c.CreatedFolders > 0 || w.srv.Stats().ContentIn > before {
		w.t.Errorf("sent: %+v", c)
	}
	w.compare()
	w.quiet()
}

// TestForeignGuard: what the other client saved and this disk lacks was not
// seen to vanish.
func TestForeignGuard(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.fill("docs/d", 3)
	w.write("docs/a", "a")
	w.ok()
	w.otherClient()(true)
	if _, _, err := w.copyForeign(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	w.remove("docs/d")
	if sum := w.held(); sum.Counts.Deleted > 0 || sum.ExitCode() != 4 {
		t.Errorf("%+v", sum)
	}
}

// TestForeignLeft: what the new backup has otherwise stays so, and is listed.
func TestForeignLeft(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.fill("docs/d", 3)
	w.write("docs/a", "a")
	w.ok()
	wide := w.otherClient()
	ids := w.ids("docs/a", "docs/d/f001")
	wide(true)
	w.srv.Inject(drivetest.InBatch(drivetest.Nth(drivetest.Copy, 0, drivetest.Refuse(403, "cannotCopyFile"))))
	_, sum, err := w.copyForeign(t.Context(), "")
	if err != nil || !slices.Contains(sum.Conditions, backup.Incomplete) || sum.Counts.Copied != 3 || sum.Counts.Failed != 1 {
		t.Fatalf("%v, %+v", err, sum)
	}
	w.srv.Inject(nil)
	w.must(w.srv.SetContent(ids["docs/a"], []byte("other")))
	w.must(w.srv.SetContent(ids["docs/d/f001"], []byte("other")))
	f, sum, err := w.copyForeign(t.Context(), "")
	if err != nil || len(sum.Conditions) > 0 || sum.Counts.Copied != 1 || len(f.Left) == 0 {
		t.Fatalf("%v, %+v, %+v", err, sum, f)
	}
	for _, l := range f.Left {
		if !strings.Contains(l.Why, "another content") {
			t.Errorf("%+v", l)
		}
	}
}

// TestForeignIDs: copies that were under way may still arrive, so that they are
// asked for again under the ids that were reserved for them.
func TestForeignIDs(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.fill("docs", 3)
	w.ok()
	old := w.srv.Tree("root")[topName].ID
	wide := w.otherClient()
	wide(true)
	w.srv.Inject(drivetest.Only(drivetest.InBatch(drivetest.Always(drivetest.Refuse(500, "internalError"))), drivetest.Copy))
	if _, sum, err := w.copyForeign(t.Context(), ""); err == nil || sum.Counts.Failed != 3 {
		t.Fatalf("%v, %+v", err, sum)
	}
	w.srv.Inject(nil)
	store, err := manifest.Open(w.manifest)
	w.must(err)
	begun, err := store.Unsettled()
	w.must(errors.Join(err, store.Close()))
	if len(begun) != 3 {
		t.Errorf("%d begun", len(begun))
	}
	if _, sum, err := w.copyForeign(t.Context(), ""); err != nil || sum.Counts.Copied != 3 {
		t.Fatalf("%v, %+v", err, sum)
	}
	w.must(w.srv.Delete(old))
	for _, in := range begun {
		if id := w.node("docs/" + in.Name).ID; id != string(in.FileID) {
			t.Errorf("%s has id %s, begun with %s", in.Name, id, in.FileID)
		}
	}
}

// TestForeignRequests: a hundred copies a request, a thousand items a listing.
func TestForeignRequests(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.fill("docs", 1100)
	w.ok()
	w.otherClient()(true)
	folders := strings.Count(w.path("docs"), string(filepath.Separator))
	before := w.srv.Stats().Total()
	if _, sum, err := w.copyForeign(t.Context(), ""); err != nil || sum.Counts.Copied != 1100 {
		t.Fatalf("%v, %+v", err, sum)
	}
	// Each level is listed, and made; the tops and hosts, two pages, 1,102 ids
	// by the thousand, and the layout with its account and generation.
	w.atMost(w.srv.Stats().Total()-before, 2*folders+2+2+11+2+6)
}

// TestForeignChoice: of several host folders of one name, the user says which.
func TestForeignChoice(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/a", "a")
	w.ok()
	first := w.srv.Tree("root")[topName+"/"+hostName].ID
	wide := w.otherClient()
	wide(false)
	w.ok() // the client in between sees nothing of it
	wide = w.otherClient()
	wide(false)
	var choice *backup.ForeignChoiceError
	if _, _, err := w.copyForeign(t.Context(), ""); !errors.As(err, &choice) || len(choice.Hosts) > 0 {
		t.Errorf("with drive.file: %v", err)
	}
	wide(true)
	if _, _, err := w.copyForeign(t.Context(), ""); !errors.As(err, &choice) || choice.Found != 2 || !strings.Contains(err.Error(), first) {
		t.Errorf("two of a name: %v", err)
	}
	if _, sum, err := w.copyForeign(t.Context(), first); err != nil || sum.Counts.Copied != 1 {
		t.Errorf("chosen: %v, %+v", err, sum)
	}
}

// TestForeignFaults: whatever request fails, or is the last of a run, copying
// again ends right, with every item there once.
func TestForeignFaults(t *testing.T) {
	fault := map[string]func(n int) drivetest.Fault{
		"interrupted": func(n int) drivetest.Fault { return drivetest.At(n, drivetest.Lost) },
		"lost":        func(n int) drivetest.Fault { return drivetest.At(n, drivetest.Lost) },
		"part lost":   func(n int) drivetest.Fault { return drivetest.InBatch(drivetest.At(n, drivetest.LostAs(500))) },
	}
	for name, fault := range fault {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n, more := 0, true; more; n++ {
				w := newWorld(t, drivetest.Options{Seed: uint64(n + 1)}, "docs")
				w.oddTree()
				w.ok()
				old := w.srv.Tree("root")[topName].ID
				wide := w.otherClient()
				wide(true)
				ctx, stop := context.WithCancel(t.Context())
				w.srv.Inject(fault(n))
				if name == "interrupted" {
					begin := w.srv.Stats().Total()
					w.srv.OnRequest(func(i int, _ drivetest.Info) {
						if i-begin == n {
							stop()
						}
					})
				}
				_, sum, err := w.copyForeign(ctx, "")
				more = w.srv.Calls() > n
				w.srv.Inject(nil)
				w.srv.OnRequest(nil)
				stop()
				if err != nil || sum.ExitCode() != 0 {
					if _, sum, err = w.copyForeign(t.Context(), ""); err != nil || sum.ExitCode() != 0 {
						t.Fatalf("request %d, again: %v, %+v", n, err, sum)
					}
				}
				w.must(w.srv.Delete(old))
				wide(false)
				if w.allPatched(); t.Failed() {
					t.Fatalf("request %d", n)
				}
			}
		})
	}
}
