package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// The first signal ends the context, the second the program; after the first
// it ends by itself within ten seconds, or is ended.
func TestInterruptible(t *testing.T) {
	for name, c := range map[string]struct {
		signals []time.Duration // when they come
		ends    time.Duration   // when the program returns by itself; 0: never
		now     time.Duration   // when it is ended; 0: not at all
	}{
		"none":                    {nil, time.Minute, 0},
		"one, and it ends":        {[]time.Duration{time.Second}, 9 * time.Second, 0},
		"one, and it hangs":       {[]time.Duration{time.Second}, 0, 11 * time.Second},
		"two":                     {[]time.Duration{time.Second, 3 * time.Second}, 0, 3 * time.Second},
		"two at once":             {[]time.Duration{time.Second, time.Second}, 0, time.Second},
		"one, long before it end": {[]time.Duration{time.Hour}, time.Hour + 8*time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, signals := time.Now(), make(chan os.Signal, 2)
				var ended atomic.Int64 // nanoseconds
				ctx, stop := interruptible(context.Background(), signals, func() { ended.Store(int64(time.Since(began))) })
				for _, at := range c.signals {
					time.AfterFunc(at, func() { signals <- os.Interrupt })
				}
				if len(c.signals) > 0 {
					<-ctx.Done()
					if at := time.Since(began); at != c.signals[0] {
						t.Errorf("the context ended after %v", at)
					}
				}
				if c.ends > 0 {
					time.Sleep(c.ends - time.Since(began))
					stop()
				}
				time.Sleep(time.Hour)
				if at := time.Duration(ended.Load()); at != c.now {
					t.Errorf("ended after %v, want %v", at, c.now)
				}
				if c.ends == 0 {
					stop()
				}
			})
		})
	}
}

// An interrupt does not wait for a person who was asked something.
func TestAskInterrupted(t *testing.T) {
	in, person := io.Pipe()
	defer person.Close() // ends the read that is left behind
	ctx, interrupt := context.WithCancel(t.Context())
	asked := make(chan string, 2) // the question, and the end of its line
	a := &app{in: in, err: writerFunc(func(p []byte) { asked <- string(p); interrupt() })}
	if _, err := a.ask(ctx, "Sure?"); !errors.Is(err, context.Canceled) || <-asked != "Sure?" {
		t.Errorf("%v", err)
	}
	a = &app{in: bytes.NewBufferString("a b\r\nc"), err: io.Discard}
	if line, err := a.ask(t.Context(), "Sure?"); line != "a b" || err != nil {
		t.Errorf("%q, %v", line, err)
	}
}

// A writerFunc is told what is written.
type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }
