package drivetest

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Stats counts what a Drive was asked since New or ResetStats.
type Stats struct {
	Requests map[Kind]int // HTTP requests; a batch is one "batch"
	Calls    map[Kind]int // API calls: as Requests, with the parts of batches counted singly instead of the batch
	Inner    int          // parts of batches

	BytesIn    int64 // bodies received
	BytesOut   int64 // bodies sent, as they left
	ContentIn  int64 // file content received in uploads, refused ones included
	ContentOut int64 // file content sent in downloads

	// SentTwice is the part of ContentIn that Drive had acknowledged before:
	// bytes of an upload session below its Range, bytes of a new session for
	// an id whose earlier session still stands, content equal to what the
	// file holds, and content refused because the id has a file (409).
	SentTwice int64

	Units   int // quota units: read 5, list 100, download 200, edit 50
	Refused int // calls refused by the throttle
	Faults  int // faults that struck
	Conns   int // TCP connections accepted, where a Server listens
}

// Total is the number of HTTP requests to Drive, sign-in left out.
func (s Stats) Total() int { return sum(s.Requests, false) }

// TokenRequests is the number of HTTP requests to the sign-in servers.
func (s Stats) TokenRequests() int { return sum(s.Requests, true) }

// TotalCalls is the number of API calls, with those inside batches counted one by one.
func (s Stats) TotalCalls() int { return sum(s.Calls, false) }

func sum(m map[Kind]int, oauth bool) int {
	n := 0
	for k, v := range m {
		if k.oauth() == oauth {
			n += v
		}
	}
	return n
}

// String gives a line for people: requests by kind, then the sums.
func (s Stats) String() string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(s.Requests)) {
		fmt.Fprintf(&b, "%s %d, ", k, s.Requests[k])
	}
	fmt.Fprintf(&b, "inner %d, units %d, content in %d, sent twice %d", s.Inner, s.Units, s.ContentIn, s.SentTwice)
	return b.String()
}

// Info describes a request as it begins.
type Info struct {
	Kind   Kind
	Method string
	Path   string // without query
}

// Request is a line of the request log. It never holds a token or the address
// of an upload session.
type Request struct {
	N        int    // number since New or ResetStats
	Kind     Kind   //
	Method   string //
	Path     string // with query, secrets blotted out
	Status   int    // 0 when the connection was cut
	BytesIn  int64
	BytesOut int64
	Fault    string // the fault that struck, if any
	Parts    []Part // of a batch, in request order
}

// Part is one call of a batch.
type Part struct {
	Kind   Kind
	Method string
	Path   string
	Status int
	Fault  string
}

// secretParams never reach the log.
var secretParams = []string{"access_token", "oauth_token", "key", "upload_id", "token", "code", "state", "code_challenge"}

// loggable gives an address with its secrets blotted out.
func loggable(u *url.URL) string {
	if u.RawQuery == "" {
		return u.Path
	}
	q := u.Query()
	for _, p := range secretParams {
		if q.Has(p) {
			q.Set(p, "-")
		}
	}
	return u.Path + "?" + q.Encode()
}

// Stats gives the counters so far.
func (d *Drive) Stats() Stats {
	d.rec.mu.Lock()
	defer d.rec.mu.Unlock()
	s := d.rec.stats
	s.Requests, s.Calls = maps.Clone(s.Requests), maps.Clone(s.Calls)
	return s
}

// ResetStats sets all counters to zero and empties the request log. Faults
// keep their own count, see Inject.
func (d *Drive) ResetStats() {
	d.rec.mu.Lock()
	defer d.rec.mu.Unlock()
	d.rec.reset()
}

// Log gives the latest requests, oldest first, at most Options.LogSize of them.
func (d *Drive) Log() []Request {
	d.rec.mu.Lock()
	defer d.rec.mu.Unlock()
	out := make([]Request, 0, len(d.rec.ring))
	for i := range d.rec.ring {
		out = append(out, *d.rec.ring[(d.rec.next+i)%len(d.rec.ring)])
	}
	return out
}
