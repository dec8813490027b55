package drivetest_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// crash gives a copy of a state folder as a killed process leaves it.
func crash(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestStateSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	w := start(t, drivetest.Options{Dir: dir})
	shared := w.d.AddSharedDrive("team")
	top := w.folder("top", "root")
	f := w.file("f", top, "content")
	w.want(200, "PATCH", "/upload/drive/v3/files/"+f+"?uploadType=media&keepRevisionForever=true", "second")
	w.want(200, "PATCH", "/drive/v3/files/"+f, `{"appProperties":{"k":"v"},"description":"d"}`)
	gone := w.file("gone", top, "x")
	w.want(204, "DELETE", "/drive/v3/files/"+gone, "")
	id := w.newID()
	half := w.newID()
	w.want(308, "PUT", w.session(`{"id":"`+half+`"}`), repeat(kib256), "Content-Range: bytes 0-262143/*")
	page := w.want(200, "GET", "/drive/v3/changes/startPageToken", "").text("startPageToken")
	loc := w.session(`{"name":"big","parents":["` + top + `"]}`)
	w.want(308, "PUT", loc, repeat(2*kib256), "Content-Range: bytes 0-524287/*")
	tok := w.d.Token(drivetest.Ask{})

	again := start(t, drivetest.Options{Dir: crash(t, dir)})
	again.c = noFollow(newPlainClient(t))
	auth := "Authorization: Bearer " + tok.AccessToken
	if a, b := w.d.TreeWithTrash("root"), again.d.TreeWithTrash("root"); !reflect.DeepEqual(a, b) || len(a) != 2 {
		t.Errorf("trees differ:\n%v\n%v", a, b)
	}
	if again.d.OAuthClient() != w.d.OAuthClient() {
		t.Error("another OAuth client")
	}
	path, _ := strings.CutPrefix(loc, w.d.URL)
	q := again.want(308, "PUT", path, "", "Content-Range: bytes */*", auth)
	if q.header.Get("Range") != "bytes=0-524287" {
		t.Errorf("session: %v", q.header)
	}
	a := again.want(200, "PUT", path, "end", "Content-Range: bytes 524288-524290/524291", auth)
	if a.text("md5Checksum") != sumOf([]byte(repeat(2*kib256)+"end")) {
		t.Errorf("%s", a.body)
	}
	again.want(200, "POST", "/drive/v3/files", `{"id":"`+id+`"}`, auth)
	again.d.ResetStats()
	second := again.want(200, "POST", "/upload/drive/v3/files?uploadType=resumable", `{"id":"`+half+`"}`, auth).header.Get("Location")
	again.want(308, "PUT", second, repeat(kib256), "Content-Range: bytes 0-262143/*", auth)
	if s := again.d.Stats(); s.SentTwice != kib256 {
		t.Errorf("a second session for one id: twice %d", s.SentTwice)
	}
	again.want(409, "POST", "/drive/v3/files", `{"id":"`+gone+`"}`, auth)
	again.want(404, "GET", "/drive/v3/files/"+gone, "", auth)
	again.want(200, "GET", "/drive/v3/files/"+shared+"?supportsAllDrives=true", "", auth)
	if a := again.want(200, "GET", "/drive/v3/files/"+f+"?alt=media", "", auth); a.body != "second" {
		t.Errorf("%q", a.body)
	}
	if c := again.want(200, "GET", "/drive/v3/changes?pageToken="+page, "", auth); len(c.field("changes").([]any)) != 2 {
		t.Errorf("%s", c.body)
	}
	u := again.want(200, "GET", "/drive/v3/about?fields=storageQuota(usage)", "", auth)
	if !strings.Contains(u.body, fmt.Sprint(len("second")+2*kib256+3)) {
		t.Errorf("%s", u.body)
	}
}

