package backup_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// verify makes a verify, with the manifest opened before and closed after it.
func (w *world) verify(v backup.Verify) (*backup.Summary, error) {
	w.t.Helper()
	store, err := manifest.Open(w.manifest)
	w.must(err)
	sum, err := w.open(store).Verify(w.t.Context(), v)
	w.must(store.Close())
	return sum, err
}

// clean makes a verify that must find nothing, and returns its requests.
func (w *world) clean(v backup.Verify) int {
	w.t.Helper()
	before := w.srv.Stats().Total()
	sum, err := w.verify(v)
	if err != nil || sum.ExitCode() != 0 || len(sum.Verified.Findings) > 0 {
		w.t.Errorf("%+v: exit %d, %v: %v", v, sum.ExitCode(), err, words(sum))
	}
	return w.srv.Stats().Total() - before
}

// words says what was found, and what became of it.
func words(sum *backup.Summary) (list []string) {
	for _, f := range sum.Verified.Findings {
		list = append(list, fmt.Sprintf("%s: %s, fixed %v %s", f.Path, f.What, f.Fixed, f.Reason))
	}
	return append(list, fmt.Sprint(sum.Failures))
}

// strays are what a manifest does not know.
var strays = []struct {
	name string
	do   func(w *world) error
}{
	{"stray file", func(w *world) error { w.stray(w.node("docs/d").ID, "x", "f"); return nil }},
	{"stray folder with a file moved into it", func(w *world) error {
		w.stray(w.node("docs").ID, "x", "d")
		return w.srv.Move(w.node("docs/d/g").ID, w.node("docs/x").ID)
	}},
	{"twin file", func(w *world) error { w.stray(w.node("docs/d").ID, "f", "f"); return nil }},
	{"twin folder", func(w *world) error { w.stray(w.node("docs").ID, "d", "d"); return nil }},
	{"twin host folder", func(w *world) error { w.stray(w.top().ID, hostName, "d"); return nil }},
}

// TestVerify lets somebody else change on Drive what acb made. A verify finds
// it and leaves it; one that repairs puts all of it right, without trashing
// anything, and another one finds nothing.
func TestVerify(t *testing.T) {
	cases := append(hands[:len(hands):len(hands)], strays...)
	for i, h := range cases {
		for j, v := range []backup.Verify{{}, {Full: true}, {Sample: 1}} {
			strayed := i >= len(hands)
			if (i+j)%stride(2) > 0 && !strayed {
				continue
			}
			t.Run(fmt.Sprint(h.name, j), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, drivetest.Options{Unsettled: unsettled(uint64(i+1) * 0x9e3779b97f4a7c15)}, "docs")
				w.write("docs/d/f", "the file")
				w.write("docs/d/g", "its neighbour")
				w.write("docs/e/h", "elsewhere")
				w.ok()
				w.clean(v)
				w.must(h.do(w))
				before := w.srv.Tree("root")
				for range 2 { // the first does not keep the second from finding it
					if sum, err := w.verify(v); err != nil || sum.ExitCode() != 3 || sum.Verified.Left == 0 || sum.Verified.RolledBack {
						t.Fatalf("exit %d, %v: %v", sum.ExitCode(), err, words(sum))
					}
				}
				for at, n := range w.srv.Tree("root") {
					if before[at].ID != n.ID || before[at].Head != n.Head {
						t.Errorf("changed without --repair: %s", at)
					}
				}
				v.Repair = true
				sum, err := w.verify(v)
				if err != nil || sum.ExitCode() != 0 || sum.Verified.Left > 0 {
					t.Errorf("repair: exit %d, %v: %v", sum.ExitCode(), err, words(sum))
				}
				if sum.Counts.Deleted > 0 || sum.Counts.DeletedFolders > 0 {
					t.Errorf("trashed: %+v", sum.Counts)
				}
				after := w.srv.TreeWithTrash("root")
				w.compareBut(topName + "/" + hostName + " quarantine")
				if strayed && len(after) < len(before) {
					t.Errorf("%d items, were %d", len(after), len(before))
				}
				w.clean(v)
				w.quiet()
			})
		}
	}
}

