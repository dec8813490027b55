package auth

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

// SignInOptions says how a person is led through a sign-in.
type SignInOptions struct {
	Open    func(url string) error // opens a browser, as [OpenBrowser]; nil: the person does, with the printed link
	Out     io.Writer              // where the person is told what to do; must be set
	Now     func() time.Time       // clock; must be set
	Timeout time.Duration          // for the person; 0 means 5 minutes
	Base    *http.Client           // how the token is fetched; nil means http.DefaultClient
	Command string                 // what the person runs to sign in again; "" means acb auth

	more string // a scope that is wanted beside Scope
}

// SignIn asks a person, in the browser, to let acb keep files on their Drive,
// and writes the token file. What was in that file is replaced, and only by a
// sign-in that is complete.
//
// The browser comes back to a port of this machine that is open for as long as
// SignIn runs, with PKCE and a state that only this call knows.
// Source: RFC 8252 (loopback), RFC 7636 (PKCE); Google's guide for desktop apps.
func SignIn(ctx context.Context, creds *Credentials, tokenFile string, o SignInOptions) (Status, error) {
	if creds.Kind != Desktop {
		return Status{}, fmt.Errorf("sign in: %s is a service account key, which needs no sign-in", creds.File)
	}
	if err := os.MkdirAll(filepath.Dir(tokenFile), 0o700); err != nil {
		return Status{}, fmt.Errorf("sign in: make a place for the token file: %w", err)
	}
	err := consent(ctx, creds, o, func(r record) error { return replaceRecord(ctx, tokenFile, r) })
	if err != nil {
		return Status{}, fmt.Errorf("sign in: %w", err)
	}
	return ReadStatus(creds, tokenFile, o.Now()), nil
}

// SignInOnce is SignIn for one piece of work that needs the permission more
// beside [Scope]. What comes back is never written down: it ends with the
// client that carries it.
func SignInOnce(ctx context.Context, creds *Credentials, more string, o SignInOptions, c Options) (*http.Client, *Source, error) {
	if creds.Kind != Desktop {
		return nil, nil, fmt.Errorf("sign in: %s is a service account key: no person can give it a permission", creds.File)
	}
	s, err := newSource(creds, &c)
	if err != nil {
		return nil, nil, err
	}
	o.more = more
	if err := consent(ctx, creds, o, func(r record) error { s.set(r); return nil }); err != nil {
		return nil, nil, fmt.Errorf("sign in: %w", err)
	}
	return s.client(c.Base), s, nil
}

// replaceRecord writes a new sign-in, not while a renewal of the former one is
// about to be written.
func replaceRecord(ctx context.Context, tokenFile string, r record) error {
	unlock, err := lockFile(ctx, tokenFile)
	if err != nil {
		return err
	}
	defer unlock()
	return saveRecord(tokenFile, r)
}

// consent leads the person to Google and has what comes back kept.
func consent(ctx context.Context, creds *Credentials, o SignInOptions, keep func(record) error) error {
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Minute
	}
	o.Command = cmp.Or(o.Command, "acb auth")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the browser: %w", err)
	}
	conf := creds.oauth()
	if o.more != "" {
		conf.Scopes = append(conf.Scopes, o.more)
	}
	conf.RedirectURL = "http://" + l.Addr().String() + "/"
	state, verifier := rand.Text(), oauth2.GenerateVerifier()
	link := conf.AuthCodeURL(state, oauth2.AccessTypeOffline, oauth2.S256ChallengeOption(verifier),
		oauth2.SetAuthURLParam("prompt", "consent")) // else a second sign-in brings no refresh token

	ctx, cancel := context.WithTimeoutCause(ctx, o.Timeout,
		fmt.Errorf("no answer from the browser within %v; run %s again", o.Timeout, o.Command))
	defer cancel()
	back := make(chan *callback)
	stop := serveCallback(l, state, back)
	defer stop()
	tell(o, link, l.Addr().(*net.TCPAddr).Port)

	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case cb := <-back:
		r, err := cb.exchange(ctx, creds, conf, verifier, o)
		if err == nil {
			err = keep(r)
		}
		cb.outcome <- err // before stop, so that the page tells what came of it
		return err
	}
}

// tell prints the link, and opens it where that is wanted.
func tell(o SignInOptions, link string, port int) {
	if o.Open == nil {
		fmt.Fprintf(o.Out, "Open this link in a browser on this machine:\n\n%s\n\n"+
			"If the browser is on another machine, first run there: ssh -L %d:127.0.0.1:%d and the name of this machine\n", link, port, port)
		return
	}
	if err := o.Open(link); err != nil {
		fmt.Fprintf(o.Out, "No browser could be opened (%v).\n", err)
		o.Open = nil
		tell(o, link, port)
		return
	}
	fmt.Fprintf(o.Out, "A browser opens for you to sign in. If it does not, open this link:\n\n%s\n\n", link)
}

// exchange turns the code that the browser brought into tokens.
func (cb *callback) exchange(ctx context.Context, creds *Credentials, conf *oauth2.Config, verifier string, o SignInOptions) (record, error) {
	switch cb.refused {
	case "":
	case "access_denied":
		return record{}, fmt.Errorf("access was not allowed in the browser; nothing was changed (to allow it, run %s again)", o.Command)
	default:
		return record{}, fmt.Errorf("refused by Google: %s", quote(cb.refused))
	}
	base := http.DefaultTransport
	if o.Base != nil && o.Base.Transport != nil {
		base = o.Base.Transport
	}
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	asked := o.Now()
	t, err := conf.Exchange(context.WithValue(ctx, oauth2.HTTPClient, tokenClient(ctx, base, new(atomic.Int64))),
		cb.code, oauth2.VerifierOption(verifier))
	var re *oauth2.RetrieveError
	switch {
	case errors.As(err, &re):
		r := readRefusal(re, cb.code, verifier, creds.secret)
		hint := "run " + o.Command + " again"
		if d, ok := deadCodes[r.code]; ok {
			hint = d.cause + ": " + d.hint
		}
		return record{}, fmt.Errorf("get token: %w; %s", r, hint)
	case err != nil:
		return record{}, fmt.Errorf("get token: %w", err)
	}
	r := record{ClientID: creds.ClientID, Scope: Scope, Obtained: asked.UTC().Truncate(time.Second)}.with(t, asked)
	switch {
	case !covers(r.Scope):
		return record{}, fmt.Errorf("the permission to keep files on Drive was not given; run %s again and leave its box ticked", o.Command)
	case o.more != "" && !slices.Contains(strings.Fields(r.Scope), o.more):
		return record{}, fmt.Errorf("the permission %s was not given; run %s again and leave its box ticked", path.Base(o.more), o.Command)
	case r.RefreshToken == "":
		return record{}, errors.New("no refresh token came from Google, so the sign-in would end within the hour; " +
			"remove acb at https://myaccount.google.com/connections, then run acb auth again")
	}
	return r, nil
}
