package drivetest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

const folderType = "application/vnd.google-apps.folder"

// What Drive refuses, one row for each thing known. In path and body, {folder},
// {sub}, {file}, {other}, {foreign}, {readonly}, {fresh}, {shortcutid}, {root} and {shared} stand for ids.
var rejections = []struct {
	name     string
	request  string // method and address
	body     string
	headers  string // "Name: value", separated by newlines
	status   int
	reason   string
	location string
	text     string // must be in the body
}{
	{name: "wrong token", request: "GET /drive/v3/about?fields=user", headers: "Authorization: Bearer nonsense", status: 401, reason: "authError", location: "Authorization", text: "Invalid Credentials"},
	{name: "wrong scheme", request: "GET /drive/v3/about?fields=user", headers: "Authorization: Basic eDp5", status: 401, reason: "authError", text: "UNAUTHENTICATED"},
	{name: "typed bool", request: "GET /drive/v3/files?supportsAllDrives=maybe", status: 400, reason: "invalid", text: "google.rpc.BadRequest"},
	{name: "typed number", request: "GET /drive/v3/files?pageSize=abc", status: 400, reason: "invalid", text: "INVALID_ARGUMENT"},
	{name: "page size 0", request: "GET /drive/v3/files?pageSize=0", status: 400, reason: "invalid", location: "pageSize"},
	{name: "unknown parameter", request: "GET /drive/v3/files?nonsense=1", status: 400, reason: "invalid"},
	{name: "about without fields", request: "GET /drive/v3/about", status: 400, reason: "required", location: "fields"},
	{name: "unknown field", request: "GET /drive/v3/files/{file}?fields=id,nonsense", status: 400, reason: "invalidParameter", location: "fields", text: "Invalid field selection nonsense"},
	{name: "dotted field", request: "GET /drive/v3/about?fields=storageQuota.limit", status: 400, reason: "invalidParameter", location: "fields"},
	{name: "list field without files", request: "GET /drive/v3/files?fields=id,name", status: 400, reason: "invalidParameter", location: "fields"},
	{name: "unparsable q", request: "GET /drive/v3/files?q=name+%3D+%27a", status: 400, reason: "invalid", location: "q", text: "Invalid Value"},
	{name: "in on name", request: "GET /drive/v3/files?q=%27a%27+in+name", status: 400, reason: "invalid", location: "q"},
	{name: "= on parents", request: "GET /drive/v3/files?q=parents+%3D+%27a%27", status: 400, reason: "invalid", location: "q"},
	{name: "v2 title", request: "GET /drive/v3/files?q=title+%3D+%27a%27", status: 400, reason: "invalid", location: "q"},
	{name: "orderBy with fullText", request: "GET /drive/v3/files?q=fullText+contains+%27a%27&orderBy=name", status: 403, reason: "forbidden", location: "orderBy"},
	{name: "unknown sort key", request: "GET /drive/v3/files?orderBy=size", status: 400, reason: "invalid", location: "orderBy"},
	{name: "sort key twice", request: "GET /drive/v3/files?orderBy=name,name+desc", status: 403, reason: "orderByContainsDuplicateSortKeys"},
	{name: "starred second", request: "GET /drive/v3/files?orderBy=name,starred", status: 500},
	{name: "all drives unsupported", request: "GET /drive/v3/files?includeItemsFromAllDrives=true", status: 403, reason: "supportsTeamDrivesRequired"},
	{name: "foreign page token", request: "GET /drive/v3/files?pageToken=xyz", status: 400, reason: "invalid", location: "pageToken"},
	{name: "corpora drive without id", request: "GET /drive/v3/files?corpora=drive&supportsAllDrives=true&includeItemsFromAllDrives=true", status: 400, reason: "invalid"},
	{name: "order of refusals", request: "GET /drive/v3/files?pageToken=xyz&q=nonsense&orderBy=nonsense", status: 400, reason: "invalid", location: "orderBy"},
	{name: "unknown id", request: "GET /drive/v3/files/1nothing", status: 404, reason: "notFound", location: "fileId", text: "File not found: 1nothing."},
	{name: "foreign file", request: "GET /drive/v3/files/{foreign}", status: 404, reason: "notFound"},
	{name: "foreign file, update", request: "PATCH /drive/v3/files/{foreign}", body: `{"name":"x"}`, status: 404, reason: "notFound"},
	{name: "missing parent", request: "POST /drive/v3/files", body: `{"parents":["1nothing"]}`, status: 404, reason: "notFound", text: "1nothing"},
	{name: "foreign parent", request: "POST /drive/v3/files", body: `{"parents":["{foreign}"]}`, status: 404, reason: "notFound", text: "{foreign}"},
	{name: "parent is a file", request: "POST /drive/v3/files", body: `{"parents":["{file}"]}`, status: 403, reason: "parentNotAFolder"},
	{name: "parent not writable", request: "POST /drive/v3/files", body: `{"parents":["{readonly}"]}`, status: 403, reason: "insufficientParentPermissions"},
	{name: "file not writable", request: "PATCH /drive/v3/files/{readonly}", body: `{"trashed":true}`, status: 403, reason: "insufficientFilePermissions"},
	{name: "two parents", request: "POST /drive/v3/files", body: `{"parents":["{folder}","{root}"]}`, status: 403, reason: "cannotAddParent"},
	{name: "two parents, shared", request: "POST /drive/v3/files?supportsAllDrives=true", body: `{"parents":["{shared}","{root}"]}`, status: 403, reason: "teamDrivesParentLimit"},
	{name: "second parent", request: "PATCH /drive/v3/files/{file}?addParents={folder}", status: 403, reason: "cannotAddParent"},
	{name: "no parent left", request: "PATCH /drive/v3/files/{file}?removeParents={root}", status: 400, reason: "badRequest"},
	{name: "parents in update", request: "PATCH /drive/v3/files/{file}", body: `{"parents":["{folder}"]}`, status: 403, reason: "fieldNotWritable"},
	{name: "id in update", request: "PATCH /drive/v3/files/{file}", body: `{"id":"x"}`, status: 403, reason: "fieldNotWritable"},
	{name: "createdTime in update", request: "PATCH /drive/v3/files/{file}", body: `{"createdTime":"2020-01-01T00:00:00Z"}`, status: 403, reason: "fieldNotWritable"},
	{name: "size", request: "POST /drive/v3/files", body: `{"size":"5"}`, status: 403, reason: "fieldNotWritable"},
	{name: "md5Checksum", request: "PATCH /drive/v3/files/{file}", body: `{"md5Checksum":"x"}`, status: 403, reason: "fieldNotWritable"},
	{name: "version", request: "PATCH /drive/v3/files/{file}", body: `{"version":"5"}`, status: 403, reason: "fieldNotWritable"},
	{name: "explicitlyTrashed", request: "PATCH /drive/v3/files/{file}", body: `{"explicitlyTrashed":true}`, status: 403, reason: "fieldNotWritable"},
	{name: "folder below itself", request: "PATCH /drive/v3/files/{folder}?addParents={sub}&removeParents={root}", status: 400, reason: "badRequest"},
	{name: "folder into itself", request: "PATCH /drive/v3/files/{folder}?addParents={folder}&removeParents={root}", status: 400, reason: "badRequest"},
	{name: "reused id", request: "POST /drive/v3/files", body: `{"id":"{file}"}`, status: 409, reason: "fileIdInUse", text: "already exists"},
	{name: "reused id, multipart", request: "POST /upload/drive/v3/files?uploadType=multipart", headers: "Content-Type: multipart/related; boundary=B", body: "{multi:{\"id\":\"{file}\"}}", status: 409, reason: "fileIdInUse"},
	{name: "reused id, resumable", request: "POST /upload/drive/v3/files?uploadType=resumable", body: `{"id":"{file}"}`, status: 409, reason: "fileIdInUse"},
	{name: "id of another account", request: "POST /drive/v3/files", body: `{"id":"{theirs}"}`, status: 400, reason: "invalid"},
	{name: "id never generated", request: "POST /drive/v3/files", body: `{"id":"1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`, status: 400, reason: "invalid"},
	{name: "id of the wrong type", request: "POST /drive/v3/files", body: `{"id":"{shortcutid}"}`, status: 400, reason: "invalid"},
	{name: "id for a shortcut", request: "POST /drive/v3/files", body: `{"id":"{fresh}","mimeType":"application/vnd.google-apps.shortcut","shortcutDetails":{"targetId":"{file}"}}`, status: 400, reason: "invalid"},
	{name: "id for a document", request: "POST /drive/v3/files", body: `{"id":"{fresh}","mimeType":"application/vnd.google-apps.document"}`, status: 403},
	{name: "property too long", request: "PATCH /drive/v3/files/{file}", body: `{"appProperties":{"k":"` + strings.Repeat("x", 124) + `"}}`, status: 403, reason: "propertyLengthLimitExceeded"},
	{name: "property too long in bytes", request: "POST /drive/v3/files", body: `{"properties":{"k":"` + strings.Repeat("é", 62) + `"}}`, status: 403, reason: "propertyLengthLimitExceeded"},
	{name: "too many properties", request: "POST /drive/v3/files", body: `{"appProperties":{` + manyProps(31) + `}}`, status: 403, reason: "propertyCountLimitExceeded"},
	{name: "property not a string", request: "POST /drive/v3/files", body: `{"appProperties":{"k":5}}`, status: 400, reason: "invalid"},
	{name: "unknown body field", request: "POST /drive/v3/files", body: `{"title":"x"}`, status: 400, reason: "invalid"},
	{name: "broken JSON", request: "POST /drive/v3/files", body: `{"name":`, status: 400, reason: "parseError"},
	{name: "body not UTF-8", request: "POST /drive/v3/files", body: "{\"name\":\"\xff\"}", status: 400, reason: "parseError"},
	{name: "bad time", request: "PATCH /drive/v3/files/{file}", body: `{"modifiedTime":"yesterday"}`, status: 400, reason: "invalid"},
	{name: "upload without type", request: "POST /upload/drive/v3/files", body: "x", status: 400},
	{name: "unknown upload type", request: "POST /upload/drive/v3/files?uploadType=simple", body: "x", status: 400},
	{name: "multipart without boundary", request: "POST /upload/drive/v3/files?uploadType=multipart", headers: "Content-Type: multipart/related", body: "x", status: 400, reason: "badRequest"},
	{name: "multipart, one part", request: "POST /upload/drive/v3/files?uploadType=multipart", headers: "Content-Type: multipart/related; boundary=B", body: "--B\r\nContent-Type: application/json\r\n\r\n{}\r\n--B--\r\n", status: 400, reason: "badRequest"},
	{name: "multipart, media first", request: "POST /upload/drive/v3/files?uploadType=multipart", headers: "Content-Type: multipart/related; boundary=B", body: "--B\r\nContent-Type: text/plain\r\n\r\nx\r\n--B\r\nContent-Type: application/json\r\n\r\n{}\r\n--B--\r\n", status: 400, reason: "badRequest"},
	{name: "multipart, three parts", request: "POST /upload/drive/v3/files?uploadType=multipart", headers: "Content-Type: multipart/related; boundary=B", body: "--B\r\nContent-Type: application/json\r\n\r\n{}\r\n--B\r\n\r\nx\r\n--B\r\n\r\ny\r\n--B--\r\n", status: 400, reason: "badRequest"},
	{name: "content for a folder", request: "PATCH /upload/drive/v3/files/{folder}?uploadType=media", body: "x", status: 403},
	{name: "download of a folder", request: "GET /drive/v3/files/{folder}?alt=media", status: 403, reason: "fileNotDownloadable", location: "alt"},
	{name: "range past the end", request: "GET /drive/v3/files/{file}?alt=media", headers: "Range: bytes=5-", status: 416},
	{name: "range on an empty file", request: "GET /drive/v3/files/{other}?alt=media", headers: "Range: bytes=0-", status: 416},
	{name: "acknowledgeAbuse without download", request: "GET /drive/v3/files/{file}?acknowledgeAbuse=true", status: 403, reason: "invalidAbuseAcknowledgment"},
	{name: "trash root", request: "PATCH /drive/v3/files/root", body: `{"trashed":true}`, status: 403, reason: "insufficientFilePermissions"},
	{name: "rename root", request: "PATCH /drive/v3/files/{root}", body: `{"name":"x"}`, status: 403, reason: "insufficientFilePermissions"},
	{name: "move root", request: "PATCH /drive/v3/files/root?addParents={folder}&removeParents=x", status: 403, reason: "insufficientFilePermissions"},
	{name: "delete root", request: "DELETE /drive/v3/files/root", status: 403, reason: "insufficientFilePermissions"},
	{name: "emptyTrash with drive.file", request: "DELETE /drive/v3/files/trash", status: 403, reason: "insufficientPermissions", text: "ACCESS_TOKEN_SCOPE_INSUFFICIENT"},
	{name: "drives.list with drive.file", request: "GET /drive/v3/drives", status: 403, reason: "insufficientPermissions", text: "PERMISSION_DENIED"},
	{name: "copy of a folder", request: "POST /drive/v3/files/{folder}/copy", status: 403},
	{name: "shared drive, not announced", request: "GET /drive/v3/files/{shared}", status: 404, reason: "notFound"},
	{name: "folder into a shared drive", request: "PATCH /drive/v3/files/{folder}?addParents={shared}&removeParents={root}&supportsAllDrives=true", status: 403, reason: "teamDrivesFolderMoveInNotSupported"},
	{name: "count of ids", request: "GET /drive/v3/files/generateIds?count=1001", status: 400, reason: "invalid"},
	{name: "space of ids", request: "GET /drive/v3/files/generateIds?space=photos", status: 400, reason: "invalid"},
	{name: "batch without boundary", request: "POST /batch/drive/v3", headers: "Content-Type: multipart/mixed", body: "x", status: 400},
	{name: "batch without parts", request: "POST /batch/drive/v3", headers: "Content-Type: multipart/mixed; boundary=B", body: "--B--\r\n", status: 400},
	{name: "old batch address", request: "POST /batch", status: 404, text: "<!DOCTYPE html>"},
	{name: "unrouted", request: "GET /drive/v3/nothing", status: 404, text: "<!DOCTYPE html>"},
	{name: "changes without token", request: "GET /drive/v3/changes", status: 400, reason: "required", location: "pageToken"},
	{name: "changes from nowhere", request: "GET /drive/v3/changes?pageToken=99999", status: 400, reason: "invalid", location: "pageToken"},
	{name: "keepForever back", request: "PATCH /drive/v3/files/{file}/revisions/{pinned}", body: `{"keepForever":false}`, status: 400, reason: "illegalKeepForeverModification"},
	{name: "last revision", request: "DELETE /drive/v3/files/{other}/revisions/head", status: 403},
	{name: "unpinned revision", request: "GET /drive/v3/files/{other}/revisions/head?alt=media", status: 403, reason: "fileNotDownloadable"},
}