// compareBut is compare, without what is on Drive at or below a place.
func (w *world) compareBut(but string) {
	w.t.Helper()
	if n, ok := w.srv.Tree("root")[but]; ok {
		w.must(w.srv.Trash(n.ID))
		defer func() { w.must(w.srv.Untrash(n.ID)) }()
	}
	w.compare()
}

// TestQuarantineNames: what was called the same, in one folder or in several, is
// told apart in quarantine.
func TestQuarantineNames(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/d/f.txt", "the file")
	w.write("docs/e/g", "elsewhere")
	w.ok()
	for _, dir := range []string{"docs/d", "docs/d", "docs/e"} {
		w.stray(w.node(dir).ID, "f.txt", "f")
	}
	w.stray(w.node("docs").ID, "v1.0", "d")
	if sum, err := w.verify(backup.Verify{Repair: true}); err != nil || sum.ExitCode() != 0 || len(sum.Verified.Findings) != 4 {
		t.Fatalf("exit %d, %v: %v", sum.ExitCode(), err, words(sum))
	}
	var got []string
	for at := range w.srv.Tree("root") {
		if name, in := strings.CutPrefix(at, topName+"/"+hostName+" quarantine/"); in {
			got = append(got, regexp.MustCompile(`[-\w]{6}\)`).ReplaceAllString(name, "ID)"))
		}
	}
	slices.Sort(got)
	if want := []string{"f (d ID).txt", "f (d ID).txt", "f (e ID).txt", "v1.0 (docs ID)"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	w.clean(backup.Verify{Full: true})
}

// TestVerifyRequests: one when nothing was changed, and what was read once is
// not read again.
func TestVerifyRequests(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.fill("docs", 1100)
	w.ok()
	w.atMost(w.clean(backup.Verify{}), 2) // its own 1,100 files
	if n := w.clean(backup.Verify{}); n != 1 {
		t.Errorf("%d requests when nothing was changed", n)
	}
	w.atMost(w.clean(backup.Verify{Full: true}), 2+3) // two pages, the log, the folders above, the generation
	w.atMost(w.clean(backup.Verify{Sample: 0.01}), 2+3+11)
	w.quiet()
}

// TestVerifyDeep: bytes that Drive sends otherwise than they were saved are
// found, sent again from disk, and nothing else is.
func TestVerifyDeep(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.fill("docs", 30)
	w.write("docs/empty", "")
	w.ok()
	if sum, err := w.verify(backup.Verify{Sample: 1}); err != nil || sum.Verified.Files != 31 || sum.ExitCode() != 0 {
		t.Fatalf("%v %+v", err, sum.Verified)
	}
	for _, c := range []struct {
		share    float64
		min, max int64
	}{{0.1, 3, 4}, {0.5, 15, 16}, {0.01, 0, 1}} {
		sum, err := w.verify(backup.Verify{Sample: c.share})
		if n := sum.Verified.Files; err != nil || n < c.min || n > c.max {
			t.Errorf("%v: %d files, %v", c.share, n, err)
		}
	}
	w.rot("docs/f007")
	sum, err := w.verify(backup.Verify{Sample: 1})
	if err != nil || sum.ExitCode() != 3 || sum.Verified.Left != 1 || !strings.Contains(words(sum)[0], "f007: damaged") {
		t.Errorf("exit %d, %v: %v", sum.ExitCode(), err, words(sum))
	}
	sum, err = w.verify(backup.Verify{Sample: 1, Repair: true})
	if err != nil || sum.ExitCode() != 0 || sum.Counts.Modified != 1 {
		t.Errorf("exit %d, %v: %v, %+v", sum.ExitCode(), err, words(sum), sum.Counts)
	}
	w.clean(backup.Verify{Sample: 1})
	w.compare()
}

// rot lets Drive hold other bytes of a file than were saved, with the MD5 that
// it had: it is what was saved that is changed.
func (w *world) rot(rel string) {
	w.t.Helper()
	store, err := manifest.Open(w.manifest)
	w.must(err)
	known, err := store.Reader()
	w.must(err)
	row, e, found, err := known.Lookup(manifest.Path(drivePath(w.path(rel))))
	w.must(firstOf(err, known.Close()))
	if !found {
		w.t.Fatalf("the manifest has no %s", rel)
	}
	e.Hash[0]++
	store.BeginRun("scan", w.now())
	w.must(firstOf(store.Ack([]manifest.Step{{Kind: manifest.Put, Folder: row.ID, Entry: *e, Reason: manifest.EndTouched}}), store.Fold(), store.Close()))
}

// TestVerifyDeepFails: a file that does not come is a failure, and the others
// are compared; a sign-in that is dead, a quota that is spent and an interrupt
// end it, and what was found is told.
func TestVerifyDeepFails(t *testing.T) {
	for _, c := range []struct {
		fault drivetest.Fault
		exit  int
		ended bool
	}{
		{drivetest.Nth(drivetest.Download, 3, drivetest.Torn), 3, true}, // gone on with
		{drivetest.Only(drivetest.Chance(0.3, 1, drivetest.Unavailable), drivetest.Download), 3, true},
		{drivetest.Nth(drivetest.Download, 3, drivetest.Refuse(403, "fileNotDownloadable")), 3, true},
		{drivetest.Only(drivetest.Always(drivetest.Refuse(403, "downloadQuotaExceeded")), drivetest.Download), 6, false},
		{drivetest.Only(drivetest.Always(drivetest.Refuse(403, "insufficientPermissions")), drivetest.Download), 5, false},
	} {
		w := newWorld(t, drivetest.Options{}, "docs")
		w.fill("docs", 12)
		w.ok()
		w.must(w.srv.Trash(w.node("docs/f001").ID))
		w.srv.Inject(c.fault)
		sum, err := w.verify(backup.Verify{Sample: 1})
		if sum.ExitCode() != c.exit || sum.Verified.Ended != c.ended || !strings.Contains(words(sum)[0], "f001: put into the trash") {
			t.Errorf("%v: exit %d, %v: ended %v, %v", c.fault, sum.ExitCode(), err, sum.Verified.Ended, words(sum))
		}
		if c.ended && sum.Verified.Files+int64(len(sum.Failures)) != 11 {
			t.Errorf("%v: %d files, %v", c.fault, sum.Verified.Files, sum.Failures)
		}
		w.srv.Inject(nil)
		if sum, _ := w.verify(backup.Verify{Sample: 1, Repair: true}); sum.ExitCode() != 0 || sum.Verified.Files != 11 {
			t.Errorf("%v: again: %v", c.fault, words(sum))
		}
		w.srv.Close()
	}
	w := newWorld(t, drivetest.Options{}, "docs")
	w.fill("docs", 12)
	w.ok()
	ctx, cancel := context.WithCancel(t.Context())
	w.srv.OnRequest(func(_ int, r drivetest.Info) {
		if r.Kind == drivetest.Download {
			cancel()
		}
	})
	store, err := manifest.Open(w.manifest)
	w.must(err)
	sum, err := w.open(store).Verify(ctx, backup.Verify{Sample: 1})
	w.must(store.Close())
	if err != nil || sum.ExitCode() != 130 || sum.Verified.Ended {
		t.Errorf("interrupted: exit %d, %v", sum.ExitCode(), err)
	}
}

// TestVerifyHidden: what a rule hides by now and Drive has lost is not sent
// again by a repair, and said to be so; nor is what is in a source sent that
// nobody asked for.
func TestVerifyHidden(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/d/hidden", "hidden")
	w.write("docs/d/f", "the file")
	w.ok()
	w.rules = []string{"hidden"}
	w.ok()
	w.must(w.srv.Delete(w.node("docs/d/hidden").ID))
	w.must(w.srv.Delete(w.node("docs/d/f").ID))
	w.write("docs/e/new", "not asked for")
	sum, err := w.verify(backup.Verify{Repair: true})
	if err != nil || sum.ExitCode() != 3 || sum.Verified.Left != 1 || sum.Counts.Created != 1 {
		t.Errorf("exit %d, %v, %+v", sum.ExitCode(), err, sum.Counts)
	}
	if list := fmt.Sprint(words(sum)); !strings.Contains(list, "d/hidden: deleted, fixed false a rule hides it") || !strings.Contains(list, "d/f: deleted, fixed true") {
		t.Error(list)
	}
}
