package backup_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/internal/ignore"
	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
	"github.com/autocloudbackup/acb/scan"
)

// rebuild makes the manifest anew, as a process of its own would.
func (w *world) rebuild(change ...func(*backup.Rebuild)) (*backup.Rebuilt, error) {
	w.t.Helper()
	opts := remote.Options{
		Endpoint: w.srv.URL, Client: w.srv.Client(), Folder: topName, Host: hostName,
		Installation: "unknown yet", Transfers: 2, Now: w.Now, Sleep: w.Sleep,
	}
	if w.fake != nil {
		opts.Now, opts.Sleep = w.fake, nil
		opts.Client, _ = w.signIn()
	}
	d, err := remote.New(opts)
	w.must(err)
	older := []string{w.manifest, manifest.CopyPath(w.manifest)}
	host, err := backup.FindHost(w.t.Context(), d, backup.HostWish{Usual: hostName, Installation: backup.Known(older...)})
	if err != nil {
		return nil, err
	}
	d.Become(host.Installation)
	r := &backup.Rebuild{Drive: d, Log: slog.New(slog.DiscardHandler), Now: w.now, Older: older}
	for _, s := range w.sources {
		p, err := scan.PathOf(s)
		w.must(err)
		r.Sources = append(r.Sources, p)
	}
	for _, f := range change {
		f(r)
	}
	file := w.manifest + ".rebuilt"
	made, err := r.Build(w.t.Context(), host, file)
	if err != nil {
		return nil, err
	}
	_, err = r.Install(w.t.Context(), file, w.manifest)
	return made, err
}

// named gives the state folder its name, as acb does when it opens one.
func (w *world) named() { w.t.Helper(); w.meta(map[string]string{"installation": installation}) }

// forget throws the state folder's records away; with keepCopy, but for the
// manifest's copy there.
func (w *world) forget(keepCopy bool) {
	w.t.Helper()
	files, err := filepath.Glob(strings.TrimSuffix(w.manifest, ".db") + "*")
	w.must(err)
	for _, f := range files {
		if !keepCopy || f != manifest.CopyPath(w.manifest) {
			w.must(os.Remove(f))
		}
	}
}

// sendsNothing makes the first scan after a rebuild: it sends no content, and
// then disk, Drive and manifest tell the same.
func (w *world) sendsNothing() {
	w.t.Helper()
	before := w.srv.Stats().ContentIn
	sum := w.ok()
	if c := sum.Counts; c.BytesSent > 0 || c.Requests > 0 || w.srv.Stats().ContentIn > before {
		w.t.Errorf("%d bytes sent in %d requests: %+v%s", c.BytesSent, c.Requests, c, lastRequests(w.srv, int(c.Requests)))
	}
	w.compare()
	w.quiet()
}

// brings demands that a restore brings what was there after a run; of folders,
// which Drive tells less of, only that they are there.
func (w *world) brings(run manifest.RunID, want map[string]string) {
	w.t.Helper()
	g := w.retrieve(run)
	g.ok()
	if d := cmp.Diff(kindsOnly(want), kindsOnly(snapshot(w.t, g.targets()...))); d != "" {
		w.t.Errorf("restored after run %d: -want +got:\n%s", run, d)
	}
}

// TestRebuildRandom throws the manifest of a random tree with a random history
// away and makes it anew: from Drive's listing alone, with the copy on Drive,
// with the one in the state folder, or with an old one.
func TestRebuildRandom(t *testing.T) {
	for _, seed := range seeds(t, 24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, seed)
			tr.named()
			tr.copyLimit = int64(seed%2) << 20
			days := 0
			now := tr.now
			tr.now = func() time.Time { return now().AddDate(0, 0, days) }
			rounds := 1 + tr.rng.IntN(4)
			old := filepath.Join(tr.dir, "old copy")
			var first manifest.RunID
			var then map[string]string
			for round := range rounds {
				tr.hand.say("-- round %d", round)
				if round > 0 {
					tr.hand.edit(1 + tr.rng.IntN(15))
				}
				time.Sleep(tr.settle)
				run := tr.ok().Run
				days += tr.rng.IntN(2)
				if round == 0 {
					first, then = manifest.RunID(run), snapshot(t, tr.sources...)
					tr.must(manifest.Copy(tr.manifest, old, time.Now()))
				}
			}
			how := seed / 2 % 3
			tr.forget(how == 1)
			made, err := tr.rebuild(func(r *backup.Rebuild) {
				if how == 2 {
					r.Older = []string{old}
				}
			})
			tr.must(err)
			if len(made.Left) > 0 {
				t.Errorf("left: %+v", made.Left)
			}
			if from := made.Base != ""; from != (how > 0 || seed%2 == 1) {
				t.Errorf("base %q", made.Base)
			}
			tr.brings(manifest.Now, snapshot(t, tr.sources...))
			if how == 2 {
				tr.brings(first, then)
			}
			time.Sleep(tr.settle)
			tr.sendsNothing()
			tr.brings(manifest.Now, snapshot(t, tr.sources...))
			tr.hand.say("-- after the rebuild")
			tr.hand.edit(5)
			time.Sleep(tr.settle)
			tr.ok()
			tr.compare()
		})
	}
}

