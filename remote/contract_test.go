package remote_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/auth"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// The contract is what acb relies on in Drive, said in plain HTTP and without
// any of acb's own client. It holds the look-alike always, and Drive itself
// by `make live`, so that the look-alike is measured and not trusted.

// TestContract holds the look-alike to the contract.
func TestContract(t *testing.T) {
	srv := drivetest.Start()
	defer srv.Close()
	contract(t, &account{client: srv.Client(), root: srv.URL})
}

// TestLive holds Google Drive to the contract, in a folder that it makes and
// trashes. It runs where ACB_LIVE_CREDENTIALS and ACB_LIVE_TOKEN name the
// files of a sign-in.
func TestLive(t *testing.T) {
	creds, token := os.Getenv("ACB_LIVE_CREDENTIALS"), os.Getenv("ACB_LIVE_TOKEN")
	if creds == "" || token == "" {
		t.Skip("needs an account: set ACB_LIVE_CREDENTIALS and ACB_LIVE_TOKEN")
	}
	c, err := auth.LoadCredentials(creds)
	if err != nil {
		t.Fatal(err)
	}
	client, _, err := auth.Client(c, token, auth.Options{Base: &http.Client{Transport: remote.NewTransport(1)}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	contract(t, &account{client: client, root: "https://www.googleapis.com"})
}

// An account is a Drive to put questions to.
type account struct {
	client *http.Client
	root   string
	folder string // that the contract works in
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// json returns the answer's object.
func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(a.body, &m); err != nil {
		t.Fatalf("answer %d is no JSON: %v: %s", a.status, err, a.body)
	}
	return m
}

// reason returns the reason of an error answer.
func (a answer) reason(t *testing.T) string {
	t.Helper()
	var e struct {
		Error struct{ Errors []struct{ Reason string } }
	}
	if err := json.Unmarshal(a.body, &e); err != nil || len(e.Error.Errors) == 0 {
		t.Fatalf("answer %d is no error of Drive's: %s", a.status, a.body)
	}
	return e.Error.Errors[0].Reason
}

func (acc *account) do(t *testing.T, method, address string, header http.Header, body []byte) answer {
	t.Helper()
	if !strings.HasPrefix(address, "http") {
		address = acc.root + address
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	plain := *acc.client
	plain.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := plain.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, got}
}

// call sends a metadata call with a JSON body, none if body is nil.
func (acc *account) call(t *testing.T, method, path string, body any) answer {
	t.Helper()
	if body == nil {
		return acc.do(t, method, path, nil, nil)
	}
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return acc.do(t, method, path, http.Header{"Content-Type": {"application/json; charset=UTF-8"}}, b)
}

type object map[string]any

const folderType = "application/vnd.google-apps.folder"

// ids reserves n ids.
func (acc *account) ids(t *testing.T, n int) []string {
	t.Helper()
	got := acc.call(t, "GET", fmt.Sprintf("/drive/v3/files/generateIds?count=%d&fields=ids", n), nil)
	if got.status != 200 {
		t.Fatalf("generateIds: %d %s", got.status, got.body)
	}
	var ids []string
	for _, id := range got.json(t)["ids"].([]any) {
		ids = append(ids, id.(string))
	}
	if len(ids) != n {
		t.Fatalf("generateIds gave %d ids, asked for %d", len(ids), n)
	}
	return ids
}

// upload sends a small content in one request.
func (acc *account) upload(t *testing.T, meta object, content string) answer {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	head, err := json.Marshal(meta)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []struct {
		kind string
		data []byte
	}{{"application/json; charset=UTF-8", head}, {"application/octet-stream", []byte(content)}} {
		p, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {part.kind}})
		if err != nil {
			t.Fatal(err)
		}
		p.Write(part.data) // a bytes.Buffer takes all
	}
	w.Close()
	return acc.do(t, "POST", "/upload/drive/v3/files?uploadType=multipart&fields=id,size,md5Checksum,modifiedTime,headRevisionId,parents,appProperties,name",
		http.Header{"Content-Type": {"multipart/related; boundary=" + w.Boundary()}}, b.Bytes())
}

func sum(s string) string {
	m := md5.Sum([]byte(s))
	return hex.EncodeToString(m[:])
}

func contract(t *testing.T, acc *account) {
	id := acc.ids(t, 1)[0]
	made := acc.call(t, "POST", "/drive/v3/files?fields=id", object{"id": id, "name": "acb contract " + id, "mimeType": folderType})
	if made.status != 200 {
		t.Fatalf("create folder: %d %s", made.status, made.body)
	}
	acc.folder = id
	defer acc.call(t, "PATCH", "/drive/v3/files/"+id+"?fields=id", object{"trashed": true})
	t.Run("reserved ids", acc.reservedIDs)
	t.Run("upload", acc.uploads)
	t.Run("resumable", acc.resumable)
	t.Run("batch", acc.batch)
	t.Run("moves", acc.moves)
	t.Run("copies", acc.copies)
	t.Run("trash", acc.trash)
	t.Run("properties", acc.properties)
	t.Run("absent", acc.absent)
}

