package drivetest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// ServeHTTP answers as Drive and Google's sign-in servers do.
func (d *Drive) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{
		d: d, method: r.Method, path: r.URL.Path, query: r.URL.Query(), header: r.Header,
		base: baseOf(r), length: r.ContentLength,
	}
	oauth := oauthKind(r.Method, r.URL.Path)
	if oauth != "" {
		c.kind = oauth
	} else {
		c.resolve()
	}
	var eff Effect
	c.req, eff = d.rec.begin(Info{Kind: c.kind, Method: c.method, Path: c.path}, loggable(r.URL), no308(r.Header))
	c.eff = eff
	in := &meter{r: r.Body, rate: d.rec.settings().BytesPerSecond, left: -1}
	if eff.op == opCutBody {
		in.left = eff.n
	}
	c.body = in
	defer func() {
		c.req.BytesIn = in.n
		d.rec.end(c.req, eff)
	}()

	if lag := d.rec.settings().Latency; lag > 0 && !pause(r, lag) {
		panic(http.ErrAbortHandler)
	}
	switch eff.op {
	case opSlow:
		if !pause(r, eff.d) {
			panic(http.ErrAbortHandler)
		}
	case opCut:
		panic(http.ErrAbortHandler)
	case opHang:
		hang(r, in)
	}

	var rep *reply
	switch {
	case eff.op == opRefuse:
		io.Copy(io.Discard, io.LimitReader(in, maxDrain))
		rep = c.encode(nil, eff.err)
	case oauth != "":
		rep = c.oauth()
	default:
		rep = c.dispatch()
	}
	if rep == nil || in.cut {
		panic(http.ErrAbortHandler)
	}
	if rep.stream != nil {
		defer rep.stream.Close()
	}
	switch eff.op {
	case opLost:
		panic(http.ErrAbortHandler)
	case opHangAfter:
		hang(r, in)
	case opLostAs:
		rep = c.encode(nil, eff.err)
	}
	d.write(w, r, c, rep)
}

// maxDrain is how much of a refused request's body is read, so that the
// client gets to read the answer.
const maxDrain = 64 << 20

// dispatch carries out an API call and gives its answer, nil to cut the connection.
func (c *call) dispatch() *reply {
	if err := c.d.health(); err != nil {
		return c.encode(nil, err)
	}
	if c.kind == Unknown {
		return notFoundPage()
	}
	v, err := c.run()
	if err != nil && !c.inner {
		if _, ok := err.(*apiError); ok {
			io.Copy(io.Discard, io.LimitReader(c.body, maxDrain))
		}
	}
	if err == nil {
		err = c.d.health() // what could not be written down is not done
	}
	return c.encode(v, err)
}

// run checks token, scope and parameters, asks the throttle, and calls the method.
func (c *call) run() (any, error) {
	if c.kind == Batch {
		return c.batch() // each part has a token of its own
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	if err := c.checkParams(); err != nil {
		return nil, err
	}
	if err := c.d.rec.admit(c.kind); err != nil {
		return nil, err
	}
	switch c.kind {
	case UploadMedia, UploadMulti, UploadStart, UploadUnknown, UploadChunk, UploadQuery, UploadCancel:
		return c.upload()
	}
	return c.route.do(c)
}

// write sends an answer, torn or compressed where it has to be.
func (d *Drive) write(w http.ResponseWriter, r *http.Request, c *call, rep *reply) {
	h := w.Header()
	for k, vs := range rep.header {
		h[k] = vs
	}
	h.Set("Server", "ESF")
	h.Set("X-Content-Type-Options", "nosniff")
	out := &countWriter{w: w, rate: d.rec.settings().BytesPerSecond}
	defer func() { c.req.BytesOut = out.n }()
	c.req.Status = rep.status
	if rep.stream != nil {
		h.Set("Content-Length", fmt.Sprint(rep.size))
		w.WriteHeader(rep.status)
		n := rep.size
		if c.eff.op == opTorn {
			n /= 2
		}
		io.CopyN(out, rep.stream, n)
		d.rec.contentOut(out.n)
		if c.eff.op == opTorn {
			tear(w)
		}
		return
	}
	body := rep.body
	if c.eff.op == opTorn && len(body) == 0 {
		panic(http.ErrAbortHandler) // half of nothing
	}
	if len(body) > 0 && !d.opt.Unsettled.NoGzip && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") &&
		strings.Contains(r.UserAgent(), "gzip") {
		body = compress(body)
		h.Set("Content-Encoding", "gzip")
		h.Set("Vary", "Origin, X-Origin, Referer, Accept-Encoding")
	}
	if rep.status != http.StatusNoContent {
		h.Set("Content-Length", fmt.Sprint(len(body)))
	}
	w.WriteHeader(rep.status)
	if c.eff.op == opTorn {
		out.Write(body[:len(body)/2])
		tear(w)
	}
	out.Write(body)
}

// compress gives an answer as gzip.
func compress(body []byte) []byte {
	var b bytes.Buffer
	z := zippers.Get().(*gzip.Writer)
	defer zippers.Put(z)
	z.Reset(&b)
	z.Write(body) // to memory: cannot fail
	z.Close()
	return b.Bytes()
}

// zippers are used again: making one, of close to a megabyte, takes longer than an answer does.
var zippers = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // fails for unknown levels only
	return z
}}

