package drivetest

import (
	"fmt"
	"hash/fnv"
	"strings"
)

// A Fault says which requests go wrong, and how. It is a value: it can be
// kept in a table, printed, and injected again. Requests are numbered from 0
// since the last Inject.
type Fault interface {
	fmt.Stringer
	at(p Point) (Effect, bool)
}

// Point is one request as a Fault sees it.
type Point struct {
	N      int  // number since Inject, among HTTP requests, or among parts of batches
	OfKind int  // number among those of its kind
	Kind   Kind //
	Inner  bool // a part of a batch

	no308 bool // the client asked never to see a 308
}

type fault struct {
	label string
	f     func(p Point) (Effect, bool)
}

func (f fault) String() string            { return f.label }
func (f fault) at(p Point) (Effect, bool) { return f.f(p) }

// outer makes a Fault that strikes HTTP requests, not parts of batches.
func outer(e Effect, label string, when func(p Point) bool) Fault {
	return fault{label: label + " " + e.name, f: func(p Point) (Effect, bool) { return e, !p.Inner && when(p) }}
}

// At strikes the n-th HTTP request, sign-in requests included. A loop over
// n = 0, 1, 2, ... that ends when Calls() <= n has struck each in turn.
func At(n int, e Effect) Fault {
	return outer(e, fmt.Sprintf("at %d", n), func(p Point) bool { return p.N == n })
}

// Nth strikes the n-th HTTP request of a kind.
func Nth(k Kind, n int, e Effect) Fault {
	return outer(e, fmt.Sprintf("%s %d", k, n), func(p Point) bool { return p.Kind == k && p.OfKind == n })
}

// First strikes the first n HTTP requests.
func First(n int, e Effect) Fault {
	return outer(e, fmt.Sprintf("first %d", n), func(p Point) bool { return p.N < n })
}

// From strikes the n-th HTTP request and all after it.
func From(n int, e Effect) Fault {
	return outer(e, fmt.Sprintf("from %d", n), func(p Point) bool { return p.N >= n })
}

// Every strikes each k-th HTTP request: numbers k-1, 2k-1, ...
func Every(k int, e Effect) Fault {
	return outer(e, fmt.Sprintf("every %d", k), func(p Point) bool { return (p.N+1)%k == 0 })
}

// Always strikes all HTTP requests.
func Always(e Effect) Fault { return outer(e, "always", func(Point) bool { return true }) }

// Chance strikes an HTTP request with probability p. What it does to request
// n depends on seed and n alone, so that a run can be repeated.
func Chance(p float64, seed uint64, e Effect) Fault {
	return outer(e, fmt.Sprintf("chance %g seed %d", p, seed), func(pt Point) bool {
		h := fnv.New64a()
		fmt.Fprintf(h, "%d/%d/%s", seed, pt.N, e.name)
		x := h.Sum64()
		x ^= x >> 33 // FNV's high bits are poor for short texts; this is the finaliser of MurmurHash3
		x *= 0xff51afd7ed558ccd
		x ^= x >> 33
		return float64(x>>11)/(1<<53) < p
	})
}

// InBatch lets f strike parts of batches instead of HTTP requests; numbers
// then count parts, across batches.
func InBatch(f Fault) Fault {
	return fault{label: "in batch " + f.String(), f: func(p Point) (Effect, bool) {
		if !p.Inner {
			return Effect{}, false
		}
		p.Inner = false
		return f.at(p)
	}}
}

// Only lets f strike just requests of the given kinds; it numbers as f does.
func Only(f Fault, kinds ...Kind) Fault {
	return fault{label: fmt.Sprintf("only %v %s", kinds, f), f: func(p Point) (Effect, bool) {
		for _, k := range kinds {
			if k == p.Kind {
				return f.at(p)
			}
		}
		return Effect{}, false
	}}
}

// Several strikes as the first of fs that applies.
func Several(fs ...Fault) Fault {
	var labels []string
	for _, f := range fs {
		labels = append(labels, f.String())
	}
	return fault{label: strings.Join(labels, "; "), f: func(p Point) (Effect, bool) {
		for _, f := range fs {
			if e, ok := f.at(p); ok {
				return e, true
			}
		}
		return Effect{}, false
	}}
}

// Inject lets f strike from now on, in place of an earlier fault, and starts
// numbering requests at 0. Inject(nil) ends all faults.
func (d *Drive) Inject(f Fault) {
	d.rec.mu.Lock()
	defer d.rec.mu.Unlock()
	d.rec.arm(f)
}

// Calls is the number of HTTP requests since the last Inject, or New.
func (d *Drive) Calls() int {
	d.rec.mu.Lock()
	defer d.rec.mu.Unlock()
	return d.rec.count.all
}

// Parts is the number of parts of batches since the last Inject, or New.
func (d *Drive) Parts() int {
	d.rec.mu.Lock()
	defer d.rec.mu.Unlock()
	return d.rec.inner.all
}

// Hits is how often the present fault struck.
func (d *Drive) Hits() int {
	d.rec.mu.Lock()
	defer d.rec.mu.Unlock()
	return d.rec.hits
}
