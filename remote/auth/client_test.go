package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

func TestClientIsLazyAndRenews(t *testing.T) {
	w := newWorld(t)
	old := w.sign(t)
	c, s := w.client(t)
	if n := w.Stats().TokenRequests() + w.Stats().Total(); n != 0 {
		t.Fatalf("making a client sent %d requests", n)
	}
	w.mustAbout(t, c)
	w.clock.pass(3599*time.Second - 11*time.Second)
	w.mustAbout(t, c)
	if n := s.TokenRequests(); n != 0 {
		t.Fatalf("renewed %d times although the token was good", n)
	}
	w.clock.pass(time.Second) // ten seconds are left
	w.mustAbout(t, c)
	w.mustAbout(t, c)
	if n, seen := s.TokenRequests(), w.Stats().TokenRequests(); n != 1 || seen != 1 {
		t.Errorf("counted %d renewals, the endpoint %d; want 1", n, seen)
	}
	got := w.disk(t)
	if got.AccessToken == old.AccessToken || got.RefreshToken != old.RefreshToken || got.ClientID != old.ClientID ||
		!got.Obtained.Equal(old.Obtained) || got.Scope != Scope || !got.Expiry.Equal(w.clock.now().Add(3599*time.Second)) {
		t.Errorf("token file after renewal: expiry %v, obtained %v, scope %q", got.Expiry, got.Obtained, got.Scope)
	}
	wantMode(t, w.file)
}

// The token file is what x/oauth2 writes; more is not needed to use one.
func TestPlainTokenFile(t *testing.T) {
	w := newWorld(t)
	k := w.Token(drivetest.Ask{})
	write(t, w.file, []byte(`{"access_token":"stale","token_type":"Bearer","refresh_token":"`+k.RefreshToken+`","expiry":"2020-01-02T03:04:05.678+02:00"}`), 0o600)
	c, s := w.client(t)
	w.mustAbout(t, c)
	if s.TokenRequests() != 1 {
		t.Errorf("%d renewals", s.TokenRequests())
	}
}

func TestRotation(t *testing.T) {
	w := newWorld(t)
	var asked []string
	w.creds = endpoint(t, func(rw http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.FormValue("refresh_token"))
		reply(rw, 200, fmt.Sprintf(`{"access_token":"a%d","expires_in":3600,"refresh_token":"r%d","token_type":"Bearer"}`, len(asked), len(asked)))
	})
	w.put(t, record{RefreshToken: "r0", Scope: Scope})
	_, s := w.client(t)
	for i := 1; i <= 2; i++ {
		if got, err := s.Token(t.Context()); err != nil || got != fmt.Sprintf("a%d", i) {
			t.Fatalf("token %q, %v", got, err)
		}
		if r := w.disk(t); r.RefreshToken != fmt.Sprintf("r%d", i) || r.Scope != Scope {
			t.Fatalf("saved %+v", r)
		}
		w.clock.pass(time.Hour)
	}
	if got := strings.Join(asked, " "); got != "r0 r1" {
		t.Errorf("renewed by %s", got)
	}
}