// reservedIDs: an id makes creating idempotent.
func (acc *account) reservedIDs(t *testing.T) {
	id := acc.ids(t, 1)[0]
	meta := object{"id": id, "name": "once", "parents": []string{acc.folder}}
	if got := acc.upload(t, meta, "one"); got.status != 200 && got.status != 201 {
		t.Fatalf("first: %d %s", got.status, got.body)
	}
	if got := acc.upload(t, meta, "one"); got.status != 409 {
		t.Errorf("the same id again: %d %s, want 409", got.status, got.body)
	}
	folder := object{"id": acc.ids(t, 1)[0], "name": "f", "mimeType": folderType, "parents": []string{acc.folder}}
	for i, want := range []int{200, 409} {
		if got := acc.call(t, "POST", "/drive/v3/files?fields=id", folder); got.status != want {
			t.Errorf("folder, time %d: %d %s, want %d", i+1, got.status, got.body, want)
		}
	}
}

// uploads: the answer tells size, MD5 and what else was asked for; names are
// kept byte for byte and may repeat; times have milliseconds.
func (acc *account) uploads(t *testing.T) {
	for _, name := range []string{"plain", " spaces ", "a/b", "q'\\\"", "e\u0301", "\u00e9", "new\nline"} {
		got := acc.upload(t, object{
			"name": name, "parents": []string{acc.folder}, "mimeType": "application/octet-stream",
			"modifiedTime": "2001-02-03T04:05:06.789Z", "appProperties": object{"acb.h": "x"},
		}, name+"!")
		if got.status != 200 && got.status != 201 {
			t.Errorf("%q: %d %s", name, got.status, got.body)
			continue
		}
		f := got.json(t)
		if f["name"] != name || f["md5Checksum"] != sum(name+"!") || f["size"] != fmt.Sprint(len(name)+1) ||
			f["modifiedTime"] != "2001-02-03T04:05:06.789Z" || f["headRevisionId"] == "" {
			t.Errorf("%q: %s", name, got.body)
		}
	}
	empty := acc.upload(t, object{"name": "empty", "parents": []string{acc.folder}}, "")
	if f := empty.json(t); f["size"] != "0" || f["md5Checksum"] != sum("") {
		t.Errorf("empty file: %s", empty.body)
	}
}

// resumable: the dialect with 308 and Range.
func (acc *account) resumable(t *testing.T) {
	const unit = 256 << 10
	content := strings.Repeat("0123456789abcdef", 3*unit/16) + "tail"
	begin := func() string {
		got := acc.do(t, "POST", "/upload/drive/v3/files?uploadType=resumable&fields=id,size,md5Checksum",
			http.Header{"Content-Type": {"application/json; charset=UTF-8"}, "X-Upload-Content-Length": {fmt.Sprint(len(content))}},
			[]byte(fmt.Sprintf(`{"name":"large","parents":[%q]}`, acc.folder)))
		if got.status != 200 || got.header.Get("Location") == "" {
			t.Fatalf("begin: %d %s", got.status, got.body)
		}
		return got.header.Get("Location")
	}
	send := func(at string, from, to int) answer {
		return acc.do(t, "PUT", at, http.Header{"Content-Range": {fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(content))}}, []byte(content[from:to]))
	}
	ask := func(at string) answer {
		return acc.do(t, "PUT", at, http.Header{"Content-Range": {fmt.Sprintf("bytes */%d", len(content))}}, nil)
	}
	at := begin()
	if got := ask(at); got.status != 308 || got.header.Get("Range") != "" {
		t.Errorf("nothing sent yet: %d, Range %q", got.status, got.header.Get("Range"))
	}
	if got := send(at, 0, unit); got.status != 308 || got.header.Get("Range") != fmt.Sprintf("bytes=0-%d", unit-1) {
		t.Errorf("a chunk: %d, Range %q", got.status, got.header.Get("Range"))
	}
	if got := ask(at); got.status != 308 || got.header.Get("Range") != fmt.Sprintf("bytes=0-%d", unit-1) {
		t.Errorf("asked after a chunk: %d, Range %q", got.status, got.header.Get("Range"))
	}
	got := send(at, unit, len(content))
	if got.status != 200 && got.status != 201 {
		t.Fatalf("the rest: %d %s", got.status, got.body)
	}
	if f := got.json(t); f["md5Checksum"] != sum(content) || f["size"] != fmt.Sprint(len(content)) {
		t.Errorf("large file: %s", got.body)
	}
	if got := ask(at); got.status != 200 && got.status != 201 {
		t.Errorf("asked when done: %d %s, want 200 or 201", got.status, got.body)
	}
	if got := send(begin(), 0, unit+1); got.status != 400 {
		t.Errorf("a chunk of no multiple of 256 KiB: %d, want 400", got.status)
	}
}

