package remote

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// account is a Drive that bears so many writes a second, with a burst of 10.
type account struct {
	rate, tokens     float64
	at               time.Time
	accepted, denied int
}

func (a *account) write() *Error {
	now := time.Now()
	a.tokens = min(10, a.tokens+now.Sub(a.at).Seconds()*a.rate)
	a.at = now
	if a.tokens < 1 {
		a.denied++
		return &Error{Class: RateLimit}
	}
	a.tokens--
	a.accepted++
	return nil
}

// An account of 3 writes a second, known: hardly a refusal, and hardly slower
// than it could be. Unknown: found out.
func TestPacerThroughput(t *testing.T) {
	for _, tt := range []struct {
		limit, bears, slower, refused float64
	}{
		{3, 3, 1.1, 0.01}, {3, 2, 1.5, 0.1}, {0, 3, 1.5, 0.1}, {0, 50, 1.6, 0.1},
	} {
		t.Run(fmt.Sprintf("limit %v, bears %v", tt.limit, tt.bears), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPacer(tt.limit, time.Now, sleep)
				a := &account{rate: tt.bears, tokens: 10, at: time.Now()}
				n := int(100 * tt.bears)
				began := time.Now()
				for a.accepted < n {
					if err := p.take(t.Context(), 1); err != nil {
						t.Fatal(err)
					}
					left := time.Now()
					time.Sleep(20 * time.Millisecond)
					p.saw(a.write(), 1, left)
				}
				ideal := float64(n-10) / tt.bears
				if ideal < float64(n)*0.02 {
					ideal = float64(n) * 0.02 // one after the other, no account is faster
				}
				took := time.Since(began).Seconds() / ideal
				refused := float64(a.denied) / float64(n+a.denied)
				t.Logf("%.2f × the floor, %.1f %% refused", took, 100*refused)
				if took > tt.slower || refused > tt.refused {
					t.Errorf("%.2f × the floor, %.1f %% refused", took, 100*refused)
				}
			})
		})
	}
}

// A batch takes what is at hand and waits for no more than ten.
func TestPacerBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(3, time.Now, sleep)
		began := time.Now()
		total := 0
		for range 5 {
			n, err := p.takeUpTo(t.Context(), enough, maxBatch)
			if err != nil || n < 1 || n > enough {
				t.Fatalf("%d %v", n, err)
			}
			total += n
			left := time.Now()
			time.Sleep(100 * time.Millisecond)
			p.sawParts(n, 0, 0, left)
		}
		if took := time.Since(began).Seconds(); took > float64(total)/3+1 {
			t.Errorf("%d writes in %.1f s", total, took)
		}
		free := newPacer(0, time.Now, sleep)
		if n, _ := free.takeUpTo(t.Context(), enough, maxBatch); n != maxBatch {
			t.Errorf("%d without a limit", n)
		}
	})
}

// A refusal stops everything for as long as it says, and halves the rate once,
// however many answers say the same.
func TestPacerRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(4, time.Now, sleep)
		left := time.Now()
		time.Sleep(time.Second)
		for range 5 {
			p.saw(&Error{Class: RateLimit, RetryAfter: 30 * time.Second}, 1, left)
		}
		if p.rate != 2 || p.row != 1 {
			t.Errorf("rate %v, %d pauses", p.rate, p.row)
		}
		began := time.Now()
		if err := p.take(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("a read waited %s", took)
		}
		time.Sleep(time.Minute)
		p.take(t.Context(), 1)
		if p.rate != 4 {
			t.Errorf("rate %v after a minute", p.rate)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		p.saw(&Error{Class: RateLimit, RetryAfter: time.Hour}, 1, time.Now())
		if err := p.take(ctx, 1); err == nil {
			t.Error("an ended context is not noticed")
		}
	})
}
