package drivetest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// wire talks to a look-alike byte by byte, as one account and client.
type wire struct {
	t *testing.T
	d *drivetest.Server
	c *http.Client
}

func start(t *testing.T, o ...drivetest.Options) *wire {
	t.Helper()
	d := drivetest.Start(o...)
	t.Cleanup(func() { d.Close() })
	return &wire{t, d, noFollow(d.Client())}
}

func noFollow(c *http.Client) *http.Client {
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// as gives the wire of another account, client or scope.
func (w *wire) as(a drivetest.Ask) *wire { return &wire{w.t, w.d, noFollow(w.d.ClientFor(a))} }

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// reason gives the first error's reason, or "".
func (a answer) reason() string { return a.entry("reason") }

func (a answer) entry(name string) string {
	var v struct {
		Error struct{ Errors []map[string]any }
	}
	if json.Unmarshal([]byte(a.body), &v) != nil || len(v.Error.Errors) == 0 {
		return ""
	}
	s, _ := v.Error.Errors[0][name].(string)
	return s
}

// field gives a member of a JSON answer.
func (a answer) field(name string) any {
	var v map[string]any
	if json.Unmarshal([]byte(a.body), &v) != nil {
		return nil
	}
	return v[name]
}

func (a answer) text(name string) string { s, _ := a.field(name).(string); return s }

// try sends a request; headers are "Name: value".
func (w *wire) try(method, path, body string, headers ...string) (answer, error) {
	url := path
	if strings.HasPrefix(path, "/") {
		url = w.d.URL + path
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if body == "" {
		r.Body = http.NoBody
	}
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		r.Header.Set(k, v)
	}
	resp, err := w.c.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	p, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(p)}, err
}

func (w *wire) do(method, path, body string, headers ...string) answer {
	w.t.Helper()
	a, err := w.try(method, path, body, headers...)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// want is do with the status that has to come.
func (w *wire) want(status int, method, path, body string, headers ...string) answer {
	w.t.Helper()
	a := w.do(method, path, body, headers...)
	if a.status != status {
		w.t.Fatalf("%s %s: %d %s, want %d", method, path, a.status, a.body, status)
	}
	return a
}

// newID reserves an id.
func (w *wire) newID() string {
	w.t.Helper()
	var v struct{ IDs []string }
	if err := json.Unmarshal([]byte(w.want(200, "GET", "/drive/v3/files/generateIds?count=1", "").body), &v); err != nil {
		w.t.Fatal(err)
	}
	return v.IDs[0]
}

// folder makes a folder and gives its id.
func (w *wire) folder(name, parent string) string {
	w.t.Helper()
	return w.want(200, "POST", "/drive/v3/files", fmt.Sprintf(
		`{"name":%q,"mimeType":"application/vnd.google-apps.folder","parents":[%q]}`, name, parent)).text("id")
}

// file uploads a file and gives its id.
func (w *wire) file(name, parent, content string) string {
	w.t.Helper()
	return w.multipart("POST", "/upload/drive/v3/files?uploadType=multipart", fmt.Sprintf(`{"name":%q,"parents":[%q]}`, name, parent), content).text("id")
}

func (w *wire) multipart(method, path, meta, content string) answer {
	w.t.Helper()
	return w.want(200, method, path, related(meta, content), "Content-Type: multipart/related; boundary=B")
}

func related(meta, content string) string {
	return "--B\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n" + meta +
		"\r\n--B\r\nContent-Type: application/octet-stream\r\n\r\n" + content + "\r\n--B--\r\n"
}

// part is one call of a batch.
func part(id, request, body string) string {
	return "--B\r\nContent-Type: application/http\r\nContent-ID: " + id + "\r\n\r\n" + request + " HTTP/1.1\r\n" +
		"Content-Type: application/json\r\n\r\n" + body + "\r\n"
}

func (w *wire) batch(parts ...string) answer {
	w.t.Helper()
	return w.want(200, "POST", "/batch/drive/v3", strings.Join(parts, "")+"--B--\r\n", "Content-Type: multipart/mixed; boundary=B")
}

// statuses gives the status of each part of a batch answer.
func statuses(a answer) []string {
	var out []string
	for _, line := range strings.Split(a.body, "\r\n") {
		if s, ok := strings.CutPrefix(line, "HTTP/1.1 "); ok {
			out = append(out, s[:3])
		}
	}
	return out
}

// session begins a resumable upload and gives its address.
func (w *wire) session(meta string, headers ...string) string {
	w.t.Helper()
	a := w.want(200, "POST", "/upload/drive/v3/files?uploadType=resumable&fields=id,size,md5Checksum", meta, headers...)
	return a.header.Get("Location")
}

func repeat(n int) string { return string(bytes.Repeat([]byte("0123456789abcdef"), n/16)) }

const kib256 = 256 << 10

func newPlainClient(t *testing.T) *http.Client {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}