func manyProps(n int) string {
	var s []string
	for i := range n {
		s = append(s, fmt.Sprintf(`"k%d":"v"`, i))
	}
	return strings.Join(s, ",")
}

func TestRejections(t *testing.T) {
	w := start(t)
	shared := w.d.AddSharedDrive("team")
	folder := w.folder("folder", "root")
	file := w.multipart("POST", "/upload/drive/v3/files?uploadType=multipart&fields=*&keepRevisionForever=true", `{"name":"file"}`, "12345")
	readonly := w.folder("readonly", "root")
	if err := w.d.SetReadOnly(readonly, true); err != nil {
		t.Fatal(err)
	}
	foreign, err := w.d.AddFolder("root", "by hand")
	if err != nil {
		t.Fatal(err)
	}
	ids := strings.NewReplacer(
		"{folder}", folder, "{sub}", w.folder("sub", folder), "{file}", file.text("id"), "{other}", w.file("empty", "root", ""),
		"{foreign}", foreign, "{readonly}", readonly, "{fresh}", w.newID(), "{shared}", shared,
		"{root}", w.want(200, "GET", "/drive/v3/files/root", "").text("id"), "{pinned}", file.text("headRevisionId"),
		"{theirs}", w.as(drivetest.Ask{User: "bea@example.com"}).newID(),
		"{shortcutid}", w.want(200, "GET", "/drive/v3/files/generateIds?count=1&type=shortcuts", "").field("ids").([]any)[0].(string),
	)
	before := fmt.Sprint(w.d.TreeWithTrash("root"))
	for _, r := range rejections {
		t.Run(r.name, func(t *testing.T) {
			method, path, _ := strings.Cut(ids.Replace(r.request), " ")
			body := ids.Replace(r.body)
			if meta, ok := strings.CutPrefix(body, "{multi:"); ok {
				body = related(strings.TrimSuffix(meta, "}"), "content")
			}
			var headers []string
			if r.headers != "" {
				headers = strings.Split(r.headers, "\n")
			}
			a := w.do(method, path, body, headers...)
			if a.status != r.status || r.reason != "" && a.reason() != r.reason ||
				r.location != "" && a.entry("location") != r.location || !strings.Contains(a.body, ids.Replace(r.text)) {
				t.Errorf("%s %s\n%d %s\nwant %d %s %s %q", method, path, a.status, a.body, r.status, r.reason, r.location, r.text)
			}
		})
	}
	if after := fmt.Sprint(w.d.TreeWithTrash("root")); after != before {
		t.Errorf("refused requests changed something:\n%s\n%s", before, after)
	}
}

