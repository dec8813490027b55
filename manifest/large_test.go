package manifest

import (
	"cmp"
	"database/sql/driver"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// largeFile makes an entry with a large content, the same for the same text.
func largeFile(name string, id FileID, text string) Entry {
	e := file(name, id)
	e.Size = Large
	copy(e.Hash[:], strings.Repeat(text, 8)+"hash")
	copy(e.MD5[:], "md5 of "+text)
	return e
}

func sumOf(text string) Sum {
	e := largeFile("", "", text)
	return Sum{e.Size, e.Hash}
}

// findLarge looks for contents and says where each is: "a: d/x=1, b: -".
func findLarge(t testing.TB, s *Store, texts ...string) string {
	t.Helper()
	r := newReader(t, s)
	defer r.Close()
	var sums []Sum
	for _, text := range texts {
		sums = append(sums, sumOf(text))
	}
	found, err := r.FindLarge(sums)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for i, text := range texts {
		at := "-"
		if f := found[sums[i]]; f != nil {
			at = fmt.Sprintf("%s=%s", f.Path(), f.FileID)
		}
		out = append(out, text+": "+at)
	}
	return strings.Join(out, ", ")
}

// checkIndex demands that the index names just the folders that hold what it
// is for.
func checkIndex(t *testing.T, s *Store, m *model) {
	t.Helper()
	type line struct{ size, prefix, folder int64 }
	want := map[line]bool{}
	for in, files := range m.Files {
		for _, e := range files {
			if e.Kind == File && e.Size >= Large && !e.Hash.IsZero() && !e.MD5.IsZero() && !e.Flags.Has(Lost) {
				want[line{e.Size, Sum{e.Size, e.Hash}.prefix(), int64(in)}] = true
			}
		}
	}
	got := map[line]bool{}
	err := s.c.query("SELECT size, hash, folder FROM large", func(v []driver.Value) error {
		got[line{integer(v[0]), integer(v[1]), integer(v[2])}] = true
		return nil
	})
	if err != nil || !maps.Equal(got, want) {
		t.Fatalf("index: %v; it has %d lines, should have %d", err, len(got), len(want))
	}
}

func TestFindLarge(t *testing.T) {
	with := func(in FolderID, e Entry) Step { return Step{Kind: Put, Folder: in, Entry: e, Reason: EndModified} }
	small := largeFile("small", "9", "s")
	small.Size--
	link := largeFile("link", "8", "l")
	link.Kind = Symlink
	lost := largeFile("lost", "7", "o")
	lost.Flags = Lost
	unsure := largeFile("unsure", "6", "u")
	unsure.MD5 = MD5{}
	s := newStore(t)
	do(t, s, putFolder(2, Root, "d"), putFolder(3, 2, "e"), with(3, largeFile("x", "1", "a")), with(2, largeFile("y", "2", "b")),
		with(2, small), with(2, link), with(2, lost), with(2, unsure))
	steps := func(want string, st ...Step) {
		t.Helper()
		do(t, s, st...)
		if got := findLarge(t, s, "a", "b", "s", "l", "o", "u"); got != want+", s: -, l: -, o: -, u: -" {
			t.Errorf("found %s, want %s", got, want)
		}
	}
	steps("a: d/e/x=1, b: d/y=2")
	moved := putFolder(2, Root, "f")
	steps("a: f/e/x=1, b: f/y=2", moved)
	steps("a: f/z=1, b: f/y=2", Step{Kind: Move, Folder: 2, Entry: largeFile("z", "1", "a"), OldFolder: 3, OldName: "x", Reason: EndMoved})
	steps("a: f/z=1, b: f/e/v=3", with(3, largeFile("v", "3", "b")), with(2, largeFile("y", "2", "c")))
	steps("a: f/z=1, b: -", dropFolder(3))
	steps("a: -, b: -", drop(2, "z", "1"))

	r := newReader(t, s)
	for size, want := range map[int64]bool{Large: true, Large - 1: false, Large + 1: false} {
		if got, err := r.HasLarge(size); got != want || err != nil {
			t.Errorf("HasLarge(%d) = %v, %v", size, got, err)
		}
	}
}

// TestFindLargeDoubts: what the index says is never taken for what is.
func TestFindLargeDoubts(t *testing.T) {
	for name, spoil := range map[string]string{
		"a folder that is not there": "UPDATE large SET folder = 99",
		"a folder without it":        "UPDATE large SET folder = 1",
		"another content":            fmt.Sprintf("UPDATE large SET hash = %d", sumOf("b").prefix()),
		"damaged contents":           "UPDATE content SET record = zeroblob(length(record))",
		"damaged row":                "UPDATE folder SET name = 'e' WHERE id = 2",
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			do(t, s, putFolder(2, Root, "d"), Step{Kind: Put, Folder: 2, Entry: largeFile("x", "1", "a"), Reason: EndModified})
			if got := findLarge(t, s, "a"); got != "a: d/x=1" {
				t.Fatalf("found %s", got)
			}
			if err := s.c.script(spoil); err != nil {
				t.Fatal(err)
			}
			if got := findLarge(t, s, "a", "b"); got != "a: -, b: -" {
				t.Errorf("found %s", got)
			}
		})
	}
}

// TestMigrateLarge opens a manifest from before there was an index: it is
// filled, and what is damaged stays out.
func TestMigrateLarge(t *testing.T) {
	s := newStore(t)
	do(t, s, putFolder(2, Root, "d"), putFolder(3, Root, "e"),
		Step{Kind: Put, Folder: 2, Entry: largeFile("x", "1", "a"), Reason: EndModified},
		Step{Kind: Put, Folder: 3, Entry: largeFile("y", "2", "b"), Reason: EndModified})
	err := s.c.script("DROP TABLE large; ALTER TABLE entry_was DROP COLUMN kept; ALTER TABLE source ADD COLUMN files INTEGER NOT NULL DEFAULT 0; PRAGMA user_version = 2; UPDATE content SET record = zeroblob(length(record)) WHERE id = 3")
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = openTest(t, s.Path())
	if got := findLarge(t, s, "a", "b"); got != "a: d/x=1, b: -" {
		t.Errorf("found %s", got)
	}
	if old, _ := filepath.Glob(s.Path() + ".v2"); len(old) != 1 {
		t.Error("no copy of the manifest before")
	}
}

// TestIndexSmall: files below the least size cost the index nothing.
func TestIndexSmall(t *testing.T) {
	s := newStore(t)
	steps := make([]Step, 1000)
	for i := range steps {
		steps[i] = put(Root, fmt.Sprint(i), FileID(fmt.Sprint(i)))
	}
	do(t, s, steps...)
	used := slices.SortedFunc(maps.Keys(s.c.stmts), cmp.Compare)
	if i := slices.IndexFunc(used, func(q string) bool { return strings.Contains(q, "large") }); i >= 0 {
		t.Errorf("it was asked: %s", used[i])
	}
}
