package drivetest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

func TestSessionBothDialects(t *testing.T) {
	w := start(t)
	content := repeat(600 << 10)
	for _, tt := range []struct{ method, header, want string }{
		{"PUT", "X-Other: 1", "308"},
		{"POST", "X-GUploader-No-308: yes", "200"},
	} {
		loc := w.session(`{"name":"x"}`, "X-Upload-Content-Type: text/plain")
		if !strings.HasPrefix(loc, w.d.URL+"/upload/drive/v3/files?") || !strings.Contains(loc, "upload_id=") {
			t.Fatalf("Location %q", loc)
		}
		for from := 0; from < 512<<10; from += kib256 {
			a := w.do(tt.method, loc, content[from:from+kib256], fmt.Sprintf("Content-Range: bytes %d-%d/*", from, from+kib256-1), tt.header)
			if fmt.Sprint(a.status) != tt.want || a.header.Get("Range") != fmt.Sprintf("bytes=0-%d", from+kib256-1) ||
				a.header.Get("Location") != "" || (tt.want == "200") != (a.header.Get("X-Http-Status-Code-Override") == "308") {
				t.Fatalf("chunk at %d: %d %v", from, a.status, a.header)
			}
		}
		a := w.do(tt.method, loc, content[512<<10:], "Content-Range: bytes 524288-614399/614400", tt.header)
		if a.status != 200 || a.text("size") != "614400" || a.text("md5Checksum") != sumOf([]byte(content)) || a.field("name") != nil {
			t.Fatalf("last chunk: %d %s", a.status, a.body)
		}
		again := w.do("PUT", loc, "", "Content-Range: bytes */614400")
		if again.status != 200 || again.text("id") != a.text("id") {
			t.Errorf("query after the end: %d %s", again.status, again.body)
		}
	}
	if n := len(w.d.Tree("root")); n != 2 {
		t.Errorf("%d files", n)
	}
	if s := w.d.Stats(); s.ContentIn != 2*614400 || s.SentTwice != 0 {
		t.Errorf("%+v", s)
	}
}

func TestSessionRefusals(t *testing.T) {
	w := start(t)
	content := repeat(kib256)
	for _, tt := range []struct {
		name, ranges, body string
		status             int
		text               string
		dead               bool
	}{
		{"odd chunk", "bytes 0-99/*", content[:100], 400, "262144", false},
		{"odd chunk, total known", "bytes 0-99/1000000", content[:100], 400, "262144", false},
		{"gap", "bytes 262144-524287/*", content, 400, "0 bytes are stored", false},
		{"no unit", "0-99/100", content[:100], 400, "Failed to parse", true},
		{"star without unit", "*/*", "", 400, "Failed to parse", true},
		{"a after b", "bytes 100-50/200", content[:50], 400, "Failed to parse", true},
		{"zero bytes", "bytes 0--1/0", "", 400, "Failed to parse", true},
		{"past total", "bytes 0-99/50", content[:100], 400, "Failed to parse", true},
		{"total against announced", "bytes 0-99/100", content[:100], 400, "Failed to parse", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			length := "X-Upload-Content-Length: 1000000"
			loc := w.session("{}", length)
			a := w.do("PUT", loc, tt.body, "Content-Range: "+tt.ranges)
			if a.status != tt.status || !strings.Contains(a.body, tt.text) || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
				t.Errorf("%d %v %s", a.status, a.header, a.body)
			}
			want := 308
			if tt.dead {
				want = 404
			}
			if q := w.do("PUT", loc, "", "Content-Range: bytes */*"); q.status != want || q.header.Get("Range") != "" {
				t.Errorf("query: %d %v", q.status, q.header)
			}
		})
	}
	if a := w.do("PUT", "/upload/drive/v3/files?uploadType=resumable&upload_id=nothing", "x"); a.status != 404 {
		t.Errorf("unknown session: %d", a.status)
	}
	loc := w.session("{}")
	if a := w.do("DELETE", loc, ""); a.status != 499 {
		t.Errorf("cancel: %d", a.status)
	}
	if a := w.do("PUT", loc, "", "Content-Range: bytes */*"); a.status != 404 {
		t.Errorf("cancelled session: %d", a.status)
	}
	loc = w.session("{}")
	if a := w.as(drivetest.Ask{Client: w.d.AddClient("other").ID}).do("PUT", loc, "x"); a.status != 404 {
		t.Errorf("session of another client: %d", a.status)
	}
	if n := len(w.d.TreeWithTrash("root")); n != 0 {
		t.Errorf("%d files", n)
	}
}