// tear ends the connection after what was written has left.
func tear(w http.ResponseWriter) {
	http.NewResponseController(w).Flush() // an error means the client is gone, which is what we want
	panic(http.ErrAbortHandler)
}

// pause waits, unless the client gives up first.
func pause(r *http.Request, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// hang waits for the client to give up and ends the request. The body must be
// read first: only then does the server notice a closed connection.
func hang(r *http.Request, body io.Reader) {
	io.Copy(io.Discard, body)
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// baseOf is the address under which the client reached us; a TLS front says
// https in X-Forwarded-Proto.
func baseOf(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

func notFoundPage() *reply {
	return &reply{
		status: 404, header: http.Header{"Content-Type": {"text/html; charset=UTF-8"}},
		body: []byte("<!DOCTYPE html>\n<html lang=en>\n<title>Error 404 (Not Found)</title>\n<p>The requested URL was not found on this server.\n"),
	}
}

// health refuses service after Close, and once the journal cannot be written.
func (d *Drive) health() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed:
		return &apiError{code: 503, reason: "backendError", message: "Service Unavailable"}
	case d.log != nil && d.log.err != nil:
		return &apiError{code: 500, reason: "internalError", message: "The look-alike's folder fails: " + d.log.err.Error()}
	}
	return nil
}

// meter counts what is read, no faster than rate, and breaks off where told.
type meter struct {
	r    io.Reader
	n    int64
	left int64 // bytes until the connection is to be cut; -1 for never
	rate int   // bytes a second, 0 for as fast as it comes
	cut  bool
}

func (m *meter) Read(p []byte) (int, error) {
	if m.left == 0 {
		m.cut = true
		return 0, io.ErrUnexpectedEOF
	}
	if m.left > 0 && int64(len(p)) > m.left {
		p = p[:m.left]
	}
	if m.rate > 0 && len(p) > max(m.rate/20, 1) {
		p = p[:max(m.rate/20, 1)]
	}
	n, err := m.r.Read(p)
	m.n += int64(n)
	if m.left > 0 {
		m.left -= int64(n)
	}
	if m.rate > 0 {
		time.Sleep(time.Duration(n) * time.Second / time.Duration(m.rate))
	}
	return n, err
}

type countWriter struct {
	w    io.Writer
	n    int64
	rate int
}

func (c *countWriter) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		part := p[done:]
		if c.rate > 0 {
			part = part[:min(len(part), max(c.rate/20, 1))]
		}
		n, err := c.w.Write(part)
		done += n
		c.n += int64(n)
		if err != nil {
			return done, err
		}
		if c.rate > 0 {
			time.Sleep(time.Duration(n) * time.Second / time.Duration(c.rate))
		}
	}
	return done, nil
}
