package drivetest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Limits of a batch. Source: the Drive guide on performance.
const (
	maxBatch = 100
	maxInner = 8000 // characters of an inner address
)

// batch answers POST /batch/drive/v3: every part is a call of its own. Parts
// are answered in request order and, unless Unsettled says otherwise, carried
// out in reverse, because Drive promises no order.
func (c *call) batch() (any, error) {
	parts, err := parseBatch(c.header.Get("Content-Type"), c.body)
	if err != nil {
		return nil, err
	}
	calls := make([]*call, len(parts))
	answers := make([]*reply, len(parts))
	c.req.Parts = make([]Part, len(parts))
	for i, p := range parts { // numbered in request order
		calls[i] = c.part(p)
		calls[i].eff = c.d.rec.beginPart(calls[i].kind)
		c.req.Parts[i] = Part{
			Kind: calls[i].kind, Method: calls[i].method, Fault: calls[i].eff.name,
			Path: loggable(&url.URL{Path: calls[i].path, RawQuery: calls[i].query.Encode()}),
		}
	}
	order := make([]int, len(parts))
	for i := range order {
		order[i] = i
	}
	if !c.d.opt.Unsettled.BatchForward {
		slices.Reverse(order)
	}
	for _, i := range order {
		answers[i] = calls[i].answerPart(i)
		if answers[i] == nil {
			return nil, io.ErrUnexpectedEOF
		}
	}
	var b bytes.Buffer
	c.d.mu.Lock()
	boundary := "batch_" + c.d.random(16)
	c.d.mu.Unlock()
	for i, p := range parts {
		c.req.Parts[i].Status = answers[i].status
		if calls[i].eff.op != opDropPart {
			writePart(&b, boundary, c.responseID(p.id), answers[i])
		}
	}
	fmt.Fprintf(&b, "--%s--\r\n", boundary)
	return &reply{status: 200, body: b.Bytes(), header: http.Header{"Content-Type": {"multipart/mixed; boundary=" + boundary}}}, nil
}

// batchPart is one call as it came.
type batchPart struct {
	id     string // Content-ID
	verb   string
	url    *url.URL
	rawLen int // characters of the address
	header http.Header
	body   []byte
}

// parseBatch takes a batch body apart.
func parseBatch(contentType string, body io.Reader) ([]batchPart, error) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "multipart/mixed" || params["boundary"] == "" {
		return nil, errBad("A batch needs Content-Type multipart/mixed with a boundary.")
	}
	r := multipart.NewReader(body, params["boundary"])
	var parts []batchPart
	for {
		p, err := r.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, errBad("Failed to parse batch request: %v", err)
		}
		if t, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type")); t != "application/http" {
			return nil, errBad("Each part of a batch must have Content-Type application/http.")
		}
		one, err := parsePart(p)
		if err != nil {
			return nil, err
		}
		one.id = p.Header.Get("Content-Id")
		parts = append(parts, one)
	}
	if len(parts) == 0 {
		return nil, errBad("The batch request has no parts.")
	}
	return parts, nil
}

// parsePart reads request line, headers and body of one call.
func parsePart(r io.Reader) (batchPart, error) {
	var p batchPart
	br := bufio.NewReader(io.LimitReader(r, maxJSON))
	tr := textproto.NewReader(br)
	line, err := tr.ReadLine()
	if err != nil {
		return p, errBad("A part of the batch has no request line.")
	}
	f := strings.Fields(line)
	if len(f) < 2 || len(f) > 3 || len(f) == 3 && !strings.HasPrefix(f[2], "HTTP/") {
		return p, errBad("A part of the batch has a malformed request line.")
	}
	p.verb, p.rawLen = f[0], len(f[1])
	if p.url, err = url.Parse(f[1]); err != nil {
		return p, errBad("A part of the batch has a malformed address.")
	}
	h, err := tr.ReadMIMEHeader()
	if err != nil && err != io.EOF {
		return p, errBad("A part of the batch has malformed headers.")
	}
	p.header = http.Header(h)
	if p.body, err = io.ReadAll(br); err != nil {
		return p, errBad("A part of the batch breaks off.")
	}
	if n := p.header.Get("Content-Length"); n != "" && n != fmt.Sprint(len(p.body)) {
		trimmed := bytes.TrimRight(p.body, "\r\n") // a line end before the boundary may be doubled
		if n != fmt.Sprint(len(trimmed)) {
			return p, errBad("A part of the batch has a wrong Content-Length.")
		}
		p.body = trimmed
	}
	return p, nil
}

