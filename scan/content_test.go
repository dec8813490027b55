//go:build linux

package scan

import (
	"crypto/md5"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/zeebo/blake3"
)

// put changes what the manifest has of one file.
func put(t *testing.T, s *manifest.Store, p manifest.Path, change func(*manifest.Entry)) {
	t.Helper()
	r, err := s.Reader()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	in, name := p.Split()
	id := manifest.Root
	for _, n := range in.Names() {
		subs, err := r.Children(id)
		if err != nil {
			t.Fatal(err)
		}
		for _, sub := range subs {
			if sub.Name == n {
				id = sub.ID
			}
		}
	}
	row, _, err := r.Row(id)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := r.Entries(row)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name == name {
			change(&e)
			s.BeginRun("test", time.Unix(0, 0))
			if err := s.Ack([]manifest.Step{{Kind: manifest.Put, Folder: id, Entry: e}}); err != nil {
				t.Fatal(err)
			}
			if err := s.Fold(); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no %s in the manifest", p)
}

func TestLost(t *testing.T) {
	_, s, src := scanned(t, "echo 1 >one; echo 2 >two")
	put(t, s, src[0].Path+"/one", func(e *manifest.Entry) { e.Flags |= manifest.Lost })
	res := expect(t, s, src, Options{}, "created one")
	if d := res.Files[0]; d.Old == nil || d.New.Flags != 0 || d.New.Hash.IsZero() {
		t.Errorf("got %+v", d)
	}
}

// A manifest that was rebuilt from Drive has an MD5 only.
func TestOnlyMD5(t *testing.T) {
	root, s, src := scanned(t, "echo 1 >one; echo 2 >two")
	for _, name := range []string{"one", "two"} {
		put(t, s, src[0].Path+"/"+manifest.Path(name), func(e *manifest.Entry) {
			e.Hash, e.MD5, e.Inode = manifest.Hash{}, md5.Sum([]byte("1\n")), 0
		})
	}
	res := expect(t, s, src, Options{}, "modified two")
	commit(t, s, res)
	same(t, s, root)
}

func TestChangingFile(t *testing.T) {
	root, s, src := scanned(t, "echo 1 >one; echo 2 >two; echo 3 >three")
	sh(t, root, "echo 9 >one; echo 8 >two; mv three four")
	// The clock is asked between the first stat and the reading.
	asked := int64(0)
	busy := func() time.Time {
		for _, name := range []string{"one", "four"} {
			asked++
			os.Chtimes(filepath.Join(root, name), time.Time{}, time.Unix(asked, 0))
		}
		return later()
	}
	res := expect(t, s, src, Options{Now: busy, Hashers: 1, Walkers: 1}, "modified two", "deleted three", "skip changing one", "skip changing four")
	if c := res.Sources[0].Counts; c.Unknown != 1 || c.Skipped != 1 {
		t.Errorf("got %+v", c)
	}
	if res.BytesRead != hashTries*(2+2)+2 {
		t.Errorf("%d bytes read", res.BytesRead)
	}
	// What is gone or forbidden by then is unknown as well.
	sh(t, root, "touch two")
	gone := &meddling{system: native, opening: func(name string) { os.Remove(filepath.Join(root, name)) }}
	expect(t, s, src, Options{system: gone, Hashers: 1}, "deleted three", "skip vanished one", "skip vanished two")
}

// A meddling system does something to files that are opened.
type meddling struct {
	system
	opening func(name string)
}

type meddlingDir struct {
	dir
	m *meddling
}

func (m *meddling) open(path string) (dir, error) {
	d, err := m.system.open(path)
	return meddlingDir{d, m}, err
}
func (m *meddling) fileSystem(d dir) fileSystem { return m.system.fileSystem(d.(meddlingDir).dir) }
func (d meddlingDir) open(name string) (dir, error) {
	below, err := d.dir.open(name)
	return meddlingDir{below, d.m}, err
}
func (d meddlingDir) openFile(name string) (regular, error) {
	d.m.opening(name)
	return d.dir.openFile(name)
}

func TestHash(t *testing.T) {
	root := t.TempDir()
	big := strings.Repeat("0123456789abcdef", 200_000)
	if err := os.WriteFile(filepath.Join(root, "big"), []byte(big), 0o600); err != nil {
		t.Fatal(err)
	}
	src := source(t, root)
	s := &fileSeen{}
	s.New = &manifest.FileAt{In: &manifest.Place{Path: src.Path}, Entry: manifest.Entry{Name: "big"}}
	s.New.Kind = manifest.File
	p := hashPool{files: NewFiles([]Source{src}), opts: &Options{}, racy: func(*manifest.Stat) manifest.Flags { return 0 }}
	if err := p.hash(t.Context(), []*fileSeen{s})[0]; err != nil {
		t.Fatal(err)
	}
	if s.New.Hash != blake3.Sum256([]byte(big)) || s.New.Size != int64(len(big)) {
		t.Errorf("got %v of %d bytes", s.New.Hash, s.New.Size)
	}
}

func TestFilesOpen(t *testing.T) {
	root := t.TempDir()
	sh(t, root, "mkdir -p in/sub out; echo inside >in/sub/file; echo outside >out/file; ln -s ../out in/away; ln -s sub/file in/link; mkfifo in/pipe; ln -s in linked; echo single >alone; ln -s alone also")
	p, _ := PathOf(root)
	files := NewFiles([]Source{
		{Path: p + "/in", Root: root + "/in"},
		{Path: p + "/linked", Root: root + "/linked"},
		{Path: p + "/also", Root: root + "/also"},
	})
	for _, c := range []struct{ path, want string }{
		{"in/sub/file", "inside\n"},
		{"linked/sub/file", "inside\n"}, // the source itself may be a link
		{"in/link", "sub/file"},
		{"also", "single\n"},
		{"alone", "single\n"},
		{"in/away/file", ""},
		{"in/pipe", ""},
		{"in/sub", ""},
		{"in/none", ""},
		{"in/../out/file", ""},
	} {
		f, err := files.Open(p.Join(c.path))
		if err != nil {
			if c.want != "" {
				t.Errorf("%s: %v", c.path, err)
			}
			continue
		}
		b, err := io.ReadAll(f)
		st, statErr := f.Stat()
		if err != nil || statErr != nil || string(b) != c.want || st.Size != int64(len(b)) {
			t.Errorf("%s: %q, %d bytes, %v, %v", c.path, b, st.Size, err, statErr)
		}
		at := make([]byte, 3)
		if n, err := f.ReadAt(at, 2); n == 0 || string(at[:n]) != c.want[2:2+n] {
			t.Errorf("%s: at 2 %q, %v", c.path, at[:n], err)
		}
		f.Close()
	}
}

// TestLongPath goes far beyond what one system call takes.
func TestLongPath(t *testing.T) {
	root, s, src := scanned(t, "true")
	name := strings.Repeat("d", 200)
	long := `i=0; while [ $i -lt 40 ]; do mkdir $0; cd -P $0; echo $i >file; mkdir other; i=$((i+1)); done; echo same >last`
	sh(t, root, strings.ReplaceAll(long, "$0", name))
	res := mustTree(t, s, src, Options{})
	if n := len(res.Files); n != 41 || len(res.Skips) != 0 {
		t.Fatalf("%d files, %v", n, res.Skips)
	}
	var deepest *manifest.FileAt
	for _, d := range res.Files {
		if d.New.Name == "last" {
			deepest = d.New
		}
	}
	f, err := NewFiles(src).Open(deepest.Path())
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(f)
	f.Close()
	if string(b) != "same\n" || len(deepest.Path()) < 8000 {
		t.Errorf("%q at %d bytes of path", b, len(deepest.Path()))
	}
	commitPlain(t, s, res)
	expect(t, s, src, Options{})
	sh(t, root, "mv "+name+" moved")
	expect(t, s, src, Options{}, "moved "+name+"/ -> moved/")
	os.RemoveAll(root)
}

// The folder of the last file stays open: a file in it is opened without
// another look at the way to it, and Close lets go of it.
func TestFilesKeepFolder(t *testing.T) {
	root := t.TempDir()
	sh(t, root, "mkdir -p a/deep b; echo 1 >a/deep/one; echo 2 >a/deep/two; echo 3 >b/three")
	src := source(t, root)
	open := &counting{system: native, dirs: map[string]int{}}
	files := NewFiles([]Source{src})
	files.system = open
	content := func(path string) string {
		f, err := files.Open(src.Path.Join(path))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		b, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if got := content("a/deep/one") + content("a/deep/two"); got != "1\n2\n" || open.total != 2 { // the source, and a/deep
		t.Errorf("read %q, opened %d folders", got, open.total)
	}
	held, err := files.Open(src.Path.Join("a/deep/one"))
	if err != nil {
		t.Fatal(err)
	}
	// What takes the folder's place meanwhile is not followed.
	sh(t, root, "mv a aside; ln -s /etc a; mkdir elsewhere; ln -s elsewhere aside/deep/link")
	if got := content("a/deep/two"); got != "2\n" {
		t.Errorf("read %q", got)
	}
	if got := content("b/three"); got != "3\n" || open.dirs["a/deep"] != 0 {
		t.Errorf("read %q; open are %v", got, open.dirs)
	}
	if f, err := files.Open(src.Path.Join("a/deep/two")); err == nil {
		f.Close()
		t.Error("a link was followed")
	}
	files.Close()
	if b, err := io.ReadAll(held); string(b) != "1\n" || err != nil {
		t.Errorf("what was opened before ends with Close: %q, %v", b, err)
	}
	held.Close()
	for d, n := range open.dirs {
		if n != 0 {
			t.Errorf("%q is open %d times after Close", d, n)
		}
	}
}

// A counting system counts the folders that are open.
type counting struct {
	system
	total int
	dirs  map[string]int
}

type countingDir struct {
	dir
	at string
	c  *counting
}

func (c *counting) wrap(d dir, at string, err error) (dir, error) {
	if err != nil {
		return nil, err
	}
	c.total++
	c.dirs[at]++
	return countingDir{d, at, c}, nil
}

func (c *counting) open(path string) (dir, error) {
	d, err := c.system.open(path)
	return c.wrap(d, "", err)
}
func (c *counting) fileSystem(d dir) fileSystem { return c.system.fileSystem(d.(countingDir).dir) }
func (d countingDir) beneath(rel string) (dir, error) {
	below, err := d.dir.beneath(rel)
	return d.c.wrap(below, rel, err)
}
func (d countingDir) close() {
	d.c.dirs[d.at]--
	d.dir.close()
}
