package drivetest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

func TestBatch(t *testing.T) {
	w := start(t)
	f, id := w.file("a", "root", "x"), w.newID()
	a := w.batch(
		part("<7>", "PATCH /drive/v3/files/"+f+"?fields=id,trashed", `{"trashed":true}`),
		part("b", "POST http://other.example/drive/v3/files?fields=id", `{"id":"`+id+`","mimeType":"`+folderType+`"}`),
		part("<c>", "GET /drive/v3/files/1nothing", ""),
		part("<d>", "POST /upload/drive/v3/files?uploadType=media", "x"),
		part("<e>", "GET /drive/v3/files/"+f+"?alt=media", ""),
		part("<f>", "GET /calendar/v3/x", ""),
		part("<g>", "GET /drive/v3/files?q="+strings.Repeat("x", 8000), ""),
		part("<h>", "DELETE /drive/v3/files/"+f, ""),
	)
	if got := statuses(a); !slices.Equal(got, []string{"404", "200", "404", "404", "404", "404", "400", "204"}) {
		t.Errorf("in reverse order: %v\n%s", got, a.body)
	}
	for _, want := range []string{"Content-ID: <response-7>\r\n", "Content-ID: response-b\r\n", "Content-Type: application/http\r\n"} {
		if !strings.Contains(a.body, want) {
			t.Errorf("no %q in\n%s", want, a.body)
		}
	}
	s := w.d.Stats()
	if s.Inner != 8 || s.Requests[drivetest.Batch] != 1 || s.Calls[drivetest.Update] != 1 || s.Requests[drivetest.Update] != 0 || s.Calls[drivetest.Batch] != 0 {
		t.Errorf("%+v", s)
	}
	log := w.d.Log()
	if last := log[len(log)-1]; len(last.Parts) != 8 || last.Parts[1].Status != 200 || last.Parts[1].Kind != drivetest.Create {
		t.Errorf("%+v", last)
	}
}

func TestBatchDownloadAndOrder(t *testing.T) {
	w := start(t, drivetest.Options{Unsettled: drivetest.Unsettled{BatchForward: true, BareContentID: true}})
	f := w.file("a", "root", "x")
	a := w.batch(
		part("<1>", "PATCH /drive/v3/files/"+f+"?fields=id,trashed", `{"trashed":true}`),
		part("<2>", "GET /drive/v3/files/"+f+"?alt=media", ""),
		part("<3>", "DELETE /drive/v3/files/"+f, ""),
		part("<4>", "GET /drive/v3/files/"+f, ""),
	)
	if got := statuses(a); !slices.Equal(got, []string{"200", "302", "204", "404"}) || !strings.Contains(a.body, "Content-ID: response-1\r\n") {
		t.Errorf("%v\n%s", got, a.body)
	}
}

func TestBatchSoftLimit(t *testing.T) {
	w := start(t)
	var parts []string
	for i := range 102 {
		parts = append(parts, part(fmt.Sprint(i), "GET /drive/v3/files/root?fields=id", ""))
	}
	got := statuses(w.batch(parts...))
	if len(got) != 102 || got[99] != "200" || got[100] != "403" || got[101] != "403" {
		t.Errorf("%v", got)
	}
}

func TestBatchOuterHeadersAndQuery(t *testing.T) {
	w := start(t)
	bad := strings.Replace(part("1", "GET /drive/v3/files/root", ""), "Content-Type: application/json", "Authorization: Bearer nonsense", 1)
	a := w.want(200, "POST", "/batch/drive/v3?fields=id,mimeType", bad+part("2", "GET /drive/v3/files/root", "")+
		part("3", "GET /drive/v3/files/root?fields=name", "")+"--B--", "Content-Type: multipart/mixed; boundary=B")
	if got := statuses(a); !slices.Equal(got, []string{"401", "200", "200"}) {
		t.Errorf("%v", got)
	}
	if strings.Count(a.body, "mimeType") != 1 || strings.Count(a.body, `"name"`) != 1 || strings.Contains(a.body, "kind") {
		t.Errorf("outer fields: %s", a.body)
	}
}

func TestThrottleCountsParts(t *testing.T) {
	w := start(t)
	f := w.file("a", "root", "x")
	w.d.SetThrottle(drivetest.Throttle{WritesPerSecond: 0.001, Burst: 2})
	var parts []string
	for i := range 5 {
		parts = append(parts, part(fmt.Sprint(i), "PATCH /drive/v3/files/"+f, `{"starred":true}`))
	}
	a := w.batch(parts...)
	got := statuses(a)
	slices.Sort(got)
	if !slices.Equal(got, []string{"200", "200", "403", "403", "403"}) || !strings.Contains(a.body, "userRateLimitExceeded") {
		t.Errorf("%v", got)
	}
	w.want(200, "GET", "/drive/v3/files/"+f, "") // reads pass
	w.d.SetThrottle(drivetest.Throttle{WritesPerSecond: 0.001, Burst: 1, TooMany: true})
	w.want(200, "PATCH", "/drive/v3/files/"+f, "{}")
	if a := w.do("PATCH", "/drive/v3/files/"+f, "{}"); a.status != 429 || a.reason() != "rateLimitExceeded" {
		t.Errorf("%d %s", a.status, a.body)
	}
	w.d.SetThrottle(drivetest.Throttle{UnitsPerMinute: 105})
	w.want(200, "GET", "/drive/v3/files", "")
	w.want(200, "GET", "/drive/v3/files/"+f, "")
	if a := w.do("GET", "/drive/v3/files/"+f, ""); a.status != 403 || a.reason() != "rateLimitExceeded" || !strings.Contains(a.body, "RATE_LIMIT_EXCEEDED") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if n := w.d.Stats().Refused; n != 5 {
		t.Errorf("%d refused", n)
	}
}
