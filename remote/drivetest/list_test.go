package drivetest_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// names lists what a query finds, in the order of the answer.
func (w *wire) names(q string, params ...string) string {
	w.t.Helper()
	a := w.want(200, "GET", "/drive/v3/files?fields=files(name)&q="+url.QueryEscape(q)+strings.Join(params, ""), "")
	files, _ := a.field("files").([]any)
	var out []string
	for _, f := range files {
		out = append(out, f.(map[string]any)["name"].(string))
	}
	return strings.Join(out, ",")
}

func TestQuery(t *testing.T) {
	w := start(t)
	f := w.folder("Folder", "root")
	g := w.folder("other", f)
	mk := func(meta string) string { return w.want(200, "POST", "/drive/v3/files", meta).text("id") }
	mk(`{"name":"hello_world.txt","parents":["` + f + `"],"mimeType":"text/plain","modifiedTime":"2020-01-01T00:00:00Z","starred":true}`)
	mk(`{"name":"it's","parents":["` + f + `"],"appProperties":{"k":"v"},"modifiedTime":"2021-01-01T00:00:00.5Z"}`)
	mk(`{"name":"back\\slash","parents":["` + g + `"],"properties":{"k":"v"},"description":"some deep words"}`)
	binned := mk(`{"name":"binned","parents":["` + g + `"]}`)
	w.want(200, "PATCH", "/drive/v3/files/"+binned, `{"trashed":true}`)
	foreign, err := w.d.AddFile(f, "foreign", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ q, want string }{
		{"name = 'hello_world.txt'", "hello_world.txt"},
		{"name = 'HELLO_world.TXT'", "hello_world.txt"},
		{`name = 'it\'s'`, "it's"},
		{`name = 'back\\slash'`, `back\slash`},
		{"name contains 'hel'", "hello_world.txt"},
		{"name contains 'wor hell'", "hello_world.txt"},
		{"name contains 'ello'", ""},
		{"name contains 'abcdefghijklmnopqrstuvwxyza'", ""},
		{"name != 'it\\'s' and 'FID' in parents", "hello_world.txt,other"},
		{"'FID' in parents", "hello_world.txt,it's,other"},
		{"'root' in parents", "Folder"},
		{"'FID' in parents or 'GID' in parents", `back\slash,binned,hello_world.txt,it's,other`},
		{"('FID' in parents or 'GID' in parents) and trashed = false", `back\slash,hello_world.txt,it's,other`},
		{"'FID' in parents and not mimeType = 'application/vnd.google-apps.folder'", "hello_world.txt,it's"},
		{"mimeType contains 'text/'", "hello_world.txt"},
		{"trashed = true", "binned"},
		{"trashed != true and name contains 'binned'", ""},
		{"starred=true", "hello_world.txt"},
		{"modifiedTime < '2020-06-01T00:00:00'", "hello_world.txt"},
		{"modifiedTime = '2021-01-01T00:00:00.500Z'", "it's"},
		{"modifiedTime >= '2020-01-01T01:00:00+01:00' and modifiedTime <= '2021-01-01T00:00:00.5+00:00'", "hello_world.txt,it's"},
		{"appProperties has { key='k' and value='v' }", "it's"},
		{"properties has {key='k' and value='v'}", `back\slash`},
		{"appProperties has { key='k' and value='w' }", ""},
		{"fullText contains 'deep'", `back\slash`},
		{`fullText contains '"deep words"'`, `back\slash`},
		{`fullText contains '"words deep"'`, ``},
		{"fullText contains 'dee'", ""},
		{"'me' in owners and name contains 'hello'", "hello_world.txt"},
		{"'bea@example.com' in owners", ""},
		{"sharedWithMe", ""},
		{"name = 'foreign'", ""},
		{"name = 'binned' and trashed = false or name = 'binned'", "binned"}, // from left to right
	} {
		q := strings.NewReplacer("FID", f, "GID", g).Replace(tt.q)
		sort := "&orderBy=name"
		if strings.Contains(q, "fullText") {
			sort = ""
		}
		if got := w.names(q, sort); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.q, got, tt.want)
		}
	}
	for _, q := range []string{
		"name", "name =", "name = a", "name has 'a'", "name < 'a'", "trashed = 'true'", "trashed", "'x' in", "in parents", "'x' in name",
		"(name = 'a'", "name = 'a')", "name = 'a' and", "and", "not", "name = 'a' name = 'b'", `name = '\x'`, "modifiedTime > 'now'",
		"modifiedTime contains '2020'", "appProperties = 'x'", "appProperties has { key='k' }", "name contains", "mimeType has 'x'",
	} {
		if a := w.do("GET", "/drive/v3/files?q="+url.QueryEscape(q), ""); a.status != 400 || a.reason() != "invalid" || a.entry("location") != "q" {
			t.Errorf("%s: %d %s", q, a.status, a.body)
		}
	}
	wide := w.as(drivetest.Ask{Scopes: []string{"drive"}})
	if got := wide.names("name = 'foreign'"); got != "foreign" {
		t.Errorf("with scope drive: %q", got)
	}
	if err := w.d.Grant(foreign, w.d.OAuthClient().ID); err != nil {
		t.Fatal(err)
	}
	if got := w.names("name = 'foreign'"); got != "foreign" {
		t.Errorf("granted: %q", got)
	}
	other := w.as(drivetest.Ask{Client: w.d.AddClient("two").ID})
	if got := other.names("name contains 'hello'"); got != "" {
		t.Errorf("another client sees %q", got)
	}
	both := w.as(drivetest.Ask{Client: w.d.AddClient("three").ID, Scopes: []string{"drive"}})
	if got := both.names("appProperties has { key='k' and value='v' }") + both.names("properties has { key='k' and value='v' }"); got != `back\slash` {
		t.Errorf("another client's properties: %q", got)
	}
}

