package drivetest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// Each effect on one create: what the client is told, and whether it was done.
func TestEffects(t *testing.T) {
	for _, tt := range []struct {
		e      drivetest.Effect
		status int // 0: no answer
		reason string
		done   bool
	}{
		{drivetest.Refuse(500, "internalError"), 500, "internalError", false},
		{drivetest.Unavailable, 503, "backendError", false},
		{drivetest.RateLimited, 403, "userRateLimitExceeded", false},
		{drivetest.TooMany(7 * time.Second), 429, "rateLimitExceeded", false},
		{drivetest.Unauthorized, 401, "authError", false},
		{drivetest.Cut, 0, "", false},
		{drivetest.CutBody(3), 0, "", false},
		{drivetest.Lost, 0, "", true},
		{drivetest.LostAs(503), 503, "internalError", true},
		{drivetest.Torn, 0, "", true},
		{drivetest.Slow(10 * time.Millisecond), 200, "", true},
		{drivetest.Fresh404(2), 200, "", true},
		{drivetest.WrongMD5, 200, "", true},
	} {
		t.Run(tt.e.String(), func(t *testing.T) {
			w := start(t)
			id := w.newID()
			w.d.Inject(drivetest.At(0, tt.e))
			a, err := w.try("POST", "/drive/v3/files?fields=id,md5Checksum", `{"id":"`+id+`"}`)
			if (err == nil) != (tt.status != 0) || a.status != tt.status && tt.status != 0 || a.reason() != tt.reason && err == nil {
				t.Errorf("%d %s %v", a.status, a.body, err)
			}
			if w.d.Hits() != 1 || w.d.Calls() != 1 || w.d.Stats().Faults != 1 {
				t.Errorf("%d hits, %d calls", w.d.Hits(), w.d.Calls())
			}
			if log := w.d.Log(); log[len(log)-1].Fault != tt.e.String() || log[len(log)-1].Status != tt.status && tt.e.String() != "torn" {
				t.Errorf("log %+v", log[len(log)-1])
			}
			if done := len(w.d.Tree("root")) == 1; done != tt.done {
				t.Errorf("done %v", done)
			}
			switch tt.e.String() {
			case "429 after 7s":
				if a.header.Get("Retry-After") != "7" {
					t.Errorf("%v", a.header)
				}
			case "wrongmd5":
				if a.text("md5Checksum") == sumOf(nil) {
					t.Error("right MD5")
				}
			case "fresh404 2":
				w.want(404, "GET", "/drive/v3/files/"+id, "")
				w.want(404, "GET", "/drive/v3/files/"+id, "")
			}
			w.d.Inject(nil)
			want := 200
			if tt.done {
				want = 409
			}
			w.want(want, "POST", "/drive/v3/files", `{"id":"`+id+`"}`)
			w.want(200, "GET", "/drive/v3/files/"+id, "")
		})
	}
}

func TestHang(t *testing.T) {
	for _, e := range []drivetest.Effect{drivetest.Hang, drivetest.HangAfter} {
		w := start(t)
		w.d.Inject(drivetest.Nth(drivetest.Create, 0, e))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		r, err := http.NewRequestWithContext(ctx, "POST", w.d.URL+"/drive/v3/files", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.c.Do(r); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v: %v", e, err)
		}
		cancel()
		if done := len(w.d.Tree("root")) == 1; done != (e.String() == "hangafter") {
			t.Errorf("%v: done %v", e, done)
		}
	}
}

