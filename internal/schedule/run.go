package schedule

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	// tick is the longest that Run sleeps in one piece. A machine that sleeps
	// stops the timers of its programs too, and a clock that is set does not
	// touch them: only looking at the clock again tells.
	tick = 30 * time.Second

	// grace is how late a start may be and still count as on time. More means
	// that the machine slept, the clock was put forward or a job ran long.
	grace = 2 * tick

	// setBack is how far the clock must jump back for Run to forget what was
	// due. After less, the times shown once more were served already; after
	// more, as when a wrong date is put right, waiting could take years.
	setBack = time.Hour
)

// Options tunes Run; the zero value is the default.
type Options struct {
	// CatchUp runs the job once, as soon as possible, for all due times that
	// passed while nothing could start: before Run, asleep, or with a job
	// still running. Without it they are let go.
	CatchUp bool

	// Last is when the job last started in an earlier process; CatchUp counts
	// from there. Zero means that there is nothing to catch up with.
	Last time.Time

	// Jitter delays each start by a random time below it, so that many
	// machines do not all begin on the full hour. A start is never delayed
	// past the following due time, and never when catching up.
	Jitter time.Duration

	// Waiting, if set, is told each time that Run will start the job at next,
	// Jitter included.
	Waiting func(next time.Time)
}

// Run calls job whenever s is due, one call at a time, until ctx ends. It then
// lets a running job return, which is given ctx to notice, and returns ctx's
// error. Its only other error is that s has no line.
//
// now is the wall clock, in the location in which lines without CRON_TZ are to
// be read: time.Now.
func Run(ctx context.Context, now func() time.Time, s Schedule, o Options, job func(context.Context)) error {
	if s.IsZero() {
		return errors.New("run schedule: there is no cron line")
	}
	r := runner{now: now, tell: o.Waiting}
	r.seen = r.wall()
	from := r.seen
	if o.CatchUp && !o.Last.IsZero() && o.Last.Before(from) {
		from = o.Last.Round(0).In(from.Location())
	}
	for {
		due := s.Next(from)
		start := due
		if r.seen.Before(due) {
			start = due.Add(jitter(o.Jitter, s.Next(due).Sub(due)))
		}
		again, err := r.wait(ctx, start)
		if err != nil {
			return err
		}
		from = r.seen
		if again || !o.CatchUp && from.Sub(start) > grace {
			continue
		}
		job(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		// What came due while the job ran may concern files that it had passed
		// already: it is late now, and caught up with or let go.
	}
}

// jitter is a random delay below limit and below gap, the distance to the
// following due time.
func jitter(limit, gap time.Duration) time.Duration {
	if limit = min(limit, gap); limit <= 0 {
		return 0
	}
	return rand.N(limit)
}

type runner struct {
	now  func() time.Time
	tell func(time.Time)
	seen time.Time // the latest look at the clock, or the one before a job
}

// wall is the clock without its monotonic reading: differences then tell what
// a person's watch says, with sleep and clock steps in them.
func (r *runner) wall() time.Time { return r.now().Round(0) }

// wait returns once the wall clock shows start, or with again set if the clock
// was set back so far that start means nothing any more, or with ctx's error.
func (r *runner) wait(ctx context.Context, start time.Time) (again bool, err error) {
	for told := false; ; {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		before := r.seen
		if r.seen = r.wall(); before.Sub(r.seen) > setBack {
			return true, nil
		}
		left := start.Sub(r.seen)
		if left <= 0 {
			return false, nil
		}
		if r.tell != nil && !told {
			r.tell(start)
			told = true
		}
		timer := time.NewTimer(min(left, tick))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}