// TestRebuildHistory: with a copy, what was survives, and what came after it
// is as Drive has it.
func TestRebuildHistory(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.named()
	w.write("docs/a", "first")
	w.write("docs/d/b", "b")
	w.write("docs/gone", "gone")
	w.write("docs/later", "gone later")
	w.ok(func(b *backup.Backup) { b.KeepRevisions = true })
	w.write("docs/a", "second")
	w.remove("docs/gone")
	w.ok()
	w.must(manifest.Copy(w.manifest, manifest.CopyPath(w.manifest), time.Now()))
	kept, err := os.ReadFile(manifest.CopyPath(w.manifest))
	w.must(err)
	w.write("docs/a", "the third")
	w.write("docs/new", "new")
	w.rename("docs/d", "docs/e")
	w.remove("docs/later")
	w.ok()
	w.forget(false)
	w.must(os.WriteFile(manifest.CopyPath(w.manifest), kept, 0o600))
	made, err := w.rebuild()
	w.must(err)
	if r := made.Relisted; r.Files != 3 || r.Added != 1 || r.Dropped != 1 || r.Changed != 1 || r.Moved != 1 {
		t.Errorf("%+v", r)
	}
	w.sendsNothing()
	known, err := manifest.OpenReader(w.manifest)
	w.must(err)
	defer known.Close()
	at := func(rel string) manifest.Path {
		p, err := scan.PathOf(w.path(rel))
		w.must(err)
		return p
	}
	for rel, want := range map[string][]manifest.EndReason{
		"docs/a": {manifest.EndModified, manifest.EndOverwritten, ""}, "docs/gone": {manifest.EndDeleted},
		"docs/later": {manifest.EndDeleted}, "docs/new": {""}, "docs/e/b": {""},
	} {
		files, _, err := known.Ever(at(rel))
		w.must(err)
		var got []manifest.EndReason
		for _, f := range files {
			got = append(got, f.Reason)
		}
		if kept := files[0].Kept; kept != (rel != "docs/new") {
			t.Errorf("%s: kept by Drive for good: %v", rel, kept)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", rel, got, want)
		}
	}
}