func TestChunkFaults(t *testing.T) {
	mib := repeat(1 << 20)
	for _, tt := range []struct {
		e        drivetest.Effect
		status   int
		ranges   string // of the answer, or of the query after a cut
		override string // X-GUploader-No-308
	}{
		{drivetest.PartialChunk(600_000), 308, "bytes=0-524287", ""},
		{drivetest.NoRange, 308, "", ""},
		{drivetest.NoRange, 200, "bytes=0-1048575", "yes"}, // never strikes this dialect
		{drivetest.CutBody(300_000), 0, "bytes=0-262143", ""},
		{drivetest.CutBody(300_000), 0, "", "yes"}, // all or nothing
		{drivetest.Lost, 0, "bytes=0-1048575", ""},
		{drivetest.Unavailable, 503, "", ""},
		{drivetest.SessionLost(404), 404, "dead", ""},
		{drivetest.SessionLost(410), 410, "dead", ""},
	} {
		t.Run(tt.e.String()+tt.override, func(t *testing.T) {
			w := start(t)
			loc := w.session("{}")
			w.d.Inject(drivetest.Nth(drivetest.UploadChunk, 0, tt.e))
			headers := []string{"Content-Range: bytes 0-1048575/*"}
			if tt.override != "" {
				headers = append(headers, "X-GUploader-No-308: yes")
			}
			a, err := w.try("PUT", loc, mib, headers...)
			if (err == nil) != (tt.status != 0) || err == nil && a.status != tt.status {
				t.Fatalf("%d %s %v", a.status, a.body, err)
			}
			if tt.status == 308 && a.header.Get("Range") != tt.ranges {
				t.Errorf("Range %q", a.header.Get("Range"))
			}
			w.d.Inject(nil)
			q := w.do("PUT", loc, "", "Content-Range: bytes */*")
			if tt.ranges == "dead" {
				if q.status != 404 {
					t.Errorf("query: %d", q.status)
				}
				return
			}
			if q.status != 308 || q.header.Get("Range") != tt.ranges {
				t.Errorf("query: %d %v", q.status, q.header)
			}
			at := 0
			if _, err := fmt.Sscanf(tt.ranges, "bytes=0-%d", &at); err == nil {
				at++
			}
			a = w.want(200, "PUT", loc, mib[at:]+"end", fmt.Sprintf("Content-Range: bytes %d-1048578/1048579", at))
			if a.text("md5Checksum") != sumOf([]byte(mib+"end")) {
				t.Errorf("%s", a.body)
			}
		})
	}
}

// A client that dies in the middle of a chunk leaves whole blocks behind.
func TestClientDiesInChunk(t *testing.T) {
	w := start(t)
	loc := w.session("{}")
	ctx, cancel := context.WithCancel(t.Context())
	pr, pw := io.Pipe()
	r, err := http.NewRequestWithContext(ctx, "PUT", loc, pr)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = 1 << 20
	r.Header.Set("Content-Range", "bytes 0-1048575/*")
	go func() {
		io.WriteString(pw, repeat(600<<10))
		cancel()
		pw.CloseWithError(io.ErrClosedPipe)
	}()
	if _, err := w.c.Do(r); err == nil {
		t.Fatal("answered")
	}
	q := w.do("PUT", loc, "", "Content-Range: bytes */*") // waits for the session, which is still being written
	if n := 0; q.status != 308 || sscanf(q.header.Get("Range"), &n) && (n+1)%kib256 != 0 {
		t.Errorf("%d %v", q.status, q.header)
	}
}

func sscanf(s string, n *int) bool {
	_, err := fmt.Sscanf(s, "bytes=0-%d", n)
	return err == nil
}

func TestCorrupt(t *testing.T) {
	w := start(t)
	w.d.Inject(drivetest.First(1, drivetest.Corrupt))
	a := w.multipart("POST", "/upload/drive/v3/files?uploadType=multipart&fields=id,size,md5Checksum", "{}", "content")
	if a.text("size") != "7" || a.text("md5Checksum") == sumOf([]byte("content")) {
		t.Errorf("%s", a.body)
	}
	got, err := w.d.Content(a.text("id"))
	if err != nil || sumOf(got) != a.text("md5Checksum") {
		t.Errorf("%q %v", got, err)
	}
}

