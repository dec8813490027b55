package auth

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// person is who sits at the browser.
type person struct {
	before func(link *url.URL) // what happens first; nil: nothing
	link   func(u url.Values)  // changes to the link; nil: none
	pages  chan string         // what the browser shows at the end
	codes  chan int            // its status
}

// open plays a browser that follows redirects.
func (p *person) open(link string) error {
	u, err := url.Parse(link)
	if err != nil {
		return err
	}
	if p.link != nil {
		q := u.Query()
		p.link(q)
		u.RawQuery = q.Encode()
	}
	p.pages, p.codes = make(chan string, 1), make(chan int, 1)
	go func() {
		if p.before != nil {
			p.before(u)
		}
		resp, err := http.Get(u.String())
		if err != nil {
			p.pages <- err.Error()
			p.codes <- 0
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		p.pages <- string(b)
		p.codes <- resp.StatusCode
	}()
	return nil
}

func (w *world) signIn(t *testing.T, p *person) (Status, error) {
	t.Helper()
	return SignIn(t.Context(), w.creds, w.file, SignInOptions{
		Open: p.open, Out: io.Discard, Now: w.clock.now, Timeout: 10 * time.Second, Base: w.base})
}

func TestSignIn(t *testing.T) {
	w := newWorld(t)
	w.file = filepath.Join(t.TempDir(), "new", "state", "token.json")
	var link url.Values
	p := &person{link: func(q url.Values) { link = q }}
	st, err := w.signIn(t, p)
	if err != nil {
		t.Fatal(err)
	}
	if page := <-p.pages; !strings.Contains(page, "<title>acb is signed in; you can close this window</title>") {
		t.Errorf("page: %s", page)
	}
	if !st.SignedIn || st.Scope != Scope || !st.Obtained.Equal(w.clock.now()) || !st.Expiry.After(w.clock.now().Add(50*time.Minute)) {
		t.Errorf("status %+v", st)
	}
	for k, want := range map[string]string{
		"scope": Scope, "code_challenge_method": "S256", "access_type": "offline", "prompt": "consent", "response_type": "code",
		"client_id": w.creds.ClientID,
	} {
		if got := link.Get(k); got != want {
			t.Errorf("link: %s=%q, want %q", k, got, want)
		}
	}
	if len(link.Get("state")) < 22 || len(link.Get("code_challenge")) != 43 || !strings.HasPrefix(link.Get("redirect_uri"), "http://127.0.0.1:") {
		t.Errorf("link: %v", link)
	}
	wantMode(t, w.file)
	if r := w.disk(t); r.ClientID != w.creds.ClientID || r.RefreshToken == "" {
		t.Error("token file lacks client or refresh token")
	}
	c, s := w.client(t)
	w.mustAbout(t, c)
	if n := s.TokenRequests(); n != 0 {
		t.Errorf("a fresh token was renewed %d times", n)
	}
	if _, err := http.Get(link.Get("redirect_uri")); err == nil {
		t.Error("the port is still open")
	}

	before := w.disk(t)
	if _, err := w.signIn(t, &person{}); err != nil {
		t.Fatalf("a second sign-in: %v", err)
	}
	if after := w.disk(t); after.RefreshToken == before.RefreshToken || after.RefreshToken == "" {
		t.Error("the second sign-in did not replace the first")
	}
}

// What else knocks at the port gets a 404 and ends nothing.
func TestSignInIgnoresOthers(t *testing.T) {
	w := newWorld(t)
	p := &person{before: func(link *url.URL) {
		back := link.Query().Get("redirect_uri")
		state := link.Query().Get("state")
		for _, at := range []string{
			"favicon.ico", "", "?code=evil", "?code=evil&state=", "?code=evil&state=" + state[:len(state)-1], "?error=access_denied&state=x",
			"other?code=evil&state=" + state, "?state=" + state,
		} {
			resp, err := http.Get(back + at)
			if err != nil {
				t.Errorf("%s: %v", at, err)
				continue
			}
			resp.Body.Close()
			if resp.StatusCode != 404 {
				t.Errorf("%s: %d", at, resp.StatusCode)
			}
		}
		resp, err := http.Post(back+"?code=evil&state="+state, "text/plain", nil)
		if err != nil {
			t.Error(err)
			return
		}
		resp.Body.Close()
		if resp.StatusCode != 404 {
			t.Errorf("POST: %d", resp.StatusCode)
		}
	}}
	if _, err := w.signIn(t, p); err != nil {
		t.Fatal(err)
	}
	if code := <-p.codes; code != 200 {
		t.Errorf("the right way back was answered %d", code)
	}
}

func TestSignInRefused(t *testing.T) {
	cases := []struct {
		name string
		deny bool
		link func(url.Values)
		want string
		page string
	}{
		{name: "denied", deny: true, want: "access was not allowed", page: "not signed in"},
		{name: "PKCE", link: func(q url.Values) { q.Set("code_challenge", strings.Repeat("A", 43)) },
			want: "400 invalid_grant Invalid code verifier.; run acb auth again", page: "not signed in"},
		// a verifier that nobody asked for is refused, so it was sent
		{name: "challenge cut out", link: func(q url.Values) { q.Del("code_challenge"); q.Del("code_challenge_method") },
			want: "400 invalid_grant", page: "not signed in"},
		{name: "online only", link: func(q url.Values) { q.Del("access_type") }, want: "no refresh token came", page: "https://myaccount.google.com/connections"},
		{name: "box not ticked", link: func(q url.Values) { q.Set("scope", "https://www.googleapis.com/auth/drive.appdata") },
			want: "leave its box ticked", page: "not signed in"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			old := w.sign(t)
			w.DenyConsent(c.deny)
			p := &person{link: c.link}
			_, err := w.signIn(t, p)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			noSecrets(t, err, w.OAuthClient().Secret, old.RefreshToken)
			if page := <-p.pages; !strings.Contains(page, c.page) {
				t.Errorf("page: %s", page)
			}
			if !w.disk(t).sameToken(old) {
				t.Error("a sign-in that failed replaced the former one")
			}
		})
	}
}