// part makes a call of a part. Outer headers and query parameters hold for
// every part, inner ones win.
func (c *call) part(p batchPart) *call {
	in := &call{
		d: c.d, method: p.verb, path: p.url.Path, query: maps.Clone(c.query), header: http.Header{},
		body: bytes.NewReader(p.body), base: c.base, inner: true, length: int64(len(p.body)),
	}
	for k, v := range p.url.Query() {
		in.query[k] = v
	}
	for k, v := range c.header {
		if !strings.HasPrefix(k, "Content-") && k != "Accept-Encoding" && k != "Range" {
			in.header[k] = v
		}
	}
	for k, v := range p.header {
		in.header[k] = v
	}
	in.resolve()
	if p.rawLen > maxInner {
		in.kind = Unknown
		in.path = tooLong
	}
	if in.kind == Batch || strings.HasPrefix(string(in.kind), "upload.") {
		in.kind = Unknown
	}
	return in
}

// tooLong marks the address of a part that exceeds the limit.
const tooLong = "(address too long)"

// answerPart carries out part i of a batch, faults included; nil cuts the connection.
func (c *call) answerPart(i int) *reply {
	broken := &apiError{code: 503, reason: "backendError", message: "Service Unavailable"}
	switch c.eff.op {
	case opRefuse:
		return c.encode(nil, c.eff.err)
	case opCut, opCutBody, opHang:
		return c.encode(nil, broken)
	case opSlow:
		time.Sleep(c.eff.d)
	}
	var rep *reply
	switch {
	case i >= maxBatch:
		rep = c.encode(nil, errForbidden("forbidden", "The batch request exceeds the soft limit of %d inner requests.", maxBatch))
	case c.path == tooLong:
		rep = c.encode(nil, errBad("The address of an inner request is limited to %d characters.", maxInner))
	case c.kind == Unknown:
		rep = c.encode(nil, &apiError{code: 404, reason: "notFound", message: "Not Found"})
	default:
		rep = c.dispatch()
	}
	switch c.eff.op {
	case opLost, opTorn, opHangAfter:
		rep = c.encode(nil, broken)
	case opLostAs:
		rep = c.encode(nil, c.eff.err)
	}
	return rep
}

// responseID is the Content-ID of an answer. Source: the guide's samples.
func (c *call) responseID(id string) string {
	if id == "" {
		return ""
	}
	inner, bracketed := strings.CutPrefix(id, "<")
	if !bracketed {
		return "response-" + id
	}
	inner = strings.TrimSuffix(inner, ">")
	if c.d.opt.Unsettled.BareContentID {
		return "response-" + inner
	}
	return "<response-" + inner + ">"
}

func writePart(b *bytes.Buffer, boundary, id string, rep *reply) {
	fmt.Fprintf(b, "--%s\r\nContent-Type: application/http\r\n", boundary)
	if id != "" {
		fmt.Fprintf(b, "Content-ID: %s\r\n", id)
	}
	fmt.Fprintf(b, "\r\nHTTP/1.1 %d %s\r\n", rep.status, http.StatusText(rep.status))
	h := rep.header.Clone()
	if h == nil {
		h = http.Header{}
	}
	if rep.status != http.StatusNoContent {
		h.Set("Content-Length", fmt.Sprint(len(rep.body)))
	}
	h.Write(b) // to memory: cannot fail
	fmt.Fprintf(b, "\r\n%s\r\n", rep.body)
}
