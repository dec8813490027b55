//go:build linux

package scan

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/internal/ignore"
	"github.com/autocloudbackup/acb/manifest"
)

// scanned is a tree that was scanned once and committed.
func scanned(t *testing.T, script string) (root string, s *manifest.Store, src []Source) {
	t.Helper()
	root = filepath.Join(t.TempDir(), "top")
	sh(t, "/", "mkdir "+root)
	sh(t, root, script)
	s = openStore(t)
	src = []Source{source(t, root)}
	commit(t, s, mustTree(t, s, src, Options{}))
	return root, s, src
}

// expect scans and compares the story and the skips' classes with want.
func expect(t *testing.T, s *manifest.Store, src []Source, opts Options, want ...string) *Result {
	t.Helper()
	res := mustTree(t, s, src, opts)
	got := story(manifest.Diff(res.Observation), src[0].Root)
	for _, skip := range res.Skips {
		rel, _ := filepath.Rel(src[0].Root, OSPath(skip.Path))
		got = append(got, fmt.Sprintf("skip %s %s", skip.Class, rel))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	return res
}

func rules(t *testing.T, root string, patterns ...string) *ignore.Rules {
	t.Helper()
	var list []ignore.Pattern
	for i, p := range patterns {
		pattern, err := ignore.NewPattern(p, p, i+1)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, pattern)
	}
	return ignore.New(root, "acb.toml", list)
}

func TestSourceMissing(t *testing.T) {
	root, s, src := scanned(t, before)
	sh(t, "/", "mv "+root+" "+root+".away")
	res := expect(t, s, src, Options{}, "skip missing .")
	if r := res.Sources[0]; r.State != Missing || r.Unknown != 10 {
		t.Errorf("got %v, %d unknown", r.State, r.Unknown)
	}
	if !slices.Equal(res.Unknown, []manifest.Path{src[0].Path}) {
		t.Errorf("unknown: %q", res.Unknown)
	}
	sh(t, "/", "echo x >"+root)
	if res := expect(t, s, src, Options{}, "skip unreadable ."); res.Sources[0].State != Replaced {
		t.Errorf("a file in its place: %v", res.Sources[0].State)
	}
}

func TestSourceEmpty(t *testing.T) {
	root, s, src := scanned(t, "echo 1 >one; mkdir sub; echo 2 >sub/two")
	sh(t, root, "rm -r one sub")
	res := expect(t, s, src, Options{}, "deleted one", "deleted sub/", "deleted sub/two")
	if res.Sources[0].State != Empty {
		t.Errorf("got %v", res.Sources[0].State)
	}
}

// An altered system says of folders what a test wants.
type altered struct {
	system
	identity func() string
	self     func(name string, st *info)
	fixed    *fileSystem
	untold   bool // listings tell no types
}

type alteredDir struct {
	dir
	a    *altered
	name string
}

func (a *altered) open(path string) (dir, error) {
	d, err := a.system.open(path)
	return alteredDir{d, a, filepath.Base(path)}, err
}

func (a *altered) fileSystem(d dir) fileSystem {
	fs := a.system.fileSystem(d.(alteredDir).dir)
	if a.fixed != nil {
		fs = *a.fixed
	}
	if a.identity != nil {
		fs.identity = a.identity()
	}
	return fs
}

func (d alteredDir) open(name string) (dir, error) {
	below, err := d.dir.open(name)
	return alteredDir{below, d.a, name}, err
}

func (d alteredDir) beneath(rel string) (dir, error) {
	below, err := d.dir.beneath(rel)
	return alteredDir{below, d.a, filepath.Base(rel)}, err
}

func (d alteredDir) list(l *listing) error {
	from := len(l.names)
	err := d.dir.list(l)
	if d.a.untold {
		for i := range l.names[from:] {
			l.names[from+i].what = isUnknown
		}
	}
	return err
}

func (d alteredDir) self(st *info) error {
	err := d.dir.self(st)
	if err == nil && d.a.self != nil {
		d.a.self(d.name, st)
	}
	return err
}

