package remote

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
)

func TestNames(t *testing.T) {
	for _, tt := range []struct {
		name string
		kind manifest.Kind
		want string
	}{
		{"plain.txt", manifest.File, "plain.txt"},
		{"é/\n'\"\\ ", manifest.File, "é/\n'\"\\ "},
		{"e\u0301", manifest.File, "e\u0301"},
		{"a\xffb", manifest.File, "a\u201bFFb"},
		{"\u201bFF", manifest.File, "\u201bE2\u201b80\u201b9BFF"},
		{"\u201b", manifest.File, "\u201b"},
		{"\u201bff", manifest.File, "\u201bff"},
		{"\ufffd", manifest.File, "\ufffd"},
		{"link", manifest.Symlink, "link.rclonelink"},
		{"dir\x80", manifest.Dir, "dir\u201b80"},
	} {
		got := EncodeName(tt.name, tt.kind)
		if got != tt.want {
			t.Errorf("%q is %q on Drive, want %q", tt.name, got, tt.want)
		}
		if back := DecodeName(got, tt.kind); back != tt.name {
			t.Errorf("%q comes back as %q", tt.name, back)
		}
	}
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"a", "\xff", "\u201bFF", "\u201b\u201bFF", "\u201bF\xff", "\xe2\x80", "\xe2\x80\x9bE2", ".rclonelink"} {
		f.Add(s, uint8(manifest.File))
		f.Add(s, uint8(manifest.Symlink))
	}
	f.Fuzz(func(t *testing.T, name string, k uint8) {
		kind := manifest.Kind(k%3 + 1)
		on := EncodeName(name, kind)
		if strings.ToValidUTF8(on, "") != on {
			t.Fatalf("%q is %q on Drive, no UTF-8", name, on)
		}
		if back := DecodeName(on, kind); back != name { // so two names are never one on Drive
			t.Fatalf("%q is %q on Drive and comes back as %q", name, on, back)
		}
	})
}

const twoParts = "--b\r\nContent-Type: application/http\r\nContent-ID: <response-1>\r\n\r\n" +
	"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"id\":\"one\"}\r\n" +
	"--b\r\nContent-Type: application/http\r\nContent-ID: response-0\r\n\r\n" +
	"HTTP/1.1 403 Forbidden\r\nRetry-After: 7\r\nContent-Length: 51\r\n\r\n" +
	"{\"error\":{\"errors\":[{\"reason\":\"rateLimitExceeded\"}]}}\r\n--b--\r\n"

// TestMetaJSON compares what is written by hand with encoding/json.
func TestMetaJSON(t *testing.T) {
	yes, no := true, false
	var every strings.Builder
	for c := range 0x300 {
		every.WriteRune(rune(c))
	}
	every.WriteString("\u2028\u2029\ufffd\U0001f600")
	for _, c := range []struct {
		meta meta
		want any
	}{
		{meta{}, map[string]any{}},
		{meta{Trashed: &yes}, map[string]any{"trashed": true}},
		{meta{Trashed: &no, AppProperties: props{gens: &gens{set: 7, drop: []int64{6, 7}}}}, map[string]any{"trashed": false, "appProperties": map[string]any{"acb.g.7": "1", "acb.g.6": nil}}},
		{meta{KeepForever: &yes}, map[string]any{"keepForever": true}},
		{meta{Name: every.String(), AppProperties: props{noHash: true}}, map[string]any{"name": every.String(), "appProperties": map[string]any{propHash: nil}}},
		{
			meta{"id", "a \"b\" \\c\n", "text/plain", "up", "2026-01-02T03:04:05.678Z", nil, nil, props{"h", "-1", "644", "f", "ins", false, nil}},
			map[string]any{
				"id": "id", "name": "a \"b\" \\c\n", "mimeType": "text/plain", "parents": []any{"up"}, "modifiedTime": "2026-01-02T03:04:05.678Z",
				"appProperties": map[string]any{propHash: "h", propTime: "-1", propMode: "644", propKind: "f", propInstall: "ins"},
			},
		},
	} {
		var got any
		if err := json.Unmarshal(c.meta.json(), &got); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", c.meta.json(), err, c.want)
		}
	}
}