// Where the token file cannot be written, the run goes on with what it has,
// a rotated refresh token included.
func TestRenewalNotSaved(t *testing.T) {
	w := newWorld(t)
	dir := filepath.Dir(w.file)
	n := 0
	w.creds = endpoint(t, func(rw http.ResponseWriter, r *http.Request) {
		if want := fmt.Sprintf("r%d", n); r.FormValue("refresh_token") != want {
			t.Errorf("renewed by %s, want %s", r.FormValue("refresh_token"), want)
		}
		n++
		if err := os.Rename(dir, dir+".away"); err != nil { // as a disk that goes away
			t.Error(err)
		}
		reply(rw, 200, fmt.Sprintf(`{"access_token":"top-secret-%d","expires_in":3600,"refresh_token":"r%d"}`, n, n))
	})
	w.put(t, record{RefreshToken: "r0"})
	var log bytes.Buffer
	_, s, err := Client(w.creds, w.file, Options{Base: w.base, Now: w.clock.now, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := s.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(dir+".away", dir); err != nil {
			t.Fatal(err)
		}
		w.clock.pass(time.Hour)
	}
	if !strings.Contains(log.String(), "token file not written") || strings.Contains(log.String(), "top-secret") {
		t.Errorf("log: %s", log.String())
	}
}

func TestConcurrentRenewalIsOne(t *testing.T) {
	w := newWorld(t)
	w.sign(t)
	c1, s1 := w.client(t)
	c2, s2 := w.client(t) // as another process that has the same file
	w.clock.pass(2 * time.Hour)
	var wg sync.WaitGroup
	for i := range 40 {
		c := c1
		if i%2 == 1 {
			c = c2
		}
		wg.Go(func() { w.mustAbout(t, c) })
	}
	wg.Wait()
	if n := s1.TokenRequests() + s2.TokenRequests(); n != 1 {
		t.Errorf("%d renewals, want 1", n)
	}
}

func Test401IsRepeatedOnce(t *testing.T) {
	w := newWorld(t)
	w.sign(t)
	c, s := w.client(t)
	w.mustAbout(t, c)
	create := func(body io.Reader) int {
		t.Helper()
		resp, err := c.Post(w.URL+"/drive/v3/files?fields=id", "application/json", body)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode
	}
	const folder = `{"name":"x","mimeType":"application/vnd.google-apps.folder"}`

	w.ExpireTokens()
	if code := create(strings.NewReader(folder)); code != 200 || s.TokenRequests() != 1 {
		t.Errorf("body that can be had again: %d after %d renewals", code, s.TokenRequests())
	}
	w.clock.pass(renewEvery)
	w.ExpireTokens()
	if code := create(io.MultiReader(strings.NewReader(folder))); code != 401 || s.TokenRequests() != 1 {
		t.Errorf("body that cannot be had again: %d after %d renewals", code, s.TokenRequests())
	}
	if code := create(io.MultiReader(strings.NewReader(folder))); code != 200 || s.TokenRequests() != 2 {
		t.Errorf("the request after that: %d after %d renewals", code, s.TokenRequests())
	}
	w.clock.pass(renewEvery)
	w.ExpireTokens()
	w.mustAbout(t, c)
	if s.TokenRequests() != 3 {
		t.Errorf("no body: %d renewals", s.TokenRequests())
	}
	if n := len(w.Tree("root")); n != 2 {
		t.Errorf("%d folders were made, want 2", n)
	}
}

// A server that refuses every token gets another one now and then for a
// minute; what comes of that is final until it takes one, or some time has
// passed.
func TestStubborn401(t *testing.T) {
	w := newWorld(t)
	var renewed, n atomic.Int64
	var good atomic.Bool
	w.creds = endpoint(t, func(rw http.ResponseWriter, r *http.Request) {
		reply(rw, 200, fmt.Sprintf(`{"access_token":"a%d","expires_in":3600}`, renewed.Add(1)))
	})
	w.put(t, record{RefreshToken: "r"})
	api := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		n.Add(1)
		if !good.Load() {
			rw.WriteHeader(401)
		}
	}))
	defer api.Close()
	c, s := w.client(t)
	const dead = 0
	for i, step := range []struct {
		wait              time.Duration
		good              bool
		code              int // or dead
		requests, renewed int64
	}{
		{0, false, 401, 1, 1}, // there was no token to begin with
		{0, false, 401, 1, 0},
		{renewEvery - 1, false, 401, 1, 0},
		{1, false, 401, 2, 1},
		{patience - renewEvery - 1, false, 401, 2, 1},
		{1, false, dead, 1, 0},
		{time.Second, false, dead, 1, 0},
		{0, true, 200, 1, 0}, // it was Google's fault, and passed
		{0, false, 401, 1, 0},
		{patience / 2, false, 401, 2, 1},
		{patience + 1, false, 401, 2, 1}, // the next run may wait as long
	} {
		w.clock.pass(step.wait)
		good.Store(step.good)
		n.Store(0)
		had := s.TokenRequests()
		resp, err := c.Get(api.URL)
		if step.code == dead {
			wantDead(t, err, "refuses access tokens that Google gave a moment before", "acb auth")
		} else if err != nil || resp.StatusCode != step.code {
			t.Errorf("step %d: %v %v", i, resp, err)
		}
		if err == nil {
			resp.Body.Close()
		}
		if n.Load() != step.requests || s.TokenRequests()-had != step.renewed {
			t.Errorf("step %d: %d requests and %d renewals", i, n.Load(), s.TokenRequests()-had)
		}
	}
}