func TestSourceOnOtherFS(t *testing.T) {
	root, s, src := scanned(t, "echo 1 >one; mkdir sub; echo 2 >sub/two; echo 3 >sub/three")
	sh(t, root, "rm sub/two; echo new >new; echo 33 >sub/three")
	opts := Options{system: &altered{system: native, identity: func() string { return "another disk" }}}
	for range 2 { // it is so until someone accepts it
		res := expect(t, s, src, opts, "created new", "modified sub/three")
		if r := res.Sources[0]; r.State != OtherFS || r.Unknown != 1 {
			t.Errorf("got %v, %d unknown", r.State, r.Unknown)
		}
	}
	commit(t, s, mustTree(t, s, src, opts))
	src[0].Accept = true
	res := expect(t, s, src, opts, "deleted sub/two")
	if res.Sources[0].State != OK {
		t.Errorf("accepted: %v", res.Sources[0].State)
	}
	commit(t, s, res)
	src[0].Accept = false
	expect(t, s, src, opts)
}

func TestMountpoint(t *testing.T) {
	root, s, src := scanned(t, "mkdir -p sub/disk; echo 1 >sub/disk/one; echo 2 >sub/two")
	mounted := &altered{system: native, self: func(name string, st *info) { st.mount = name == "disk" }}
	sh(t, root, "rm sub/disk/one")
	res := expect(t, s, src, Options{system: mounted}, "skip mountpoint sub/disk")
	if c := res.Sources[0].Counts; c.Unknown != 1 || c.Unchanged != 1 {
		t.Errorf("got %+v", c)
	}
	expect(t, s, src, Options{system: mounted, CrossDevices: true}, "deleted sub/disk/one")

	other := &altered{system: native, self: func(name string, st *info) {
		if name == "disk" {
			st.dev++
		}
	}}
	n := 0
	other.identity = func() string { n++; return fmt.Sprint("disk ", n) }
	expect(t, s, []Source{{Path: src[0].Path, Root: root, Accept: true}}, Options{system: other, CrossDevices: true}, "skip foreign sub/disk")
}

func TestRetire(t *testing.T) {
	root, s, src := scanned(t, "mkdir -p keep build/deep; echo 1 >keep/one; echo 2 >build/two; echo 3 >build/deep/three; echo 4 >x.tmp; echo 5 >y.tmp")
	plain := src
	src = []Source{{Path: src[0].Path, Root: root, Rules: rules(t, root, "build/", "*.tmp")}}
	sh(t, root, "rm -r build/deep y.tmp; echo more >build/more")
	res := expect(t, s, src, Options{}, "retired build/", "retired x.tmp", "retired y.tmp")
	if c := res.Sources[0].Counts; c.Retired != 4 || c.Unchanged != 1 || c.Ignored != 2 {
		t.Errorf("got %+v", c)
	}
	commit(t, s, res)
	res = expect(t, s, src, Options{})
	if c := res.Sources[0].Counts; c.Retired != 4 {
		t.Errorf("retired before: %+v", c)
	}
	// What is retired and gone stays retired, visible or not.
	res = expect(t, s, plain, Options{}, "unretired build/", "unretired x.tmp", "created build/more", "deleted build/deep/", "deleted build/deep/three")
	if c := res.Sources[0].Counts; c.Retired != 1 {
		t.Errorf("visible again: %+v", c)
	}
	commit(t, s, res)
	expect(t, s, plain, Options{})

	sh(t, root, "rm -r build")
	src[0].Rules = rules(t, root, "build/")
	expect(t, s, src, Options{}, "retired build/")
	src[0].Rules, src[0].Exclude = nil, rules(t, root, "build/", "one")
	res = expect(t, s, src, Options{})
	if c := res.Sources[0].Counts; c.Unknown != 3 || len(res.Unknown) != 2 {
		t.Errorf("excluded: %+v, %q", c, res.Unknown)
	}
}

func TestIgnoreFile(t *testing.T) {
	root, s, src := scanned(t, "mkdir -p sub/low; printf '*.o\\n/low\\n' >sub/.acbignore; touch sub/a.o sub/a.c sub/low/x b.o")
	tree, _ := inManifest(t, s, root)
	for name, want := range map[string]bool{"b.o": true, "sub/a.c": true, "sub/.acbignore": true, "sub/a.o": false, "sub/low": false} {
		if _, ok := tree[name]; ok != want {
			t.Errorf("%s is backed up: %v", name, ok)
		}
	}
	// Without its rules, a folder is unknown.
	sh(t, root, "rm sub/a.c sub/.acbignore; ln -s elsewhere sub/.acbignore; touch sub/new")
	res := expect(t, s, src, Options{}, "skip rules sub")
	if c := res.Sources[0].Counts; c.Unknown != 2 {
		t.Errorf("got %+v", c)
	}
	sh(t, root, "rm sub/.acbignore; head -c 2000000 /dev/zero >sub/.acbignore")
	expect(t, s, src, Options{}, "skip rules sub")
}

