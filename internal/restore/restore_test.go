package restore_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/autocloudbackup/acb/internal/restore"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

func sumOf(b []byte) [32]byte { return sha256.Sum256(b) }

// furnish fills the source with files of all kinds.
func furnish(w *world) {
	w.write("a.txt", "a")
	w.write("empty", "")
	w.write("d/b.txt", "b")
	w.write("d/deep/c.bin", text(300_000, "0123456789"))
	w.write("d/ro/inside", "read only")
	w.write("caf\u00e9 \u2018x\u2019", "accents")
	w.write("\xff\xfe", "no text")
	w.write(strings.Repeat("n", 255), "long")
	w.write("new\nline \"quoted\"", "odd")
	w.write("nf/caf\u00e9", "composed")
	w.write("nf/cafe\u0301", "decomposed")
	w.write("nf/CAF\u00c9", "upper case")
	w.must(os.Mkdir(filepath.Join(w.src, "nothing in it"), 0o750))
	w.must(os.Symlink("../a.txt", filepath.Join(w.src, "d/link")))
	w.must(os.Symlink("/nowhere", filepath.Join(w.src, "dangling")))
	w.must(os.Chmod(filepath.Join(w.src, "a.txt"), 0o4755))
	old := time.Unix(1_000_000_000, 123_456_789)
	for _, rel := range []string{"a.txt", "d/deep/c.bin", "d/deep", "nothing in it", "d"} {
		w.must(os.Chtimes(filepath.Join(w.src, rel), old, old))
	}
	w.must(os.Chmod(filepath.Join(w.src, "d/ro"), 0o555))
	w.t.Cleanup(func() {
		for _, dir := range []string{w.src, filepath.Join(w.target, "src")} {
			os.Chmod(filepath.Join(dir, "d/ro"), 0o755)
		}
	})
}

// TestRoundTrip: what was backed up comes back as it was, and once it is
// there, nothing is fetched again.
func TestRoundTrip(t *testing.T) {
	w := newWorld(t, drivetest.Options{})
	w.segment = 100_000
	furnish(w)
	w.backup()
	want := tree(t, w.src)
	w.dryRun = true
	dry := w.ok(manifest.Now, "")
	if _, err := os.Stat(w.target); err == nil || dry.Files[restore.Restored] != 14 || dry.Requests != 0 {
		t.Errorf("a dry run: %+v, %v", dry, err)
	}
	w.dryRun = false
	sum := w.ok(manifest.Now, "")
	w.same(want)
	if sum.Files[restore.Restored] != 14 || sum.Folders != 6 || sum.BytesReceived != sum.Bytes || sum.Bytes != dry.Bytes {
		t.Errorf("%+v", sum)
	}
	if again := w.ok(manifest.Now, ""); again.Files[restore.Present] != 14 || again.Requests != 0 || again.Folders != 0 {
		t.Errorf("again: %+v", again)
	}
	w.same(want)
}

// TestParts: a file, a folder and a pattern go into the target under their
// own names.
func TestParts(t *testing.T) {
	w := newWorld(t, drivetest.Options{})
	furnish(w)
	w.backup()
	w.ok(manifest.Now, "a.txt", "d/deep")
	got := tree(t, w.target)
	if len(got) != 3 || got["a.txt"] == "" || got["deep/c.bin"] == "" {
		t.Errorf("%q", got)
	}
	sum, err := w.restore(t.Context(), manifest.Now, "none", "empty")
	if nf := (*restore.NotFoundError)(nil); err != nil || sum.Files[restore.Restored] != 1 || len(sum.Problems) != 1 ||
		!errors.As(sum.Problems[0].Err, &nf) || nf.Path != w.path("none") {
		t.Errorf("what was never backed up: %v, %+v", err, sum)
	}

	known, err := manifest.OpenReader(w.manifest)
	w.must(err)
	defer known.Close()
	r := &restore.Restore{View: known.At(manifest.Now), Drive: w.drive(), Log: discard, Now: w.Now}
	into := filepath.Join(w.target, "picked")
	sum, err = r.Run(t.Context(), []restore.Selection{{Path: w.path(""), Into: into, Match: func(p manifest.Path, isDir bool) bool {
		_, name := p.Split()
		return strings.HasSuffix(name, ".txt") || isDir && name == "deep"
	}}})
	if err != nil || !sum.Complete() {
		t.Fatal(err, sum)
	}
	var names []string
	for name := range tree(t, into) {
		names = append(names, name)
	}
	want := []string{"src", "src/a.txt", "src/d", "src/d/b.txt", "src/d/deep", "src/d/deep/c.bin"}
	if d := cmp.Diff(want, sorted(names)); d != "" {
		t.Errorf("picked: -want +got:\n%s", d)
	}
}

