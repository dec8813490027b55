package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"google.golang.org/api/googleapi"

	"github.com/autocloudbackup/acb/remote/auth"
)

func TestClassify(t *testing.T) {
	answer := func(status int, reason, message string) error {
		g := &googleapi.Error{Code: status, Message: message, Header: http.Header{}}
		if reason != "" {
			g.Errors = []googleapi.ErrorItem{{Reason: reason, Message: message}}
		}
		return g
	}
	late := func(err error, after string) error {
		err.(*googleapi.Error).Header.Set("Retry-After", after)
		return err
	}
	for _, tt := range []struct {
		err  error
		want Class
	}{
		{answer(400, "badRequest", "Bad Request"), Permanent},
		{answer(400, "invalid", "Invalid Value"), Permanent},
		{answer(400, "invalid", "The provided file ID is not usable."), BadID},
		{answer(400, "fileIdNotUsable", "no"), BadID},
		{answer(400, "failedPrecondition", ""), RateLimit},
		{answer(401, "authError", "Invalid Credentials"), Auth},
		{answer(401, "", ""), Auth},
		{answer(403, "userRateLimitExceeded", "User Rate Limit Exceeded"), RateLimit},
		{answer(403, "rateLimitExceeded", ""), RateLimit},
		{answer(403, "sharingRateLimitExceeded", ""), RateLimit},
		{answer(403, "dailyLimitExceeded", ""), DailyCap},
		{answer(403, "downloadQuotaExceeded", ""), DailyCap},
		{answer(403, "storageQuotaExceeded", ""), StorageFull},
		{answer(403, "quotaExceeded", ""), StorageFull},
		{answer(403, "insufficientPermissions", ""), Auth},
		{answer(403, "accessNotConfigured", ""), Auth},
		{answer(403, "insufficientFilePermissions", ""), Permanent},
		{answer(403, "insufficientParentPermissions", ""), Permanent},
		{answer(403, "appNotAuthorizedToFile", ""), Permanent},
		{answer(403, "cannotAddParent", ""), Permanent},
		{answer(403, "fieldNotWritable", ""), Permanent},
		{answer(403, "propertyLengthLimitExceeded", ""), Permanent},
		{answer(403, "propertyCountLimitExceeded", ""), Permanent},
		{answer(403, "parentNotAFolder", ""), Permanent},
		{answer(403, "numChildrenInNonRootLimitExceeded", ""), Permanent},
		{answer(403, "myDriveHierarchyDepthLimitExceeded", ""), Permanent},
		{answer(403, "teamDriveHierarchyTooDeep", ""), Permanent},
		{answer(403, "teamDriveFileLimitExceeded", ""), ItemsFull},
		{answer(403, "activeItemCreationLimitExceeded", ""), ItemsFull},
		{answer(403, "teamDrivesFolderMoveInNotSupported", ""), Permanent},
		{answer(403, "teamDrivesParentLimit", ""), Permanent},
		{answer(403, "teamDriveMembershipRequired", ""), Auth},
		{answer(403, "domainPolicy", ""), Auth},
		{answer(403, "userRateLimitExceeded", capMessage), RateLimit}, // until contents have tried it, see tries
		{late(answer(429, "rateLimitExceeded", ""), "3600"), RateLimit},
		{late(answer(429, "rateLimitExceeded", ""), "3601"), DailyCap},
		{late(answer(503, "backendError", ""), "86400"), Transient},
		{answer(416, "", ""), Permanent},
		{answer(403, "forbidden", ""), Permanent},
		{answer(404, "notFound", "File not found: X."), NotFound},
		{answer(408, "", ""), Transient},
		{answer(409, "fileIdInUse", ""), Conflict},
		{answer(409, "duplicate", ""), Conflict},
		{answer(404, "", ""), Transient}, // not Drive's: it says why
		{answer(410, "", ""), Permanent},
		{answer(413, "", ""), Permanent},
		{answer(429, "rateLimitExceeded", ""), RateLimit},
		{answer(429, "", ""), RateLimit},
		{answer(500, "internalError", ""), Transient},
		{answer(502, "", ""), Transient},
		{answer(503, "backendError", ""), Transient},
		{answer(500, "userRateLimitExceeded", ""), Transient},
		{io.ErrUnexpectedEOF, Transient},
		{&url.Error{Op: "Post", URL: "https://x/y?upload_id=s3cret", Err: io.EOF}, Transient},
		{&url.Error{Op: "Post", URL: "https://x", Err: context.Canceled}, Canceled},
		{context.DeadlineExceeded, Transient},
		{&url.Error{Op: "Get", URL: "https://x", Err: &auth.DeadError{Cause: "revoked"}}, Auth},
		{&oauth2.RetrieveError{Response: &http.Response{StatusCode: 503}}, Transient},
		{&Error{Class: BadID}, BadID},
		{fmt.Errorf("wrapped: %w", &Error{Class: NotFound}), NotFound},
	} {
		e := classify(tt.err)
		if e.Class != tt.want {
			t.Errorf("%v: %s, want %s", tt.err, e.Class, tt.want)
		}
		if strings.Contains(e.Error(), "s3cret") {
			t.Errorf("session address in %q", e)
		}
		var dead *auth.DeadError
		if errors.As(tt.err, &dead) && !errors.As(error(e), &dead) {
			t.Errorf("%v: the sign-in's error is lost", tt.err)
		}
	}
	if classify(nil) != nil {
		t.Error("nil is an error")
	}
}

