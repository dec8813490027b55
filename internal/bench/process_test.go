package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// TestMain lets the test binary be the helpers that this program starts of itself.
func TestMain(m *testing.M) {
	switch args := os.Args[1:]; {
	case len(args) > 1 && args[0] == measureFlag:
		if err := measureChild(args[1:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case len(args) == 2 && args[0] == lookAlikeFlag:
		if err := serveLookAlike(args[1], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case len(args) > 1 && args[0] == hashFloorFlag:
		if err := hashFloor(args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		os.Exit(m.Run())
	}
}

func TestMeasure(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, bytes.Repeat([]byte("x"), 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := pairs(t.Context(), 1, command{args: []string{self, hashFloorFlag, file}}, command{args: []string{self, hashFloorFlag, file, file}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range append(c.floor, c.what...) {
		if u.Wall <= 0 || u.CPU <= 0 || u.CPU > 100*u.Wall || u.Code != 0 {
			t.Errorf("implausible: %+v", u)
		}
	}
	missing := command{args: []string{self, hashFloorFlag, file + ".no"}}
	if _, err := missing.run(t.Context()); err == nil || !strings.Contains(err.Error(), "exit code 1") || !strings.Contains(err.Error(), "file.no") {
		t.Errorf("a failure was reported as: %v", err)
	}
}

// The look-alike in its process counts what passes the front, and keeps its
// clients' credentials from one process to the next.
func TestLookAlikeBehindFront(t *testing.T) {
	dir := t.TempDir()
	first, second := askThroughFront(t, dir), askThroughFront(t, dir)
	if !bytes.Equal(first.Google, second.Google) {
		t.Error("the client's credentials changed")
	}
}

func askThroughFront(t *testing.T, dir string) greeting {
	t.Helper()
	l, err := startLookAlike(t.Context(), filepath.Join(dir, "drive"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	resp, err := through(t, l.Front, l.Token).Get(googleBase + "/drive/v3/about?fields=user")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK || !json.Valid(body) {
		t.Fatalf("%s: %s, %v", resp.Status, body, err)
	}
	for i, want := range []int{1, 0} { // asking begins anew
		if s, err := l.stats(); err != nil || s.Total() != want || s.Requests[drivetest.About] != want {
			t.Errorf("time %d: counted %s, %v", i, s, err)
		}
	}
	return l.greeting
}

// through returns a client that goes through the front and trusts it alone.
func through(t *testing.T, d detour, token drivetest.Token) *http.Client {
	t.Helper()
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(d.Authority) {
		t.Fatal("no certificate")
	}
	proxy := &url.URL{Scheme: "http", Host: d.Proxy}
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: trusted}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: withToken{transport, token.AccessToken}}
}

type withToken struct {
	next  http.RoundTripper
	token string
}

func (w withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+w.token)
	return w.next.RoundTrip(r)
}

// What comes out of a front has host, path and body, and is known as HTTPS.
func TestFront(t *testing.T) {
	l, d, err := listenFront()
	if err != nil {
		t.Fatal(err)
	}
	var got string
	s := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = fmt.Sprint(r.Method, " ", r.Host, " ", r.URL, " ", r.TLS != nil, " ", string(b))
	})}
	defer s.Close()
	go s.Serve(l)
	resp, err := through(t, d, drivetest.Token{}).Post("https://oauth2.googleapis.com/token?a=b", "text/plain", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if want := "POST oauth2.googleapis.com /token?a=b true body"; got != want {
		t.Errorf("the server saw %q, want %q", got, want)
	}
}

// The sink takes what acb's sender sends, in both forms.
func TestSink(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, make([]byte, 6<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{0, 100, 6 << 20} {
		l, err := newLoad([]string{file}, size)
		if err != nil {
			t.Fatal(err)
		}
		if took, err := l.send(context.Background()); err != nil || took <= 0 {
			t.Errorf("files of %d bytes: %v, %v", size, took, err)
		}
	}
}