func TestFaultsInBatch(t *testing.T) {
	for _, tt := range []struct {
		f    drivetest.Fault
		want string
		made int
	}{
		{drivetest.InBatch(drivetest.At(1, drivetest.RateLimited)), "200 403 200", 2},
		{drivetest.InBatch(drivetest.At(1, drivetest.Lost)), "200 503 200", 3},
		{drivetest.InBatch(drivetest.At(2, drivetest.Cut)), "200 200 503", 2},
		{drivetest.InBatch(drivetest.Nth(drivetest.Create, 0, drivetest.LostAs(500))), "500 200 200", 3},
		{drivetest.InBatch(drivetest.At(0, drivetest.DropPart)), "200 200", 3},
		{drivetest.At(1, drivetest.Lost), "200 200 200", 3}, // numbers requests, of which there is one
	} {
		w := start(t)
		var parts []string
		for i := range 3 {
			parts = append(parts, part(fmt.Sprint(i), "POST /drive/v3/files", `{"mimeType":"`+folderType+`"}`))
		}
		w.d.Inject(tt.f)
		got := strings.Join(statuses(w.batch(parts...)), " ")
		if got != tt.want || len(w.d.Tree("root")) != tt.made || w.d.Parts() != 3 {
			t.Errorf("%v: %s, %d made, %d parts", tt.f, got, len(w.d.Tree("root")), w.d.Parts())
		}
	}
}

func TestSelectors(t *testing.T) {
	w := start(t)
	hits := func(f drivetest.Fault) string {
		w.d.Inject(f)
		var s []byte
		for i := range 8 {
			path := "/drive/v3/files/root"
			if i%2 == 1 {
				path = "/drive/v3/files"
			}
			if w.do("GET", path, "").status == 200 {
				s = append(s, '.')
			} else {
				s = append(s, 'X')
			}
		}
		w.d.Inject(nil)
		return string(s)
	}
	un := drivetest.Unavailable
	for _, tt := range []struct {
		f           drivetest.Fault
		label, want string
	}{
		{drivetest.At(3, un), "at 3 503 backendError", "...X...."},
		{drivetest.Nth(drivetest.List, 1, un), "files.list 1 503 backendError", "...X...."},
		{drivetest.Every(3, un), "every 3 503 backendError", "..X..X.."},
		{drivetest.First(2, un), "first 2 503 backendError", "XX......"},
		{drivetest.From(6, un), "from 6 503 backendError", "......XX"},
		{drivetest.Always(un), "always 503 backendError", "XXXXXXXX"},
		{drivetest.Only(drivetest.Always(un), drivetest.Get), "only [files.get] always 503 backendError", "X.X.X.X."},
		{drivetest.Several(drivetest.At(1, un), drivetest.At(6, un)), "at 1 503 backendError; at 6 503 backendError", ".X....X."},
		{drivetest.InBatch(drivetest.Always(un)), "in batch always 503 backendError", "........"},
		{drivetest.Always(drivetest.SessionLost(404)), "always session 404", "........"},
	} {
		if got := hits(tt.f); got != tt.want || tt.f.String() != tt.label {
			t.Errorf("%v: %s, want %s", tt.f, got, tt.want)
		}
	}
	some := drivetest.Chance(0.5, 42, un)
	first := hits(some)
	if second := hits(some); first != second || first == "........" || first == "XXXXXXXX" {
		t.Errorf("chance: %s then %s", first, second)
	}
}

// The loop that faults each request in turn ends when there is no n-th one.
func TestFaultLoop(t *testing.T) {
	n := 0
	for ; ; n++ {
		w := start(t)
		w.d.Inject(drivetest.At(n, drivetest.Unavailable))
		for range 3 {
			w.do("GET", "/drive/v3/files/root", "")
		}
		if w.d.Calls() <= n {
			break
		}
		if w.d.Hits() != 1 {
			t.Fatalf("request %d was not struck", n)
		}
	}
	if n != 3 {
		t.Errorf("ended at %d", n)
	}
}

func TestOnRequest(t *testing.T) {
	w := start(t)
	var seen []string
	w.d.OnRequest(func(n int, r drivetest.Info) {
		seen = append(seen, fmt.Sprintf("%d %s %s %s", n, r.Kind, r.Method, r.Path))
	})
	w.d.ResetStats()
	w.want(200, "GET", "/drive/v3/files/root?fields=id", "")
	w.want(200, "GET", "/drive/v3/files", "")
	if !slices.Equal(seen, []string{"0 files.get GET /drive/v3/files/root", "1 files.list GET /drive/v3/files"}) {
		t.Errorf("%q", seen)
	}
}