func TestOrderAndPages(t *testing.T) {
	w := start(t)
	for _, n := range []string{"a10", "a9", "B1", "c"} {
		w.file(n, "root", strings.Repeat("x", len(n)))
	}
	w.folder("z", "root")
	for order, want := range map[string]string{
		"name": "a10,a9,B1,c,z", "name desc": "z,c,B1,a9,a10", "name_natural": "a9,a10,B1,c,z", "folder,name": "z,a10,a9,B1,c",
		"quotaBytesUsed desc,name": "a10,a9,B1,c,z",
	} {
		if got := w.names("", "&orderBy="+url.QueryEscape(order)); got != want {
			t.Errorf("%s: %s, want %s", order, got, want)
		}
	}
	var seen []string
	token := ""
	for pages := 0; pages < 3; pages++ {
		a := w.want(200, "GET", "/drive/v3/files?orderBy=name&pageSize=2&pageToken="+url.QueryEscape(token), "")
		for _, f := range a.field("files").([]any) {
			seen = append(seen, f.(map[string]any)["name"].(string))
		}
		if pages == 0 { // a token belongs to its query
			bad := w.do("GET", "/drive/v3/files?orderBy=name+desc&pageToken="+url.QueryEscape(a.text("nextPageToken")), "")
			if bad.status != 400 || bad.entry("location") != "pageToken" {
				t.Errorf("foreign token: %d %s", bad.status, bad.body)
			}
		}
		token = a.text("nextPageToken")
	}
	if !slices.Equal(seen, []string{"a10", "a9", "B1", "c", "z"}) || token != "" {
		t.Errorf("%v %q", seen, token)
	}
	a := w.want(200, "GET", "/drive/v3/files?pageSize=2", "")
	w.d.ForgetPageTokens()
	w.want(400, "GET", "/drive/v3/files?pageSize=2&pageToken="+url.QueryEscape(a.text("nextPageToken")), "")
}

