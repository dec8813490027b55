package manifest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOpenErrors: each way in which a manifest cannot be used says so, and
// what to do.
func TestOpenErrors(t *testing.T) {
	edit := func(f func(path string) error) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			s := newStore(t)
			var steps []Step
			for i := range FolderID(300) {
				steps = append(steps, putFolder(i+2, Root, fmt.Sprint(i)))
			}
			do(t, s, steps...)
			s.Close()
			if err := errors.Join(os.Rename(s.Path(), path), f(path)); err != nil {
				t.Fatal(err)
			}
		}
	}
	sql := func(statements string) func(path string) error {
		return func(path string) error {
			c, err := connect(path, "mode=rwc", 100)
			if err != nil {
				return err
			}
			return errors.Join(c.script(statements), c.close())
		}
	}
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, path string)
		want  string
	}{
		"not a database": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("this is a letter\n", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "it is no manifest, or its beginning is damaged"},
		"another program's": {func(t *testing.T, path string) {
			if err := sql("CREATE TABLE t (a)")(path); err != nil {
				t.Fatal(err)
			}
		}, "another program's database"},
		"newer": {edit(sql("PRAGMA user_version = 99")), "use the newer acb"},
		"empty": {edit(func(path string) error { return os.Truncate(path, 0) }), "it is empty; nothing is changed on Drive until"},
		"missing": {edit(func(path string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path+"-wal", []byte("log"), 0o600))
		}), "it is missing, although its log is there"},
		"missing, copied": {edit(func(path string) error { return os.Rename(path, CopyPath(path)) }), "it is missing, although a copy of it is there"},
		"a folder": {func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "open manifest"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "manifest.db")
			tt.spoil(t, path)
			before, _ := os.ReadFile(path)
			if _, err := OpenReader(path); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("OpenReader: got %v, want something with %q", err, tt.want)
			}
			if _, err := Open(path); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Open: got %v, want something with %q", err, tt.want)
			}
			if after, _ := os.ReadFile(path); string(before) != string(after) {
				t.Error("the file was changed")
			}
		})
	}
}

// TestCutShort cuts a manifest at each border of pages and in between.
func TestCutShort(t *testing.T) {
	s := newStore(t)
	for i := range FolderID(60) {
		do(t, s, putFolder(i+2, Root, fmt.Sprint("folder", i)), put(i+2, strings.Repeat("x", 300), FileID(fmt.Sprint(i))))
	}
	s.Close()
	whole, err := os.ReadFile(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) {
		if cut%4096 > 1 && cut%4096 < 4095 && cut != 16 && cut != 100 {
			continue
		}
		path := filepath.Join(t.TempDir(), "manifest.db")
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenReader(path); !IsBroken(err) {
			t.Errorf("%d of %d bytes: OpenReader = %v", cut, len(whole), err)
		}
		if _, err := Open(path); !IsBroken(err) {
			t.Errorf("%d of %d bytes: Open = %v", cut, len(whole), err)
		}
	}
}

func TestReadOnlyFolder(t *testing.T) {
	s := newStore(t)
	s.Close()
	dir := filepath.Dir(s.Path())
	if err := errors.Join(os.Chmod(s.Path(), 0o400), os.Chmod(dir, 0o500)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(dir, 0o700) })
	if f, err := os.OpenFile(s.Path(), os.O_RDWR, 0); err == nil {
		f.Close()
		t.Skip("this user may write to what is read-only")
	}
	if _, err := Open(s.Path()); err == nil || !strings.Contains(err.Error(), "this user may write to it") {
		t.Errorf("Open = %v", err)
	}
}

// TestDiskFull lets the database reach a size that it may not exceed: the
// error says so, and what was acknowledged before stays.
func TestDiskFull(t *testing.T) {
	s := newStore(t)
	do(t, s, put(Root, "kept", "1"))
	if err := s.c.exec("PRAGMA max_page_count = 60"); err != nil {
		t.Fatal(err)
	}
	var err error
	acked := 0
	for ; err == nil && acked < 10_000; acked++ {
		err = s.Ack([]Step{put(Root, strings.Repeat("x", 5000), FileID(fmt.Sprint(acked)))})
	}
	if err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Fatalf("Ack = %v", err)
	}
	s.Close()
	s = openTest(t, s.Path())
	if got := tree(t, s); !strings.HasPrefix(got, "kept=1 ") || !strings.Contains(got, fmt.Sprint("x=", acked-2)) {
		t.Errorf("of %d steps, this is left: %.100s", acked-1, got)
	}
}

