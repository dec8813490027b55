package backup_test

import (
	"database/sql"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// sql runs statements on the manifest, behind acb's back.
func (w *world) sql(statements string, args ...any) {
	w.t.Helper()
	db, err := sql.Open("sqlite", w.manifest)
	w.must(err)
	_, err = db.Exec(statements, args...)
	w.must(err)
	w.must(db.Close())
}

// TestDamagedManifest damages what the manifest has of one folder. Nothing is
// trashed then, wherever it was; what is new is saved, in the folder beside
// it too; and when the damage is put right, all goes on.
func TestDamagedManifest(t *testing.T) {
	const id = " WHERE id = (SELECT id FROM folder WHERE name = 'hurt')"
	for name, c := range map[string]struct{ spoil, mend string }{
		"row":      {"UPDATE folder SET sum = sum + 1" + id, "UPDATE folder SET sum = sum - 1" + id},
		"files":    {"UPDATE folder SET files = CAST(x'01' || files AS BLOB)" + id, "UPDATE folder SET files = substr(files, 2)" + id},
		"contents": {"UPDATE content SET record = CAST(x'01' || record AS BLOB)" + id, "UPDATE content SET record = substr(record, 2)" + id},
		// Nothing that a scan reads: only the check tells.
		"stray": {"INSERT INTO content VALUES (1000, x'00')", "DELETE FROM content WHERE id = 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, drivetest.Options{}, "docs")
			w.write("docs/hurt/a", "aa")
			w.write("docs/beside/b", "bbb")
			w.write("docs/gone", "cccc")
			w.ok()
			w.sql(c.spoil)
			w.remove("docs/gone")
			w.remove("docs/beside/b")
			w.write("docs/beside/new", "ddddd")
			w.limits.Allow = true
			sum := w.held()
			if len(sum.Held) != 1 || sum.Held[0].Guard != plan.Damaged || sum.Counts.HeldBack != 2 || sum.Counts.Created != 1 {
				t.Errorf("held %+v, %+v", sum.Held, sum.Counts)
			}
			w.sql(c.mend)
			w.ok()
			w.compare()
			w.quiet()
		})
	}
}

// TestDamagedManifestEdits: the user's own word trashes nothing by a damaged
// manifest either.
func TestDamagedManifestEdits(t *testing.T) {
	w := hiding(t)
	w.write("docs/new", "new")
	run := w.ok().Run
	w.sql("INSERT INTO content VALUES (1000, x'00')")
	before := w.srv.Tree("root")
	if _, err := w.purge(backup.Purge{}); !manifest.IsBroken(err) {
		t.Errorf("purge: %v", err)
	}
	if _, err := w.undo(run); !manifest.IsBroken(err) {
		t.Errorf("undo: %v", err)
	}
	if d := cmp.Diff(before, w.srv.Tree("root")); d != "" {
		t.Errorf("Drive was changed: %s", d)
	}
	w.sql("DELETE FROM content WHERE id = 1000")
	if sum, err := w.purge(backup.Purge{}); err != nil || sum.Counts.Deleted != 4 {
		t.Errorf("%v, %+v", err, sum)
	}
}

// TestBrokenSeal changes what the guards go by. There is no run then.
func TestBrokenSeal(t *testing.T) {
	for _, spoil := range []string{
		"UPDATE source SET inode = inode + 1", "UPDATE fs SET identity = identity || 'x'",
		"UPDATE meta SET value = '7' WHERE key = 'gens'", "DELETE FROM meta WHERE key = 'seal'", "DELETE FROM source",
	} {
		w := newWorld(t, drivetest.Options{}, "docs")
		w.write("docs/a", "aa")
		w.ok()
		w.sql(spoil)
		if s, err := manifest.Open(w.manifest); !manifest.IsBroken(err) {
			t.Errorf("%s: Open = %v", spoil, err)
			s.Close()
		}
	}
}
