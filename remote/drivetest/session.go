package drivetest

import (
	"encoding/json"
	"io"
	"net/url"
	"sync"
)

// session is a resumable upload. Its facts are those of the request that
// began it; later requests carry bytes only.
type session struct {
	ID          string          `json:"id"`
	User        string          `json:"user"`
	Client      string          `json:"client"`
	Target      string          `json:"target,omitempty"` // file whose content is replaced, "" to create one
	Body        json.RawMessage `json:"body,omitempty"`
	Query       string          `json:"query"`
	ContentType string          `json:"type,omitempty"`
	Begun       int64           `json:"begun"` // ms; of the last traffic

	Done  string `json:"done,omitempty"` // the file that came of it
	Total int64  `json:"total"`          // bytes, -1 while unknown
	Key   string `json:"key,omitempty"`  // what it sends: a file's new content, or the file of a reserved id
	saved []byte // as the journal has it

	mu    sync.Mutex // held while bytes come in; guards Total and what follows
	dead  bool
	w     *writer
	acked int64 // bytes that an earlier session with the same key had acknowledged
}

// close lets go of the session's file without losing what it holds.
func (s *session) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w != nil && s.w.file != nil {
		s.w.file.Close()
	}
}

func (s *session) kill() {
	s.dead = true
	if s.w != nil {
		s.w.drop()
	}
}

// blocks are buffers of one block each.
var blocks = sync.Pool{New: func() any { b := make([]byte, blockSize); return &b }}

// maxSessions bounds how many finished sessions are remembered.
const maxSessions = 10_000

// addSession registers a session, and drops those that nobody used for long.
func (d *Drive) addSession(s *session, id string) {
	for len(d.sessionQ) > 0 {
		old := d.sessions[d.sessionQ[0]]
		if old != nil && d.ms()-old.Begun < d.opt.SessionTTL.Milliseconds() && (len(d.sessionQ) < maxSessions || old.Done == "") {
			break
		}
		d.sessionQ = d.sessionQ[1:]
		if old == nil {
			continue
		}
		d.endSession(old)
		if old.mu.TryLock() {
			old.kill()
			old.mu.Unlock()
		}
	}
	d.sessions[s.ID] = s
	d.sessionQ = append(d.sessionQ, s.ID)
	if s.Key = "create " + id; s.Target != "" {
		s.Key = "update " + s.Target
	} else if id == "" {
		return
	}
	if prev := d.sending[s.Key]; prev != nil && prev.mu.TryLock() {
		if prev.w == nil {
			prev.w = d.blobs.resume(prev.ID) // it was begun before the look-alike was
		}
		if !prev.dead {
			s.acked = max(prev.w.size, prev.acked)
		}
		prev.mu.Unlock()
	}
	d.sending[s.Key] = s
}

// endSession forgets a session. The lock must be held.
func (d *Drive) endSession(s *session) {
	delete(d.sessions, s.ID)
	if d.sending[s.Key] == s {
		delete(d.sending, s.Key)
	}
	d.saveEnd(s)
}

// take reads a body whose first byte belongs at from and stores what the
// session does not have, in whole blocks until the body ends well, and no
// more than limit bytes in all unless that is negative. It gives the number of
// bytes read; an error means that the body broke off or has another length
// than announced.
func (s *session) take(body io.Reader, from, size int64, whole bool, limit int64) (got int64, err error) {
	buf := blocks.Get().(*[]byte)
	defer blocks.Put(buf)
	for whole || got < size {
		want := int64(blockSize)
		if skip := s.w.size - (from + got); skip > 0 {
			want = min(want, skip) // stored already
		}
		if !whole {
			want = min(want, size-got)
		}
		n, err := fill(body, (*buf)[:want])
		at := from + got
		got += int64(n)
		if err != nil && (err != io.EOF || !whole) {
			return got, io.ErrUnexpectedEOF
		}
		if at >= s.w.size && n > 0 && (limit < 0 || s.w.size < limit) {
			s.w.Write((*buf)[:n]) // its error stays in the writer
		}
		if err == io.EOF {
			return got, nil
		}
	}
	if n, err := fill(body, (*buf)[:1]); n > 0 || err != io.EOF {
		return got + int64(n), io.ErrUnexpectedEOF
	}
	return got, nil
}

// fill reads until p is full; io.EOF means that the body ended well before.
func fill(r io.Reader, p []byte) (int, error) {
	n := 0
	for n < len(p) {
		m, err := r.Read(p[n:])
		n += m
		if err != nil && n < len(p) {
			return n, err
		}
	}
	return n, nil
}

// complete makes the file of a session.
func (c *call) complete(s *session) (any, error) {
	q, err := url.ParseQuery(s.Query)
	if err != nil {
		return nil, err
	}
	like := &call{d: c.d, kind: c.kind, query: q, header: c.header, tok: c.tok, route: c.route, eff: c.eff, base: c.base}
	if s.Target != "" {
		like.args = []string{s.Target}
	}
	m, err := like.mask(fileDefault, fileSchema)
	if err != nil {
		return nil, err
	}
	body, err := parseJSON(s.Body)
	if err != nil {
		return nil, err
	}
	e, err := like.parseEdit(body, s.Target == "")
	if err != nil {
		return nil, err
	}
	size := s.w.size
	rev, err := s.w.commit()
	if err != nil {
		return nil, err
	}
	d := c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	it, twice, err := like.finish(e, rev, s.ContentType)
	if err != nil {
		d.discardRev(rev)
		s.dead = true
		d.endSession(s)
		if a, ok := err.(*apiError); ok && a.code == 409 {
			d.rec.content(0, size)
		}
		return nil, err
	}
	if twice {
		d.rec.content(0, size)
	}
	s.Done, s.Total, s.w = it.ID, size, nil
	if d.sending[s.Key] == s {
		delete(d.sending, s.Key)
	}
	d.saveSession(s)
	return like.uploaded(it, m), nil
}

// sessionFile answers a request to a session that is complete.
func (c *call) sessionFile(s *session) (any, error) {
	q, err := url.ParseQuery(s.Query)
	if err != nil {
		return nil, err
	}
	like := &call{d: c.d, query: q, header: c.header, tok: c.tok, eff: c.eff}
	if s.Target != "" {
		like.args = []string{s.Target}
	}
	m, err := like.mask(fileDefault, fileSchema)
	if err != nil {
		return nil, err
	}
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	it, err := like.find(s.Done)
	if err != nil {
		return nil, err
	}
	return like.uploaded(it, m), nil
}