// batch: each part has its own status, and is told apart by its Content-ID.
func (acc *account) batch(t *testing.T) {
	ids := acc.ids(t, 2)
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i, call := range []string{
		fmt.Sprintf("POST /drive/v3/files?fields=id HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{\"id\":%q,\"name\":\"one\",\"mimeType\":%q,\"parents\":[%q]}", ids[0], folderType, acc.folder),
		fmt.Sprintf("PATCH /drive/v3/files/%s?fields=id HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{\"trashed\":true}", ids[1]),
		fmt.Sprintf("GET /drive/v3/files/%s?fields=id,trashed HTTP/1.1\r\n\r\n", acc.folder),
	} {
		p, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/http"}, "Content-ID": {fmt.Sprintf("<%d>", i)}})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(p, call)
	}
	w.Close()
	got := acc.do(t, "POST", "/batch/drive/v3", http.Header{"Content-Type": {"multipart/mixed; boundary=" + w.Boundary()}}, b.Bytes())
	if got.status != 200 {
		t.Fatalf("batch: %d %s", got.status, got.body)
	}
	_, params, err := mime.ParseMediaType(got.header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"response-0": "200", "response-1": "404", "response-2": "200"}
	for r := multipart.NewReader(bytes.NewReader(got.body), params["boundary"]); ; {
		p, err := r.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		id := strings.Trim(p.Header.Get("Content-ID"), "<>")
		if fields := strings.Fields(string(body)); len(fields) < 2 || fields[1] != want[id] {
			t.Errorf("part %q: %s, want %s", id, body, want[id])
		}
		delete(want, id)
	}
	if len(want) > 0 {
		t.Errorf("parts without an answer: %v", want)
	}
}

// moves: a rename and a move are one call; id, content and head stay.
func (acc *account) moves(t *testing.T) {
	to := acc.call(t, "POST", "/drive/v3/files?fields=id", object{"name": "to", "mimeType": folderType, "parents": []string{acc.folder}}).json(t)["id"].(string)
	f := acc.upload(t, object{"name": "from", "parents": []string{acc.folder}}, "moved").json(t)
	q := url.Values{"addParents": {to}, "removeParents": {acc.folder}, "fields": {"id,name,parents,md5Checksum,headRevisionId"}}
	got := acc.call(t, "PATCH", "/drive/v3/files/"+f["id"].(string)+"?"+q.Encode(), object{"name": "moved"})
	m := got.json(t)
	if got.status != 200 || m["name"] != "moved" || fmt.Sprint(m["parents"]) != fmt.Sprint([]string{to}) ||
		m["md5Checksum"] != sum("moved") || m["headRevisionId"] != f["headRevisionId"] {
		t.Errorf("move: %d %s", got.status, got.body)
	}
	below := acc.call(t, "POST", "/drive/v3/files?fields=id", object{"name": "below", "mimeType": folderType, "parents": []string{to}}).json(t)["id"].(string)
	q = url.Values{"addParents": {below}, "removeParents": {acc.folder}, "fields": {"id"}}
	if got := acc.call(t, "PATCH", "/drive/v3/files/"+to+"?"+q.Encode(), object{}); got.status < 400 {
		t.Errorf("a folder was moved below itself: %d", got.status)
	}
}