// A body that can be had only once goes again by the caller's hand, with the
// new token.
func TestStubborn401OfABody(t *testing.T) {
	w := newWorld(t)
	w.sign(t)
	c, s := w.client(t)
	api := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(401) }))
	defer api.Close()
	for i := range int64(3) {
		resp, err := c.Post(api.URL, "text/plain", io.MultiReader(strings.NewReader("x")))
		if err != nil || resp.StatusCode != 401 {
			t.Fatalf("%v %v", resp, err)
		}
		resp.Body.Close()
		if n := s.TokenRequests(); n != min(i, 1) {
			t.Errorf("%d renewals after %d refusals", n, i+1)
		}
	}
	w.clock.pass(patience)
	_, err := c.Post(api.URL, "text/plain", io.MultiReader(strings.NewReader("x")))
	wantDead(t, err, "refuses access tokens", "acb auth")
}

func TestRevoked(t *testing.T) {
	w := newWorld(t)
	old := w.sign(t)
	c, s := w.client(t)
	w.mustAbout(t, c)
	w.clock.pass(8 * 24 * time.Hour)
	w.RevokeTokens()
	_, err := w.about(c)
	wantDead(t, err, "8 days old: most likely the app has the status \"Testing\"", "Publish app")
	noSecrets(t, err, old.RefreshToken, old.AccessToken, w.OAuthClient().Secret)
	if _, err = w.about(c); err == nil || s.TokenRequests() != 1 {
		t.Errorf("a dead sign-in was tried %d times (%v)", s.TokenRequests(), err)
	}
	w.sign(t) // somebody runs acb auth beside us
	w.mustAbout(t, c)
	if s.TokenRequests() != 1 {
		t.Errorf("%d renewals", s.TokenRequests())
	}
}

// A token file that somebody replaced or removed while a run goes on counts.
func TestTokenFileChangesBeside(t *testing.T) {
	w := newWorld(t)
	w.sign(t)
	_, s := w.client(t)
	w.clock.pass(2 * time.Hour)
	other := w.disk(t)
	other.ClientID, other.AccessToken = "other.apps.googleusercontent.com", "x"
	w.put(t, other)
	_, err := s.Token(t.Context())
	wantDead(t, err, "it was given to client other", "acb auth")
	if err := os.Remove(w.file); err != nil {
		t.Fatal(err)
	}
	_, err = s.Token(t.Context())
	wantDead(t, err, "nobody has signed in", "acb auth")
	if s.TokenRequests() != 0 {
		t.Errorf("%d token requests", s.TokenRequests())
	}
}

func TestClientRefuses(t *testing.T) {
	w := newWorld(t)
	open := func() error {
		_, _, err := Client(w.creds, w.file, Options{Now: w.clock.now})
		return err
	}
	wantDead(t, open(), "nobody has signed in yet: no file "+w.file, "acb auth")
	r := w.sign(t)
	if err := open(); err != nil {
		t.Fatal(err)
	}
	other := r
	other.ClientID = "99999-other.apps.googleusercontent.com"
	w.put(t, other)
	d := wantDead(t, open(), "given to client 99999-other, and", "former credentials")
	noSecrets(t, d, r.RefreshToken)
	narrow := r
	narrow.Scope = "openid email"
	w.put(t, narrow)
	wantDead(t, open(), "drive.file", "ticked")
	if _, _, err := Client(w.creds, w.file, Options{}); err == nil {
		t.Error("no clock, and no error")
	}
}

