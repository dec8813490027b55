package auth

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

const day = 24 * time.Hour

// TestDiagnosis gives each refusal the cause that its sign-in's past makes likely.
func TestDiagnosis(t *testing.T) {
	const client = "12345-abc.apps.googleusercontent.com"
	const grant = `{"error":"invalid_grant","error_description":"Token has been expired or revoked."}`
	cases := []struct {
		name    string
		status  int
		body    string
		client  string // whom the sign-in was given to
		age     time.Duration
		renewed time.Duration // after the sign-in; the last success
		cause   string
		hint    string
	}{
		{"young", 400, grant, client, 2 * day, day, "2 days old: access was removed", "acb auth"},
		{"testing", 400, grant, client, 7*day + time.Hour, 6 * day, "status \"Testing\", in which sign-ins last seven days (", "Publish app"},
		{"testing, long unused", 400, grant, client, 300 * day, day, "or it was not used for six months", "Publish app"},
		{"outlived testing", 400, grant, client, 40 * day, 39 * day, "so the seven days of an app in \"Testing\" are not the reason", "acb auth"},
		{"idle", 400, grant, client, 400 * day, 100 * day, "not used for six months", "acb auth"},
		{"age unknown", 400, grant, "", 0, 0, "Google has ended it (access removed", "should it end every seven days"},
		{"client changed", 400, grant, "777-old.apps.googleusercontent.com", day, day, "given to client 777-old", "acb auth"},
		{"account gone", 400, `{"error":"invalid_grant","error_description":"Account has been deleted"}`, client, day, day, "account was deleted", "another one"},
		{"rapt", 400, `{"error":"invalid_grant","error_subtype":"invalid_rapt","error_description":"reauth related error (invalid_rapt)"}`, client, day, day, "sign in anew", "administrator"},
		{"client deleted", 401, `{"error":"invalid_client","error_description":"The OAuth client was not found."}`, client, day, day, "deleted", "console.cloud.google.com"},
		{"client deleted, new code", 401, `{"error":"deleted_client"}`, client, day, day, "deleted", "credentials"},
		{"admin", 400, `{"error":"admin_policy_enforced"}`, client, day, day, "administrator", "trust"},
		{"wrong kind", 401, `{"error":"unauthorized_client"}`, client, day, day, "may not", "Desktop"},
		{"no code", 401, "", client, day, day, "Google refuses it (the token endpoint answered 401)", "acb auth"},
		{"as the API words it", 401, `{"error":{"code":401,"message":"Request had invalid authentication credentials.","status":"UNAUTHENTICATED"}}`,
			client, day, day, "401 UNAUTHENTICATED Request had invalid", "acb auth"},
		{"unknown", 400, `{"error":"something_new","error_description":"words"}`, client, day, day, "400 something_new words", "acb auth"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.creds = endpoint(t, func(rw http.ResponseWriter, _ *http.Request) { reply(rw, c.status, c.body) })
			now := w.clock.now()
			r := record{AccessToken: "access-secret", RefreshToken: "refresh-secret", Expiry: now.Add(-time.Second), ClientID: client}
			if c.age > 0 {
				r.Obtained = now.Add(-c.age)
				r.Expiry = r.Obtained.Add(c.renewed + time.Hour)
			}
			if !r.Expiry.Before(now) {
				r.Expiry = now.Add(-time.Second)
			}
			err := diagnoseAt(t, w, r, c.client)
			d := wantDead(t, err, c.cause, c.hint)
			var re *oauth2.RetrieveError
			if !errors.As(err, &re) || re.Response.StatusCode != c.status || re.Body != nil {
				t.Errorf("wraps %v", re)
			}
			noSecrets(t, d, "access-secret", "refresh-secret", w.creds.secret)
		})
	}
}

// diagnoseAt renews r, which was given to client.
func diagnoseAt(t *testing.T, w *world, r record, client string) error {
	t.Helper()
	w.put(t, r)
	_, s := w.client(t)
	if client != r.ClientID { // known only when the endpoint refuses: the files were changed meanwhile
		r.ClientID = client
		s.set(r)
	}
	_, err := s.Token(t.Context())
	return err
}

// What may pass is not called dead, and says no more than it must.
func TestPassingRefusals(t *testing.T) {
	cases := []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"proxy page", 502, "<html>refresh-secret</html>", "answered 502"},
		{"overload", 503, `{"error":"temporarily_unavailable"}`, "503 temporarily_unavailable"},
		{"page of a gateway", 400, "<html>bad request</html>", "answered 400"},
		{"overload as the API words it", 429, `{"error":{"code":429,"message":"words","status":"RESOURCE_EXHAUSTED"}}`, "429 RESOURCE_EXHAUSTED words"},
		{"rate", 403, `{"error":"rate_limit_exceeded"}`, "403 rate_limit_exceeded"},
		{"portal", 200, "<html>log in to the hotel</html>", "renew sign-in"},
		{"no token", 200, `{"token_type":"Bearer"}`, "missing access_token"},
		{"internal", 500, `{"error":"internal_failure","error_description":"at refresh-secret with GOCSPX-very-secret\u001b[31m"}`,
			"internal_failure at (secret) with (secret) [31m"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.creds = endpoint(t, func(rw http.ResponseWriter, _ *http.Request) { reply(rw, c.status, c.body) })
			w.put(t, record{RefreshToken: "refresh-secret"})
			_, s := w.client(t)
			_, err := s.Token(t.Context())
			var d *DeadError
			if err == nil || errors.As(err, &d) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			noSecrets(t, err, "refresh-secret", "GOCSPX-very-secret")
			if _, err := s.Token(t.Context()); err == nil || s.TokenRequests() != 2 {
				t.Errorf("not tried again: %d requests", s.TokenRequests())
			}
		})
	}
}

// No answer at all is the network's fault.
func TestNoAnswer(t *testing.T) {
	w := newWorld(t)
	w.creds = endpoint(t, func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	})
	w.put(t, record{RefreshToken: "refresh-secret"})
	c, _ := w.client(t)
	_, err := w.about(c)
	var d *DeadError
	if err == nil || errors.As(err, &d) {
		t.Errorf("got %v", err)
	}
	noSecrets(t, err, "refresh-secret", "GOCSPX-very-secret")
}

func TestRefusalIsShortened(t *testing.T) {
	got := clean(strings.Repeat("ä", 300)+"\n", nil)
	if len(got) > 210 || strings.ContainsRune(got, '�') {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}
