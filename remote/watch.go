package remote

import (
	"context"
	"errors"
	"net"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// stallLimit is how long a request may stand still, sending or waiting for the
// answer, before it is given up as cut. A batch is worked off call by call.
const stallLimit = 2 * time.Minute

var errStalled = errors.New("the connection stood still")

// A watch gives a request up that stands still.
type watch struct {
	timer  *time.Timer
	limit  time.Duration
	ctx    context.Context // of the request that is watched
	cancel context.CancelCauseFunc
	conn   atomic.Pointer[lineConn] // where bytes leave, when they wait for the line
}

// watched returns a watch, whose context is the request's.
func (d *Drive) watched(ctx context.Context) *watch {
	w := &watch{limit: d.stall}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(w.limit, func() { w.cancel(errStalled) })
	if d.opt.Line != nil {
		// What has left this process for the transport's buffers may have to
		// wait there for longer than the limit.
		w.ctx = httptrace.WithClientTrace(w.ctx, &httptrace.ClientTrace{
			GotConn: func(info httptrace.GotConnInfo) { w.follow(info.Conn) },
		})
	}
	return w
}

// follow takes each piece that leaves by a connection for progress.
func (w *watch) follow(conn net.Conn) {
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secure.NetConn()
	}
	if c, ok := conn.(*lineConn); ok {
		w.conn.Store(c)
		c.moved.Store(w)
	}
}

// moved notes progress.
func (w *watch) moved() { w.timer.Reset(w.limit) }

// end ends the watch and the request's context.
func (w *watch) end() {
	w.timer.Stop()
	if c := w.conn.Load(); c != nil {
		c.moved.CompareAndSwap(w, nil) // the next request may have it already
	}
	w.cancel(nil)
}

// cause returns what a request that ended with err failed of.
func (w *watch) cause(err error) error {
	if err != nil && errors.Is(context.Cause(w.ctx), errStalled) {
		return errStalled
	}
	return err
}
