package drivetest

import (
	"context"
	"net"
	"sync"
)

// Pipe makes a Drive and serves it through pipes in memory: HTTP as over a
// network, but reached only by the clients and transports of the Server. In a
// bubble of testing/synctest it waits on the bubble's clock, so that a request
// that nobody answers costs no time. It panics when it cannot.
func Pipe(o ...Options) *Server {
	d, err := New(first(o))
	if err != nil {
		panic(err)
	}
	l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	return serve(d, l, "http://127.0.0.1", l.dial)
}

// pipes is a listener and what dials it.
type pipes struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept waits for the next dial.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and every dial.
func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// Addr names no place: there is none.
func (p *pipes) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "127.0.0.1:80" }
