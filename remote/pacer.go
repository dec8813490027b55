package remote

import (
	"context"
	"math"
	"sync"
	"time"
)

const (
	// firstBurst is how many writes may leave at once before anything is
	// known: one below the 10 that an account is reported to bear, because
	// requests do not arrive as evenly as they leave.
	// Source: a user's report of a limit of 10 writes/s behind the advice of 3 sustained.
	firstBurst = 9
	// enough is the most writes that a batch waits for.
	enough = 10
	// maxBatch is the most calls in one batch request; more are refused.
	// Source: Drive API guide, "Improve performance", batch requests.
	maxBatch = 100
)

// pacer is the one gate for all requests. It counts writes: a bucket of burst
// that fills at rate. Reads pass freely, unless Drive has just refused
// something, for then nothing leaves until the pause is over.
//
// Both numbers follow what Drive does: a refusal halves them, and they come
// back quickly to nine tenths of what was refused, slowly above.
type pacer struct {
	now   func() time.Time
	sleep func(context.Context, time.Duration) error
	limit float64 // writes/s that the user allows; 0 means any
	turn  chan struct{}

	mu       sync.Mutex // guards what follows
	rate     float64    // writes/s; 0 means not limited
	knee     float64    // writes/s up to which rate recovers quickly
	burst    float64
	learned  bool // burst was refused once and grows no more
	spent    bool // the whole burst went out since the last refill
	tokens   float64
	at       time.Time // when tokens and rate were true
	until    time.Time // nothing leaves before
	refused  time.Time // when the last pause began
	row      int       // pauses without a success in between
	since    time.Time // beginning of the window in which accepted counts
	accepted int
}

func newPacer(limit float64, now func() time.Time, sleep func(context.Context, time.Duration) error) *pacer {
	p := &pacer{now: now, sleep: sleep, limit: limit, rate: limit, knee: limit, turn: make(chan struct{}, 1)}
	p.burst, p.tokens = firstBurst, firstBurst
	p.at = now()
	p.since = p.at
	return p
}

// take waits until a request of so many writes may leave.
func (p *pacer) take(ctx context.Context, writes int) error {
	_, err := p.takeUpTo(ctx, writes, writes)
	return err
}

// takeUpTo waits until least writes may leave, or as many as may ever leave at
// once, and takes what is at hand, most at the utmost.
func (p *pacer) takeUpTo(ctx context.Context, least, most int) (int, error) {
	select { // in turn, so that small requests do not starve a batch
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	defer func() { <-p.turn }()
	for {
		n, wait := p.claim(least, most)
		if wait <= 0 {
			return n, ctx.Err()
		}
		if err := p.sleep(ctx, wait); err != nil {
			return 0, err
		}
	}
}

// claim takes tokens, or says how long to wait for them.
func (p *pacer) claim(least, most int) (int, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.fill(now)
	if wait := p.until.Sub(now); wait > 0 {
		return 0, wait
	}
	if most == 0 || p.rate == 0 {
		return most, 0
	}
	need := min(float64(least), p.burst)
	if p.tokens < need {
		return 0, max(time.Duration((need-p.tokens)/p.rate*float64(time.Second)), time.Millisecond)
	}
	if p.tokens >= p.burst && float64(most) >= p.burst {
		p.spent = true
	}
	n := max(1, min(most, int(p.tokens)))
	p.tokens -= float64(n)
	return n, 0
}

// fill brings tokens and rate up to now.
func (p *pacer) fill(now time.Time) {
	dt := now.Sub(p.at).Seconds()
	if dt <= 0 {
		return
	}
	p.at = now
	if p.rate == 0 {
		return
	}
	p.tokens = min(p.burst, p.tokens+dt*p.rate)
	if p.rate < p.knee {
		p.rate = min(p.knee, p.rate+p.knee*dt/10) // half lost is back in five seconds
	} else {
		p.rate *= math.Pow(1.01, min(dt, 600)) // a percent a second
	}
	if p.limit > 0 {
		p.rate = min(p.rate, p.limit)
	}
}

// saw takes in how a request of so many writes, which left at the given time,
// ended; e is nil for success.
func (p *pacer) saw(e *Error, writes int, left time.Time) {
	switch {
	case e == nil:
		p.sawParts(writes, 0, 0, left)
	case e.Class == RateLimit:
		p.sawParts(0, max(writes, 1), e.RetryAfter, left)
	}
}

// sawParts takes in how the parts of one request ended.
func (p *pacer) sawParts(accepted, refused int, after time.Duration, left time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.fill(now)
	if now.Sub(p.since) > 10*time.Second {
		p.since, p.accepted = now.Add(-time.Second), p.accepted/10
	}
	p.accepted += accepted
	if refused == 0 {
		if accepted > 0 {
			p.row = 0
			if p.spent && !p.learned {
				p.burst = min(p.burst*1.5, maxBatch)
			}
			p.spent = false
		}
		return
	}
	if !left.After(p.refused) && !p.refused.IsZero() {
		return // it left before the pause that is on already
	}
	had := p.rate
	if had == 0 {
		had = max(float64(p.accepted)/max(now.Sub(p.since).Seconds(), 1), 2)
	}
	p.knee = 0.9 * had
	p.rate = max(had/2, 0.1)
	p.burst, p.learned, p.spent = max(p.burst/2, 1), true, false
	p.tokens = 0
	p.refused = now
	pause := backoff(p.row)
	if after > 0 {
		pause = after
	}
	p.until = now.Add(pause)
	p.row++
}