func TestServiceAccount(t *testing.T) {
	w := newWorld(t)
	w.clock.mu.Lock()
	w.clock.t = time.Now() // the library signs by the system's clock
	w.clock.mu.Unlock()
	b, err := w.ServiceAccount(w.URL, "robot")
	if err != nil {
		t.Fatal(err)
	}
	w.creds = credsFrom(t, b)
	c, s, err := Client(w.creds, "", Options{Base: w.base, Now: w.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	w.mustAbout(t, c)
	w.mustAbout(t, c)
	if s.TokenRequests() != 1 {
		t.Errorf("%d token requests", s.TokenRequests())
	}
	w.clock.pass(renewEvery)
	w.ExpireTokens()
	w.mustAbout(t, c)
	if st := ReadStatus(w.creds, "", w.clock.now()); !st.SignedIn || st.Client != "robot@acb-look-alike.iam.gserviceaccount.com" {
		t.Errorf("status %+v", st)
	}

	w.creds.Email = "gone@acb-look-alike.iam.gserviceaccount.com"
	_, s, err = Client(w.creds, "", Options{Base: w.base, Now: w.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Token(t.Context())
	wantDead(t, err, "does not exist any more", "another key")
	noSecrets(t, err, w.creds.key)
}

// Neither a redirect nor plain http carries the token away.
func TestTokenStaysHome(t *testing.T) {
	w := newWorld(t)
	w.sign(t)
	var got atomic.Value
	away := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got.Store(r.Header.Get("Authorization")) }))
	defer away.Close()
	home := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/again" {
			got.Store(r.Header.Get("Authorization"))
			return
		}
		http.Redirect(rw, r, r.URL.Query().Get("to"), http.StatusFound)
	}))
	defer home.Close()
	c, _ := w.client(t)
	for to, want := range map[string]bool{away.URL: false, "/again": true} {
		resp, err := c.Get(home.URL + "/?to=" + url.QueryEscape(to))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if h, _ := got.Load().(string); (h != "") != want {
			t.Errorf("redirect to %s: token sent: %v", to, h != "")
		}
	}
	if _, err := c.Get("http://drive.example/x"); err == nil || !strings.Contains(err.Error(), "only sent by https, not to http://drive.example") {
		t.Errorf("plain http: %v", err)
	}
}

// The refresh token does not follow a redirect of the token endpoint.
func TestTokenEndpointRedirect(t *testing.T) {
	w := newWorld(t)
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("redirect followed") }))
	defer thief.Close()
	w.creds = endpoint(t, func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, thief.URL, http.StatusTemporaryRedirect)
	})
	w.put(t, record{RefreshToken: "refresh-secret"})
	_, s := w.client(t)
	_, err := s.Token(t.Context())
	if err == nil || !strings.Contains(err.Error(), "answered 307") {
		t.Errorf("got %v", err)
	}
}

// A caller that gives up does not break the renewal for others.
func TestWaitingEnds(t *testing.T) {
	w := newWorld(t)
	asked, free := make(chan struct{}), make(chan struct{})
	w.creds = endpoint(t, func(rw http.ResponseWriter, r *http.Request) {
		close(asked)
		<-free
		reply(rw, 200, `{"access_token":"a","expires_in":3600}`)
	})
	w.put(t, record{RefreshToken: "r"})
	_, s := w.client(t)
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := s.Token(ctx)
		first <- err
	}()
	<-asked
	cancel()
	if _, err := s.Token(ctx); err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
		t.Errorf("waiting: %v", err)
	}
	close(free)
	if err := <-first; err != nil {
		t.Errorf("the renewal under way: %v", err)
	}
	if got, err := s.Token(t.Context()); got != "a" || err != nil || s.TokenRequests() != 1 {
		t.Errorf("afterwards: %q, %v, %d requests", got, err, s.TokenRequests())
	}
}

// The library's request for a service account's token knows no context; it
// ends with the caller's all the same.
func TestTokenRequestEnds(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { reply(rw, 200, `{"access_token":"a"}`) }))
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := tokenClient(ctx, http.DefaultTransport, new(atomic.Int64)).PostForm(srv.URL, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
