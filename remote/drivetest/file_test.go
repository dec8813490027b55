package drivetest_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

func (w *wire) get(id string) answer {
	w.t.Helper()
	return w.want(200, "GET", "/drive/v3/files/"+id+"?fields=*", "")
}

func (w *wire) patch(id, query, body string) answer {
	w.t.Helper()
	return w.want(200, "PATCH", "/drive/v3/files/"+id+"?fields=*"+query, body)
}

func TestCreateDefaults(t *testing.T) {
	w := start(t)
	a := w.want(200, "POST", "/drive/v3/files", "")
	if a.text("name") != "Untitled" || a.text("mimeType") != "application/octet-stream" || a.text("kind") != "drive#file" || a.field("parents") != nil {
		t.Errorf("%s", a.body)
	}
	if !strings.HasPrefix(a.body, "{\n  \"") || !strings.HasSuffix(a.body, "}\n") {
		t.Errorf("layout %q", a.body)
	}
	root := w.get("root").text("id")
	f := w.get(a.text("id"))
	for k, v := range map[string]any{
		"size": "0", "md5Checksum": sumOf(nil), "version": "1", "trashed": false, "explicitlyTrashed": false, "quotaBytesUsed": "0",
		"ownedByMe": true, "webViewLink": "https://drive.google.com/file/d/" + a.text("id") + "/view?usp=drivesdk",
	} {
		if f.field(k) != v {
			t.Errorf("%s is %v, want %v", k, f.field(k), v)
		}
	}
	if fmt.Sprint(f.field("parents")) != "["+root+"]" || len(f.text("sha256Checksum")) != 64 || len(f.text("sha1Checksum")) != 40 {
		t.Errorf("%s", f.body)
	}
	if n := len(f.field("capabilities").(map[string]any)); n < 40 {
		t.Errorf("%d capabilities", n)
	}
	compact := w.want(200, "POST", "/drive/v3/files?prettyPrint=false&fields=name", `{"name":"<a>"}`)
	if compact.body != `{"name":"\u003ca\u003e"}` {
		t.Errorf("%q", compact.body)
	}
	if a := w.want(200, "PATCH", "/drive/v3/files/"+f.text("id")+"?fields=", `null`); a.body != "{}\n" {
		t.Errorf("%q", a.body)
	}
}

