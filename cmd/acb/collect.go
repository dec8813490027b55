package main

import (
	"bufio"
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// A command that only tells may have a million lines to tell. They leave in
// pieces of collectSize, since each on its own would be a system call, and wait
// for collectTime at most, so that whoever reads along sees them come.
const (
	collectSize = 64 << 10 // bytes, as much as a pipe takes at once on Linux
	collectTime = 50 * time.Millisecond
)

// telling calls f, which only tells, with what it writes to stdout collected.
// All of that has been written when telling returns; that it could not be is an
// error. An interrupt ends the process on the spot: there is nothing to finish,
// and who reads along may have stopped reading.
func (a *app) telling(ctx context.Context, f func() error) error {
	defer context.AfterFunc(ctx, a.quit)()
	c := &collector{to: bufio.NewWriterSize(a.out, collectSize), quit: make(chan struct{})}
	out := a.out
	a.out = c
	defer func() { a.out = out }()
	c.done.Go(c.hurry)
	if before := debug.SetGCPercent(tellingGC); before != gcPercent { // as the user set it
		debug.SetGCPercent(before)
	}
	err := f()
	close(c.quit)
	c.done.Wait()
	if e := c.to.Flush(); e != nil && err == nil {
		err = fmt.Errorf("write output: %w", e)
	}
	return err
}

type collector struct {
	mu   sync.Mutex // guards to
	to   *bufio.Writer
	quit chan struct{}
	done sync.WaitGroup
}

// Write takes p.
func (c *collector) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.to.Write(p)
}

// hurry sends on what waits.
func (c *collector) hurry() {
	t := time.NewTicker(collectTime)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			c.mu.Lock()
			_ = c.to.Flush() // the last one returns the same error
			c.mu.Unlock()
		case <-c.quit:
			return
		}
	}
}