// TestRebuildCopy: a copy on Drive that an older acb has sent is brought up to
// date; one that is damaged, or of another backup, is passed over.
func TestRebuildCopy(t *testing.T) {
	packed := func(content []byte) []byte {
		var b bytes.Buffer
		zip := gzip.NewWriter(&b)
		_, err := zip.Write(content)
		if err := errors.Join(err, zip.Close()); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	edited := func(statements string) func([]byte) []byte {
		return func(content []byte) []byte {
			w := world{t: t, manifest: filepath.Join(t.TempDir(), "manifest.db")}
			w.must(os.WriteFile(w.manifest, content, 0o600))
			w.sql("PRAGMA journal_mode = DELETE; " + statements)
			content, err := os.ReadFile(w.manifest)
			w.must(err)
			return packed(content)
		}
	}
	for name, c := range map[string]struct {
		spoil func(content []byte) []byte
		base  string
	}{
		"sound":      {packed, backup.OnDrive},
		"older":      {edited("ALTER TABLE entry_was DROP COLUMN kept; ALTER TABLE source ADD COLUMN files INTEGER NOT NULL DEFAULT 0; PRAGMA user_version = 3"), backup.OnDrive},
		"newer":      {edited("PRAGMA user_version = 1000"), ""},
		"other sums": {edited("UPDATE content SET record = zeroblob(9)"), ""},
		"no gzip":    {func([]byte) []byte { return []byte("somebody's notes") }, ""},
		"cut short":  {func(b []byte) []byte { b = packed(b); return b[:len(b)/2] }, ""},
		"empty":      {func([]byte) []byte { return nil }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, drivetest.Options{}, "docs")
			w.named()
			w.copyLimit = 1 << 20
			w.fill("docs/d", 3)
			w.ok()
			content, err := os.ReadFile(manifest.CopyPath(w.manifest))
			w.must(err)
			w.must(w.srv.SetContent(w.srv.Tree("root")[copyOnDrive].ID, c.spoil(content)))
			w.forget(false)
			made, err := w.rebuild()
			w.must(err)
			if made.Base != c.base || made.Files != 3 {
				t.Errorf("base %q, %+v", made.Base, made.Relisted)
			}
			if left, err := filepath.Glob(w.manifest + ".*"); len(left) > 0 || err != nil {
				t.Errorf("left lying about: %v, %v", left, err)
			}
			w.sendsNothing()
		})
	}
}

// TestRebuildRequests: one for a thousand items, and a handful.
func TestRebuildRequests(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.fill("docs/d", 1100)
	w.ok()
	w.forget(false)
	before := w.srv.Stats().Total()
	_, err := w.rebuild()
	w.must(err)
	w.atMost(w.srv.Stats().Total()-before, 2+5) // the host folders twice, the change log, the account, the generation
	w.sendsNothing()
}

// TestRebuildUnlistedFolder: a folder that is not listed yet, while what was
// moved into it is, is looked up.
func TestRebuildUnlistedFolder(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/a", "a")
	w.ok()
	w.srv.SetListLag(time.Hour, 0)
	w.rename("docs/a", "docs/new/newer/a")
	w.ok()
	w.forget(false)
	made, err := w.rebuild()
	w.must(err)
	if len(made.Left) > 0 || made.Files != 1 {
		t.Errorf("%+v", made)
	}
	w.sendsNothing()
}

// TestRebuildForgetsDisks: what the base knows of disks may be of another
// machine. The newest base is taken; what it thought lost and Drive has is not.
func TestRebuildForgetsDisks(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.named()
	w.fill("docs/d", 3)
	w.ok()
	old := filepath.Join(w.dir, "old.db")
	w.must(manifest.Copy(w.manifest, old, time.Now()))
	w.write("docs/new", "new")
	w.now = func() time.Time { return later().Add(time.Hour) }
	w.ok()
	store, err := manifest.Open(w.manifest)
	w.must(err)
	store.BeginRun("scan", w.now().Add(time.Hour))
	w.must(store.MarkLost([]manifest.FileID{manifest.FileID(w.node("docs/d").ID), manifest.FileID(w.node("docs/d/f001").ID)}))
	w.must(store.Close())
	made, err := w.rebuild(func(r *backup.Rebuild) { r.Older = []string{old, w.manifest} })
	w.must(err)
	if made.Base != w.manifest || made.Added+made.Dropped+made.Changed+made.Moved > 0 {
		t.Errorf("base %q, %+v", made.Base, made.Relisted)
	}
	known, err := manifest.OpenReader(w.manifest)
	w.must(err)
	defer known.Close()
	w.must(known.Walk(manifest.Root, func(p manifest.Path, row manifest.Row, files []manifest.Entry) error {
		if row.FS != 0 || row.Inode != 0 || row.Birth != 0 || row.Flags.Has(manifest.Lost) {
			t.Errorf("%q: %+v", p, row.Folder)
		}
		for _, e := range files {
			if e.Flags != manifest.Racy|manifest.Unmet || e.Inode != 0 || e.CTime != 0 || e.Hash.IsZero() {
				t.Errorf("%q: %+v", p.Join(e.Name), e)
			}
		}
		return nil
	}))
	sources, err := known.Sources()
	w.must(err)
	for _, s := range sources {
		if s.FS != 0 || s.Inode != 0 {
			t.Errorf("%+v", s)
		}
	}
	if len(sources) != 1 {
		t.Errorf("%d sources", len(sources))
	}
	w.sendsNothing()
}