func TestNamesAreBytes(t *testing.T) {
	w := start(t)
	for _, n := range []string{"é", "e\u0301", " lead", "trail ", "a/b", "a\nb", `q"\`, ".", ".."} {
		id := w.want(200, "POST", "/drive/v3/files", fmt.Sprintf(`{"name":%s}`, quote(n))).text("id")
		if got := w.get(id).text("name"); got != n {
			t.Errorf("%q came back as %q", n, got)
		}
	}
	for range 2 { // duplicates are legal, and show
		w.folder("twin", "root")
	}
	tree := w.d.Tree("root")
	if len(tree) != 11 || tree["twin"].ID == tree["twin#2"].ID || tree["a%2Fb"].Name != "a/b" || tree["%2E%2E"].Name != ".." {
		t.Errorf("%v", tree)
	}
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

func TestTimes(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 123456789, time.UTC)
	for _, touches := range []bool{false, true} {
		w := start(t, drivetest.Options{Now: func() time.Time { return now }, Unsettled: drivetest.Unsettled{EditTouchesModified: touches}})
		a := w.want(200, "POST", "/drive/v3/files?fields=*", `{"modifiedTime":"1965-01-02T03:04:05.6789+01:00","createdTime":"2001-01-01T00:00:00Z"}`)
		if a.text("modifiedTime") != "1965-01-02T02:04:05.678Z" || a.text("createdTime") != "2001-01-01T00:00:00.000Z" {
			t.Errorf("%s", a.body)
		}
		id := a.text("id")
		f := w.folder("f", "root")
		want := "1965-01-02T02:04:05.678Z"
		if touches {
			want = "2026-11-22T10:00:00.123Z"
		}
		w.patch(id, "&addParents="+f+"&removeParents=root", "null")
		if b := w.patch(id, "", `{"name":"x"}`); b.text("modifiedTime") != want {
			t.Errorf("after edits: %s, want %s", b.text("modifiedTime"), want)
		}
		if b := w.patch(id, "", `{"modifiedTime":"2020-01-01T00:00:00Z"}`); b.text("modifiedTime") != "2020-01-01T00:00:00.000Z" {
			t.Errorf("sent: %s", b.text("modifiedTime"))
		}
		b := w.want(200, "PATCH", "/upload/drive/v3/files/"+id+"?uploadType=media&fields=modifiedTime", "new")
		if b.text("modifiedTime") != "2026-11-22T10:00:00.123Z" {
			t.Errorf("after content: %s", b.text("modifiedTime"))
		}
	}
}

func TestTrash(t *testing.T) {
	w := start(t)
	top := w.folder("top", "root")
	sub := w.folder("sub", top)
	f := w.file("f", sub, "x")
	g := w.file("g", sub, "x")
	w.patch(g, "", `{"trashed":true}`)
	w.patch(top, "", `{"trashed":true}`)
	check := func(id string, trashed, explicit bool) {
		t.Helper()
		if a := w.get(id); a.field("trashed") != trashed || a.field("explicitlyTrashed") != explicit {
			t.Errorf("%s: trashed %v, explicitly %v", a.text("name"), a.field("trashed"), a.field("explicitlyTrashed"))
		}
	}
	check(top, true, true)
	check(f, true, false)
	check(g, true, true)
	if got := w.names("trashed = false"); got != "" {
		t.Errorf("listed %s", got)
	}
	if tree := w.d.Tree("root"); len(tree) != 0 || len(w.d.TreeWithTrash("root")) != 4 {
		t.Errorf("%v", tree)
	}
	into := w.folder("into the bin", sub)
	check(into, true, false)
	w.patch(top, "", `{"trashed":false}`)
	check(f, false, false)
	check(g, true, true)
	wide := w.as(drivetest.Ask{Scopes: []string{"drive"}})
	wide.want(204, "DELETE", "/drive/v3/files/trash", "")
	w.want(404, "GET", "/drive/v3/files/"+g, "")
	w.want(204, "DELETE", "/drive/v3/files/"+top, "")
	for _, id := range []string{top, sub, f, into} {
		w.want(404, "GET", "/drive/v3/files/"+id, "")
	}
	w.want(404, "DELETE", "/drive/v3/files/"+top, "")
}

func TestVersionAndProperties(t *testing.T) {
	w := start(t)
	id := w.file("a", "root", "x")
	version, head := w.get(id).text("version"), w.get(id).text("headRevisionId")
	a := w.patch(id, "", `{"appProperties":{"a":"1","b":"2"},"properties":{"p":"q"}}`)
	if a.text("version") == version || a.text("headRevisionId") != head {
		t.Errorf("version %s, head %s", a.text("version"), a.text("headRevisionId"))
	}
	a = w.patch(id, "", `{"appProperties":{"a":null,"c":"3"}}`)
	if fmt.Sprint(a.field("appProperties")) != "map[b:2 c:3]" {
		t.Errorf("%v", a.field("appProperties"))
	}
	other := w.as(drivetest.Ask{Client: w.d.AddClient("two").ID, Scopes: []string{"drive"}})
	if b := other.get(id); b.field("appProperties") != nil || fmt.Sprint(b.field("properties")) != "map[p:q]" {
		t.Errorf("another client sees %v %v", b.field("appProperties"), b.field("properties"))
	}
	other.want(200, "PATCH", "/drive/v3/files/"+id, `{"appProperties":{"b":"theirs"}}`)
	if a := w.get(id); fmt.Sprint(a.field("appProperties")) != "map[b:2 c:3]" {
		t.Errorf("%v", a.field("appProperties"))
	}
	w.patch(id, "", `{"description":"d"}`)
	if a := w.patch(id, "", `{"description":null}`); a.field("description") != nil {
		t.Errorf("%v", a.field("description"))
	}
}

func TestMoveSwitches(t *testing.T) {
	for _, strict := range []bool{false, true} {
		w := start(t, drivetest.Options{Unsettled: drivetest.Unsettled{StrictRemoveParents: strict, MimeTypeRefused: strict}})
		a, b := w.folder("a", "root"), w.folder("b", "root")
		f := w.file("f", a, "x")
		move := "/drive/v3/files/" + f + "?addParents=" + b + "&removeParents=" + a
		w.want(200, "PATCH", move, "")
		want, mime := 200, 200
		if strict {
			want, mime = 404, 400
		}
		w.want(want, "PATCH", move, "") // the same again, as after a lost answer
		w.want(mime, "PATCH", "/drive/v3/files/"+f, `{"mimeType":"text/x-other"}`)
		if m := w.get(f).text("mimeType"); m != "application/octet-stream" {
			t.Errorf("mimeType %s", m)
		}
	}
}

func TestDeleteSwitches(t *testing.T) {
	w := start(t, drivetest.Options{Unsettled: drivetest.Unsettled{DeleteAnswers200: true, DeletedIDUnusable: true, UnusableReason: true, RootHidden: true}})
	id := w.newID()
	w.want(200, "POST", "/drive/v3/files", `{"id":"`+id+`"}`)
	if a := w.want(200, "DELETE", "/drive/v3/files/"+id, ""); a.body != "{}\n" {
		t.Errorf("%q", a.body)
	}
	if a := w.want(400, "POST", "/drive/v3/files", `{"id":"`+id+`"}`); a.reason() != "fileIdNotUsable" {
		t.Errorf("%s", a.body)
	}
	w.want(404, "GET", "/drive/v3/files/root", "")
	w.folder("but it is a parent", "root")
	w.as(drivetest.Ask{Scopes: []string{"drive"}}).want(200, "GET", "/drive/v3/files/root", "")
}

func TestReservedIDs(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	w := start(t, drivetest.Options{Now: func() time.Time { return now }, TokenLife: 1000 * time.Hour})
	id := w.newID()
	now = now.Add(25 * time.Hour)
	w.want(400, "POST", "/drive/v3/files", `{"id":"`+id+`"}`)
	id = w.newID()
	now = now.Add(23 * time.Hour)
	w.want(200, "POST", "/drive/v3/files", `{"id":"`+id+`"}`)
	w.want(204, "DELETE", "/drive/v3/files/"+id, "")
	w.want(409, "POST", "/drive/v3/files", `{"id":"`+id+`"}`)
	a := w.want(200, "GET", "/drive/v3/files/generateIds?count=1&type=shortcuts", "")
	s := a.field("ids").([]any)[0].(string)
	f := w.file("f", "root", "x")
	c := w.want(200, "POST", "/drive/v3/files?fields=*", `{"id":"`+s+`","mimeType":"application/vnd.google-apps.shortcut","shortcutDetails":{"targetId":"`+f+`"}}`)
	if fmt.Sprint(c.field("shortcutDetails")) != "map[targetId:"+f+" targetMimeType:application/octet-stream]" || c.field("size") != nil {
		t.Errorf("%s", c.body)
	}
	id = w.newID()
	d := w.want(200, "POST", "/drive/v3/files/"+f+"/copy?fields=*", `{"id":"`+id+`"}`)
	if d.text("id") != id || d.text("name") != "f" || d.text("md5Checksum") != sumOf([]byte("x")) {
		t.Errorf("copy: %s", d.body)
	}
	w.want(204, "DELETE", "/drive/v3/files/"+f, "")
	if a := w.want(200, "GET", "/drive/v3/files/"+id+"?alt=media", ""); a.body != "x" {
		t.Errorf("the copy lost its content: %q", a.body)
	}
}

func TestAppDataFolder(t *testing.T) {
	w := start(t)
	w.want(404, "GET", "/drive/v3/files/appDataFolder", "")
	app := w.as(drivetest.Ask{Scopes: []string{"drive.appdata"}})
	id := app.want(200, "POST", "/drive/v3/files", `{"name":"conf","parents":["appDataFolder"]}`).text("id")
	if a := app.do("PATCH", "/drive/v3/files/"+id, `{"trashed":true}`); a.reason() != "notSupportedForAppDataFolderFiles" {
		t.Errorf("%s", a.body)
	}
	if app.names("", "&spaces=appDataFolder") != "conf" || app.names("") != "" {
		t.Error("spaces")
	}
	w.want(404, "GET", "/drive/v3/files/"+id, "")
}

func TestDownload(t *testing.T) {
	w := start(t)
	id := w.file("a", "root", "0123456789")
	for _, tt := range []struct {
		header, body, ranges string
		status               int
	}{
		{"X: y", "0123456789", "", 200},
		{"Range: bytes=2-4", "234", "bytes 2-4/10", 206},
		{"Range: bytes=7-", "789", "bytes 7-9/10", 206},
		{"Range: bytes=-3", "789", "bytes 7-9/10", 206},
		{"Range: bytes=8-99", "89", "bytes 8-9/10", 206},
		{"Range: bytes=4-2", "", "bytes */10", 416},
		{"Range: bytes=10-", "", "bytes */10", 416},
		{"Range: lines=1-2", "", "bytes */10", 416},
	} {
		a := w.do("GET", "/drive/v3/files/"+id+"?alt=media", "", tt.header)
		if a.status != tt.status || a.status < 300 && a.body != tt.body || a.header.Get("Content-Range") != tt.ranges {
			t.Errorf("%s: %d %q %v", tt.header, a.status, a.body, a.header)
		}
	}
	if s := w.d.Stats(); s.ContentOut != 10+3+3+3+2 {
		t.Errorf("%d bytes out", s.ContentOut)
	}
	w.want(403, "GET", "/drive/v3/files/"+id+"?alt=media", "", "Authorization: Bearer "+w.d.Token(drivetest.Ask{Scopes: []string{"drive.metadata.readonly"}}).AccessToken)
}

func TestGzipAndMethodOverride(t *testing.T) {
	w := start(t)
	a := w.want(200, "GET", "/drive/v3/files/root", "", "Accept-Encoding: gzip", "User-Agent: me (gzip)")
	if a.header.Get("Content-Encoding") != "gzip" {
		t.Errorf("%v", a.header)
	}
	if a = w.want(200, "GET", "/drive/v3/files/root", "", "Accept-Encoding: gzip", "User-Agent: me"); a.header.Get("Content-Encoding") != "" {
		t.Errorf("%v", a.header)
	}
	id := w.file("a", "root", "x")
	w.want(200, "POST", "/drive/v3/files/"+id, `{"name":"b"}`, "X-HTTP-Method-Override: PATCH")
	if w.get(id).text("name") != "b" {
		t.Error("not renamed")
	}
}

func TestAbout(t *testing.T) {
	w := start(t, drivetest.Options{StorageLimit: 1000})
	w.file("a", "root", "12345")
	w.patch(w.file("b", "root", "123"), "", `{"trashed":true}`)
	a := w.want(200, "GET", "/drive/v3/about?fields=user(emailAddress),storageQuota", "")
	if fmt.Sprint(a.field("storageQuota")) != "map[limit:1000 usage:8 usageInDrive:8 usageInDriveTrash:3]" ||
		fmt.Sprint(a.field("user")) != "map[emailAddress:ana@example.com]" {
		t.Errorf("%s", a.body)
	}
}

func TestChanges(t *testing.T) {
	w := start(t)
	id := w.file("old", "root", "x")
	token := w.want(200, "GET", "/drive/v3/changes/startPageToken", "").text("startPageToken")
	list := func(from string, more string) answer {
		return w.want(200, "GET", "/drive/v3/changes?fields=nextPageToken,newStartPageToken,changes(fileId,removed,file(name,trashed))&pageToken="+url.QueryEscape(from)+more, "")
	}
	if a := list(token, ""); len(a.field("changes").([]any)) != 0 || a.text("newStartPageToken") != token {
		t.Errorf("%s", a.body)
	}
	w.patch(id, "", `{"name":"new"}`)
	w.patch(id, "", `{"name":"newer"}`)
	top := w.folder("top", "root")
	in := w.file("in", top, "x")
	w.want(204, "DELETE", "/drive/v3/files/"+top, "")
	if _, err := w.d.AddFile("root", "foreign", nil); err != nil {
		t.Fatal(err)
	}
	a := list(token, "")
	if len(a.field("changes").([]any)) != 3 || strings.Count(a.body, id) != 1 || !strings.Contains(a.body, "newer") ||
		!strings.Contains(a.body, in) || strings.Contains(a.body, "foreign") {
		t.Errorf("%s", a.body)
	}
	if b := list(token, "&includeRemoved=false"); strings.Contains(b.body, in) {
		t.Errorf("%s", b.body)
	}
	var n int
	from := token
	for range 3 {
		p := list(from, "&pageSize=1")
		n += len(p.field("changes").([]any))
		if from = p.text("nextPageToken"); from == "" {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d changes in pages", n)
	}
}

func TestRevisions(t *testing.T) {
	w := start(t)
	id := w.file("a", "root", "one")
	first := w.get(id).text("headRevisionId")
	for _, s := range []string{"two", "three"} {
		w.want(200, "PATCH", "/upload/drive/v3/files/"+id+"?uploadType=media", s)
	}
	revs := "/drive/v3/files/" + id + "/revisions"
	a := w.want(200, "GET", revs+"?fields=revisions(id,size,md5Checksum,keepForever)", "")
	if list := a.field("revisions").([]any); len(list) != 3 || list[0].(map[string]any)["id"] != first {
		t.Errorf("%s", a.body)
	}
	w.want(403, "GET", revs+"/"+first+"?alt=media", "")
	w.want(200, "PATCH", revs+"/"+first, `{"keepForever":true}`)
	if a := w.want(200, "GET", revs+"/"+first+"?alt=media", ""); a.body != "one" {
		t.Errorf("%q", a.body)
	}
	if q := w.get(id).text("quotaBytesUsed"); q != "8" {
		t.Errorf("quota %s: head and what is pinned", q)
	}
	w.want(403, "PATCH", revs+"/"+first, `{"size":"1"}`)
	w.want(204, "DELETE", revs+"/head", "")
	if a := w.want(200, "GET", "/drive/v3/files/"+id+"?alt=media", ""); a.body != "two" {
		t.Errorf("%q", a.body)
	}
	p := w.want(200, "GET", revs+"?pageSize=1", "")
	if p.text("nextPageToken") == "" {
		t.Errorf("%s", p.body)
	}
	w.want(404, "GET", revs+"/nothing", "")
}

func TestTidy(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	w := start(t, drivetest.Options{Now: func() time.Time { return now }, TokenLife: 10000 * time.Hour})
	id, gone := w.file("a", "root", "one"), w.file("b", "root", "x")
	w.want(200, "PATCH", "/upload/drive/v3/files/"+id+"?uploadType=media", "two")
	w.patch(gone, "", `{"trashed":true}`)
	now = now.Add(29 * 24 * time.Hour)
	w.d.Tidy()
	if n := w.d.TreeWithTrash("root"); len(n) != 2 || n["a"].Revs != 2 {
		t.Errorf("%v", n)
	}
	now = now.Add(2 * 24 * time.Hour)
	w.d.Tidy()
	if n := w.d.TreeWithTrash("root"); len(n) != 1 || n["a"].Revs != 1 {
		t.Errorf("%v", n)
	}
}

func TestOtherHands(t *testing.T) {
	w := start(t)
	a, b := w.folder("a", "root"), w.folder("b", "root")
	f := w.file("f", a, "x")
	version := w.get(f).text("version")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(w.d.Move(f, b))
	must(w.d.Rename(f, "g"))
	must(w.d.SetContent(f, []byte("other")))
	must(w.d.SetField(f, "description", "theirs"))
	must(w.d.SetField(f, "modifiedTime", "2020-01-01T00:00:00Z"))
	n := w.d.Tree("root")["b/g"]
	if n.ID != f || n.Size != 5 || n.MD5 != sumOf([]byte("other")) || n.Kind != "file" || n.Revs != 2 || n.ModTime.Year() != 2020 {
		t.Errorf("%+v", n)
	}
	if x := w.get(f); x.text("version") == version || x.text("description") != "theirs" {
		t.Errorf("%s", x.body)
	}
	must(w.d.Trash(b))
	if w.get(f).field("trashed") != true {
		t.Error("not in the bin")
	}
	must(w.d.Untrash(b))
	must(w.d.Trash(f))
	if n := w.d.EmptyTrash(); n != 1 {
		t.Errorf("%d deleted", n)
	}
	must(w.d.Delete(a))
	if err := w.d.Delete(a); err == nil {
		t.Error("deleted twice")
	}
	if err := w.d.Move(b, b); err == nil {
		t.Error("moved into itself")
	}
}

// With the permissions to read all and to change what it made itself, a client
// copies what another one made, and changes nothing of it.
func TestReadAllChangesOwn(t *testing.T) {
	w := start(t, drivetest.Options{})
	folder := w.folder("theirs", "root")
	id := w.file("f", folder, "content")
	both := w.as(drivetest.Ask{Client: w.d.AddClient("two").ID, Scopes: []string{"drive.file", "drive.readonly"}})
	both.want(200, "GET", "/drive/v3/files/"+id, "")
	own := both.folder("own", "root")
	for _, c := range []struct{ method, path, body, reason string }{
		{"PATCH", id, `{"name":"x"}`, "appNotAuthorizedToFile"},
		{"PATCH", folder, `{"trashed":true}`, "appNotAuthorizedToFile"},
		{"DELETE", id, "", "appNotAuthorizedToFile"},
		{"POST", "", `{"parents":["` + folder + `"]}`, "insufficientParentPermissions"},
		{"POST", id + "/copy", `{"parents":["` + folder + `"]}`, "insufficientParentPermissions"},
		{"POST", id + "/copy", "{}", "insufficientParentPermissions"},
	} {
		path := strings.TrimSuffix("/drive/v3/files/"+c.path, "/")
		if a := both.want(403, c.method, path, c.body); a.reason() != c.reason {
			t.Errorf("%s %s: %s", c.method, path, a.body)
		}
	}
	copied := both.want(200, "POST", "/drive/v3/files/"+id+"/copy", `{"parents":["`+own+`"]}`)
	both.want(200, "PATCH", "/drive/v3/files/"+copied.text("id"), `{"name":"ours"}`)
	only := w.as(drivetest.Ask{Client: w.d.AddClient("three").ID, Scopes: []string{"drive.readonly"}})
	only.want(403, "POST", "/drive/v3/files/"+id+"/copy", "{}")
	only.want(403, "POST", "/drive/v3/files", "{}")
}
