package drivetest

import (
	"sync"
	"time"
)

// recorder counts, logs, throttles and breaks. It has its own lock, so that a
// request that is being counted does not wait for one that lists.
type recorder struct {
	now func() time.Time

	mu        sync.Mutex // guards everything below
	stats     Stats
	n         int // requests since reset
	ring      []*Request
	next      int // where the ring's oldest line is
	size      int
	fault     Fault
	count     counts
	inner     counts
	hits      int
	throttle  Throttle
	bucket    float64 // writes at hand
	filled    time.Time
	minute    time.Time // since when units are counted
	units     int       // in this minute
	onRequest func(n int, r Info)
}

// counts numbers requests since Inject, outer and inner ones apart.
type counts struct {
	all    int
	ofKind map[Kind]int
}

func newRecorder(o Options) *recorder {
	r := &recorder{now: o.Now, size: max(o.LogSize, 0), throttle: o.Throttle, onRequest: o.OnRequest}
	r.reset()
	r.arm(nil)
	return r
}

func (r *recorder) reset() {
	r.stats = Stats{Requests: map[Kind]int{}, Calls: map[Kind]int{}, Conns: 0}
	r.n, r.ring, r.next = 0, nil, 0
}

func (r *recorder) arm(f Fault) {
	r.fault, r.hits = f, 0
	r.count = counts{ofKind: map[Kind]int{}}
	r.inner = counts{ofKind: map[Kind]int{}}
}

// begin counts an HTTP request and says what is to go wrong with it.
func (r *recorder) begin(info Info, path string, no308 bool) (*Request, Effect) {
	r.mu.Lock()
	req := &Request{N: r.n, Kind: info.Kind, Method: info.Method, Path: path}
	r.n++
	r.stats.Requests[info.Kind]++
	if info.Kind != Batch {
		r.stats.Calls[info.Kind]++
		r.stats.Units += info.Kind.units()
	}
	e := r.pick(&r.count, Point{Kind: info.Kind, no308: no308})
	hook := r.onRequest
	r.mu.Unlock()
	if hook != nil {
		hook(req.N, info)
	}
	return req, e
}

// beginPart is begin for one part of a batch.
func (r *recorder) beginPart(k Kind) Effect {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Inner++
	r.stats.Calls[k]++
	r.stats.Units += k.units()
	return r.pick(&r.inner, Point{Kind: k, Inner: true})
}

func (r *recorder) pick(c *counts, p Point) Effect {
	p.N, p.OfKind = c.all, c.ofKind[p.Kind]
	c.all++
	c.ofKind[p.Kind]++
	if r.fault == nil {
		return Effect{}
	}
	e, ok := r.fault.at(p)
	if !ok || !e.applies(p) {
		return Effect{}
	}
	r.hits++
	r.stats.Faults++
	return e
}

// end writes the log line.
func (r *recorder) end(req *Request, e Effect) {
	r.mu.Lock()
	defer r.mu.Unlock()
	req.Fault = e.name
	r.stats.BytesIn += req.BytesIn
	r.stats.BytesOut += req.BytesOut
	switch {
	case r.size == 0:
	case len(r.ring) < r.size:
		r.ring = append(r.ring, req)
	default:
		r.ring[r.next] = req
		r.next = (r.next + 1) % r.size
	}
}

// content counts bytes of files that came in, and how many came again.
func (r *recorder) content(in, twice int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.ContentIn += in
	r.stats.SentTwice += twice
}

func (r *recorder) contentOut(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.ContentOut += n
}

// admit lets a call pass the throttle, or refuses it.
func (r *recorder) admit(k Kind) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.throttle
	now := r.now()
	if t.UnitsPerMinute > 0 && k.units() > 0 {
		if now.Sub(r.minute) >= time.Minute {
			r.minute, r.units = now, 0
		}
		if r.units+k.units() > t.UnitsPerMinute {
			r.stats.Refused++
			return errQuota(t.UnitsPerMinute)
		}
		r.units += k.units()
	}
	if t.WritesPerSecond <= 0 || !k.writes() {
		return nil
	}
	burst := float64(t.Burst)
	if t.Burst == 0 {
		burst = 10
	}
	if r.filled.IsZero() {
		r.bucket = burst
	} else {
		r.bucket = min(burst, r.bucket+now.Sub(r.filled).Seconds()*t.WritesPerSecond)
	}
	r.filled = now
	if r.bucket < 1 {
		r.stats.Refused++
		return errRate(t.TooMany)
	}
	r.bucket--
	return nil
}

func (r *recorder) settings() Throttle {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.throttle
}

// SetThrottle changes the throttle from now on, with a full burst.
func (d *Drive) SetThrottle(t Throttle) {
	d.rec.mu.Lock()
	defer d.rec.mu.Unlock()
	d.rec.throttle = t
	d.rec.filled, d.rec.minute, d.rec.units = time.Time{}, time.Time{}, 0
}

// OnRequest sets or clears the hook of Options.OnRequest.
func (d *Drive) OnRequest(f func(n int, r Info)) {
	d.rec.mu.Lock()
	defer d.rec.mu.Unlock()
	d.rec.onRequest = f
}