// copies: a content is copied under a reserved id, with name, folder, time and
// properties of its own, and outlives its original. Folders are not copied.
func (acc *account) copies(t *testing.T) {
	to := acc.call(t, "POST", "/drive/v3/files?fields=id", object{"name": "copies", "mimeType": folderType, "parents": []string{acc.folder}}).json(t)["id"].(string)
	from := acc.upload(t, object{"name": "original", "parents": []string{acc.folder}, "appProperties": object{"acb.h": "1", "acb.t": "5"}}, "copied").json(t)["id"].(string)
	meta := object{
		"id": acc.ids(t, 1)[0], "name": "copy", "parents": []string{to}, "modifiedTime": "2001-02-03T04:05:06.789Z",
		"appProperties": object{"acb.h": "1", "acb.t": "7"},
	}
	path := "/drive/v3/files/" + from + "/copy?fields=id,name,parents,trashed,size,md5Checksum,headRevisionId,modifiedTime,appProperties"
	got := acc.call(t, "POST", path, meta)
	f := got.json(t)
	if got.status != 200 || f["id"] != meta["id"] || f["name"] != "copy" || fmt.Sprint(f["parents"]) != fmt.Sprint([]string{to}) || f["trashed"] != false ||
		f["size"] != "6" || f["md5Checksum"] != sum("copied") || f["headRevisionId"] == nil || f["modifiedTime"] != "2001-02-03T04:05:06.789Z" ||
		fmt.Sprint(f["appProperties"]) != "map[acb.h:1 acb.t:7]" {
		t.Errorf("copy: %d %s", got.status, got.body)
	}
	if got := acc.call(t, "POST", path, meta); got.status != 409 {
		t.Errorf("the same id again: %d %s, want 409", got.status, got.body)
	}
	if got := acc.call(t, "POST", "/drive/v3/files/"+to+"/copy?fields=id", object{"name": "x"}); got.status != 403 {
		t.Errorf("of a folder: %d %s, want 403", got.status, got.body)
	}
	acc.call(t, "PATCH", "/drive/v3/files/"+from+"?fields=id", object{"trashed": true})
	if m := acc.call(t, "GET", "/drive/v3/files/"+f["id"].(string)+"?fields=trashed,md5Checksum", nil).json(t); m["trashed"] != false || m["md5Checksum"] != sum("copied") {
		t.Errorf("with its original in the trash: %v", m)
	}
}

// trash: what is in a trashed folder is trashed with it and can still be got.
func (acc *account) trash(t *testing.T) {
	dir := acc.call(t, "POST", "/drive/v3/files?fields=id", object{"name": "dir", "mimeType": folderType, "parents": []string{acc.folder}}).json(t)["id"].(string)
	f := acc.upload(t, object{"name": "in it", "parents": []string{dir}}, "x").json(t)["id"].(string)
	if got := acc.call(t, "PATCH", "/drive/v3/files/"+dir+"?fields=trashed", object{"trashed": true}); got.status != 200 || got.json(t)["trashed"] != true {
		t.Fatalf("trash: %d %s", got.status, got.body)
	}
	state := func() string {
		m := acc.call(t, "GET", "/drive/v3/files/"+f+"?fields=trashed,explicitlyTrashed", nil).json(t)
		return fmt.Sprint(m["trashed"], m["explicitlyTrashed"])
	}
	waitFor(t, "true false", state) // large trees take their time
	acc.call(t, "PATCH", "/drive/v3/files/"+dir+"?fields=trashed", object{"trashed": false})
	waitFor(t, "false false", state)
}

func waitFor(t *testing.T, want string, state func() string) {
	t.Helper()
	got := ""
	for range 20 {
		if got = state(); got == want {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Errorf("trashed, explicitly: %s, want %s", got, want)
}

// properties: private, limited in length, found by search, removed by null.
func (acc *account) properties(t *testing.T) {
	f := acc.upload(t, object{"name": "p", "parents": []string{acc.folder}, "appProperties": object{"acb.h": "1", "acb.m": "644"}}, "p").json(t)
	path := "/drive/v3/files/" + f["id"].(string) + "?fields=appProperties"
	got := acc.call(t, "PATCH", path, object{"appProperties": object{"acb.h": nil, "acb.t": "5"}})
	if p := fmt.Sprint(got.json(t)["appProperties"]); p != "map[acb.m:644 acb.t:5]" {
		t.Errorf("patched: %s", p)
	}
	got = acc.call(t, "PATCH", path, object{"appProperties": object{"acb.x": strings.Repeat("x", 120)}})
	if got.status != 403 || got.reason(t) != "propertyLengthLimitExceeded" {
		t.Errorf("125 bytes: %d %s", got.status, got.body)
	}
}

// absent: what is not there is 404, whoever asks and however.
func (acc *account) absent(t *testing.T) {
	id := acc.ids(t, 1)[0]
	for _, got := range []answer{
		acc.call(t, "GET", "/drive/v3/files/"+id+"?fields=id", nil),
		acc.call(t, "PATCH", "/drive/v3/files/"+id+"?fields=id", object{"name": "x"}),
		acc.call(t, "POST", "/drive/v3/files?fields=id", object{"name": "x", "parents": []string{id}}),
	} {
		if got.status != 404 || got.reason(t) != "notFound" {
			t.Errorf("%d %s, want 404 notFound", got.status, got.body)
		}
	}
	if got := acc.call(t, "GET", "/drive/v3/files/"+acc.folder+"?fields=id,nonsense", nil); got.status != 400 || got.reason(t) != "invalidParameter" {
		t.Errorf("unknown field: %d %s", got.status, got.body)
	}
}