func TestNoCredentials(t *testing.T) {
	w := start(t)
	w.c = noFollow(newPlainClient(t))
	if a := w.do("GET", "/drive/v3/files", ""); a.status != 403 || a.reason() != "forbidden" || !strings.Contains(a.body, "PERMISSION_DENIED") {
		t.Errorf("GET: %d %s", a.status, a.body)
	}
	if a := w.do("POST", "/drive/v3/files", "{}"); a.status != 401 || a.reason() != "required" || a.entry("message") != "Login Required." {
		t.Errorf("POST: %d %s", a.status, a.body)
	}
}

func TestPageSizeIsCoerced(t *testing.T) {
	w := start(t)
	w.want(200, "GET", "/drive/v3/files?pageSize=5000", "")
}

func TestUnknownIgnored(t *testing.T) {
	w := start(t, drivetest.Options{IgnoreUnknown: true})
	w.want(200, "POST", "/drive/v3/files?nonsense=1", `{"title":"x","name":"y"}`)
}

func TestLimits(t *testing.T) {
	w := start(t, drivetest.Options{MaxDepth: 3, MaxChildren: 2, MaxItems: 9, StorageLimit: 100})
	a := w.folder("a", "root")
	b := w.folder("b", a)
	c := w.folder("c", b)
	mk := func(parent string) answer {
		return w.do("POST", "/drive/v3/files", `{"mimeType":"`+folderType+`","parents":["`+parent+`"]}`)
	}
	if r := mk(c); r.reason() != "myDriveHierarchyDepthLimitExceeded" {
		t.Errorf("depth: %s", r.body)
	}
	w.file("in the deepest", c, "files do not count as depth")
	x := w.folder("x", "root")
	w.folder("y", x)
	if r := w.do("PATCH", "/drive/v3/files/"+x+"?addParents="+b+"&removeParents=root", ""); r.reason() != "myDriveHierarchyDepthLimitExceeded" {
		t.Errorf("depth by move: %s", r.body)
	}
	w.folder("a2", a)
	if r := mk(a); r.reason() != "numChildrenInNonRootLimitExceeded" {
		t.Errorf("children: %s", r.body)
	}
	if r := w.do("POST", "/upload/drive/v3/files?uploadType=media", strings.Repeat("x", 101)); r.reason() != "storageQuotaExceeded" {
		t.Errorf("storage: %s", r.body)
	}
	if r := w.do("POST", "/upload/drive/v3/files?uploadType=resumable", "{}", "X-Upload-Content-Length: 101"); r.reason() != "storageQuotaExceeded" {
		t.Errorf("storage, resumable: %s", r.body)
	}
	w.folder("more", "root")
	w.folder("more", "root")
	if r := mk("root"); r.reason() != "activeItemCreationLimitExceeded" {
		t.Errorf("items: %s", r.body)
	}
}

