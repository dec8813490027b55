package drivetest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

func no308(h http.Header) bool { return h.Get("X-Guploader-No-308") != "" }

// startSession begins a resumable upload.
func (c *call) startSession() (any, error) {
	if _, err := c.mask(fileDefault, fileSchema); err != nil {
		return nil, err
	}
	body, err := readJSON(c.body)
	if err != nil {
		return nil, err
	}
	e, err := c.parseEdit(body, len(c.args) == 0)
	if err != nil {
		return nil, err
	}
	total := int64(-1)
	if h := c.header.Get("X-Upload-Content-Length"); h != "" {
		if total, err = strconv.ParseInt(h, 10, 64); err != nil || total < 0 {
			return nil, errPlain(400, "Invalid X-Upload-Content-Length header.")
		}
	}
	d := c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	err = c.precheck(e)
	if e, ok := err.(*apiError); ok && e.code == 409 && d.opt.Unsettled.ConflictAtEnd {
		err = nil
	}
	if err == nil && total > 0 {
		err = c.roomFor(e, total)
	}
	if err != nil {
		return nil, err
	}
	s := &session{
		ID: "A" + d.random(48), User: c.tok.User, Client: c.tok.Client, Query: c.query.Encode(),
		ContentType: c.header.Get("X-Upload-Content-Type"), Begun: d.ms(), Total: total,
	}
	if len(c.args) > 0 {
		s.Target = c.alias(c.args[0])
	}
	if len(body) > 0 {
		s.Body, _ = json.Marshal(body) // came from JSON
	}
	s.w = d.blobs.newSession(s.ID)
	d.addSession(s, e.id)
	d.saveSession(s)
	q := url.Values{"uploadType": {"resumable"}, "upload_id": {s.ID}}
	for _, k := range []string{"alt", "fields", "prettyPrint"} {
		if c.has(k) {
			q.Set(k, c.get(k))
		}
	}
	h := http.Header{"Location": {c.base + c.path + "?" + q.Encode()}, "X-Guploader-Uploadid": {s.ID}, "Content-Type": {"text/plain; charset=utf-8"}}
	return &reply{status: 200, header: h}, nil
}

// contentRange matches the forms with bytes: a-b/total, a-b/*, */total, */*.
var contentRange = regexp.MustCompile(`^bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)$`)

// isQuery says whether a Content-Range asks for the state instead of sending bytes.
func isQuery(h string) bool { return strings.HasPrefix(h, "bytes */") }

// span is a parsed Content-Range.
type span struct {
	from, to int64 // inclusive; to is -1 when the body says
	total    int64 // -1 when not given
}

func parseSpan(h string) (span, bool) {
	m := contentRange.FindStringSubmatch(h)
	if m == nil {
		return span{}, false
	}
	s := span{to: -1, total: -1}
	var errs [3]error
	if m[3] != "*" {
		s.total, errs[0] = strconv.ParseInt(m[3], 10, 64)
	}
	if m[1] != "" {
		s.from, errs[1] = strconv.ParseInt(m[1], 10, 64)
		s.to, errs[2] = strconv.ParseInt(m[2], 10, 64)
		if s.from > s.to || s.total >= 0 && s.to >= s.total {
			return span{}, false
		}
	}
	return s, errs == [3]error{}
}

var errRange = errPlain(400, "Failed to parse Content-Range header.")

// continueSession takes a chunk, a status query, or the end of a session.
func (c *call) continueSession() (any, error) {
	d := c.d
	id := c.get("upload_id")
	d.mu.Lock()
	s := d.sessions[id]
	if s != nil && (s.User != c.tok.User || s.Client != c.tok.Client || d.ms()-s.Begun >= d.opt.SessionTTL.Milliseconds()) {
		s = nil
	}
	if s != nil {
		s.Begun = d.ms()
	}
	d.mu.Unlock()
	gone := errPlain(404, "Upload session not found.")
	if s == nil {
		return nil, gone
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return nil, gone
	}
	if c.eff.op == opSessionLost {
		s.kill()
		c.forget(s)
		return nil, errPlain(int(c.eff.n), "Upload session not found.")
	}
	if c.kind == UploadCancel {
		s.kill()
		c.forget(s)
		return &reply{status: 499}, nil // Source: Cloud Storage's word for a cancelled session
	}
	if s.Done != "" {
		n, _ := io.Copy(io.Discard, c.body)
		d.rec.content(n, n)
		return c.sessionFile(s)
	}
	if s.w == nil {
		s.w = d.blobs.resume(s.ID)
	}
	sp := span{to: -1, total: -1}
	if h := c.header.Get("Content-Range"); h != "" {
		var ok bool
		if sp, ok = parseSpan(h); !ok {
			return nil, c.refuseChunk(s, errRange)
		}
	}
	if sp.total >= 0 && s.Total >= 0 && sp.total != s.Total {
		return nil, c.refuseChunk(s, errRange)
	}
	if sp.total >= 0 && sp.total < s.w.size {
		return nil, c.refuseChunk(s, errRange)
	}
	if c.kind == UploadQuery {
		return c.querySession(s, sp)
	}
	return c.chunk(s, sp)
}