// Whatever byte a kill stops at, the journal opens, and what was whole is there.
func TestTornJournal(t *testing.T) {
	dir := t.TempDir()
	w := start(t, drivetest.Options{Dir: dir})
	w.folder("one", "root")
	before, err := os.ReadFile(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	w.folder("two", "root")
	full, err := os.ReadFile(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	w.d.Close()
	for cut := len(before); cut <= len(full); cut += 7 {
		to := t.TempDir()
		if err := os.WriteFile(filepath.Join(to, "journal"), full[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := drivetest.New(drivetest.Options{Dir: to})
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if n := len(d.Tree("root")); n != 1 && cut < len(full) || n < 1 {
			t.Errorf("cut at %d: %d folders", cut, n)
		}
		d.Close()
		if d, err = drivetest.New(drivetest.Options{Dir: to}); err != nil { // what was cut off is written over
			t.Fatalf("cut at %d, opened again: %v", cut, err)
		}
		d.Close()
	}
	full[len(before)/2] ^= 1
	if err := os.WriteFile(filepath.Join(dir, "journal"), full, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := drivetest.New(drivetest.Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("damage in the middle: %v", err)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	d, err := drivetest.New(drivetest.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := drivetest.New(drivetest.Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("opened twice: %v", err)
	}
	d.Close()
	if d, err = drivetest.New(drivetest.Options{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	d.Close()
}

func TestCompaction(t *testing.T) {
	dir := t.TempDir()
	w := start(t, drivetest.Options{Dir: dir})
	f := w.file("f", "root", "x")
	for i := range 1500 {
		if err := w.d.Rename(f, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	tree, client := w.d.Tree("root"), w.d.OAuthClient()
	id := w.newID()
	tok := w.d.Token(drivetest.Ask{})
	w.d.Close()
	size := func() int64 {
		info, err := os.Stat(filepath.Join(dir, "journal"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	before := size()
	for range 2 { // compacted at the first opening, read back at the second
		again := start(t, drivetest.Options{Dir: dir})
		if !reflect.DeepEqual(again.d.Tree("root"), tree) || again.d.OAuthClient() != client {
			t.Errorf("%v, want %v", again.d.Tree("root"), tree)
		}
		again.c = noFollow(newPlainClient(t))
		again.want(200, "GET", "/drive/v3/files/"+f, "", "Authorization: Bearer "+tok.AccessToken)
		again.d.Close()
	}
	if size() > before/100 {
		t.Errorf("%d bytes, before %d", size(), before)
	}
	last := start(t, drivetest.Options{Dir: dir})
	last.want(200, "POST", "/drive/v3/files", `{"id":"`+id+`"}`)
}

func TestExport(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		w := start(t, drivetest.Options{Dir: dir})
		top := w.folder("top", "root")
		f := w.file("a/b", top, "content")
		w.want(200, "PATCH", "/drive/v3/files/"+f, `{"modifiedTime":"2020-02-03T04:05:06.789Z"}`)
		w.patch(w.file("binned", top, "x"), "", `{"trashed":true}`)
		out := filepath.Join(t.TempDir(), "out")
		for range 2 { // again over the first one
			if err := w.d.Export("root", out); err != nil {
				t.Fatal(err)
			}
		}
		var seen []string
		err := fs.WalkDir(os.DirFS(out), ".", func(p string, e fs.DirEntry, err error) error {
			seen = append(seen, p)
			return err
		})
		if err != nil || fmt.Sprint(seen) != "[. top top/a%2Fb]" {
			t.Errorf("%v %v", seen, err)
		}
		name := filepath.Join(out, "top", "a%2Fb")
		p, err := os.ReadFile(name)
		info, _ := os.Stat(name)
		if mode := info.Mode().Perm(); mode&0o222 != 0 {
			t.Errorf("mode %v", mode)
		}
		if err != nil || string(p) != "content" || !info.ModTime().Equal(time.Date(2020, 2, 3, 4, 5, 6, 789e6, time.UTC)) {
			t.Errorf("%q %v %v", p, info, err)
		}
	}
}

func TestDiscard(t *testing.T) {
	w := start(t, drivetest.Options{Discard: true, NoSHA: true, Dir: t.TempDir()})
	id := w.file("a", "root", "content")
	a := w.get(id)
	if a.text("md5Checksum") != sumOf([]byte("content")) || a.text("size") != "7" || a.field("sha256Checksum") != nil {
		t.Errorf("%s", a.body)
	}
	w.want(500, "GET", "/drive/v3/files/"+id+"?alt=media", "")
	loc := w.session("{}")
	w.want(308, "PUT", loc, repeat(kib256), "Content-Range: bytes 0-262143/*")
	if a := w.want(200, "PUT", loc, "end", "Content-Range: bytes 262144-262146/262147"); a.text("md5Checksum") != sumOf([]byte(repeat(kib256)+"end")) {
		t.Errorf("%s", a.body)
	}
}

func BenchmarkSmallFiles(b *testing.B) {
	for _, o := range []drivetest.Options{{}, {Dir: b.TempDir()}, {Dir: b.TempDir(), Discard: true}} {
		b.Run(fmt.Sprintf("dir=%v,discard=%v", o.Dir != "", o.Discard), func(b *testing.B) {
			d := drivetest.Start(o)
			defer d.Close()
			c := d.Client()
			body := related(`{"name":"x"}`, repeat(10<<10))
			for b.Loop() {
				resp, err := c.Post(d.URL+"/upload/drive/v3/files?uploadType=multipart&fields=id,size,md5Checksum",
					"multipart/related; boundary=B", strings.NewReader(body))
				if err != nil || resp.StatusCode != 200 {
					b.Fatal(resp, err)
				}
				resp.Body.Close()
			}
		})
	}
}