func TestDailyUpload(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	w := start(t, drivetest.Options{DailyUpload: 10, TokenLife: 1000 * time.Hour, Now: func() time.Time { return now }})
	first := w.want(200, "POST", "/upload/drive/v3/files?uploadType=media", "123456").text("id")
	now = now.Add(23 * time.Hour)
	w.want(200, "POST", "/upload/drive/v3/files?uploadType=media", "123456") // crosses the line and completes
	now = now.Add(23 * time.Hour)                                            // the pause counts from there
	a := w.do("POST", "/upload/drive/v3/files?uploadType=media", "1")
	if a.status != 403 || a.reason() != "userRateLimitExceeded" || a.entry("message") != "User rate limit exceeded." {
		t.Errorf("after the day's last byte: %d %s", a.status, a.body)
	}
	w.folder("metadata goes on", "root")
	if a := w.do("POST", "/drive/v3/files/"+first+"/copy", ""); a.status != 403 || a.entry("message") != "User rate limit exceeded." {
		t.Errorf("a copy after the day's last byte: %d %s", a.status, a.body)
	}
	now = now.Add(time.Hour)
	w.want(200, "POST", "/upload/drive/v3/files?uploadType=media", "1")
}

// Copies: of blobs, into one folder, under an id of their own, with room.
func TestCopyRefused(t *testing.T) {
	w := start(t, drivetest.Options{StorageLimit: 25, MaxCopy: 9, Unsettled: drivetest.Unsettled{TrashedNotCopied: true}})
	f, large := w.file("f", "root", "12345"), w.file("large", "root", "1234567890")
	in := w.folder("in", "root")
	other := w.as(drivetest.Ask{Client: "other"})
	for _, tt := range []struct {
		who      *wire
		id, body string
		status   int
		reason   string
	}{
		{w, f, `{"parents":["` + in + `","root"]}`, 403, "cannotAddParent"},
		{w, f, `{"id":"` + f + `"}`, 409, "fileIdInUse"},
		{w, f, `{"id":"made-up"}`, 400, "invalid"},
		{w, f, `{"parents":["` + f + `"]}`, 403, "parentNotAFolder"},
		{w, f, `{"parents":["gone"]}`, 404, "notFound"},
		{w, f, `{"md5Checksum":"x"}`, 403, "fieldNotWritable"},
		{w, "gone", ``, 404, "notFound"},
		{w, in, ``, 403, "cannotCopyFile"},
		{w, large, ``, 403, "cannotCopyFile"},
		{other, f, ``, 404, "notFound"},
	} {
		if a := tt.who.do("POST", "/drive/v3/files/"+tt.id+"/copy", tt.body); a.status != tt.status || a.reason() != tt.reason {
			t.Errorf("%s of %s: %d %s", tt.body, tt.id, a.status, a.body)
		}
	}
	w.want(200, "POST", "/drive/v3/files/"+f+"/copy", `{"parents":["`+in+`"]}`)
	w.want(200, "POST", "/drive/v3/files/"+f+"/copy", "")
	if a := w.do("POST", "/drive/v3/files/"+f+"/copy", ""); a.reason() != "storageQuotaExceeded" {
		t.Errorf("without room: %s", a.body)
	}
	w.want(200, "PATCH", "/drive/v3/files/"+f, `{"trashed":true}`)
	if a := w.do("POST", "/drive/v3/files/"+f+"/copy", ""); a.reason() != "cannotCopyFile" {
		t.Errorf("out of the trash: %s", a.body)
	}
}

// What becomes of properties is one of two things.
func TestCopyProperties(t *testing.T) {
	for keeps, want := range map[bool]string{false: "map[b:3]", true: "map[a:1 b:3]"} {
		w := start(t, drivetest.Options{Unsettled: drivetest.Unsettled{CopyKeepsProperties: keeps}})
		f := w.want(200, "POST", "/drive/v3/files", `{"appProperties":{"a":"1","b":"2","c":"4"}}`).text("id")
		a := w.want(200, "POST", "/drive/v3/files/"+f+"/copy?fields=*", `{"appProperties":{"b":"3","c":null}}`)
		if got := fmt.Sprint(a.field("appProperties")); got != want {
			t.Errorf("keeps %v: %s, want %s", keeps, got, want)
		}
	}
}
