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
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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

func TestSteps(t *testing.T) {
	const d, e = 2, 3
	for name, tt := range map[string]struct {
		steps []Step
		want  string
	}{
		"put":                        {[]Step{put(Root, "a", "1")}, "a=1"},
		"put and update":             {[]Step{put(Root, "a", "1"), put(Root, "a", "1")}, "a=1"},
		"drop":                       {[]Step{put(Root, "a", "1"), drop(Root, "a", "1")}, ""},
		"drop of another id":         {[]Step{put(Root, "a", "1"), drop(Root, "a", "2")}, "a=1"},
		"drop of nothing":            {[]Step{drop(Root, "a", "1"), drop(77, "a", "1")}, ""},
		"rename":                     {[]Step{put(Root, "a", "1"), move(Root, "a", Root, "b", "1")}, "b=1"},
		"rename over":                {[]Step{put(Root, "a", "1"), put(Root, "b", "2"), move(Root, "a", Root, "b", "1")}, "b=1 !b=2"},
		"rename over, old one gone":  {[]Step{put(Root, "a", "1"), put(Root, "b", "2"), move(Root, "a", Root, "b", "1"), drop(Root, "b", "2")}, "b=1"},
		"half a swap":                {[]Step{put(Root, "a", "1"), put(Root, "b", "2"), move(Root, "a", Root, "b", "1")}, "b=1 !b=2"},
		"swap":                       {[]Step{put(Root, "a", "1"), put(Root, "b", "2"), move(Root, "a", Root, "b", "1"), move(Root, "b", Root, "a", "2")}, "a=2 b=1"},
		"two thirds of a cycle":      {[]Step{put(Root, "a", "1"), put(Root, "b", "2"), put(Root, "c", "3"), move(Root, "a", Root, "b", "1"), move(Root, "b", Root, "c", "2")}, "b=1 c=2 !c=3"},
		"cycle":                      {[]Step{put(Root, "a", "1"), put(Root, "b", "2"), put(Root, "c", "3"), move(Root, "a", Root, "b", "1"), move(Root, "b", Root, "c", "2"), move(Root, "c", Root, "a", "3")}, "a=3 b=1 c=2"},
		"swap between folders":       {[]Step{putFolder(d, Root, "d"), put(Root, "a", "1"), put(d, "a", "2"), move(Root, "a", d, "a", "1"), move(d, "a", Root, "a", "2")}, "a=2 d/ d/a=1"},
		"displaced twice":            {[]Step{put(Root, "a", "1"), put(Root, "a", "2"), put(Root, "a", "3")}, "a=3 !a=1 !a=2"},
		"displaced and back":         {[]Step{put(Root, "a", "1"), put(Root, "a", "2"), put(Root, "b", "1")}, "a=2 b=1"},
		"folders":                    {[]Step{putFolder(d, Root, "d"), putFolder(e, d, "e"), put(e, "a", "1")}, "d/ d/e/ d/e/a=1"},
		"folder moved":               {[]Step{putFolder(d, Root, "d"), putFolder(e, Root, "e"), put(e, "a", "1"), putFolder(e, d, "x")}, "d/ d/x/ d/x/a=1"},
		"folder dropped":             {[]Step{putFolder(d, Root, "d"), putFolder(e, d, "e"), put(e, "a", "1"), put(Root, "b", "2"), dropFolder(d)}, "b=2"},
		"out of a dropped folder":    {[]Step{putFolder(d, Root, "d"), putFolder(e, d, "e"), put(d, "a", "1"), move(d, "a", Root, "a", "1"), putFolder(e, Root, "e"), dropFolder(d)}, "a=1 e/"},
		"dropped twice":              {[]Step{putFolder(d, Root, "d"), dropFolder(d), dropFolder(d)}, ""},
		"child and parent dropped":   {[]Step{putFolder(d, Root, "d"), putFolder(e, d, "e"), dropFolder(e), dropFolder(d)}, ""},
		"after a dropped folder":     {[]Step{putFolder(d, Root, "d"), put(d, "a", "1"), dropFolder(d), putFolder(e, Root, "d"), put(e, "a", "2")}, "d/ d/a=2"},
		"displaced in dropped":       {[]Step{putFolder(d, Root, "d"), put(d, "a", "1"), put(d, "a", "2"), dropFolder(d)}, ""},
		"put into dropped":           {[]Step{putFolder(d, Root, "d"), dropFolder(d), put(d, "a", "1")}, "!a=1"},
		"file becomes folder":        {[]Step{put(Root, "x", "1"), putFolder(d, Root, "x"), drop(Root, "x", "1")}, "x/"},
		"root dropped":               {[]Step{put(Root, "a", "1"), dropFolder(Root)}, "a=1"},
		"names that are not UTF-8":   {[]Step{putFolder(d, Root, "\xff\n"), put(d, "\xfe'\"", "1")}, "\xff\n/ \xff\n/\xfe'\"=1"},
		"siblings in bytewise order": {[]Step{putFolder(2, Root, "b"), putFolder(3, Root, "a"), putFolder(4, Root, "B")}, "B/ a/ b/"},
	} {
		t.Run(name, func(t *testing.T) {
			one := newStore(t) // all in one fold
			do(t, one, tt.steps...)
			if got := tree(t, one); got != tt.want {
				t.Errorf("in one fold:\n got %s\nwant %s", got, tt.want)
			}
			if name == "put into dropped" {
				return // step by step, that is an error of Ack
			}
			many := newStore(t) // each folded, and each twice
			for _, st := range tt.steps {
				do(t, many, st)
			}
			do(t, many, tt.steps[len(tt.steps)-1])
			if got := tree(t, many); got != tt.want {
				t.Errorf("step by step:\n got %s\nwant %s", got, tt.want)
			}
			if err := newReader(t, many).Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAckRefuses(t *testing.T) {
	s := newStore(t)
	for name, st := range map[string]Step{
		"no such folder":     put(9, "a", "1"),
		"no such parent":     putFolder(3, 9, "d"),
		"no kind of step":    {},
		"no id":              put(Root, "a", ""),
		"folder as an entry": {Kind: Put, Folder: Root, Entry: Entry{Name: "a", Stat: Stat{Kind: Dir}, Content: Content{FileID: "1"}}},
	} {
		if err := s.Ack([]Step{put(Root, "first", "0"), st}); err == nil {
			t.Errorf("%s: Ack took it", name)
		}
	}
	do(t, s)
	if got := tree(t, s); got != "" {
		t.Errorf("a refused group left %q", got)
	}
	if err := openTest(t, filepath.Join(t.TempDir(), "m.db")).Ack([]Step{put(Root, "a", "1")}); err == nil {
		t.Error("Ack without a run was taken")
	}
}

func TestIntents(t *testing.T) {
	s := newStore(t)
	path := s.Path()
	intents := []Intent{
		{Kind: CreateFile, Folder: Root, Name: "\xffa", FileID: "1", Stat: file("", "").Stat},
		{Kind: UpdateFile, Folder: Root, Name: "b", FileID: "2", Stat: file("", "").Stat, HeadRevision: "head=", Session: []byte("secret")},
		{Kind: CreateFolder, NewFolder: Folder{ID: 50, Parent: Root, Name: "d", FileID: "3", FS: 4, Mode: 0o700, Inode: 1 << 63, Birth: -1, ModTime: 7, Flags: Prefix}},
	}
	if err := s.Begin(intents); err != nil {
		t.Fatal(err)
	}
	intents[0].Session = []byte("begun")
	if err := s.Begin(intents[:1]); err != nil {
		t.Fatal(err)
	}
	s.Close() // as if killed

	s = openTest(t, path)
	got, err := s.Unsettled()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(intents, got); d != "" {
		t.Errorf("intents came back different:\n%s", d)
	}
	if id := s.NextFolderID(); id != 51 {
		t.Errorf("NextFolderID() = %d: an intent had 50", id)
	}
	s.BeginRun("scan", noon)
	st := put(Root, "b", "2")
	st.Intent = got[1].Seq
	if err := s.Ack([]Step{st}); err != nil {
		t.Fatal(err)
	}
	if err := s.Settle(got[0].Seq); err != nil {
		t.Fatal(err)
	}
	left, err := s.Unsettled()
	if err != nil || len(left) != 1 || left[0].Seq != got[2].Seq {
		t.Errorf("Unsettled() = %+v, %v, want the folder alone", left, err)
	}
	more := []Intent{{Kind: CreateFile, Folder: Root, Name: "c", FileID: "4", Stat: file("", "").Stat}}
	if err := s.Begin(more); err != nil || more[0].Seq <= got[2].Seq {
		t.Errorf("Begin() = %v, numbered %d after %d", err, more[0].Seq, got[2].Seq)
	}
}

func TestReservedIDs(t *testing.T) {
	s := newStore(t)
	if err := s.KeepIDs([]FileID{"old"}, noon); err != nil {
		t.Fatal(err)
	}
	if err := s.KeepIDs([]FileID{"b", "a"}, noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]FileID{{"a", "b"}, nil} {
		got, err := s.TakeIDs(noon.Add(24 * time.Hour))
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("TakeIDs: %v\n%s", err, d)
		}
	}
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

func TestLookup(t *testing.T) {
	s := newStore(t)
	steps := []Step{putFolder(2, Root, "home"), putFolder(3, 2, "ana"), put(3, "cv.pdf", "1"), put(Root, "x", "2"), putFolder(4, 3, "deep")}
	steps[4].Dir.Inode = 30
	do(t, s, steps...)
	r := newReader(t, s)
	for p, want := range map[Path]string{
		"": "1", "home": "2", "home/ana": "3", "home/ana/cv.pdf": "3:1", "x": "1:2",
		"home/cv.pdf": "", "x/y": "", "nowhere/at/all": "", "home/ana/deep": "4",
	} {
		row, e, found, err := r.Lookup(p)
		got := ""
		if found {
			got = fmt.Sprint(row.ID)
		}
		if e != nil {
			got += ":" + string(e.FileID)
		}
		if got != want || err != nil {
			t.Errorf("Lookup(%q) = %q, %v, want %q", p, got, err, want)
		}
		if found && e == nil {
			if back, ok, err := r.PathOf(row.ID); back != p || !ok || err != nil {
				t.Errorf("PathOf(%d) = %q, %v, %v, want %q", row.ID, back, ok, err, p)
			}
		}
	}
	rows, err := r.ByInode(1, 30)
	if err != nil || len(rows) != 2 || rows[0].ID+rows[1].ID != 7 {
		t.Errorf("ByInode = %+v, %v, want folders 3 and 4", rows, err)
	}
	if _, ok, err := r.PathOf(99); ok || err != nil {
		t.Errorf("PathOf(99) = %v, %v", ok, err)
	}
}

func TestSubtreeCounts(t *testing.T) {
	s := newStore(t)
	steps := []Step{putFolder(2, Root, "d"), putFolder(3, 2, "hidden"), put(2, "a", "1"), put(2, "b", "2"), put(3, "c", "3"), put(Root, "x", "4")}
	steps[1].Dir.Flags = Retired
	steps[2].Entry.Flags = Pinned
	steps[3].Entry.Flags = Retired | Lost
	do(t, s, steps...)
	got, err := newReader(t, s).SubtreeCounts(2)
	if want := (Counts{Folders: 1, Files: 3, Bytes: 3, Retired: 2, Pinned: 1, Lost: 1}); got != want || err != nil {
		t.Errorf("SubtreeCounts = %+v, %v, want %+v", got, err, want)
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

// TestReadersBesideWriter has a writer move files to and fro, fold and
// checkpoint, while readers must always find each of them exactly once.
func TestReadersBesideWriter(t *testing.T) {
	const files = 20
	s := newStore(t)
	steps := []Step{putFolder(2, Root, "a"), putFolder(3, Root, "b")}
	for i := range files {
		steps = append(steps, put(2, fmt.Sprint(i), FileID(fmt.Sprint("id", i))))
	}
	do(t, s, steps...)
	done := make(chan bool)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			r, err := OpenReader(s.Path())
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Close()
			for rounds := 0; ; rounds++ {
				seen := map[FileID]bool{}
				err := r.Walk(Root, func(_ Path, _ Row, list []Entry) error {
					for _, e := range list {
						seen[e.FileID] = true
					}
					return nil
				})
				if err == nil {
					err = r.Refresh()
				}
				if err != nil || len(seen) != files {
					t.Errorf("round %d: %d of %d files, %v", rounds, len(seen), files, err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range 60 {
		n := fmt.Sprint(i % files)
		from, to := FolderID(2+i/files%2), FolderID(3-i/files%2)
		do(t, s, move(from, n, to, n, FileID("id"+n)))
	}
	close(done)
	wg.Wait()
}

func TestReaderIsASnapshot(t *testing.T) {
	s := newStore(t)
	r := newReader(t, s)
	do(t, s, put(Root, "a", "1"))
	for _, want := range []int{0, 1} {
		row, _, err := r.Row(Root)
		if err != nil || row.Files.Len() != want {
			t.Errorf("%d files, %v, want %d", row.Files.Len(), err, want)
		}
		if err := r.Refresh(); err != nil {
			t.Fatal(err)
		}
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