// TestMigrate goes to a made-up next version and not back.
func TestMigrate(t *testing.T) {
	s := newStore(t)
	do(t, s, put(Root, "a", "1"))
	s.Close()
	path := s.Path()
	next := append(migrations[:len(migrations):len(migrations)], migration{schema: "ALTER TABLE run ADD COLUMN weather TEXT; CREATE TABLE more (a)"})
	s, err := open(path, next)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.c.number("SELECT count(weather) + count(*) FROM run"); n != 1 || err != nil {
		t.Errorf("run has %d rows, %v", n, err)
	}
	s.Close()
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "newer acb") {
		t.Errorf("the older acb: Open = %v", err)
	}
	if _, err := OpenReader(path); err == nil || !strings.Contains(err.Error(), "newer acb") {
		t.Errorf("the older acb: OpenReader = %v", err)
	}
	old := path + fmt.Sprint(".v", len(migrations))
	if st, err := os.Stat(old); err != nil || st.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("the copy: %v, %v", st, err)
	}
	if got := tree(t, openTest(t, old)); got != "a=1" {
		t.Errorf("the copy holds %q", got)
	}
	// A migration that fails leaves what was.
	if _, err := open(old, append(migrations[:len(migrations):len(migrations)], migration{schema: "CREATE TABLE half (a); nonsense"})); err == nil {
		t.Error("a migration that fails did not")
	}
	if got := tree(t, openTest(t, old)); got != "a=1" {
		t.Errorf("after a migration that failed: %q", got)
	}
}

// TestMigrate5: what a rebuilt manifest of version 5 said of all, each folder and
// file says now; and what had lost its seal is not sealed anew.
func TestMigrate5(t *testing.T) {
	for _, tt := range []struct{ rebuilt, spoil, want string }{
		{"", "", "way=16 way/d=0 way/d/f=0"},
		{"17", "", "way=16 way/d=32 way/d/f=32"},
		{"17", "UPDATE source SET files = 100000", "broken"},
		{"17", "UPDATE folder SET sum = sum + 1 WHERE id = 3", "way=16"},
	} {
		s := newStore(t)
		way := putFolder(2, Root, "way")
		way.Dir.Flags = Prefix
		do(t, s, way, putFolder(3, 2, "d"), put(3, "f", "1"))
		err := s.c.script("ALTER TABLE source ADD COLUMN files INTEGER NOT NULL DEFAULT 0; INSERT INTO source VALUES ('way/d', 3, 0, 0, 1, 1); PRAGMA user_version = 5")
		err = errors.Join(err, s.c.exec("INSERT INTO meta VALUES ('rebuilt', ?)", tt.rebuilt), s.c.seal4(), s.c.script(tt.spoil), s.Close())
		if err != nil {
			t.Fatal(err)
		}
		got := []string{}
		s, err = Open(s.Path())
		if err == nil {
			r := newReader(t, s)
			err = r.Walk(Root, func(p Path, row Row, files []Entry) error {
				if row.ID != Root {
					got = append(got, fmt.Sprint(p, "=", uint8(row.Flags)))
				}
				for _, e := range files {
					got = append(got, fmt.Sprint(p.Join(e.Name), "=", uint8(e.Flags)))
				}
				return nil
			})
			if left, e := r.Meta("rebuilt"); left != "" || e != nil {
				t.Errorf("rebuilt is %q, %v", left, e)
			}
			if list, e := r.Sources(); len(list) != 1 || e != nil {
				t.Errorf("sources %v, %v", list, e)
			}
			s.Close()
		} else if IsBroken(err) {
			got = []string{"broken"}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("rebuilt %q, spoilt by %q: %q, %v, want %q", tt.rebuilt, tt.spoil, got, err, tt.want)
		}
	}
}