// Google's words reach the page as text, not as HTML.
func TestSignInPageEscapes(t *testing.T) {
	w := newWorld(t)
	p := &person{}
	open := func(link string) error {
		u, _ := url.Parse(link)
		back := u.Query().Get("redirect_uri") + "?" + url.Values{"state": {u.Query().Get("state")}, "error": {"<script>alert(1)</script>"}}.Encode()
		return p.open(back)
	}
	_, err := SignIn(t.Context(), w.creds, w.file, SignInOptions{Open: open, Out: io.Discard, Now: w.clock.now, Base: w.base})
	if err == nil || !strings.Contains(err.Error(), "refused by Google") {
		t.Errorf("got %v", err)
	}
	if page := <-p.pages; strings.Contains(page, "<script>") || !strings.Contains(page, "&lt;script&gt;") {
		t.Errorf("page: %s", page)
	}
}

func TestSignInEnds(t *testing.T) {
	w := newWorld(t)
	out := new(syncBuffer)
	o := SignInOptions{Out: out, Now: w.clock.now, Timeout: 50 * time.Millisecond, Base: w.base}
	_, err := SignIn(t.Context(), w.creds, w.file, o)
	if err == nil || !strings.Contains(err.Error(), "no answer from the browser within 50ms; run acb auth again") {
		t.Errorf("timeout: %v", err)
	}
	if s := out.String(); !strings.Contains(s, w.URL+"/o/oauth2/auth?") || !strings.Contains(s, "ssh -L ") {
		t.Errorf("without a browser the person is told %q", s)
	}

	ctx, cancel := context.WithCancel(t.Context())
	o.Open = func(string) error { cancel(); return errors.New("no display") }
	o.Timeout = 0
	_, err = SignIn(ctx, w.creds, w.file, o)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if s := out.String(); !strings.Contains(s, "No browser could be opened (no display).") {
		t.Errorf("told %q", s)
	}
	if _, err := os.Stat(w.file); err == nil {
		t.Error("a token file without a sign-in")
	}
}

func TestSignInSaveFails(t *testing.T) {
	w := newWorld(t)
	w.file = filepath.Join(t.TempDir(), "token.json")
	if err := os.MkdirAll(filepath.Join(w.file, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	p := &person{}
	_, err := w.signIn(t, p)
	if err == nil || !strings.Contains(err.Error(), "save sign-in") {
		t.Errorf("got %v", err)
	}
	if page := <-p.pages; !strings.Contains(page, "acb is not signed in") {
		t.Errorf("page: %s", page)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(w.file), ".token-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestSignInServiceAccount(t *testing.T) {
	w := newWorld(t)
	b, err := w.ServiceAccount(w.URL, "robot")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := SignIn(t.Context(), credsFrom(t, b), w.file, SignInOptions{Out: io.Discard, Now: w.clock.now}); err == nil ||
		!strings.Contains(err.Error(), "needs no sign-in") {
		t.Errorf("got %v", err)
	}
}

func TestOpenBrowserTakesOnlyWebAddresses(t *testing.T) {
	for _, link := range []string{"", "file:///etc/passwd", "--help", "javascript:alert(1)", "/bin/sh"} {
		if err := OpenBrowser(link); err == nil {
			t.Errorf("opened %q", link)
		}
	}
}

// A sign-in for once has more permission, is renewed from memory, and is
// nowhere on disk.
func TestSignInOnce(t *testing.T) {
	w := newWorld(t)
	usual := w.sign(t)
	once := func(p *person) (*http.Client, *Source, error) {
		return SignInOnce(t.Context(), w.creds, ReadAll,
			SignInOptions{Open: p.open, Out: io.Discard, Now: w.clock.now, Base: w.base, Command: "acb this"},
			Options{Base: w.base, Now: w.clock.now})
	}
	var link url.Values
	c, s, err := once(&person{link: func(q url.Values) { link = q }})
	if err != nil {
		t.Fatal(err)
	}
	if got := link.Get("scope"); got != Scope+" "+ReadAll {
		t.Errorf("scope %q", got)
	}
	w.mustAbout(t, c)
	w.clock.pass(2 * time.Hour)
	w.mustAbout(t, c)
	if s.TokenRequests() != 1 {
		t.Errorf("%d renewals", s.TokenRequests())
	}
	if got := w.disk(t); !got.sameToken(usual) {
		t.Error("the usual sign-in was written over")
	}
	if names, err := filepath.Glob(filepath.Join(filepath.Dir(w.file), "*")); err != nil || len(names) > 2 { // the token and its lock
		t.Errorf("left: %q, %v", names, err)
	}
	_, _, err = once(&person{link: func(q url.Values) { q.Set("scope", Scope) }})
	if err == nil || !strings.Contains(err.Error(), "drive.readonly was not given; run acb this again") {
		t.Errorf("less than was asked for: %v", err)
	}
	_, _, err = once(&person{link: func(q url.Values) { q.Set("scope", ReadAll) }})
	if err == nil || !strings.Contains(err.Error(), "keep files on Drive was not given; run acb this again") {
		t.Errorf("the other half: %v", err)
	}
}
