package drivetest_test

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

const fileScope = "https://www.googleapis.com/auth/drive.file"

func config(t *testing.T, w *wire) *oauth2.Config {
	t.Helper()
	conf, err := google.ConfigFromJSON(w.d.Credentials(w.d.URL, ""), fileScope)
	if err != nil {
		t.Fatal(err)
	}
	conf.RedirectURL = "http://127.0.0.1:9/cb"
	return conf
}

// consent follows the browser's way and gives what the loopback receiver gets.
func (w *wire) consent(address string) url.Values {
	w.t.Helper()
	a := w.want(302, "GET", address, "")
	back, err := url.Parse(a.header.Get("Location"))
	if err != nil || back.Host != "127.0.0.1:9" || back.Path != "/cb" {
		w.t.Fatalf("redirect to %v %v", back, err)
	}
	return back.Query()
}

func TestSignIn(t *testing.T) {
	w := start(t)
	conf := config(t, w)
	ctx := t.Context()
	verifier := oauth2.GenerateVerifier()
	ask := conf.AuthCodeURL("st&te", oauth2.AccessTypeOffline, oauth2.S256ChallengeOption(verifier))
	got := w.consent(ask)
	if got.Get("state") != "st&te" || got.Get("scope") != fileScope {
		t.Errorf("%v", got)
	}
	if _, err := conf.Exchange(ctx, got.Get("code"), oauth2.VerifierOption(oauth2.GenerateVerifier())); code(err) != "invalid_grant" {
		t.Errorf("wrong verifier: %v", err)
	}
	if _, err := conf.Exchange(ctx, got.Get("code"), oauth2.VerifierOption(verifier)); code(err) != "invalid_grant" {
		t.Errorf("code used twice: %v", err)
	}
	tok, err := conf.Exchange(ctx, w.consent(ask).Get("code"), oauth2.VerifierOption(verifier))
	if err != nil || tok.RefreshToken == "" || time.Until(tok.Expiry) > time.Hour || time.Until(tok.Expiry) < 59*time.Minute {
		t.Fatalf("%+v %v", tok, err)
	}
	online, err := conf.Exchange(ctx, w.consent(conf.AuthCodeURL("s")).Get("code"))
	if err != nil || online.RefreshToken != "" {
		t.Errorf("without access_type=offline: %+v %v", online, err)
	}

	w.c = noFollow(conf.Client(ctx, tok))
	id := w.folder("mine", "root")
	w.d.ExpireTokens()
	w.want(401, "GET", "/drive/v3/files/"+id, "")
	tok.Expiry = time.Now().Add(-time.Minute)
	w.c = noFollow(conf.Client(ctx, tok))
	w.want(200, "GET", "/drive/v3/files/"+id, "") // refreshed, and the same client sees its file
	if n := w.d.Stats().TokenRequests(); n == 0 || w.d.Stats().Total() == 0 {
		t.Errorf("%d token requests", n)
	}

	bad := *conf
	bad.ClientSecret = "wrong"
	if _, err := bad.TokenSource(ctx, tok).Token(); code(err) != "invalid_client" {
		t.Errorf("wrong secret: %v", err)
	}
	w.want(200, "POST", "/revoke?token="+url.QueryEscape(tok.RefreshToken), "")
	if _, err := conf.TokenSource(ctx, &oauth2.Token{RefreshToken: tok.RefreshToken}).Token(); code(err) != "invalid_grant" {
		t.Errorf("revoked: %v", err)
	}
	w.want(400, "POST", "/revoke?token=nonsense", "")

	w.d.DenyConsent(true)
	if got := w.consent(ask); got.Get("error") != "access_denied" || got.Get("code") != "" {
		t.Errorf("denied: %v", got)
	}
}

func code(err error) string {
	if e, ok := err.(*oauth2.RetrieveError); ok {
		return e.ErrorCode
	}
	if e, ok := err.(*url.Error); ok {
		return code(e.Err)
	}
	return ""
}

func TestConsentRefuses(t *testing.T) {
	w := start(t)
	good := url.Values{
		"client_id": {w.d.OAuthClient().ID}, "redirect_uri": {"http://127.0.0.1:9/cb"}, "response_type": {"code"}, "scope": {fileScope},
	}
	w.want(302, "GET", "/o/oauth2/v2/auth?"+good.Encode(), "")
	for k, v := range map[string]string{
		"client_id": "x", "redirect_uri": "https://example.com/cb", "response_type": "token", "scope": "everything", "code_challenge_method": "S256",
	} {
		bad := url.Values{}
		for k, v := range good {
			bad[k] = v
		}
		bad.Set(k, v)
		if a := w.do("GET", "/o/oauth2/auth?"+bad.Encode(), ""); a.status < 400 || a.header.Get("Location") != "" {
			t.Errorf("%s=%s: %d", k, v, a.status)
		}
	}
}