// TestThen: each past state comes back, files that were edited, moved and
// deleted since, from the trash and from revisions.
func TestThen(t *testing.T) {
	w := newWorld(t, drivetest.Options{})
	w.write("keep", "the same")
	w.write("edit", "first")
	w.write("d/move", "moves")
	w.write("d/gone", "goes")
	then := map[manifest.RunID]map[string]string{}
	snap := func() { then[w.backup()] = tree(t, w.src) }
	snap()
	w.write("edit", "second")
	snap()
	w.must(os.Rename(filepath.Join(w.src, "d/move"), filepath.Join(w.src, "moved")))
	w.must(os.Remove(filepath.Join(w.src, "d/gone")))
	snap()
	w.must(os.RemoveAll(filepath.Join(w.src, "d")))
	w.write("edit", "third")
	snap()
	if len(then) != 4 {
		t.Fatalf("runs %v", then)
	}
	for _, run := range []manifest.RunID{4, 3, 1, 2} {
		want := then[run]
		w.must(os.RemoveAll(w.target))
		sum := w.ok(run, "")
		got := tree(t, filepath.Join(w.target, "src"))
		for p := range got { // a folder's own time is kept as it was when it was made
			if strings.HasPrefix(got[p], "d") {
				got[p], want[p] = "folder", "folder"
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("after run %d: -want +got:\n%s", run, d)
		}
		// Two contents of "edit" are of the past; once pinned, they stay so.
		if n := len(sum.Pinned); n != map[manifest.RunID]int{3: 1, 1: 1}[run] {
			t.Errorf("after run %d: pinned %v", run, sum.Pinned)
		}
	}
}

// TestGone: what Drive no longer has is named, with what it has instead, and
// the rest comes.
func TestGone(t *testing.T) {
	w := newWorld(t, drivetest.Options{})
	w.write("edit", "first")
	w.write("gone", "goes")
	w.write("stays", "stays")
	first := w.backup()
	w.write("edit", "second")
	w.must(os.Remove(filepath.Join(w.src, "gone")))
	w.backup()
	w.srv.EmptyTrash()
	id := w.idOf(manifest.Now, "edit")
	old := w.version(first, "edit")
	if failed, err := w.drive().Unkeep(t.Context(), []remote.Blob{{FileID: id, Revision: old.HeadRevision}}); err != nil || len(failed) > 0 {
		t.Fatal(failed, err)
	}
	sum, err := w.restore(t.Context(), first, "")
	if err != nil || sum.Files[restore.Gone] != 2 || sum.Files[restore.Restored] != 1 || sum.Complete() {
		t.Fatalf("%v, %+v", err, sum)
	}
	for _, p := range sum.Problems {
		want := "deleted there for good"
		if p.Path == w.path("edit") {
			want = "the nearest that it has of this file"
		}
		if !strings.Contains(p.Err.Error(), want) {
			t.Errorf("%s: %v", p.Path, p.Err)
		}
	}
	// What is of today, but was deleted on Drive since.
	w.must(w.srv.Delete(string(w.idOf(manifest.Now, "stays"))))
	w.must(os.RemoveAll(w.target))
	sum, err = w.restore(t.Context(), manifest.Now, "")
	if err != nil || sum.Files[restore.Gone] != 1 || sum.Files[restore.Restored] != 1 {
		t.Errorf("%v, %+v", err, sum)
	}
}

// TestToAndFro: of a content that a file held more than once, any revision does.
func TestToAndFro(t *testing.T) {
	w := newWorld(t, drivetest.Options{})
	var first manifest.RunID
	for i, content := range []string{"one", "two", "one", "two"} {
		w.write("edit", content)
		if run := w.backup(); i == 0 {
			first = run
		}
	}
	old := w.version(first, "edit")
	if failed, err := w.drive().Unkeep(t.Context(), []remote.Blob{{FileID: old.FileID, Revision: old.HeadRevision}}); err != nil || len(failed) > 0 {
		t.Fatal(failed, err)
	}
	sum := w.ok(first, "edit")
	if got := tree(t, w.target)["edit"]; !strings.HasSuffix(got, "one") || len(sum.Pinned) != 1 {
		t.Errorf("%s, %+v", got, sum)
	}
}

// TestDamaged: what Drive sends with a wrong sum twice lies beside, and the
// rest comes; when only the first answer was wrong, all comes.
func TestDamaged(t *testing.T) {
	for _, size := range []int{10, 5000} {
		for _, always := range []bool{false, true} {
			w := newWorld(t, drivetest.Options{})
			w.segment = 1000
			bad := strings.Repeat("b", 250)
			w.write(bad, text(size, "good"))
			w.write("fine", "fine")
			w.backup()
			id := string(w.idOf(manifest.Now, bad))
			var once sync.Once
			w.bend = func(req *http.Request, body []byte) {
				if flip := func() { body[0] ^= 1 }; strings.Contains(req.URL.Path, id) && req.URL.Query().Get("alt") == "media" {
					if once.Do(flip); always {
						body[0] = 'X'
					}
				}
			}
			sum, err := w.restore(t.Context(), manifest.Now, "")
			want := [...]int64{restore.Restored: 2, restore.Failed: 0}
			name := bad
			if always {
				want, name = [...]int64{restore.Restored: 1, restore.Damaged: 1, restore.Failed: 0}, bad[:243]+".acb-damaged"
			}
			if err != nil || sum.Files != want {
				t.Fatalf("size %d, always %v: %v, %+v", size, always, err, sum)
			}
			got := tree(t, filepath.Join(w.target, "src"))
			if len(got) != 2 || got[name] == "" || always && !strings.Contains(sum.Problems[0].Err.Error(), name) {
				t.Errorf("%q, %v", got, sum.Problems)
			}
		}
	}
}

// TestChangedOnDrive: what another program has written over comes out of the
// revisions, whether its size changed or not, unless it is not there any more.
func TestChangedOnDrive(t *testing.T) {
	for _, size := range []int{10, 5000} {
		for _, other := range []int{size, size - 3, size + 2000} {
			w := newWorld(t, drivetest.Options{})
			w.segment = 1000
			w.write("mine", text(size, "good"))
			w.backup()
			want := tree(t, w.src)
			v := w.version(manifest.Now, "mine")
			w.must(w.srv.SetContent(string(v.FileID), []byte(text(other, "evil"))))
			sum := w.ok(manifest.Now, "")
			w.same(want)
			if len(sum.Pinned) != 1 || !sum.Pinned[0].Restored {
				t.Errorf("pinned %+v", sum.Pinned)
			}
			w.must(os.RemoveAll(w.target))
			if failed, err := w.drive().Unkeep(t.Context(), []remote.Blob{{FileID: v.FileID, Revision: v.HeadRevision}}); err != nil || len(failed) > 0 {
				t.Fatal(failed, err)
			}
			sum, err := w.restore(t.Context(), manifest.Now, "")
			if err != nil || sum.Files[restore.Gone] != 1 || len(tree(t, filepath.Join(w.target, "src"))) != 0 {
				t.Errorf("purged: %v, %+v", err, sum)
			}
		}
	}
}

// TestTwin: a large content that is gone under its own id comes from another
// file that has it, if that still has.
func TestTwin(t *testing.T) {
	for _, spoilt := range []bool{false, true} {
		w := newWorld(t, drivetest.Options{})
		w.write("one", text(manifest.Large, "twin"))
		w.backup()
		w.must(os.Rename(filepath.Join(w.src, "one"), filepath.Join(w.src, "two")))
		w.write("one", text(manifest.Large+1, "other"))
		w.backup()
		w.must(os.Remove(filepath.Join(w.src, "one")))
		w.write("one", text(manifest.Large, "twin"))
		w.backup()
		want := tree(t, w.src)
		v := w.version(manifest.Now, "one")
		w.must(w.srv.Delete(string(v.FileID)))
		if spoilt {
			w.must(w.srv.SetContent(string(w.idOf(manifest.Now, "two")), []byte(text(manifest.Large, "evil"))))
		}
		sum, err := w.restore(t.Context(), manifest.Now, "one")
		if spoilt {
			if err != nil || sum.Files[restore.Gone] != 1 {
				t.Errorf("%v, %+v", err, sum)
			}
			continue
		}
		if got := tree(t, w.target); err != nil || !sum.Complete() || got["one"] != want["one"] {
			t.Errorf("%v, %+v, %v", err, sum, got)
		}
	}
}

// TestPins: only what is fetched is pinned, and it is told whether it came.
func TestPins(t *testing.T) {
	w := newWorld(t, drivetest.Options{})
	for _, name := range []string{"there", "way", "bad", "comes"} {
		w.write(name, "first "+name)
	}
	first := w.backup()
	w.must(os.MkdirAll(filepath.Join(w.target, "src"), 0o755))
	w.must(os.WriteFile(filepath.Join(w.target, "src/there"), []byte("first there"), 0o600))
	w.must(os.WriteFile(filepath.Join(w.target, "src/way"), []byte("something else"), 0o600))
	for _, name := range []string{"there", "way", "bad", "comes"} {
		w.write(name, "second "+name)
	}
	w.backup()
	bad := w.idOf(first, "bad")
	w.bend = func(req *http.Request, body []byte) {
		if strings.Contains(req.URL.Path, string(bad)) && req.URL.Query().Get("alt") == "media" {
			body[0] ^= 1
		}
	}
	sum, err := w.restore(t.Context(), first, "")
	if want := [...]int64{restore.Restored: 1, restore.Present: 1, restore.Kept: 1, restore.Damaged: 1, restore.Failed: 0}; err != nil || sum.Files != want {
		t.Fatalf("%v, %+v", err, sum)
	}
	restored := map[manifest.FileID]bool{}
	for _, p := range sum.Pinned {
		restored[p.FileID] = p.Restored
	}
	want := map[manifest.FileID]bool{bad: false, w.idOf(first, "comes"): true}
	if d := cmp.Diff(want, restored); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// TestFoldersOfBefore: a folder that an interrupted run made is completed by
// the next; one that is complete takes what it lacks and stays as it was; one
// of the user's keeps its mode.
func TestFoldersOfBefore(t *testing.T) {
	w := newWorld(t, drivetest.Options{})
	old := time.Unix(1_000_000_000, 5)
	for _, dir := range []string{"made", "complete", "mine", "news"} {
		w.write(dir+"/one", "1")
		w.write(dir+"/two", "2")
		w.must(os.Chtimes(filepath.Join(w.src, dir), old, old))
		w.must(os.Chmod(filepath.Join(w.src, dir), 0o555))
	}
	w.backup()
	want := tree(t, w.src)
	w.ok(manifest.Now, "")
	w.same(want)
	at := func(rel string) string { return filepath.Join(w.target, "src", rel) }
	w.must(os.Chmod(at("made"), 0o700|os.ModeSticky))
	w.must(os.Remove(at("made/one")))
	w.must(os.Chmod(at("complete"), 0o755))
	w.must(os.Remove(at("complete/one")))
	w.must(os.Chmod(at("complete"), 0o555))
	w.must(os.Chtimes(at("complete"), old, old))
	w.must(os.Chmod(at("mine"), 0o711))
	w.must(os.Remove(at("news/one")))
	w.must(os.Chtimes(at("news"), old.Add(time.Hour), old.Add(time.Hour)))
	w.ok(manifest.Now, "")
	if st, err := os.Stat(at("news")); err != nil || st.ModTime().Equal(old) || st.ModTime().Equal(old.Add(time.Hour)) {
		t.Errorf("something came into a folder of today, and its time is %v, %v", st.ModTime(), err)
	}
	w.must(os.Chtimes(at("news"), old, old))
	want["mine"] = strings.Replace(want["mine"], "dr-xr-xr-x", "drwx--x--x", 1)
	w.same(want)
}

// TestGoesOn: a restore that was interrupted leaves nothing half under its
// name, and the next fetches what is missing only.
func TestGoesOn(t *testing.T) {
	w := newWorld(t, drivetest.Options{})
	w.segment = 64 << 10
	w.write("big", text(1<<20, "0123456789abcdef-"))
	w.write("small", "small")
	w.backup()
	want := tree(t, w.src)
	var last int64
	for n := 2; ; n += 3 {
		ctx, cancel := context.WithCancel(t.Context())
		w.srv.ResetStats()
		w.srv.OnRequest(func(i int, _ drivetest.Info) {
			if i == n {
				cancel()
			}
		})
		sum, err := w.restore(ctx, manifest.Now, "")
		cancel()
		last += sum.BytesReceived
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(w.target, "src/big")); err == nil {
			t.Fatal("half a file under its name")
		}
	}
	w.same(want)
	if most := int64(1<<20 + 64*64<<10); last > most {
		t.Errorf("%d bytes received for %d", last, 1<<20)
	}
}

func TestNames(t *testing.T) {
	for _, tt := range []struct {
		windows, text, ascii bool
		name, want           string
	}{
		{false, false, false, "a:b\xff?", "a:b\xff?"},
		{false, true, false, "a:b\xff?", "a:b\u201bFF?"},
		{true, true, false, "a:b\\c?", "a\u201b3Ab\u201b5Cc\u201b3F"},
		{true, true, false, "con", "\u201b63on"},
		{true, true, false, "Com1.txt", "\u201b43om1.txt"},
		{true, true, false, "LPT\u00b9", "\u201b4CPT\u00b9"},
		{true, true, false, "console", "console"},
		{true, true, false, "dots. .", "dots\u201b2E\u201b20\u201b2E"},
		{true, true, false, "tab\t", "tab\u201b09"},
		{true, true, false, " caf\u00e9", " caf\u00e9"},
		{false, false, false, "..", "\u201b2E\u201b2E"},
		{false, false, false, "a/b\x00", "a\u201b2Fb\u201b00"},
		{false, false, false, "", "\u201b00"},
		{false, false, false, "...", "..."},
		{true, true, true, "caf\u00e9?", "caf%C3%A9%3F"},
	} {
		if got := restore.SafeName(tt.windows, tt.text, tt.ascii, tt.name); got != tt.want {
			t.Errorf("%q becomes %q, want %q", tt.name, got, tt.want)
		}
	}
	long := restore.Claims(true, true, strings.Repeat("\u00e9", 124)+"//.text", strings.Repeat("\u00e9", 124)+"//.texT", strings.Repeat("/", 255))
	for _, name := range long {
		if len(name) > 255 || !utf8.ValidString(name) || strings.Contains(name, "/") {
			t.Errorf("%d bytes: %q", len(name), name)
		}
	}
	if long[0] == long[1] || !strings.HasSuffix(long[0], ".text") {
		t.Errorf("%q", long)
	}
	got := restore.Claims(true, true, "README.md", "readme.md", "Readme.md", "readme~2.md", "caf\u00e9", "cafe\u0301", "CAFE\u0301")
	want := []string{"README.md", "readme~2.md", "Readme~3.md", "readme~2~2.md", "caf\u00e9", "cafe\u0301~2", "CAFE\u0301~3"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
