package drivetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// A Server is a Drive on a loopback port, or behind pipes.
type Server struct {
	*Drive
	URL string // http://127.0.0.1:PORT, without a slash at the end

	http   *http.Server
	served chan struct{}
	dial   func(ctx context.Context, network, addr string) (net.Conn, error)

	mine       sync.Mutex // guards what follows
	transports []*http.Transport
	client     *http.Client // of the account and the client that every Drive has
}

// Start makes a Drive and serves it on a loopback port, for tests. It panics
// when it cannot.
func Start(o ...Options) *Server {
	d, err := New(first(o))
	if err != nil {
		panic(err)
	}
	s, err := Listen(d)
	if err != nil {
		panic(err)
	}
	return s
}

func first(o []Options) Options {
	if len(o) == 0 {
		return Options{}
	}
	return o[0]
}

// Listen serves a Drive on a free loopback port. Closing the Server closes the Drive too.
func Listen(d *Drive) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serve look-alike: %w", err)
	}
	return serve(d, l, "http://"+l.Addr().String(), new(net.Dialer).DialContext), nil
}

func serve(d *Drive, l net.Listener, url string, dial func(context.Context, string, string) (net.Conn, error)) *Server {
	s := &Server{Drive: d, URL: url, http: d.server(), served: make(chan struct{}), dial: dial}
	go func() {
		defer close(s.served)
		s.http.Serve(l) // ends by Close, with ErrServerClosed
	}()
	return s
}

// server gives an http.Server whose connections are counted. It keeps quiet:
// cut connections are its trade.
func (d *Drive) server() *http.Server {
	return &http.Server{
		Handler: d,
		ConnState: func(_ net.Conn, st http.ConnState) {
			if st == http.StateNew {
				d.rec.mu.Lock()
				d.rec.stats.Conns++
				d.rec.mu.Unlock()
			}
		},
		ReadHeaderTimeout: time.Minute,
	}
}

// Serve answers on l until ctx ends, then lets requests in flight finish for
// at most a second, and closes l. It does not close the Drive.
func (d *Drive) Serve(ctx context.Context, l net.Listener) error {
	srv := d.server()
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		quick, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := srv.Shutdown(quick)
		if err != nil {
			err = srv.Close()
		}
		stopped <- err
	})
	err := srv.Serve(l)
	if !stop() && errors.Is(err, http.ErrServerClosed) {
		return <-stopped
	}
	return fmt.Errorf("serve look-alike on %s: %w", l.Addr(), err)
}

// Client gives an HTTP client that sends a bearer token of scope drive.file
// with each request to this server, and keeps its connections to itself.
func (s *Server) Client() *http.Client {
	s.mine.Lock()
	defer s.mine.Unlock()
	if s.client == nil {
		s.client = s.newClient(Ask{})
	}
	return s.client
}

// ClientFor is Client for another account, client or scope.
func (s *Server) ClientFor(a Ask) *http.Client {
	s.mine.Lock()
	defer s.mine.Unlock()
	return s.newClient(a)
}

func (s *Server) newClient(a Ask) *http.Client {
	return &http.Client{Transport: &bearer{token: s.Token(a).AccessToken, base: s.newTransport()}}
}

// Transport gives a transport of its own that reaches this server, for a
// client that signs in by itself.
func (s *Server) Transport() *http.Transport {
	s.mine.Lock()
	defer s.mine.Unlock()
	return s.newTransport()
}

func (s *Server) newTransport() *http.Transport {
	t := &http.Transport{MaxIdleConnsPerHost: 16, DialContext: s.dial}
	s.transports = append(s.transports, t)
	return t
}

// Close ends server and Drive; requests in flight are cut.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.served
	s.mine.Lock()
	defer s.mine.Unlock()
	for _, t := range s.transports {
		t.CloseIdleConnections()
	}
	return errors.Join(err, s.Drive.Close())
}

// bearer adds a token to requests that have none.
type bearer struct {
	token string
	base  *http.Transport
}

func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Authorization") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	return b.base.RoundTrip(r)
}

func (b *bearer) CloseIdleConnections() { b.base.CloseIdleConnections() }