func TestParseBatch(t *testing.T) {
	const kind = "multipart/mixed; boundary=b"
	parts, err := parseBatch(strings.NewReader(strings.Replace(twoParts, "51", "53", 1)), kind, 3)
	if err != nil || parts[2] != nil {
		t.Fatalf("%v %v", parts, err)
	}
	if body, e := parts[1].outcome(); e != nil || string(body) != `{"id":"one"}` {
		t.Errorf("%s %v", body, e)
	}
	if _, e := parts[0].outcome(); e == nil || e.Class != RateLimit || e.RetryAfter != 7*time.Second {
		t.Errorf("%+v", e)
	}
	for cut := range len(twoParts) - len("\r\n") { // torn anywhere: no part that is not whole
		parts, err := parseBatch(strings.NewReader(twoParts[:cut]), kind, 2)
		if p := parts[1]; p != nil && string(p.body) != `{"id":"one"}` || err == nil && parts[0] != nil {
			t.Fatalf("cut at %d: %v, %v", cut, err, parts)
		}
	}
	for _, kind := range []string{"", "text/html", "multipart/mixed", "multipart/mixed; boundary="} {
		if _, err := parseBatch(strings.NewReader(twoParts), kind, 2); err == nil {
			t.Errorf("Content-Type %q accepted", kind)
		}
	}
}

func FuzzParseBatch(f *testing.F) {
	f.Add([]byte(twoParts), uint8(2))
	f.Add([]byte("--b--"), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, n uint8) {
		parts, _ := parseBatch(bytes.NewReader(data), "multipart/mixed; boundary=b", int(n))
		if len(parts) != int(n) {
			t.Fatalf("%d parts for %d calls", len(parts), n)
		}
		for _, p := range parts {
			if p != nil {
				p.outcome()
			}
		}
	})
}

func TestSessionAddress(t *testing.T) {
	for _, tt := range []struct {
		endpoint, location string
		ok                 bool
	}{
		{"https://www.googleapis.com", "https://www.googleapis.com/upload/drive/v3/files?upload_id=x", true},
		{"https://www.googleapis.com", "https://storage.googleapis.com/x?upload_id=x", true},
		{"https://www.googleapis.com", "https://googleapis.com.evil.example/x?upload_id=x", false},
		{"https://www.googleapis.com", "http://www.googleapis.com/x?upload_id=x", false},
		{"http://127.0.0.1:5", "http://127.0.0.1:5/x", true},
		{"http://127.0.0.1:5", "http://127.0.0.1:6/x", false},
		{"http://127.0.0.1:5", "/x?upload_id=x", true}, // as it is kept
		{"http://127.0.0.1:5", "", false},
	} {
		d, err := New(Options{
			Endpoint: tt.endpoint, Client: http.DefaultClient, Folder: "f", Host: "h", Installation: "i", Now: time.Now,
		})
		if err != nil {
			t.Fatal(err)
		}
		kept, address, err := d.sessionAddress(tt.location)
		if (err == nil) != tt.ok {
			t.Errorf("%s from %s: %v", tt.location, tt.endpoint, err)
		}
		if _, again, err := d.sessionAddress(string(kept)); tt.ok && (again != address || err != nil) {
			t.Errorf("%s from %s: kept, it leads to %s, %v", tt.location, tt.endpoint, again, err)
		}
	}
}

// Chunks follow the line, in whole units and within bounds.
func TestNextChunk(t *testing.T) {
	for _, tt := range []struct {
		size int64
		took time.Duration
		want int64
	}{
		{chunkUnit, time.Second, 2 * chunkUnit},
		{2 << 20, 2 * time.Second, 2 << 20},
		{2 << 20, 10 * time.Second, 2 << 20},
		{2 << 20, 11 * time.Second, 1 << 20},
		{3 * chunkUnit, time.Minute, chunkUnit},
		{chunkUnit, time.Hour, chunkUnit},
		{5 << 20, 0, maxChunk},
		{maxChunk, 0, maxChunk},
	} {
		if got := nextChunk(tt.size, tt.took); got != tt.want {
			t.Errorf("after %d bytes in %s: %d, want %d", tt.size, tt.took, got, tt.want)
		}
	}
}