func TestSourceLeaves(t *testing.T) {
	root, s, _ := scanned(t, "mkdir -p in/a in/b; echo 1 >in/a/one; echo 2 >in/b/two; echo 3 >in/three")
	src := []Source{source(t, root+"/in/a")}
	res := expect(t, s, src, Options{}, "retired ../b/", "retired ../three")
	commit(t, s, res)
	expect(t, s, src, Options{})
	if res.Outside.Retired != 2 {
		t.Errorf("got %+v", res.Outside)
	}
	res = expect(t, s, []Source{source(t, root)}, Options{}, "unretired in/b/", "unretired in/three")
	commit(t, s, res)
	same(t, s, root)
}

func TestOwn(t *testing.T) {
	root, s, src := scanned(t, "mkdir -p state cfg; echo 1 >state/manifest.db; echo 2 >cfg/token; echo 3 >cfg/other")
	sh(t, root, "mkdir fresh; ln state/manifest.db fresh/link; echo 4 >state/log")
	own := []string{root + "/state", root + "/cfg/token", root + "/not-there", root + "/fresh/link"}
	res := expect(t, s, src, Options{Own: own}, "created fresh/", "retired state/", "retired cfg/token")
	if c := res.Sources[0].Counts; c.Own != 3 || c.Retired != 2 {
		t.Errorf("got %+v", c)
	}
	res, err := Paths(t.Context(), s, src, []Target{{Path: src[0].Path + "/cfg/token", Root: root + "/cfg/token"}}, Options{Own: own, Now: later})
	if err != nil || len(res.Files) != 0 || res.Sources[0].State == OK {
		t.Errorf("named: %v, %d files, %v", err, len(res.Files), res.Sources[0].State)
	}
}

// TestLeftByRestore: what an interrupted restore left behind is no content of
// the source's, not even when it is asked for by name; a folder is never left.
func TestLeftByRestore(t *testing.T) {
	root, s, src := scanned(t, "echo 1 >one; echo 2 >.acb-restore.known")
	sh(t, root, "echo 3 >.acb-restore.0123456789abcdef; ln -s one .acb-restore.link; mkdir .acb-restore.dir; echo 4 >.acb-restore.dir/in")
	res := expect(t, s, src, Options{}, "created .acb-restore.dir/", "created .acb-restore.dir/in")
	if c := res.Sources[0].Counts; c.Own != 3 || c.Retired != 0 {
		t.Errorf("got %+v", c)
	}
	for _, name := range []string{".acb-restore.0123456789abcdef", ".acb-restore.link"} {
		res, err := Paths(t.Context(), s, src, []Target{{Path: src[0].Path.Join(name), Root: root + "/" + name}}, Options{Now: later})
		if err != nil || len(res.Files) != 0 || res.Sources[0].State == OK {
			t.Errorf("named: %v, %d files, %v", err, len(res.Files), res.Sources[0].State)
		}
	}
}

func TestSpecial(t *testing.T) {
	root, s, src := scanned(t, "echo 1 >one; echo 2 >two")
	sh(t, root, "mkfifo pipe; rm two; mkfifo two; mknod null c 1 3; ln -s pipe link")
	res := expect(t, s, src, Options{}, "deleted two", "created link", "skip special pipe", "skip special two", "skip special null")
	if c := res.Sources[0].Counts; c.Skipped != 2 {
		t.Errorf("got %+v", c)
	}
}