func TestTokenErrors(t *testing.T) {
	w := start(t)
	c := w.d.OAuthClient()
	form := "Content-Type: application/x-www-form-urlencoded"
	id := "client_id=" + c.ID + "&client_secret=" + c.Secret
	for _, tt := range []struct {
		body, err string
		status    int
	}{
		{"grant_type=refresh_token&client_id=x&client_secret=y", "invalid_client", 401},
		{"grant_type=refresh_token&client_id=" + c.ID, "invalid_client", 401},
		{"grant_type=refresh_token&refresh_token=x&" + id, "invalid_grant", 400},
		{"grant_type=authorization_code&code=x&" + id, "invalid_grant", 400},
		{"grant_type=password&" + id, "unsupported_grant_type", 400},
		{id, "invalid_request", 400},
	} {
		if a := w.do("POST", "/token", tt.body, form); a.status != tt.status || a.text("error") != tt.err {
			t.Errorf("%s: %d %s", tt.body, a.status, a.body)
		}
	}
	w.want(405, "GET", "/token", "")
	w.want(400, "POST", "/token", "{}", "Content-Type: application/json")
}

func TestDeviceFlow(t *testing.T) {
	now := time.Now()
	w := start(t, drivetest.Options{Now: func() time.Time { return now }})
	c := w.d.OAuthClient()
	form := "Content-Type: application/x-www-form-urlencoded"
	if a := w.do("POST", "/device/code", "client_id="+c.ID+"&scope=https://www.googleapis.com/auth/drive", form); a.text("error") != "invalid_scope" {
		t.Errorf("wide scope: %d %s", a.status, a.body)
	}
	a := w.want(200, "POST", "/device/code", "client_id="+c.ID+"&scope="+fileScope, form)
	poll := func() answer {
		now = now.Add(5 * time.Second)
		return w.do("POST", "/token", url.Values{"client_id": {c.ID}, "client_secret": {c.Secret}, "device_code": {a.text("device_code")},
			"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}}.Encode(), form)
	}
	if p := poll(); p.status != 428 || p.text("error") != "authorization_pending" {
		t.Errorf("%d %s", p.status, p.body)
	}
	now = now.Add(-5 * time.Second)
	if p := poll(); p.status != 403 || p.text("error") != "slow_down" {
		t.Errorf("%d %s", p.status, p.body)
	}
	if w.d.EnterDeviceCode("nonsense", true) || !w.d.EnterDeviceCode(a.text("user_code"), true) {
		t.Error("user code")
	}
	p := poll()
	if p.status != 200 || p.text("refresh_token") == "" {
		t.Fatalf("%d %s", p.status, p.body)
	}
	w.want(200, "GET", "/drive/v3/files", "", "Authorization: Bearer "+p.text("access_token"))
	if p := poll(); p.text("error") != "invalid_grant" {
		t.Errorf("code used twice: %s", p.body)
	}
}

func TestServiceAccount(t *testing.T) {
	w := start(t)
	key, err := w.d.ServiceAccount(w.d.URL, "robot")
	if err != nil {
		t.Fatal(err)
	}
	conf, err := google.JWTConfigFromJSON(key, fileScope)
	if err != nil {
		t.Fatal(err)
	}
	shared := w.d.AddSharedDrive("team")
	w.c = conf.Client(context.Background())
	w.folder("a folder costs nothing", "root")
	if a := w.do("POST", "/upload/drive/v3/files?uploadType=media", "x"); a.status != 403 || a.reason() != "storageQuotaExceeded" {
		t.Errorf("%d %s", a.status, a.body)
	}
	w.want(200, "POST", "/drive/v3/files?supportsAllDrives=true", `{"parents":["`+shared+`"]}`)

	other, err := w.d.ServiceAccount(w.d.URL, "thief")
	if err != nil {
		t.Fatal(err)
	}
	var a, b map[string]any
	if json.Unmarshal(key, &a) != nil || json.Unmarshal(other, &b) != nil {
		t.Fatal("bad JSON")
	}
	b["client_email"] = a["client_email"] // signed with a key that is not its own
	forged, _ := json.Marshal(b)
	if conf, err = google.JWTConfigFromJSON(forged, fileScope); err != nil {
		t.Fatal(err)
	}
	if _, err := conf.TokenSource(context.Background()).Token(); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("forged: %v", err)
	}
}

func TestTokenExpires(t *testing.T) {
	now := time.Now()
	w := start(t, drivetest.Options{Now: func() time.Time { return now }})
	w.want(200, "GET", "/drive/v3/files", "")
	now = now.Add(3599 * time.Second)
	if a := w.do("GET", "/drive/v3/files", ""); a.status != 401 || a.reason() != "authError" {
		t.Errorf("%d %s", a.status, a.body)
	}
}
