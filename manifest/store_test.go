package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func openTest(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// newStore opens a new manifest in which a run has begun.
func newStore(t testing.TB) *Store {
	s := openTest(t, filepath.Join(t.TempDir(), "state", "manifest.db"))
	s.BeginRun("scan", noon)
	return s
}

func newReader(t testing.TB, s *Store) *Reader {
	t.Helper()
	r, err := s.Reader()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// do acknowledges steps and folds them.
func do(t testing.TB, s *Store, steps ...Step) {
	t.Helper()
	if err := s.Ack(steps); err != nil {
		t.Fatal(err)
	}
	if err := s.Fold(); err != nil {
		t.Fatal(err)
	}
}

func file(name string, id FileID) Entry {
	return Entry{Name: name, Stat: Stat{Kind: File, Mode: 0o644, Size: 1, ModTime: 5, CTime: 5}, Content: Content{FileID: id, HeadRevision: "r-" + string(id)}}
}

func put(in FolderID, name string, id FileID) Step {
	return Step{Kind: Put, Folder: in, Entry: file(name, id), Reason: EndModified}
}

func move(from FolderID, old string, to FolderID, name string, id FileID) Step {
	return Step{Kind: Move, Folder: to, Entry: file(name, id), OldFolder: from, OldName: old, Reason: EndMoved}
}

func drop(in FolderID, name string, id FileID) Step {
	return Step{Kind: Drop, Folder: in, Entry: Entry{Name: name, Content: Content{FileID: id}}, Reason: EndDeleted}
}

func putFolder(id, parent FolderID, name string) Step {
	return Step{Kind: PutFolder, Dir: Folder{ID: id, Parent: parent, Name: name, FileID: FileID("id-" + name), FS: 1, Inode: uint64(id) * 10, Mode: 0o755}}
}

func dropFolder(id FolderID) Step {
	return Step{Kind: DropFolder, Dir: Folder{ID: id}, Reason: EndDeleted}
}

// tree draws what the manifest holds: paths with FileIDs, "/" after a folder,
// and what is displaced after a "!".
func tree(t testing.TB, s *Store) string {
	t.Helper()
	r := newReader(t, s)
	defer r.Close()
	var b strings.Builder
	err := r.Walk(Root, func(p Path, row Row, files []Entry) error {
		if p != "" {
			fmt.Fprintf(&b, "%s/ ", p)
		}
		for _, e := range files {
			fmt.Fprintf(&b, "%s=%s ", p.Join(e.Name), e.FileID)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	gone, err := r.Displaced()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range gone {
		fmt.Fprintf(&b, "!%s=%s ", d.Name, d.FileID)
	}
	return strings.TrimSpace(b.String())
}

// TestFolderIDs: a number is never given out twice, not even that of a folder
// which is gone.
func TestFolderIDs(t *testing.T) {
	s := newStore(t)
	first := s.NextFolderID()
	do(t, s, putFolder(first, Root, "a"), putFolder(s.NextFolderID(), Root, "b"), dropFolder(3))
	s.Close()
	if id := openTest(t, s.Path()).NextFolderID(); first != 2 || id != 4 {
		t.Errorf("the first is %d and the third %d, want 2 and 4", first, id)
	}
}

func TestMetaAndFS(t *testing.T) {
	s := newStore(t)
	a, err := s.FS("uuid-a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.FS("uuid-b")
	if err != nil || a == b || a == 0 || b == 0 {
		t.Fatalf("FS() = %d and %d, %v", a, b, err)
	}
	if err := s.SetMeta(map[string]string{"gen": "1", "host": "laptop"}); err != nil {
		t.Fatal(err)
	}
	if err := s.SetMeta(map[string]string{"gen": "2", "host": ""}); err != nil {
		t.Fatal(err)
	}
	if err := s.SetMeta(map[string]string{"gen": "3", metaFolders: "1"}); err == nil {
		t.Error("SetMeta took the store's own key")
	}
	s.Close()
	s = openTest(t, s.Path())
	if again, err := s.FS("uuid-b"); again != b || err != nil {
		t.Errorf("FS(uuid-b) = %d, %v, was %d", again, err, b)
	}
	r := newReader(t, s)
	for _, tt := range []struct {
		get  func() (string, error)
		want string
	}{
		{func() (string, error) { return r.Meta("gen") }, "2"},
		{func() (string, error) { return r.Meta("host") }, ""},
		{func() (string, error) { return r.FSName(a) }, "uuid-a"},
		{func() (string, error) { return r.FSName(99) }, ""},
	} {
		if v, err := tt.get(); v != tt.want || err != nil {
			t.Errorf("got %q, %v, want %q", v, err, tt.want)
		}
	}
}

func TestMarkLost(t *testing.T) {
	s := newStore(t)
	do(t, s, putFolder(2, Root, "d"), put(2, "a", "1"), put(2, "b", "2"), put(Root, "x", "3"), put(Root, "x", "4"))
	do(t, s, putFolder(9, Root, "broken"), put(9, "c", "5"))
	if err := s.c.exec("DELETE FROM content WHERE id = 9"); err != nil {
		t.Fatal(err)
	}
	var damaged *DamagedError
	if err := s.MarkLost([]FileID{"1", "3", "id-d", "unknown"}); !errors.As(err, &damaged) || damaged.Path != "broken" {
		t.Fatalf("MarkLost = %v, want the damaged folder", err)
	}
	r := newReader(t, s)
	row, _, _, err := r.Lookup("d")
	if err != nil || row.Flags != Lost {
		t.Errorf("folder d: %v, %v", row.Flags, err)
	}
	files, err := r.Entries(row)
	if err != nil || files[0].Flags != Lost || files[1].Flags != 0 {
		t.Errorf("files: %+v, %v", files, err)
	}
	if gone, err := r.Displaced(); len(gone) != 0 || err != nil {
		t.Errorf("Displaced() = %+v, %v", gone, err)
	}
}

func TestPermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("rights are inherited from the user's profile there")
	}
	s := newStore(t)
	do(t, s, put(Root, "a", "1"))
	newReader(t, s)
	list, err := filepath.Glob(filepath.Dir(s.Path()) + "/*")
	if err != nil || len(list) < 3 {
		t.Fatalf("%v, %v: want the database, its log and its index", list, err)
	}
	for path, want := range map[string]fs.FileMode{filepath.Dir(s.Path()): 0o700, list[0]: 0o600, list[1]: 0o600, list[2]: 0o600} {
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %v", path, st.Mode(), err, want)
		}
	}
}

func TestOpenReaderWithoutManifest(t *testing.T) {
	if _, err := OpenReader(filepath.Join(t.TempDir(), "none.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("OpenReader: %v, want fs.ErrNotExist", err)
	}
}

// TestLibcPair: modernc.org/sqlite works with exactly the modernc.org/libc
// that its go.mod names; a newer one builds, and may fail in the field.
// Source: modernc.org/sqlite, package documentation, "Fragile modernc.org/libc dependency".
func TestLibcPair(t *testing.T) {
	list := func(format, module string) string {
		out, err := exec.Command("go", "list", "-m", "-f", format, module).Output()
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		return strings.TrimSpace(string(out))
	}
	gomod, err := os.ReadFile(list("{{.GoMod}}", "modernc.org/sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`modernc\.org/libc (\S+)`).FindSubmatch(gomod)
	if m == nil {
		t.Fatal("sqlite's go.mod names no libc")
	}
	if got := list("{{.Version}}", "modernc.org/libc"); got != string(m[1]) {
		t.Errorf("go.mod has modernc.org/libc %s, and modernc.org/sqlite wants %s", got, m[1])
	}
}
