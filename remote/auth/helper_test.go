package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// world is a look-alike, credentials for it and a place for the token file.
type world struct {
	*drivetest.Server
	clock *clock
	creds *Credentials
	file  string
	base  *http.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{clock: newClock()}
	w.Server = drivetest.Start(drivetest.Options{Now: w.clock.now})
	t.Cleanup(func() { w.Server.Close() })
	dir := t.TempDir()
	w.file = filepath.Join(dir, "token.json")
	w.creds = credsFrom(t, w.Credentials(w.URL, ""))
	w.base = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	t.Cleanup(w.base.CloseIdleConnections)
	return w
}

func credsFrom(t *testing.T, b []byte) *Credentials {
	t.Helper()
	file := filepath.Join(t.TempDir(), "credentials.json")
	write(t, file, b, 0o600)
	c, err := LoadCredentials(file)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, file string, b []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(file, b, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}

// put writes a token file as acb does.
func (w *world) put(t *testing.T, r record) {
	t.Helper()
	if err := saveRecord(w.file, r); err != nil {
		t.Fatal(err)
	}
}

// sign writes a token file with fresh tokens of the look-alike.
func (w *world) sign(t *testing.T) record {
	t.Helper()
	k := w.Token(drivetest.Ask{})
	r := record{AccessToken: k.AccessToken, TokenType: "Bearer", RefreshToken: k.RefreshToken, Expiry: k.Expiry,
		ClientID: w.creds.ClientID, Scope: Scope, Obtained: w.clock.now()}
	w.put(t, r)
	return r
}

func (w *world) client(t *testing.T) (*http.Client, *Source) {
	t.Helper()
	c, s, err := Client(w.creds, w.file, Options{Base: w.base, Now: w.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

// about asks the look-alike who is signed in.
func (w *world) about(c *http.Client) (int, error) {
	resp, err := c.Get(w.URL + "/drive/v3/about?fields=user")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func (w *world) mustAbout(t *testing.T, c *http.Client) {
	t.Helper()
	if code, err := w.about(c); code != 200 || err != nil {
		t.Fatalf("about: %d, %v", code, err)
	}
}

func (w *world) disk(t *testing.T) record {
	t.Helper()
	r, err := loadRecord(w.file)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// noSecrets fails when what a person or a log may see holds a secret.
func noSecrets(t *testing.T, shown any, secrets ...string) {
	t.Helper()
	texts := []string{fmt.Sprint(shown), fmt.Sprintf("%+v", shown), fmt.Sprintf("%#v", shown), fmt.Sprintf("%q", shown)}
	if err, ok := shown.(error); ok {
		for ; err != nil; err = errors.Unwrap(err) {
			texts = append(texts, err.Error(), fmt.Sprintf("%+v", err))
		}
	}
	for _, s := range secrets {
		if s == "" {
			t.Fatal("an empty secret proves nothing")
		}
		for _, text := range texts {
			if strings.Contains(text, s) {
				t.Errorf("secret %q shows in %s", s, text)
			}
		}
	}
}

func wantDead(t *testing.T, err error, cause, hint string) *DeadError {
	t.Helper()
	var d *DeadError
	if !errors.As(err, &d) {
		t.Fatalf("got %v, want a DeadError", err)
	}
	if !strings.Contains(d.Cause, cause) || !strings.Contains(d.Hint, hint) {
		t.Fatalf("cause %q, hint %q; want %q and %q in them", d.Cause, d.Hint, cause, hint)
	}
	return d
}

func wantMode(t *testing.T, file string) {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%s has mode %o", file, info.Mode().Perm())
	}
}

// endpoint is a token endpoint with its own mind, for what the look-alike
// never does.
func endpoint(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) *Credentials {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(answer))
	t.Cleanup(srv.Close)
	b, err := json.Marshal(map[string]any{"installed": map[string]any{
		"client_id": "12345-abc.apps.googleusercontent.com", "client_secret": "GOCSPX-very-secret",
		"auth_uri": srv.URL + "/auth", "token_uri": srv.URL + "/token"}})
	if err != nil {
		t.Fatal(err)
	}
	return credsFrom(t, b)
}

func reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	io.WriteString(w, body)
}

// syncBuffer is what is told to a person.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
