package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/oauth2"
)

// How long a renewal may take, and how long it may go on after the request
// that wanted it was given up: an answer on its way may carry a new refresh
// token. After an interrupt the request has had a grace of its own by then, and
// both must be over in ten seconds. The numbers are ours.
const (
	renewTimeout = 30 * time.Second
	renewGrace   = time.Second
)

// Google may refuse a token for a moment that it has just given. Until patience
// is over its 401 is passed on, for the caller to try again, and the token is
// renewed no sooner than renewEvery after the last time. The numbers are ours.
const (
	patience   = time.Minute
	renewEvery = 10 * time.Second
)

// A Source has the access token at hand and renews it when it is wanted and
// not before. All requests that wait for a renewal share one, and so do
// processes that share the token file. It is safe for concurrent use.
type Source struct {
	creds *Credentials
	file  string // of the sign-in; "" for a service account, and for one that is not written down
	base  http.RoundTripper
	now   func() time.Time
	log   *slog.Logger

	requests atomic.Int64
	turn     chan struct{} // holds one item while a renewal is under way

	mu struct {
		sync.Mutex
		record
		refused string    // an access token that Drive answered 401
		fetched time.Time // when the token endpoint gave the last one
		since   time.Time // from when on Drive refuses whatever there is; zero when it accepts it
		last    time.Time // when it last did
	}

	// Only for who holds the turn.
	onDisk record     // the token file as last read or written
	dead   *DeadError // the refusal of spent
	spent  string     // a refresh token that is refused
}

// TokenRequests is how many requests have gone to the token endpoint.
func (s *Source) TokenRequests() int64 { return s.requests.Load() }

// Client returns who signs in: the id of the OAuth client, or the address of
// the service account.
func (s *Source) Client() string {
	if s.creds.Kind == ServiceAccount {
		return s.creds.Email
	}
	return s.creds.ClientID
}

// Token returns an access token that is good for some seconds at least. The
// error of a sign-in that is over is a [*DeadError]; of one that may work
// later, any other.
func (s *Source) Token(ctx context.Context) (string, error) {
	if t, ok := s.current(); ok {
		return t, nil
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return "", fmt.Errorf("renew sign-in: %w", context.Cause(ctx))
	}
	defer func() { <-s.turn }()
	if t, ok := s.current(); ok { // someone else's renewal
		return t, nil
	}
	if err := s.renew(ctx); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.AccessToken, nil
}

// current returns the access token at hand, if it is good.
func (s *Source) current() (token string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.AccessToken, s.mu.AccessToken != s.mu.refused && s.mu.usable(s.now())
}

// stands reports whether token is what the next request brings, refused or not.
func (s *Source) stands(token string) bool {
	now, ok := s.current()
	return ok && now == token
}

// refuse notes that Drive answered 401 to token, so that another one is to be
// had, unless it is as good as new. The error says that Drive has refused all
// that there were for too long.
func (s *Source) refuse(token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if token != s.mu.AccessToken {
		return nil // there has been another since
	}
	now := s.now()
	if s.mu.since.IsZero() || now.Sub(s.mu.last) > patience {
		s.mu.since = now
	}
	s.mu.last = now
	if now.Sub(s.mu.since) >= patience {
		return &DeadError{Cause: "Drive refuses access tokens that Google gave a moment before", Hint: signInAgain}
	}
	if now.Sub(s.mu.fetched).Abs() >= renewEvery {
		s.mu.refused = token
	}
	return nil
}

// accept notes that Drive answered something else to token.
func (s *Source) accept(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if token == s.mu.AccessToken {
		s.mu.since = time.Time{}
	}
}

// replace takes what the token endpoint gave.
func (s *Source) replace(fresh record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.record, s.mu.refused, s.mu.fetched = fresh, "", s.now()
}

func (s *Source) get() record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.record
}

func (s *Source) set(r record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.record = r
}

