package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// counted counts the writes that it takes.
type counted struct {
	bytes.Buffer
	writes int
}

func (c *counted) Write(p []byte) (int, error) {
	c.writes++
	return c.Buffer.Write(p)
}

// TestCollected: many lines leave in few pieces, and one that nothing follows
// does not wait for the end.
func TestCollected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := new(counted)
		a := &app{out: out}
		wrong := errors.New("wrong")
		err := a.telling(t.Context(), func() error {
			fmt.Fprintln(a.out, "first")
			time.Sleep(collectTime + 1)
			synctest.Wait()
			if got := out.String(); got != "first\n" {
				t.Errorf("%q came after %v", got, collectTime)
			}
			for range 10_000 {
				fmt.Fprintln(a.out, "one of many")
			}
			return wrong
		})
		if err != wrong || a.out != out {
			t.Errorf("it ended with %v, and left %T", err, a.out)
		}
		if n := strings.Count(out.String(), "\n"); n != 10_001 || out.writes > 4 {
			t.Errorf("%d lines in %d writes", n, out.writes)
		}
	})
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space") }

// TestCollectedInVain: what could not be written was not told.
func TestCollectedInVain(t *testing.T) {
	a := &app{out: full{}}
	err := a.telling(t.Context(), func() error {
		fmt.Fprintln(a.out, "line")
		return nil
	})
	if err == nil || err.Error() != "write output: no space" {
		t.Errorf("it ended with %v", err)
	}
}