// TestDamagedRows spoils single rows: their folder is unknown, and everything
// else is as it was.
func TestDamagedRows(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil    string
		unknown  FolderID // the folder the error names
		children bool     // the damage shows in Children
		want     string   // what a walk still finds
	}{
		"files":    {"UPDATE folder SET files = CAST(replace(CAST(files AS TEXT), 'f2', 'f3') AS BLOB) WHERE id = 2", 2, false, "1 3"},
		"no files": {"UPDATE folder SET files = x'' WHERE id = 2", 2, false, "1 3"},
		"contents": {"UPDATE content SET record = zeroblob(length(record)) WHERE id = 2", 2, false, "1 3"},
		"none":     {"DELETE FROM content WHERE id = 2", 2, false, "1 3"},
		"swapped":  {"UPDATE content SET record = (SELECT record FROM content WHERE id = 3) WHERE id = 2", 2, false, "1 3"},
		"name":     {"UPDATE folder SET name = 'e' WHERE id = 2", Root, true, "1 3"},
		"flags":    {"UPDATE folder SET flags = 2 WHERE id = 2", Root, true, "1 3"},
		"row":      {"DELETE FROM folder WHERE id = 2", Root, false, "1 3"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			do(t, s, putFolder(2, Root, "d"), putFolder(3, Root, "e2"), put(2, "f2", "2"), put(3, "f3", "3"), put(Root, "f1", "1"))
			if err := s.c.exec(tt.spoil); err != nil {
				t.Fatal(err)
			}
			r := newReader(t, s)
			_, err := r.Children(Root)
			var damaged *DamagedError
			if errors.As(err, &damaged) != tt.children {
				t.Errorf("Children = %v", err)
			}
			var seen []string
			err = r.Walk(Root, func(_ Path, _ Row, files []Entry) error {
				for _, e := range files {
					seen = append(seen, string(e.FileID))
				}
				return nil
			})
			if !errors.As(err, &damaged) || damaged.Folder != tt.unknown {
				t.Errorf("Walk = %v, want folder %d damaged", err, tt.unknown)
			}
			if got := strings.Join(seen, " "); got != tt.want {
				t.Errorf("the walk found %q, want %q", got, tt.want)
			}
			if err := r.Check(); !errors.As(err, &damaged) {
				t.Errorf("Check = %v", err)
			}
		})
	}
}

// TestFoldIntoDamaged: what comes into a damaged folder is kept, and what was
// there stays for a repair.
func TestFoldIntoDamaged(t *testing.T) {
	s := newStore(t)
	do(t, s, putFolder(2, Root, "d"), put(2, "a", "1"))
	if err := s.c.exec("UPDATE content SET record = zeroblob(length(record)) WHERE id = 2"); err != nil {
		t.Fatal(err)
	}
	do(t, s, put(2, "b", "2"), drop(2, "a", "1"), putFolder(3, 2, "e"))
	r := newReader(t, s)
	gone, err := r.Displaced()
	if err != nil || len(gone) != 1 || gone[0].Folder != 2 || gone[0].FileID != "2" {
		t.Errorf("Displaced = %+v, %v", gone, err)
	}
	row, _, err := r.Row(2)
	if err != nil || row.Files.Len() != 1 || row.Subfolders != 1 {
		t.Errorf("row: %+v, %v", row, err)
	}
}

// TestDamagedJournal: a step that cannot be read is never passed over.
func TestDamagedJournal(t *testing.T) {
	s := newStore(t)
	if err := s.Begin([]Intent{{Kind: CreateFile, Folder: Root, Name: "a", Stat: Stat{Kind: File}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.c.exec("UPDATE intent SET record = zeroblob(length(record))"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Unsettled(); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("Unsettled = %v", err)
	}
	if err := s.Ack([]Step{put(Root, "a", "1")}); err != nil {
		t.Fatal(err)
	}
	if err := s.c.exec("UPDATE step SET record = substr(record, 1, 9)"); err != nil {
		t.Fatal(err)
	}
	if err := s.Fold(); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("Fold = %v", err)
	}
}
