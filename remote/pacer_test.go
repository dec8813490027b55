package remote

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// onClock runs f with a pacer on a fake clock.
func onClock(t *testing.T, limit float64, f func(t *testing.T, p *pacer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f(t, newPacer(Options{WritesPerSecond: limit, Now: time.Now, Sleep: sleep, Random: rand.N[time.Duration]}))
	})
}

// took is how long a request of so many writes waits.
func (p *pacer) took(t *testing.T, writes int) time.Duration {
	t.Helper()
	began := time.Now()
	if err := p.take(t.Context(), writes); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

var refusedOnce = verdict{refused: 1}

// A batch takes what is at hand and waits for no more than ten.
func TestPacerBatches(t *testing.T) {
	onClock(t, 3, func(t *testing.T, p *pacer) {
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
			p.saw(verdict{accepted: n}, left)
		}
		if took := time.Since(began).Seconds(); took > float64(total)/3+1 {
			t.Errorf("%d writes in %.1f s", total, took)
		}
	})
	onClock(t, 0, func(t *testing.T, p *pacer) {
		if n, _ := p.takeUpTo(t.Context(), enough, maxBatch); n != maxBatch {
			t.Errorf("%d without a limit", n)
		}
	})
}

// What an answer asks to wait is waited by everything, however many answers
// ask, and the longest counts. The rate is halved once.
func TestPacerAsked(t *testing.T) {
	onClock(t, 4, func(t *testing.T, p *pacer) {
		time.Sleep(time.Second)
		left := time.Now()
		time.Sleep(time.Second)
		for _, s := range []time.Duration{0, 10, 30, 20, 0} {
			p.saw(verdict{refused: 1, after: s * time.Second}, left)
		}
		if p.rate != 1.8 || p.row != 1 {
			t.Errorf("rate %v, %d pauses", p.rate, p.row)
		}
		if took := p.took(t, 0); took != 30*time.Second {
			t.Errorf("a read waited %s", took)
		}
		p.saw(verdict{after: time.Minute}, time.Now()) // of a 503, too
		if took := p.took(t, 0); took != time.Minute {
			t.Errorf("a read waited %s after a 503", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		p.saw(verdict{refused: 1, after: time.Hour}, time.Now())
		if err := p.take(ctx, 1); err == nil {
			t.Error("an ended context is not noticed")
		}
	})
}

// A refused write keeps writes back and lets bytes flow; a refused read or
// chunk keeps everything back. Pauses grow until something succeeds.
func TestPacerPauses(t *testing.T) {
	onClock(t, 4, func(t *testing.T, p *pacer) {
		for n := range 4 {
			time.Sleep(time.Millisecond)
			p.saw(refusedOnce, time.Now())
			if took := p.took(t, 0); took != 0 {
				t.Errorf("a read waited %s for a refused write", took)
			}
			least := time.Second << n
			if took := p.took(t, 1); took < least || took > least+2*time.Second {
				t.Errorf("write after refusal %d: %s", n, took)
			}
		}
		p.saw(verdict{accepted: 1}, time.Now())
		p.saw(verdict{refused: 1, read: true}, time.Now())
		if took := p.took(t, 0); took < time.Second || took > 2*time.Second {
			t.Errorf("a read waited %s for a refused read", took)
		}
	})
}

// When a pause is over, one write leaves, and the others come after it at the
// pace that there is then: as many as the pause was long would be refused.
func TestPacerAfterPause(t *testing.T) {
	for _, v := range []verdict{refusedOnce, {refused: 1, after: 20 * time.Second}} {
		onClock(t, 0, func(t *testing.T, p *pacer) {
			time.Sleep(10 * time.Second)
			p.saw(verdict{accepted: 100}, time.Now())
			p.saw(v, time.Now())
			p.took(t, 1)
			if n, err := p.takeUpTo(t.Context(), 1, maxBatch); n != 1 || err != nil {
				t.Errorf("after %v, %d leave behind the first (%v)", v.after, n, err)
			}
		})
	}
}

// While a write waits for its turn, neither reads nor chunks wait behind it.
func TestPacerBytesPassWrites(t *testing.T) {
	onClock(t, 3, func(t *testing.T, p *pacer) {
		p.took(t, firstBurst)
		for range 5 {
			go p.take(context.Background(), 1)
		}
		synctest.Wait()
		if p.idle() {
			t.Error("idle, and five wait")
		}
		if took := p.took(t, 0); took != 0 {
			t.Errorf("a chunk waited %s", took)
		}
		time.Sleep(5 * time.Second)
		if !p.idle() {
			t.Error("not idle")
		}
	})
}

// Between two refusals, what was accepted is what the account bears; with
// that rate kept to, the next refusal is the burst's fault.
func TestPacerMeasures(t *testing.T) {
	onClock(t, 0, func(t *testing.T, p *pacer) {
		time.Sleep(10 * time.Second)
		p.saw(verdict{accepted: 100}, time.Now())
		p.saw(refusedOnce, time.Now())
		if p.rate != 4.5 || p.knee != 9 || p.burst != firstBurst {
			t.Errorf("first: rate %v, knee %v, burst %v", p.rate, p.knee, p.burst)
		}
		time.Sleep(20 * time.Second)
		p.saw(verdict{accepted: 80}, time.Now())
		p.took(t, 1)
		p.rate = 6
		p.saw(refusedOnce, time.Now())
		if p.knee != 0.95*4 || p.rate != p.knee/2 || p.burst != firstBurst/2.0 {
			t.Errorf("second: rate %v, knee %v, burst %v", p.rate, p.knee, p.burst)
		}
		time.Sleep(time.Hour) // unused
		p.took(t, 1)
		if p.rate > p.knee {
			t.Errorf("an idle hour proved a rate of %v", p.rate)
		}
		for range 200 {
			time.Sleep(time.Second)
			p.took(t, 1)
		}
		if p.rate < 2*p.knee {
			t.Errorf("rate %v after minutes without a refusal", p.rate)
		}
	})
}