func TestSessionEndings(t *testing.T) {
	w := start(t)
	block := repeat(kib256)
	loc := w.session("{}")
	w.want(308, "PUT", loc, block, "Content-Range: bytes 0-262143/*")
	if a := w.do("PUT", loc, "", "Content-Range: bytes */262144"); a.status != 200 || a.text("size") != "262144" {
		t.Errorf("bytes */N: %d %s", a.status, a.body)
	}
	if a := w.do("PUT", w.session("{}"), "", "Content-Range: bytes */0"); a.status != 200 || a.text("size") != "0" {
		t.Errorf("bytes */0: %d %s", a.status, a.body)
	}
	if a := w.do("PUT", w.session("{}"), ""); a.status != 200 || a.text("md5Checksum") != sumOf(nil) {
		t.Errorf("empty without header: %d %s", a.status, a.body)
	}
	if a := w.do("PUT", w.session("{}"), repeat(1<<20)+"end"); a.status != 200 || a.text("size") != "1048579" {
		t.Errorf("whole file: %d %s", a.status, a.body)
	}
	w.d.ResetStats()
	loc = w.session("{}")
	w.want(308, "PUT", loc, block, "Content-Range: bytes 0-262143/*")
	w.want(308, "PUT", loc, block, "Content-Range: bytes 0-262143/*") // an overlap is ignored
	a := w.want(200, "PUT", loc, block+"xyz", "Content-Range: bytes 0-262146/262147")
	if a.text("size") != "262147" || a.text("md5Checksum") != sumOf([]byte(block+"xyz")) {
		t.Errorf("overlap: %s", a.body)
	}
	if s := w.d.Stats(); s.SentTwice != 2*kib256 || s.ContentIn != 3*kib256+3 {
		t.Errorf("in %d, twice %d", s.ContentIn, s.SentTwice)
	}
}

func TestSecondSessionSendsTwice(t *testing.T) {
	w := start(t)
	meta := `{"id":"` + w.newID() + `"}`
	w.want(308, "PUT", w.session(meta), repeat(kib256), "Content-Range: bytes 0-262143/*")
	w.want(200, "PUT", w.session(meta), repeat(kib256)+"end")
	if s := w.d.Stats(); s.SentTwice != kib256 {
		t.Errorf("twice %d", s.SentTwice)
	}
}

func TestSessionLife(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	w := start(t, drivetest.Options{Now: func() time.Time { return now }, TokenLife: 30 * 24 * time.Hour})
	loc := w.session("{}")
	now = now.Add(6 * 24 * time.Hour)
	w.want(308, "PUT", loc, "", "Content-Range: bytes */*")
	now = now.Add(6 * 24 * time.Hour)
	w.want(308, "PUT", loc, "", "Content-Range: bytes */*") // a week counts from the last traffic
	now = now.Add(7 * 24 * time.Hour)
	w.want(404, "PUT", loc, "", "Content-Range: bytes */*")
}

func TestConflictAtEnd(t *testing.T) {
	w := start(t, drivetest.Options{Unsettled: drivetest.Unsettled{ConflictAtEnd: true, Created201: true}})
	id := w.newID()
	meta := `{"id":"` + id + `"}`
	w.want(201, "PUT", w.session(meta), "content")
	a := w.do("PUT", w.session(meta), "content")
	if a.status != 409 || a.reason() != "fileIdInUse" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if s := w.d.Stats(); s.SentTwice != 7 {
		t.Errorf("twice %d", s.SentTwice)
	}
}