// What is no JSON of Drive's is told without pages for browsers, and whatever
// it is without the address of a session, which refusals like to repeat.
func TestPlainAnswer(t *testing.T) {
	for _, tt := range []struct {
		status     int
		body, want string
	}{
		{400, "Failed to parse Content-Range header.", "400 Bad Request: Failed to parse Content-Range header."},
		{503, "", "503 Service Unavailable"},
		{502, "<!DOCTYPE html>\n<p>Bad gateway", "502 Bad Gateway"},
		{403, "The URL /upload/drive/v3/files?upload_id=s3cret is forbidden", "403 Forbidden"},
		{403, `{"error":{"code":403,"message":"No PUT to /upload/drive/v3/files?upload_id=s3cret here"}}`, "403 Forbidden"},
		{403, `{"error":{"code":403,"errors":[{"reason":"forbidden","message":"No PUT to /upload/drive/v3/files?upload_id=s3cret here"}]}}`, "403 forbidden"},
		{404, "<p>/upload/drive/v3/files?upload_id=s3cret was not found", "404 Not Found (this is not Drive's answer: " +
			"look at [drive] endpoint, and at what is between here and there)"},
	} {
		if got := classify(googleapi.CheckResponseWithBody(&http.Response{StatusCode: tt.status}, []byte(tt.body))).Error(); got != tt.want {
			t.Errorf("%s\nwant %s", got, tt.want)
		}
	}
	if got := (&Error{Reason: "incompleteSearch", Message: "Drive did not search everywhere"}).Error(); got != "incompleteSearch: Drive did not search everywhere" {
		t.Error(got)
	}
}

// What a person reads of a refusal names the folder or item, the limit, and
// what to do.
func TestHints(t *testing.T) {
	until := time.Date(2026, 11, 23, 12, 30, 0, 0, time.UTC)
	for _, tt := range []struct {
		e    Error
		want string
	}{
		{Error{Reason: "numChildrenInNonRootLimitExceeded"}, "500,000 items in one folder, those in its trash included, and /a/b has them"},
		{Error{Reason: "myDriveHierarchyDepthLimitExceeded"}, "100 folders within each other, and /a/b/c would be one more"},
		{Error{Reason: "teamDriveHierarchyTooDeep"}, "100 folders within each other, and /a/b/c would be one more"},
		{Error{Reason: "teamDriveFileLimitExceeded", Class: ItemsFull}, "a shared drive holds 500,000 items at most"},
		{Error{Reason: "activeItemCreationLimitExceeded", Class: ItemsFull}, "500 million items"},
		{Error{Reason: "domainPolicy", Class: Auth}, "ask for acb's client id to be trusted"},
		{Error{Reason: "teamDriveMembershipRequired", Class: Auth}, "no member of the shared drive"},
		{Error{Reason: "accessNotConfigured", Class: Auth}, "enable the Google Drive API"},
		{Error{Reason: "insufficientPermissions", Class: Auth}, "sign in with: acb auth"},
		{Error{Reason: "insufficientParentPermissions"}, "may not write any more into the folder on Drive that holds /a/b"},
		{Error{Reason: "insufficientFilePermissions"}, "may not change the item"},
		{Error{Reason: "appNotAuthorizedToFile"}, "made with other credentials"},
		{Error{Reason: "storageQuotaExceeded", Class: StorageFull}, "free some room"},
		{Error{Reason: "userRateLimitExceeded", Class: DailyCap}, "the next run after it renews goes on from here"},
		{Error{Reason: "userRateLimitExceeded", Class: DailyCap, Until: until}, "uploads go on after 2026-11-23 12:30"},
	} {
		tt.e.Status = 403
		if got := tt.e.about("upload", "/a/b/c", "id").Error(); !strings.Contains(got, "upload /a/b/c: 403 "+tt.e.Reason+" (") || !strings.Contains(got, tt.want) {
			t.Errorf("%s\nwant %s", got, tt.want)
		}
	}
}

