package remote

import (
	"context"
	"time"
)

// How often each class is tried again. Bounds are ours; Drive names none.
const (
	retriesTransient = 6  // about a minute of waiting
	retriesRate      = 10 // about eight minutes
	retriesCap       = 2  // a content refused in the words of the daily cap; about four seconds
	retriesNotFound  = 3  // a fresh item may be invisible for a moment
	retriesSignIn    = 7  // about a minute of waiting; a renewed token may be refused for a moment
	maxBackoff       = 64 * time.Second
)

// tries is the one retry policy: it remembers what was tried for one call and
// says whether and when to try again.
type tries struct {
	transient, rate, auth, missing, parent int

	// cap is how often the words of the daily cap may be a passing refusal;
	// 0 means always: only contents are under it.
	cap int
}

// next reports whether a call that ended with e is to be sent again, and after
// which pause. The pause of a rate limit, and what an answer asked to wait, are
// the pacer's business.
//
// Every call of this package may be repeated: gets and patches by nature,
// creates because they carry a reserved id.
func (t *tries) next(e *Error, random chance) (pause time.Duration, again bool) {
	switch {
	case e.Class == Transient:
		t.transient++
		return backoff(t.transient-1, random), t.transient <= retriesTransient
	case e.Class == RateLimit:
		if t.rate++; t.cap > 0 && t.rate >= t.cap && e.Message == capMessage {
			e.Class = DailyCap
			return 0, false
		}
		return 0, t.rate <= retriesRate
	case e.Class == Auth && e.Status == 401:
		if t.auth++; t.auth == 1 { // the client may have a new token by now
			return 0, true
		}
		return backoff(t.auth-2, random), t.auth <= retriesSignIn
	case e.Class == NotFound:
		t.missing++
		return 100 * time.Millisecond << (t.missing - 1), t.missing <= retriesNotFound
	case e.Reason == "parentNotAFolder": // seen as a passing fault under load
		t.parent++
		return time.Second, t.parent <= 1
	}
	return 0, false
}

// A chance picks a duration at random, from 0 up to what it is given.
type chance = func(below time.Duration) time.Duration

// backoff is the pause before repetition n, counted from 0.
// Source: Drive API guide, limits: min(2^n s + up to 1 s at random, 64 s).
func backoff(n int, random chance) time.Duration {
	if n > 6 {
		return maxBackoff
	}
	return min(time.Second<<n+random(time.Second), maxBackoff)
}

// try sends one request under the policy and the pacer. writes is how many
// writes it spends. f gets a context that outlives ctx by the grace period, so
// that an interrupt does not lose an answer that is on its way.
func (d *Drive) try(ctx context.Context, writes int, t tries, f func(context.Context) error) *Error {
	for {
		if err := d.pace.take(ctx, writes); err != nil {
			return classify(err)
		}
		left := d.opt.Now()
		e := d.once(ctx, f)
		d.saw(e, writes, left)
		if e == nil {
			return nil
		}
		pause, again := t.next(e, d.opt.Random)
		if !again {
			return e
		}
		d.opt.Log.Debug("try again", "class", e.Class.String(), "status", e.Status, "reason", e.Reason, "pause", pause)
		if err := d.opt.Sleep(ctx, pause); err != nil {
			return classify(err)
		}
	}
}

// saw lets pacer and meter know how one request ended that left at the given
// time and spent writes.
func (d *Drive) saw(e *Error, writes int, left time.Time) {
	var v verdict
	switch {
	case e == nil:
		v.accepted = writes
	case e.Class == RateLimit:
		v.refused, v.read = 1, writes == 0
		d.meter.throttled.Add(1)
	}
	if e != nil {
		v.after = e.wait()
	}
	d.pace.saw(v, left)
}

// read is try for a call of the generated client that changes nothing.
func (d *Drive) read(ctx context.Context, f func(context.Context) error) *Error {
	return d.try(ctx, 0, tries{}, func(ctx context.Context) error {
		w := d.watched(ctx)
		defer w.end()
		return w.cause(f(w.ctx))
	})
}

// once runs f and classifies what it ended with. When ctx ends, f has the
// grace period to finish.
func (d *Drive) once(ctx context.Context, f func(context.Context) error) *Error {
	if err := ctx.Err(); err != nil {
		return classify(context.Canceled)
	}
	rctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(grace)
		defer t.Stop()
		select {
		case <-t.C:
			cancel()
		case <-rctx.Done():
		}
	})
	defer stop()
	e := classify(f(rctx))
	if e != nil && e.Class == Canceled && ctx.Err() == nil {
		e.Class = Transient // our own deadline, not the caller's
	}
	return e
}

// sleep waits for d on the system's clock.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