func TestStoredBytes(t *testing.T) {
	for in, want := range map[string]int64{"": 0, "bytes=0-0": 1, "bytes=0-262143": 262144, "bytes=1-5": -1, "0-5": -1, "bytes=0--5": -1, "bytes=0-x": -1} {
		got, err := storedBytes(in)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: %d %v", in, got, err)
		}
	}
}

// The first chunk of a limited line is what a transfer's share can send in ten
// seconds, in whole units; what the limit is at the moment counts.
func TestFirstChunk(t *testing.T) {
	for limit, want := range map[int64]int64{
		0: firstChunk, 100 << 20: firstChunk, 512 << 10: 1280 << 10, 300 << 10: 2 * chunkUnit, 1 << 10: chunkUnit,
	} {
		d := &Drive{chunk: firstChunk, opt: Options{Transfers: 4, Line: NewLine(func(time.Time) int64 { return limit }, time.Now)}}
		if got := d.beginWith(); got != want {
			t.Errorf("at %d bytes/s the first chunk has %d bytes, want %d", limit, got, want)
		}
	}
	if d := (&Drive{chunk: firstChunk}); d.beginWith() != firstChunk {
		t.Error("without a line, the first chunk is another")
	}
}

// Progress on a line is seen through encryption, and by who uses the
// connection now.
func TestWatchFollows(t *testing.T) {
	d := &Drive{stall: time.Minute, opt: Options{Line: NewLine(func(time.Time) int64 { return 0 }, time.Now)}}
	c := &lineConn{}
	first, second := d.watched(t.Context()), d.watched(t.Context())
	defer second.end()
	first.follow(tls.Client(c, &tls.Config{}))
	if c.moved.Load() != first {
		t.Error("the watch is not told")
	}
	second.follow(c)
	first.end()
	if c.moved.Load() != second {
		t.Error("a watch that ended took the next one's connection away")
	}
}

// A forecast knows the limit of the line.
func TestForecastOfALimitedLine(t *testing.T) {
	stages := [][]*plan.Op{{{Kind: plan.Upload, Stat: manifest.Stat{Size: 1 << 20}}}}
	d := &Drive{opt: Options{Line: NewLine(func(time.Time) int64 { return 64 << 10 }, time.Now)}}
	if f := d.Forecast(stages, false); f.Least != 16*time.Second {
		t.Errorf("1 MiB at 64 KiB/s takes %v", f.Least)
	}
}

// A server that gives the page it was asked for as the next one is not asked
// for ever.
func TestPageAfterItself(t *testing.T) {
	c := &call{query: url.Values{"pageToken": {"7"}}, answer: []byte(`{"nextPageToken":"7"}`)}
	if p, err := changesOf(c); err == nil {
		t.Errorf("changes go on at %q", p.more)
	}
	c.query.Set("pageToken", "6")
	if p, err := changesOf(c); err != nil || p.more != "7" {
		t.Errorf("changes: %q, %v", p.more, err)
	}
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		if asked++; asked > 5 {
			rw.WriteHeader(http.StatusForbidden)
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprint(rw, `{"nextPageToken":"7","revisions":[{"id":"r"}]}`)
	}))
	defer srv.Close()
	d, err := New(Options{Endpoint: srv.URL, Client: srv.Client(), Now: time.Now, Installation: "i", Host: "h", Folder: "f"})
	if err != nil {
		t.Fatal(err)
	}
	if list, err := d.Revisions(t.Context(), "id"); err == nil || asked != 2 {
		t.Errorf("%d revisions after %d requests: %v", len(list), asked, err)
	}
}