// wait is what an answer's Retry-After keeps everything waiting for.
func TestWait(t *testing.T) {
	for _, tt := range []struct {
		e    Error
		want time.Duration
	}{
		{Error{Class: RateLimit, RetryAfter: time.Minute}, time.Minute},
		{Error{Class: Transient, RetryAfter: 24 * time.Hour}, time.Hour},
		{Error{Class: DailyCap, RetryAfter: 24 * time.Hour}, 0},
	} {
		if got := tt.e.wait(); got != tt.want {
			t.Errorf("%s: %s", tt.e.Class, got)
		}
	}
}

func TestRetryPolicy(t *testing.T) {
	for _, tt := range []struct {
		e     Error
		tries int
	}{
		{Error{Class: Permanent}, 0},
		{Error{Class: Transient}, retriesTransient},
		{Error{Class: RateLimit}, retriesRate},
		{Error{Class: Auth, Status: 401}, retriesSignIn},
		{Error{Class: Auth, Status: 403}, 0},
		{Error{Class: NotFound}, retriesNotFound},
		{Error{Class: StorageFull}, 0},
		{Error{Class: Conflict}, 0},
		{Error{Class: Canceled}, 0},
		{Error{Class: Permanent, Reason: "parentNotAFolder"}, 1},
	} {
		var p tries
		n := 0
		for n < 100 {
			e := tt.e
			pause, again := p.next(&e, rand.N[time.Duration])
			if !again {
				break
			}
			if pause > maxBackoff || tt.e.Class == Transient && pause < min(time.Second<<n, maxBackoff) {
				t.Errorf("%s: pause %d is %s", tt.e.Class, n, pause)
			}
			n++
		}
		if n != tt.tries {
			t.Errorf("%s %d %s: %d repetitions, want %d", tt.e.Class, tt.e.Status, tt.e.Reason, n, tt.tries)
		}
	}
	for _, cap := range []int{0, 1, 4} { // a refusal in the words of the daily cap, which only contents are under
		p, n := tries{cap: cap}, 0
		e := &Error{Class: RateLimit, Message: capMessage}
		for again := true; again; n++ {
			_, again = p.next(e, rand.N[time.Duration])
		}
		want, class := cap, DailyCap
		if cap == 0 {
			want, class = retriesRate+1, RateLimit
		}
		if n != want || e.Class != class {
			t.Errorf("cap %d: %s after %d refusals", cap, e.Class, n)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	const sent = "Sun, 22 Nov 2026 12:00:00 GMT"
	for _, tt := range []struct {
		text, date string
		want       time.Duration
	}{
		{"", sent, 0},
		{"0", sent, 0},
		{"7", "", 7 * time.Second},
		{"86400", sent, 24 * time.Hour},
		{"-5", sent, 0},
		{"soon", sent, 0},
		{"99999999999999999999", sent, 0},
		{"Sun, 22 Nov 2026 12:01:30 GMT", sent, 90 * time.Second},
		{"Sunday, 22-Nov-26 12:01:30 GMT", sent, 90 * time.Second}, // RFC 850, still allowed by RFC 9110
		{"Sun, 22 Nov 2026 11:59:00 GMT", sent, 0},
		{"Sun, 22 Nov 2026 12:01:30 GMT", "", 0}, // against our own clock it would mean anything
	} {
		h := http.Header{"Retry-After": {tt.text}, "Date": {tt.date}}
		if got := retryAfter(h); got != tt.want {
			t.Errorf("%q, sent %q: %s, want %s", tt.text, tt.date, got, tt.want)
		}
	}
}
