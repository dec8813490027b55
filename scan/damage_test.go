//go:build linux

package scan

import (
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/autocloudbackup/acb/manifest"
)

// damages are what may be wrong with a folder in the manifest: its row, the
// record of its files, and what Drive holds for them.
var damages = map[string]string{
	"row":      "UPDATE folder SET sum = sum + 1 WHERE id = ?",
	"files":    "UPDATE folder SET files = x'0100000000' WHERE id = ?",
	"contents": "UPDATE content SET record = x'0100000000' WHERE id = ?",
}

// damage damages the folder at a path in the manifest.
func damage(t *testing.T, s *manifest.Store, p manifest.Path, what string) {
	t.Helper()
	r, err := s.Reader()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	id := manifest.Root
	for _, name := range p.Names() {
		subs, err := r.Children(id)
		i := slices.IndexFunc(subs, func(row manifest.Row) bool { return row.Name == name })
		if err != nil || i < 0 {
			t.Fatalf("find %s: %v", p, err)
		}
		id = subs[i].ID
	}
	db, err := sql.Open("sqlite", s.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	res, err := db.Exec(damages[what], int64(id))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := res.RowsAffected(); n != 1 || err != nil {
		t.Fatalf("damage the %s of %s: %d rows, %v", what, p, n, err)
	}
}

const beforeDamage = `mkdir -p a/bad/low a/good c; echo 666666 >a/good/six; echo 1 >a/one; echo 22 >a/bad/two; echo 333 >a/bad/low/three; echo 4444 >c/four; echo 55555 >five`

// TestDamaged damages what the manifest has of the folder a/bad, and changes
// the tree. Whatever that makes unknown, nothing of it is absent, and what is
// elsewhere, in the folder beside it too, is seen as ever.
func TestDamaged(t *testing.T) {
	edits := map[string]string{
		"nothing":             "true",
		"all in it deleted":   "rm -r a/bad/*",
		"one in it edited":    "echo changed >a/bad/two",
		"it is deleted":       "rm -r a/bad",
		"it is moved":         "mv a/bad c/",
		"made anew":           "rm -r a/bad; mkdir a/bad; echo x >a/bad/x",
		"above it is deleted": "rm -r a",
		"above it is moved":   "mv a b",
		"a file is there":     "rm -r a/bad; echo file >a/bad",
	}
	for what := range damages {
		for name, edit := range edits {
			t.Run(what+"/"+name, func(t *testing.T) {
				t.Parallel()
				root, s, src := scanned(t, beforeDamage)
				bad := src[0].Path + "/a/bad"
				damage(t, s, bad, what)
				changes := []manifest.Path{"five", "c/new"}
				if !strings.HasPrefix(name, "above it") {
					changes = append(changes, "a/good/six", "a/good/new")
					edit += "; rm a/good/six; echo news >a/good/new"
				}
				sh(t, root, edit+"; echo new >c/new; rm five")
				res := mustTree(t, s, src, Options{})
				told, others := len(res.Unknown) > 0, 0
				for _, d := range res.Files {
					at := d.New
					if at == nil {
						at = d.Old
					}
					if rel, _ := strings.CutPrefix(string(at.Path()), string(src[0].Path)+"/"); slices.Contains(changes, manifest.Path(rel)) {
						others++
						continue
					}
					if d.New != nil {
						continue
					}
					if at := d.Old.Path(); at.Within(bad) && !(what == "contents" && at.Within(bad+"/low")) {
						t.Errorf("%s is absent", at)
					}
				}
				if others != len(changes) {
					t.Errorf("%d of %d other changes are seen", others, len(changes))
				}
				for _, d := range res.Folders {
					if d.New == nil && d.Old.Path() == bad {
						t.Errorf("%s is absent", d.Old.Path())
					}
				}
				saw := slices.ContainsFunc(res.Skips, func(skip Skip) bool { return skip.Class == Damaged && strings.Contains(skip.Reason, "is damaged") })
				// An unchanged folder needs nothing of what Drive holds for it.
				needed := what != "contents" || !slices.Contains([]string{"nothing", "it is moved", "above it is moved"}, name)
				// Without its row, its path is known only by what is there and seems new.
				pathTold := needed && !(what == "row" && slices.Contains([]string{"a file is there", "it is moved", "it is deleted"}, name))
				if saw != needed || told != pathTold {
					t.Errorf("told %v, unknown %q, skips %v", saw, res.Unknown, res.Skips)
				}
				if c := res.Sources[0]; c.State != OK {
					t.Errorf("the source is %v: %s", c.State, c.Reason)
				}
				if strings.HasPrefix(name, "above it") {
					return // what the planner makes of a folder above an unknown one is its own affair
				}
				// All else is committed, and what is damaged stays unknown.
				commit(t, s, res)
				again := mustTree(t, s, src, Options{})
				if len(again.Files)+len(again.Folders) > 0 || !slices.Equal(again.Unknown, res.Unknown) {
					t.Errorf("the next scan sees %q, unknown %q", story(manifest.Diff(again.Observation), root), again.Unknown)
				}
			})
		}
	}
}

// Damage to the top of a source makes all of it unknown; damage above every
// source leaves nothing to compare with, which is an error that names it.
func TestDamagedAbove(t *testing.T) {
	for what := range damages {
		root, s, src := scanned(t, beforeDamage)
		damage(t, s, src[0].Path, what)
		sh(t, root, "rm -r a five; echo new >c/new")
		res, err := Tree(t.Context(), s, src, Options{Now: later})
		if what == "row" {
			var damaged *manifest.DamagedError
			if !errors.As(err, &damaged) || !strings.Contains(err.Error(), root) {
				t.Errorf("%s: %v", what, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Files)+len(res.Folders) > 0 || !slices.Equal(res.Unknown, []manifest.Path{src[0].Path}) || res.Sources[0].State != Unlisted {
			t.Errorf("%s: %d files, %d folders, unknown %q, %v", what, len(res.Files), len(res.Folders), res.Unknown, res.Sources[0].State)
		}
	}
	root, s, src := scanned(t, beforeDamage)
	up, _ := src[0].Path.Split()
	sh(t, root, "rm -r a")
	damage(t, s, up, "files") // of which there are none
	expect(t, s, src, Options{}, "deleted a/", "deleted a/one", "deleted a/bad/", "deleted a/bad/two", "deleted a/bad/low/", "deleted a/bad/low/three",
		"deleted a/good/", "deleted a/good/six")
	damage(t, s, up, "row")
	if res, err := Tree(t.Context(), s, src, Options{Now: later}); err == nil {
		t.Errorf("no error: %d files", len(res.Files))
	}
}
