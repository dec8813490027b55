package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// limitedTree is what goes up on a limited line: many small files, and some
// that take a session, for half a minute at bandwidthLimit.
var limitedTree = treeSpec{Seed: 15, Files: 400, Folders: 20, MinSize: 1_000, MaxSize: 30_000}

var limitedLarge = treeSpec{Seed: 16, Files: 8, Folders: 1, MinSize: 7 << 20, MaxSize: 8 << 20}

const (
	bandwidthLimit = 2 << 20 // bytes a second
	bandwidthSpan  = 10 * time.Second
)

// bandwidth measures what acb puts on the line under --bwlimit, encryption
// included, in every ten seconds of a run.
func (b *bench) bandwidth(ctx context.Context) error {
	b.report.section("bandwidth: a first run at %d MiB/s", bandwidthLimit>>20)
	dir, err := os.MkdirTemp("", "acb-bandwidth-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tree := filepath.Join(dir, "tree")
	if err := limitedTree.make(tree); err != nil {
		return err
	}
	if err := limitedLarge.make(filepath.Join(tree, "large")); err != nil {
		return err
	}
	in := install{acb: b.acb, dir: filepath.Join(dir, "acb"), tree: tree}
	seen := &gauge{}
	run, err := throughFront(ctx, in.dir, tree, func(l *lookAlike) (usage, error) {
		d, stop, err := seen.before(l.Front)
		if err != nil {
			return usage{}, err
		}
		defer stop()
		in.front = &d
		if err := in.write(l); err != nil {
			return usage{}, err
		}
		return in.scan("--bwlimit", fmt.Sprintf("%dM", bandwidthLimit>>20)).run(ctx)
	})
	if err != nil {
		return err
	}
	least, most, err := seen.spans(bandwidthSpan)
	if err != nil {
		return err
	}
	limit := bandwidthLimit * bandwidthSpan.Seconds()
	b.report.note("acb: %.1f s, CPU %.1f s, %s", run.Wall, run.CPU, run.stats)
	for _, r := range []row{
		{what: "bytes on the line in any 10 s, at most", acb: megabytes(float64(most)), value: 100 * float64(most) / limit, sign: atMost, limit: 105},
		{what: "bytes on the line in any 10 s, at least", acb: megabytes(float64(least)), value: 100 * float64(least) / limit, sign: atLeast, limit: 95},
	} {
		r.floor, r.unit = megabytes(limit), "%"
		b.report.add(r)
	}
	return nil
}

// A gauge notes what comes in, and when.
type gauge struct {
	mu    sync.Mutex // guards the rest
	at    []time.Time
	bytes []int
}

func (g *gauge) note(bytes int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at, g.bytes = append(g.at, time.Now()), append(g.bytes, bytes)
}

// before returns a detour that passes the gauge on its way to d, until stop.
func (g *gauge) before(d detour) (_ detour, stop func() error, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return d, nil, err
	}
	to := d.Proxy
	d.Proxy = l.Addr().String()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // stopped
			}
			go g.relay(c, to)
		}
	}()
	return d, l.Close, nil
}

// relay passes one connection on until either side ends it.
func (g *gauge) relay(c net.Conn, to string) {
	defer c.Close()
	up, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	go func() {
		defer up.Close()
		_, _ = io.Copy(up, gaugedConn{c, g}) // an end is no news
	}()
	_, _ = io.Copy(c, up)
}

// A gaugedConn notes what it reads.
type gaugedConn struct {
	net.Conn
	gauge *gauge
}

// Read reads and notes it.
func (c gaugedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.gauge.note(n)
	return n, err
}

// spans returns the least and the most that came in any span of so long a
// time, the first and the last second left out.
func (g *gauge) spans(span time.Duration) (least, most int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := len(g.at)
	if n == 0 || g.at[n-1].Sub(g.at[0]) < 2*span {
		return 0, 0, fmt.Errorf("%d pieces came, in less than twice %v", n, span)
	}
	begin, end := g.at[0].Add(time.Second), g.at[n-1].Add(-time.Second)
	least = -1
	const steps = 100 // windows of a span, so that the error of the least is below 1 %
	for from := begin; !from.Add(span).After(end); from = from.Add(span / steps) {
		if sum := g.between(from, from.Add(span)); least < 0 || sum < least {
			least = sum
		}
	}
	for i := range g.at { // the most begins with a piece
		most = max(most, g.between(g.at[i], g.at[i].Add(span)))
	}
	return least, most, nil
}

func (g *gauge) between(from, to time.Time) (sum int) {
	for i, at := range g.at {
		if !at.Before(from) && at.Before(to) {
			sum += g.bytes[i]
		}
	}
	return sum
}
