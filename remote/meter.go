package remote

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
)

// Stats is what a Drive has cost since New.
type Stats struct {
	Requests  int64 // HTTP requests; token requests are made below us and not in it
	Calls     int64 // the same, with those inside batches counted one by one
	Sent      int64 // content bytes on the wire, repeats included
	Received  int64 // likewise, of downloads
	Units     int64 // quota units
	Throttled int64 // calls refused for being too fast
	Unheard   int64 // requests without an answer since the last that had one
}

// meter counts.
type meter struct {
	requests, calls, sent, received, units, throttled, unheard atomic.Int64
}

// Stats returns what was spent so far. It may be called at any time.
func (d *Drive) Stats() Stats {
	m := &d.meter
	return Stats{
		Requests: m.requests.Load(), Calls: m.calls.Load(), Sent: m.sent.Load(), Received: m.received.Load(),
		Units: m.units.Load(), Throttled: m.throttled.Load(), Unheard: m.unheard.Load(),
	}
}

// call counts one call, alone or in a batch.
func (m *meter) call(method, path string) {
	m.calls.Add(1)
	m.units.Add(units(method, path))
}

// Quota units of a call. Source: Drive API guide, usage limits, for projects
// created since May 2026; it does not itemise creates and upload requests.
const (
	unitsRead  = 5
	unitsList  = 100
	unitsEdit  = 50
	unitsMedia = 200
)

func units(method, path string) int64 {
	switch {
	case method != http.MethodGet:
		return unitsEdit
	case strings.HasSuffix(path, "/files"):
		return unitsList
	default:
		return unitsRead
	}
}

// counter is the transport around the caller's: it counts requests, and as
// calls all but the batches, which count their parts themselves.
type counter struct {
	next  http.RoundTripper
	meter *meter
}

// RoundTrip counts r and sends it.
func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.meter.requests.Add(1)
	media := strings.Contains(r.URL.RawQuery, "alt=media")
	switch {
	case strings.Contains(r.URL.Path, batchPath):
	case media:
		c.meter.calls.Add(1)
		c.meter.units.Add(unitsMedia)
	default:
		c.meter.call(r.Method, r.URL.Path)
	}
	resp, err := c.next.RoundTrip(r)
	if err != nil {
		c.meter.unheard.Add(1)
		return nil, err
	}
	c.meter.unheard.Store(0)
	if !media || resp.StatusCode >= 300 {
		resp.Body = &bounded{resp.Body, longestAnswer}
	}
	return resp, nil
}

// longestAnswer is the most that is read of an answer that is no content,
// bytes. A batch with ten pages of a listing has a tenth of it.
const longestAnswer = 64 << 20

// bounded is the body of an answer, which a server may not let grow for ever.
type bounded struct {
	io.ReadCloser
	left int64
}

// Read reads on, as long as there is room.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("the answer is longer than any of Drive's")
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