func TestNames(t *testing.T) {
	root, s, src := scanned(t, "true")
	names := []string{"\xff\xfe", "caf\u00e9", "cafe\u0301", "new\nline", `quo"te`, `back\slash`, " space ", "-", "a*b", strings.Repeat("x", 255), "\u202e", "A", "a"}
	for _, n := range names {
		if err := os.WriteFile(filepath.Join(root, n), []byte(n), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(root, "d", n, n), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	commit(t, s, mustTree(t, s, src, Options{}))
	same(t, s, root)
	expect(t, s, src, Options{})
}

func TestHugeFolder(t *testing.T) {
	root, s, src := scanned(t, "true")
	for i := range 20_000 {
		if err := os.WriteFile(filepath.Join(root, fmt.Sprint("file ", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	commit(t, s, mustTree(t, s, src, Options{}))
	res := expect(t, s, src, Options{})
	if c := res.Sources[0].Counts; c.Unchanged != 20_000 {
		t.Errorf("got %+v", c)
	}
}

func TestRacyAndRehash(t *testing.T) {
	root, s, src := scanned(t, "echo 1 >one; echo 2 >two")
	now := time.Now
	sh(t, root, "echo 11 >one")
	res := expect(t, s, src, Options{Now: now}, "modified one")
	if f := res.Files[0].New.Flags; f != manifest.Racy {
		t.Errorf("flags %v of a file written just now", f)
	}
	commit(t, s, res)
	res = expect(t, s, src, Options{Now: now})
	if len(res.Files) != 1 || res.BytesRead != 3 || res.Files[0].New.Hash != res.Files[0].Old.Hash {
		t.Errorf("a racy file is not read again: %d, %d bytes", len(res.Files), res.BytesRead)
	}
	commit(t, s, mustTree(t, s, src, Options{}))
	if res := expect(t, s, src, Options{}); len(res.Files) != 0 {
		t.Error("a settled file is still racy")
	}

	after := func(days int) func() time.Time {
		return func() time.Time { return later().Add(time.Duration(days) * 24 * time.Hour) }
	}
	for _, c := range []struct{ days, least, most int }{{14, 0, 0}, {20, 0, 2}, {31, 2, 2}} {
		res := mustTree(t, s, src, Options{Now: after(c.days)})
		if n := len(res.Files); n < c.least || n > c.most {
			t.Errorf("after %d days %d files are read again", c.days, n)
		}
		if res := mustTree(t, s, src, Options{Now: after(c.days), Rehash: -1}); len(res.Files) != 0 {
			t.Error("rehash is off, and files are read again")
		}
	}
	// What changed behind the stat's back is found then: same size, same times.
	commit(t, s, mustTree(t, s, src, Options{Now: after(31)}))
}

func TestDueIsSpread(t *testing.T) {
	w := &walk{opts: Options{Rehash: 30 * 24 * time.Hour}}
	days := map[int]int{}
	for inode := range uint64(3000) {
		c := manifest.Cursor{Name: []byte("x"), Stat: manifest.Stat{Inode: 1000 + inode}}
		for day := 0; ; day++ {
			if w.today = int32(day); w.due(&c) {
				days[day]++
				break
			}
		}
	}
	for day, n := range days {
		if day < 15 || day > 30 || n > 3000/8 {
			t.Errorf("%d of 3000 are due on day %d", n, day)
		}
	}
	if len(days) < 14 {
		t.Errorf("all are due on %d days", len(days))
	}
}

// A content that was read on a day that is still to come, because the clock
// was ahead, is read again all the same, and not all on one day.
func TestDueAfterClockWasAhead(t *testing.T) {
	w := &walk{opts: Options{Rehash: 30 * 24 * time.Hour}}
	days := map[int]int{}
	for inode := range uint64(3000) {
		c := manifest.Cursor{Name: []byte("x"), Day: 5000, Stat: manifest.Stat{Inode: 1000 + inode}}
		for day := 0; ; day++ {
			if w.today = int32(day); w.due(&c) {
				days[day]++
				break
			}
			if day > 100 {
				t.Fatalf("inode %d is not read within 100 days", inode)
			}
		}
	}
	for day, n := range days {
		if n > 3000/8 {
			t.Errorf("%d of 3000 are due on day %d", n, day)
		}
	}
	// A day ahead is what a zone or a few seconds can make.
	if w.today = 4999; w.due(&manifest.Cursor{Name: []byte("x"), Day: 5000}) {
		t.Error("what was read a moment ago is read again")
	}
}

// A time stamp that lies in the future is young: the content is read in every
// run, until the clock has passed it.
func TestRacyInTheFuture(t *testing.T) {
	root, s, src := scanned(t, "echo 1 >one")
	sh(t, root, "echo 22 >one")
	// Put right since the file was written.
	behind := func() time.Time { return time.Now().Add(-48 * time.Hour) }
	for _, read := range []int64{0, 3} { // the first time, its new size says that it is another
		res := mustTree(t, s, src, Options{Now: behind})
		if len(res.Files) != 1 || res.Files[0].New.Flags != manifest.Racy || res.BytesRead != read {
			t.Fatalf("%d files, %d bytes read, want %d", len(res.Files), res.BytesRead, read)
		}
		commit(t, s, res)
	}
	commit(t, s, mustTree(t, s, src, Options{}))
	if res := expect(t, s, src, Options{}); len(res.Files) != 0 {
		t.Error("it is racy for ever")
	}
}

// A source that is a file and turns into a folder, or the reverse, is not
// looked into: what is known of it stays, and is back with what it was.
func TestSourceReplaced(t *testing.T) {
	root := t.TempDir()
	sh(t, root, "mkdir -p in/folder; echo 1 >in/file; echo 22 >in/folder/two; echo 333 >in/other")
	s := openStore(t)
	src := []Source{source(t, root+"/in/file"), source(t, root+"/in/folder")}
	commit(t, s, mustTree(t, s, src, Options{}))
	sh(t, root, "mv in/file in/t; mv in/folder in/file; mv in/t in/folder; echo 4444 >in/file/new")
	for range 2 {
		res := mustTree(t, s, src, Options{})
		if len(res.Files)+len(res.Folders) > 0 || !slices.Equal(res.Unknown, []manifest.Path{src[0].Path, src[1].Path}) || len(res.Skips) != 2 {
			t.Errorf("%d files, %d folders, unknown %q, %v", len(res.Files), len(res.Folders), res.Unknown, res.Skips)
		}
		for _, r := range res.Sources {
			if r.State != Replaced || r.Unknown != 1 || r.Reason == "" {
				t.Errorf("got %+v", r)
			}
		}
		commit(t, s, res)
	}
	sh(t, root, "rm in/file/new; mv in/file in/t; mv in/folder in/file; mv in/t in/folder")
	res := mustTree(t, s, src, Options{})
	if lines := story(manifest.Diff(res.Observation), root); len(lines)+len(res.Unknown) > 0 { // the file was renamed, so its change time differs
		t.Errorf("put right: %q, unknown %q", lines, res.Unknown)
	}
}

// What is accepted is another file system: inode numbers of the last one say
// nothing, so a folder that was renamed on the way is a new one, and its
// contents are found by their hashes.
func TestAccept(t *testing.T) {
	root, s, src := scanned(t, "mkdir -p sub/deep; echo 1 >one; echo 22 >sub/two; echo 333 >sub/deep/three")
	_, before := inManifest(t, s, root)
	sh(t, root, "mv sub away; rm one")
	opts := Options{system: &altered{system: native, identity: func() string { return "another disk" }}}
	res := expect(t, s, src, opts, "created away/", "created away/deep/", "created away/two", "created away/deep/three")
	if r := res.Sources[0]; r.State != OtherFS || r.Unknown != 3 || r.Reason == "" {
		t.Errorf("got %+v", r)
	}
	src[0].Accept = true
	commit(t, s, expect(t, s, src, opts, "created away/", "created away/deep/", "moved sub/two -> away/two", "moved sub/deep/three -> away/deep/three",
		"deleted sub/", "deleted sub/deep/", "deleted one"))
	same(t, s, root)
	if _, after := inManifest(t, s, root); after["away/two"] != before["sub/two"] {
		t.Errorf("sub/two was %s and is %s", before["sub/two"], after["away/two"])
	}
	expect(t, s, src, opts)
	src[0].Accept = false
	expect(t, s, src, opts)
	// Back on the first one it is another again; accepting what is as ever changes nothing.
	if res := expect(t, s, src, Options{}); res.Sources[0].State != OtherFS {
		t.Errorf("back: %v", res.Sources[0].State)
	}
	src[0].Accept = true
	commit(t, s, expect(t, s, src, Options{}))
	if res := expect(t, s, src, Options{}); res.Sources[0].State != OK || len(res.Files)+len(res.Folders) > 0 {
		t.Errorf("accepted and the same: %v, %d files", res.Sources[0].State, len(res.Files))
	}
}