// renew gets a new access token, from the token file if another process has
// put one there, otherwise from the token endpoint.
func (s *Source) renew(ctx context.Context) error {
	rctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(renewGrace, cancel) })
	defer stop()

	if s.file == "" {
		return s.fetch(rctx, s.get())
	}
	unlock, err := lockFile(rctx, s.file)
	if err != nil {
		return err
	}
	defer unlock()
	disk, err := loadRecord(s.file)
	if err != nil {
		return err
	}
	// What is in memory is newer when it could not be saved.
	if !disk.sameToken(s.onDisk) {
		if err := belongs(disk, s.creds); err != nil {
			return err
		}
		s.onDisk = disk
		s.set(disk)
		if _, ok := s.current(); ok {
			return nil
		}
	}
	old := s.get()
	if s.dead != nil && s.spent == old.RefreshToken {
		return s.dead // nobody has signed in since: do not ask again
	}
	err = s.fetch(rctx, old)
	if errors.As(err, &s.dead) {
		s.spent = old.RefreshToken
	}
	if err != nil {
		return err
	}
	fresh := s.get()
	if err := saveRecord(s.file, fresh); err != nil {
		// The run can go on; the next one renews again.
		s.log.Warn("token file not written", "err", err)
		return nil
	}
	s.onDisk = fresh
	return nil
}

// fetch asks the token endpoint, on the strength of old.
func (s *Source) fetch(ctx context.Context, old record) error {
	ctx = context.WithValue(ctx, oauth2.HTTPClient, tokenClient(ctx, s.base, &s.requests))
	var src oauth2.TokenSource
	if s.creds.Kind == ServiceAccount {
		src = s.creds.jwt().TokenSource(ctx)
	} else {
		src = s.creds.oauth().TokenSource(ctx, &oauth2.Token{RefreshToken: old.RefreshToken})
	}
	asked := s.now()
	t, err := src.Token()
	if err != nil {
		return diagnose(err, s.creds, old, asked)
	}
	s.replace(old.with(t, asked))
	return nil
}

// with is r after the token endpoint answered t to a request made at asked.
// What the answer leaves out stays: Google sends no refresh token on renewal.
func (r record) with(t *oauth2.Token, asked time.Time) record {
	r.AccessToken, r.TokenType, r.Expiry = t.AccessToken, t.TokenType, time.Time{}
	if t.RefreshToken != "" {
		r.RefreshToken = t.RefreshToken
	}
	if s, ok := t.Extra("scope").(string); ok && s != "" {
		r.Scope = s
	}
	// Not t.Expiry: that is by the library's clock.
	if sec, ok := t.Extra("expires_in").(float64); ok && sec > 0 {
		r.Expiry = asked.UTC().Add(time.Duration(sec) * time.Second).Truncate(time.Second)
	}
	return r
}

// belongs reports a sign-in that was given to another client, or that does not
// let acb make files.
func belongs(r record, c *Credentials) error {
	switch {
	case r.ClientID != "" && r.ClientID != c.ClientID:
		return &DeadError{Cause: changedClient(c, r), Hint: signInAgain + ", or put the former credentials file back"}
	case !covers(r.Scope):
		return &DeadError{Cause: "it does not include the permission to keep files on Drive (drive.file)", Hint: signInAgain + " and leave the box ticked"}
	}
	return nil
}

// lockFile takes the lock that goes with a token file, so that of two
// processes one renews and the other finds what it got. Where no lock can be
// had (a folder that may not be written, a file system without locks), each
// renews for itself, which Google bears.
func lockFile(ctx context.Context, file string) (unlock func() error, err error) {
	l := flock.New(file+".lock", flock.SetPermissions(0o600))
	if _, err := l.TryLockContext(ctx, 50*time.Millisecond); err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("lock sign-in, which another process holds: %w", context.Cause(ctx))
	}
	return l.Close, nil
}

// tokenClient sends to the token endpoint through base and counts. It follows
// no redirect, for that would show the refresh token to another server.
func tokenClient(ctx context.Context, base http.RoundTripper, n *atomic.Int64) *http.Client {
	return &http.Client{
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			n.Add(1)
			return base.RoundTrip(r.WithContext(ctx)) // the library's JWT request knows no context
		}),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