func TestListSwitches(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	w := start(t, drivetest.Options{
		ListLag: time.Minute, ListLagCalls: 1, Now: func() time.Time { return now },
		Unsettled: drivetest.Unsettled{ListHidesTrash: true, RepeatAcrossPages: true, OrParentsEmpty: true},
	})
	id := w.file("a", "root", "x")
	if got := w.names("'root' in parents"); got != "" {
		t.Errorf("in the lag: %s", got)
	}
	w.want(200, "GET", "/drive/v3/files/"+id, "") // get knows it at once
	if got := w.names("'root' in parents"); got != "" {
		t.Errorf("in the minute: %s", got)
	}
	now = now.Add(time.Minute)
	if got := w.names("'root' in parents"); got != "a" {
		t.Errorf("after the lag: %s", got)
	}
	if got := w.names("'root' in parents or '" + id + "' in parents"); got != "" {
		t.Errorf("or: %s", got)
	}
	w.want(200, "PATCH", "/drive/v3/files/"+id, `{"trashed":true}`)
	if got, asked := w.names(""), w.names("trashed = true"); got != "" || asked != "a" {
		t.Errorf("trash: %q %q", got, asked)
	}
	w.folder("b", "root")
	w.folder("c", "root")
	w.folder("d", "root")
	w.names("")
	now = now.Add(time.Minute)
	a := w.want(200, "GET", "/drive/v3/files?pageSize=2&orderBy=name", "")
	b := w.want(200, "GET", "/drive/v3/files?pageSize=2&orderBy=name&pageToken="+url.QueryEscape(a.text("nextPageToken")), "")
	if !strings.Contains(a.body, `"c"`) || !strings.Contains(b.body, `"c"`) || !strings.Contains(b.body, `"d"`) {
		t.Errorf("repeat: %s %s", a.body, b.body)
	}
}

func TestSharedDrive(t *testing.T) {
	w := start(t)
	id := w.d.AddSharedDrive("team")
	all := "supportsAllDrives=true"
	f := w.want(200, "POST", "/drive/v3/files?fields=*&"+all, fmt.Sprintf(`{"name":"x","parents":[%q]}`, id))
	if f.text("driveId") != id || f.field("ownedByMe") != false {
		t.Errorf("%s", f.body)
	}
	w.want(404, "PATCH", "/drive/v3/files/"+f.text("id"), "{}")
	w.want(200, "PATCH", "/drive/v3/files/"+f.text("id")+"?"+all, "{}")
	if got := w.names("name = 'x'") + w.names("name = 'x'", "&includeItemsFromAllDrives=true&"+all); got != "x" {
		t.Errorf("listed %q", got)
	}
	if got := w.names("", "&corpora=drive&includeItemsFromAllDrives=true&driveId="+id+"&"+all); got != "x" {
		t.Errorf("corpora drive: %q", got)
	}
	wide := w.as(drivetest.Ask{Scopes: []string{"drive"}})
	if a := wide.want(200, "GET", "/drive/v3/drives", ""); !strings.Contains(a.body, id) {
		t.Errorf("%s", a.body)
	}
	wide.want(200, "GET", "/drive/v3/drives/"+id, "")
	team := start(t, drivetest.Options{MaxDriveItems: 1})
	id = team.d.AddSharedDrive("small")
	body := fmt.Sprintf(`{"parents":[%q]}`, id)
	x := team.want(200, "POST", "/drive/v3/files?"+all, body).text("id")
	if a := team.do("POST", "/drive/v3/files?"+all, body); a.reason() != "teamDriveFileLimitExceeded" {
		t.Errorf("%d %s", a.status, a.body)
	}
	team.want(204, "DELETE", "/drive/v3/files/"+x+"?"+all, "")
	team.want(200, "POST", "/drive/v3/files?"+all, body)
	made := wide.want(200, "POST", "/drive/v3/drives?requestId=r1", `{"name":"two"}`)
	wide.want(409, "POST", "/drive/v3/drives?requestId=r1", `{"name":"two"}`)
	wide.want(200, "GET", "/drive/v3/files/"+made.text("id")+"?"+all, "")
}
