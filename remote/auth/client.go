package auth

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"time"
)

// Options says what an authenticated client stands on.
type Options struct {
	Base *http.Client     // how requests travel; nil means http.DefaultClient
	Now  func() time.Time // clock; must be set
	Log  *slog.Logger     // nil discards
}

// Client makes an HTTP client that signs in by creds, and the source of its
// tokens. It reads the token file (a service account has none) and sends
// nothing. Where nobody has signed in, or for another client, or with too
// little permission, the error is a [*DeadError].
func Client(creds *Credentials, tokenFile string, o Options) (*http.Client, *Source, error) {
	s, err := newSource(creds, &o)
	if err != nil {
		return nil, nil, err
	}
	if creds.Kind == Desktop {
		s.file = tokenFile
		r, err := loadRecord(tokenFile)
		if err != nil {
			return nil, nil, err
		}
		if err := belongs(r, creds); err != nil {
			return nil, nil, err
		}
		s.onDisk = r
		s.set(r)
	}
	return s.client(o.Base), s, nil
}

// newSource makes a source that has no token yet, and fills in what o leaves
// open.
func newSource(creds *Credentials, o *Options) (*Source, error) {
	if o.Now == nil {
		return nil, errors.New("make client: no clock")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Base == nil {
		o.Base = http.DefaultClient
	}
	s := &Source{creds: creds, base: o.Base.Transport, now: o.Now, log: o.Log, turn: make(chan struct{}, 1)}
	if s.base == nil {
		s.base = http.DefaultTransport
	}
	return s, nil
}

// client is base with the source's tokens.
func (s *Source) client(base *http.Client) *http.Client {
	c := *base
	c.Transport = &transport{src: s, base: s.base}
	return &c
}

// transport adds the access token to requests.
type transport struct {
	src  *Source
	base http.RoundTripper
}

// RoundTrip sends r with an access token. On a 401 it renews the token, and
// sends r once more if its body can be had again; if not, the 401 is the
// answer, and the next request brings the new token. It is the answer as well
// to a token that is as good as new; when Drive has refused all tokens for a
// minute, that is a [*DeadError].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if redirectedAway(r) {
		return t.base.RoundTrip(r)
	}
	if err := mayCarryToken(r); err != nil {
		closeBody(r)
		return nil, err
	}
	token, err := t.src.Token(r.Context())
	if err != nil {
		closeBody(r)
		return nil, err
	}
	resp, err := t.send(r, token)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	if t.src.stands(token) {
		return resp, nil // sent again at once it would be refused again
	}
	second := r
	if r.Body != nil && r.Body != http.NoBody {
		if r.GetBody == nil {
			return resp, nil
		}
		body, err := r.GetBody()
		if err != nil {
			return resp, nil
		}
		second = r.Clone(r.Context())
		second.Body = body
	}
	drop(resp)
	if token, err = t.src.Token(r.Context()); err != nil {
		closeBody(second)
		return nil, err
	}
	return t.send(second, token)
}

// send sends r with a token and learns from the answer whether Drive takes it.
func (t *transport) send(r *http.Request, token string) (*http.Response, error) {
	resp, err := t.base.RoundTrip(withToken(r, token))
	switch {
	case err != nil:
	case resp.StatusCode != http.StatusUnauthorized:
		t.src.accept(token)
	default:
		if err = t.src.refuse(token); err != nil {
			drop(resp)
			resp = nil
		}
	}
	return resp, err
}

// CloseIdleConnections passes the wish on to what is below.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func withToken(r *http.Request, token string) *http.Request {
	r = r.WithContext(r.Context()) // a shallow copy: only the header's map differs
	h := make(http.Header, len(r.Header)+1)
	maps.Copy(h, r.Header)
	h["Authorization"] = []string{"Bearer " + token}
	r.Header = h
	return r
}

// mayCarryToken refuses to show a token to everyone on the way.
func mayCarryToken(r *http.Request) error {
	if r.URL.Scheme == "https" || isLoopback(r.URL.Hostname()) {
		return nil
	}
	return fmt.Errorf("the sign-in is only sent by https, not to %s://%s", r.URL.Scheme, r.URL.Host)
}

// redirectedAway reports a request that a server sent us on to another server:
// the token is not for that one.
func redirectedAway(r *http.Request) bool {
	first := r
	for first.Response != nil && first.Response.Request != nil {
		first = first.Response.Request
	}
	return first.URL.Host != r.URL.Host
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		r.Body.Close()
	}
}

// drop reads a refusal to its end, so that its connection can be used again.
func drop(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // longer than any refusal; a cut one is as good
	resp.Body.Close()
}
