package remote

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// burstShare is which part of a second's bytes may leave at once: a quarter,
// which in any 10 seconds is 2.5 % more than the limit.
const burstShare = 4

// A Line is the way out that all connections of a transport share, when the
// user limits how much of it acb may take. What counts is what leaves:
// contents, headers, and what encryption adds to them. It is paid for before
// it leaves, below all buffers, so that nothing collects on the way.
type Line struct {
	limit func(time.Time) int64
	now   func() time.Time

	turn   chan struct{} // holds one item while somebody waits for bytes; guards what follows
	rate   int64         // bytes/s; 0 means no limit
	bucket *rate.Limiter // nil without a limit
}

// NewLine makes a Line. limit gives the bytes a second that may leave at a
// time, 0 for any number; it may change at full minutes of now, the wall clock.
func NewLine(limit func(time.Time) int64, now func() time.Time) *Line {
	return &Line{limit: limit, now: now, turn: make(chan struct{}, 1)}
}

// Rate is the limit that holds now, in bytes a second; 0 means none. A nil
// Line has none.
func (l *Line) Rate() int64 {
	if l == nil {
		return 0
	}
	return l.limit(l.now())
}

// Limit makes all that leaves by a transport, which must have a DialContext
// and not be in use yet, wait for its turn on the line. It returns the
// transport. A nil Line leaves it as it is.
func (l *Line) Limit(t *http.Transport) *http.Transport {
	if l == nil {
		return t
	}
	dial := t.DialContext
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &lineConn{Conn: c, line: l, closed: make(chan struct{})}, nil
	}
	if t.TLSHandshakeTimeout > 0 {
		t.TLSHandshakeTimeout = stallLimit // it waits for its turn as well
	}
	return t
}

// wait returns how many of so many bytes may leave, when they may. The error is
// net.ErrClosed.
func (l *Line) wait(bytes int, closed <-chan struct{}) (int, error) {
	select { // in turn, so that every connection gets its share
	case l.turn <- struct{}{}:
	case <-closed:
		return 0, net.ErrClosed
	}
	defer func() { <-l.turn }()
	for {
		n, pause := l.claim(bytes)
		if pause <= 0 {
			return n, nil
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
			if l.Rate() == l.rate { // or what is paid for at another rate would be too much
				return n, nil
			}
		case <-closed:
			t.Stop()
			return 0, net.ErrClosed
		}
	}
}

// claim takes up to so many bytes out of the bucket, a new one when another
// limit holds, and says how long to wait until they may leave.
func (l *Line) claim(bytes int) (n int, pause time.Duration) {
	now := l.now()
	if at := l.limit(now); at != l.rate {
		l.rate, l.bucket = at, nil
		if at > 0 {
			l.bucket = rate.NewLimiter(rate.Limit(at), int(max(at/burstShare, 1)))
		}
	}
	if l.bucket == nil {
		return bytes, 0
	}
	n = min(bytes, l.bucket.Burst())
	return n, l.bucket.ReserveN(now, n).DelayFrom(now)
}

// A lineConn is a connection that waits for its turn on the line.
type lineConn struct {
	net.Conn
	line   *Line
	once   sync.Once
	closed chan struct{}
	moved  atomic.Pointer[watch] // who wants to know that bytes have left
}

// Write sends p, piece by piece.
func (c *lineConn) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		k, err := c.line.wait(len(p), c.closed)
		if err != nil {
			return n, err
		}
		k, err = c.Conn.Write(p[:k])
		n, p = n+k, p[k:]
		if w := c.moved.Load(); w != nil && k > 0 {
			w.moved()
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Close ends a Write that waits, too.
func (c *lineConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