// refuseChunk ends the session as well: after a bad Content-Range it is dead.
func (c *call) refuseChunk(s *session, err error) error {
	s.kill()
	c.forget(s)
	return err
}

func (c *call) forget(s *session) {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	c.d.endSession(s)
}

// querySession answers how far a session has come. A total that equals what
// is stored completes it.
func (c *call) querySession(s *session, sp span) (any, error) {
	if n, err := io.Copy(io.Discard, c.body); err != nil || n > 0 {
		return nil, c.refuseChunk(s, errRange)
	}
	if sp.total >= 0 && sp.total == s.w.size {
		return c.complete(s)
	}
	return c.incomplete(s), nil
}

// incomplete is 308 with what is stored, or 200 with an override for clients that cannot bear a 308.
func (c *call) incomplete(s *session) *reply {
	h := http.Header{"X-Guploader-Uploadid": {s.ID}, "Content-Type": {"text/plain; charset=utf-8"}}
	if s.w.size > 0 {
		h.Set("Range", fmt.Sprintf("bytes=0-%d", s.w.size-1))
	}
	if no308(c.header) {
		h.Set("X-Http-Status-Code-Override", "308")
		return &reply{status: 200, header: h}
	}
	return &reply{status: 308, header: h}
}

// chunk stores the bytes of one request, as far as they are new.
func (c *call) chunk(s *session, sp span) (any, error) {
	whole := sp.to < 0 // no Content-Range: the file from its first byte to its last
	size := sp.to - sp.from + 1
	last := whole || sp.total == sp.to+1
	if !last && size%blockSize != 0 {
		n, _ := io.Copy(io.Discard, c.body)
		c.d.rec.content(n, 0)
		return nil, errPlain(400, fmt.Sprintf("Chunk sizes must be multiples of %d bytes; received %d bytes.", blockSize, size))
	}
	if sp.from > s.w.size {
		return nil, errPlain(400, fmt.Sprintf("The chunk begins at byte %d, but only %d bytes are stored.", sp.from, s.w.size))
	}
	begin, start := s.w.mark(), s.w.size
	s.w.flip = c.eff.op == opCorrupt
	limit := int64(-1) // bytes that may be stored in all
	switch c.eff.op {
	case opNoRange:
		limit = 0
	case opPartial:
		limit = start + c.eff.n/blockSize*blockSize
	}
	got, err := s.take(c.body, sp.from, size, whole, limit)
	twice := min(got, max(0, max(start, s.acked)-sp.from))
	c.d.rec.content(got, twice)
	if err != nil {
		if no308(c.header) {
			s.w.back(begin)
		}
		return nil, err // what was stored stays; the client asks
	}
	if s.w.err != nil {
		return nil, s.w.err
	}
	if limit >= 0 {
		return c.incomplete(s), nil
	}
	if sp.total >= 0 {
		s.Total = sp.total
	}
	if whole && s.Total >= 0 && s.w.size != s.Total {
		return nil, c.refuseChunk(s, errPlain(400, fmt.Sprintf("The upload has %d bytes, but %d were announced.", s.w.size, s.Total)))
	}
	if !last {
		return c.incomplete(s), nil
	}
	return c.complete(s)
}

// roomFor is room for a content that is yet to come, after precheck. The lock
// must be held.
func (c *call) roomFor(e *edit, total int64) error {
	if len(c.args) > 0 {
		it := c.d.items[c.alias(c.args[0])]
		return c.room(it, total-it.head().Size)
	}
	where := "root"
	if len(e.parents) > 0 {
		where = e.parents[0]
	}
	return c.room(c.d.items[c.alias(where)], total)
}
