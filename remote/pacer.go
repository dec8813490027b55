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
// that fills at rate. Reads and the chunks of a large content, which are no
// writes, pass freely; they wait only while Drive has asked for quiet, or has
// refused one of their kind.
//
// Rate and burst follow what Drive does. A refusal halves the rate; it is back
// in five seconds at the knee, what the account is thought to bear, stays
// there for a while and then, quicker and quicker, looks for more. From one
// refusal to the next the account gave all that it bears: that measures the
// knee.
type pacer struct {
	now    func() time.Time
	sleep  func(context.Context, time.Duration) error
	random chance
	limit  float64 // writes/s that the user allows; 0 means any
	turn   chan struct{}

	mu       sync.Mutex // guards what follows
	rate     float64    // writes/s; 0 means not limited
	low      float64    // what the last refusal cut rate to
	knee     float64    // writes/s
	used     float64    // seconds in use since the last pause
	burst    float64
	learned  bool      // burst grows no more
	spent    bool      // the whole burst went out since the last refill
	tokens   float64   // below 0 during a pause
	at       time.Time // when tokens and rate were true
	until    time.Time // nothing leaves before
	writes   time.Time // no write leaves before
	refused  time.Time // when the last pause began, or the pacer
	first    bool      // there was no refusal yet
	row      int       // pauses without a success in between
	accepted int       // writes since refused
}

func newPacer(o Options) *pacer {
	limit := o.WritesPerSecond
	p := &pacer{now: o.Now, sleep: o.Sleep, random: o.Random, limit: limit, rate: limit, low: limit, knee: limit, turn: make(chan struct{}, 1), first: true}
	p.burst, p.tokens = firstBurst, firstBurst
	p.at = p.now()
	p.refused = p.at
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
	if most > 0 { // in turn, so that small requests do not starve a batch
		select {
		case p.turn <- struct{}{}:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		defer func() { <-p.turn }()
	}
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
	wait := p.until.Sub(now)
	if most > 0 {
		wait = max(wait, p.writes.Sub(now))
	}
	if wait > 0 {
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

// idle reports whether a write could leave at once, with nobody before it.
func (p *pacer) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.fill(now)
	return len(p.turn) == 0 && now.After(p.until) && now.After(p.writes) && (p.rate == 0 || p.tokens >= 1)
}

const (
	// recovery is how long a halved rate takes to the knee.
	recovery = 5 * time.Second
	// doubling is how long the rate takes from there to twice the knee. It is
	// the cube of a TCP line's congestion control (RFC 9438): flat around the
	// knee, where most refusals would come from, steep where more is in sight.
	doubling = 90 * time.Second
)

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
	p.used += min(dt, 2) // what nobody asked for proves nothing
	switch beyond := p.used - recovery.Seconds(); {
	case beyond < 0:
		p.rate = p.knee + (p.knee-p.low)*beyond/recovery.Seconds()
	default:
		p.rate = p.knee * (1 + math.Pow(beyond/doubling.Seconds(), 3))
	}
	if p.limit > 0 {
		p.rate = min(p.rate, p.limit)
	}
}

// A verdict is how the calls of one request ended.
type verdict struct {
	accepted int           // writes
	refused  int           // calls refused for coming too fast
	read     bool          // no write was among the refused
	after    time.Duration // what the answer asked to wait
}

// saw takes in how a request ended that left at the given time.
func (p *pacer) saw(v verdict, left time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.fill(now)
	if ask := now.Add(v.after); v.after > 0 && ask.After(p.until) {
		p.until = ask
	}
	if v.accepted > 0 && left.After(p.refused) {
		p.row = 0
	}
	p.accepted += v.accepted
	if v.refused == 0 {
		if v.accepted > 0 && p.spent {
			p.spent = false
			if !p.learned {
				p.burst = min(p.burst*1.5, maxBatch)
			}
		}
		return
	}
	if !p.first && !left.After(p.refused) {
		return // it left before the pause that is on already
	}
	p.slow(now)
	pause := backoff(p.row, p.random)
	p.row++
	if v.after > 0 { // it was said how long
		pause = v.after
	}
	p.tokens = 1 - p.rate*pause.Seconds() // one may leave when it is over
	switch {
	case v.after > 0:
	case v.read:
		p.until = now.Add(pause)
	default:
		p.writes = now.Add(pause) // bytes go on meanwhile
	}
}

// slow halves the rate and works out where it should end up.
func (p *pacer) slow(now time.Time) {
	span := max(now.Sub(p.refused).Seconds(), 1)
	gave := float64(p.accepted) / span
	blame := p.first && float64(p.accepted) <= p.burst || !p.first && p.rate > 0 && p.rate <= p.knee
	had := p.rate
	switch {
	case had == 0:
		had = max(gave, 2)
		p.knee = 0.9 * had
	case p.first || p.accepted < 3:
		p.knee = 0.9 * had
	default:
		p.knee = 0.95 * gave
	}
	if p.limit > 0 {
		p.knee = min(p.knee, p.limit)
	}
	if blame { // not the rate, but too many at once
		p.burst = max(p.burst/2, 1)
	}
	p.learned, p.spent = true, false
	p.low = max(min(had, p.knee)/2, 0.1)
	p.knee = max(p.knee, p.low)
	p.rate, p.used = p.low, 0
	p.refused, p.accepted, p.first = now, 0, false
}