func TestUpdateContent(t *testing.T) {
	w := start(t)
	id := w.file("a.bin", "root", "one")
	get := func() answer { return w.want(200, "GET", "/drive/v3/files/"+id+"?fields=*", "") }
	before := get()
	a := w.want(200, "PATCH", "/upload/drive/v3/files/"+id+"?uploadType=resumable&fields=id,headRevisionId", `{"name":"b.bin"}`)
	if n := get().text("name"); n != "a.bin" {
		t.Errorf("name %q before the upload ended", n)
	}
	w.want(200, "PUT", a.header.Get("Location"), "three")
	after := get()
	if after.text("name") != "b.bin" || after.text("size") != "5" || after.text("headRevisionId") == before.text("headRevisionId") ||
		after.text("createdTime") != before.text("createdTime") || fmt.Sprint(after.field("parents")) != fmt.Sprint(before.field("parents")) {
		t.Errorf("%s\n%s", before.body, after.body)
	}
	w.want(200, "PATCH", "/upload/drive/v3/files/"+id+"?uploadType=media", "three", "Content-Type: text/plain")
	if again := get(); again.text("headRevisionId") == after.text("headRevisionId") || again.text("mimeType") != "text/plain" {
		t.Errorf("same content again: %s", again.body)
	}
	if s := w.d.Stats(); s.SentTwice != 5 {
		t.Errorf("twice %d", s.SentTwice)
	}
}

func TestSetModifiedDateIsIgnored(t *testing.T) {
	w := start(t)
	id := w.file("a.bin", "root", "one")
	const address = "?uploadType=resumable&fields=modifiedTime&setModifiedDate="
	a := w.want(200, "PATCH", "/upload/drive/v3/files/"+id+address+"false", `{"modifiedTime":"2001-02-03T04:05:06.789Z"}`)
	if done := w.want(200, "PUT", a.header.Get("Location"), "two"); done.text("modifiedTime") != "2001-02-03T04:05:06.789Z" {
		t.Errorf("%s", done.body)
	}
	w.want(400, "PATCH", "/upload/drive/v3/files/"+id+address+"maybe", "{}")
}

// TestHalfSent tells what Drive has of a session, until it ends.
func TestHalfSent(t *testing.T) {
	w := start(t)
	old := w.file("old", "root", "old")
	content := repeat(kib256) + "end"
	make := w.session(`{"name":"x","appProperties":{"k":"v"}}`, fmt.Sprintf("X-Upload-Content-Length: %d", len(content)))
	location := w.want(200, "PATCH", "/upload/drive/v3/files/"+old+"?uploadType=resumable", "").header.Get("Location")
	w.want(308, "PUT", make, content[:kib256], fmt.Sprintf("Content-Range: bytes 0-%d/%d", kib256-1, len(content)))
	half := func() []drivetest.HalfSent {
		t.Helper()
		list, err := w.d.HalfSent()
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	list := half()
	if len(list) != 2 || list[0].Key == list[1].Key {
		t.Fatalf("half-sent: %+v", list)
	}
	if h := list[0]; h.Replaces || h.AppProps["k"] != "v" || h.Total != int64(len(content)) || h.Stored != kib256 || h.MD5 != sumOf([]byte(content[:kib256])) {
		t.Errorf("new: %+v", h)
	}
	if h := list[1]; !h.Replaces || h.FileID != old || h.Total != -1 || h.Stored != 0 || h.MD5 != sumOf(nil) {
		t.Errorf("update: %+v", h)
	}
	w.want(200, "PUT", make, content[kib256:], fmt.Sprintf("Content-Range: bytes %d-%d/%d", kib256, len(content)-1, len(content)))
	w.do("DELETE", location, "")
	if list := half(); len(list) > 0 {
		t.Errorf("over, and yet half-sent: %+v", list)
	}
}