// TestRebuildGuard: what is on Drive and was not met on this disk was not seen
// to vanish, until the user has said so.
func TestRebuildGuard(t *testing.T) {
	lost := func(t *testing.T) *world {
		w := newWorld(t, drivetest.Options{}, "docs", "pics")
		w.fill("docs/d", 3)
		w.write("docs/a", "a")
		w.write("pics/p", "p")
		w.ok()
		w.forget(false)
		w.remove("docs/d") // a disk that was brought back in part
		_, err := w.rebuild()
		w.must(err)
		return w
	}
	demand := func(w *world, sum *backup.Summary) {
		w.t.Helper()
		if len(sum.Held) != 1 || sum.Held[0].Guard != plan.Rebuilt || sum.ExitCode() != 4 || sum.Counts.Deleted > 0 {
			w.t.Errorf("held %+v, exit %d, %+v", sum.Held, sum.ExitCode(), sum.Counts)
		}
	}
	t.Run("restored", func(t *testing.T) {
		w := lost(t)
		w.write("docs/new", "what is new is saved")
		demand(w, w.held())
		demand(w, w.held())
		w.fill("docs/d", 3)
		w.ok()
		w.compare()
		w.remove("docs/d/f001")
		w.ok()
		w.compare()
	})
	t.Run("allowed", func(t *testing.T) {
		w := lost(t)
		demand(w, w.held())
		w.limits.Allow = true
		w.ok()
		w.compare()
		w.limits.Allow = false
		w.remove("docs/a")
		w.write("docs/b", "b")
		w.ok()
		w.compare()
	})
	t.Run("left out", func(t *testing.T) { // what no scan has looked at is not met; what was met can vanish
		w := newWorld(t, drivetest.Options{}, "docs")
		w.fill("docs/d", 3)
		w.fill("docs/e/e", 2)
		w.write("docs/e/d/x", "left out as well")
		w.write("docs/a", "a")
		w.ok()
		w.forget(false)
		w.remove("docs/d/f001")
		_, err := w.rebuild()
		w.must(err)
		p, err := ignore.NewPattern("d/", "d/", 1)
		w.must(err)
		w.ok(func(b *backup.Backup) {
			b.Sources[0].Exclude = ignore.New(w.sources[0], "--exclude", []ignore.Pattern{p})
		})
		w.remove("docs/a")
		w.remove("docs/e")
		w.write("docs/b", "b")
		sum, err := w.run(w.t.Context())
		if err != nil || sum.ExitCode() != 4 || sum.Counts.Deleted != 3 || sum.Counts.DeletedFolders != 1 || sum.Counts.HeldBack != 2 {
			t.Errorf("exit %d, %v, %+v, held %+v", sum.ExitCode(), err, sum.Counts, sum.Held)
		}
		if left := w.node("docs/e/d/x"); left.ID == "" {
			t.Error("docs/e/d/x is gone, and nothing has looked at it")
		}
		w.limits.Allow = true
		w.ok()
		w.compare()
	})
}

// TestRebuildHidden: what today's rules hide, and what belongs to a source
// that has left the configuration, is kept also if nothing tells any more that
// it was, and whatever is allowed.
func TestRebuildHidden(t *testing.T) {
	for _, copied := range []bool{false, true} {
		w := newWorld(t, drivetest.Options{}, "docs", "pics")
		w.named()
		w.write("docs/a", "a")
		w.write("docs/hidden.log", "hidden")
		w.write("docs/hidden.log.d/b", "b")
		w.write("pics/p", "p")
		w.ok()
		w.rules, w.sources = []string{"*.log", "*.d/"}, w.sources[:1]
		w.ok()
		w.remove("docs/hidden.log")
		ids := w.ids("docs/a", "docs/hidden.log", "docs/hidden.log.d/b", "pics", "pics/p")
		w.forget(copied)
		_, err := w.rebuild()
		w.must(err)
		w.limits.Allow = true
		for range 2 {
			if sum := w.ok(); sum.Counts.Retired != 3 || sum.Counts.Requests > 0 {
				t.Errorf("%+v", sum.Counts)
			}
		}
		w.keeps(ids, "docs/a", "docs/hidden.log", "docs/hidden.log.d/b", "pics", "pics/p")
	}
}
