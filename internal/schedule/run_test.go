package schedule

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A rig runs a schedule in a bubble, whose time starts at midnight of
// 2000-01-01, and notes when the job starts.
type rig struct {
	t      *testing.T
	shift  atomic.Int64 // nanoseconds by which the clock was set
	stop   context.CancelFunc
	ended  chan error
	starts []string
	job    func(ctx context.Context, n int) // n counts from 1; may be nil
}

func (r *rig) now() time.Time { return time.Now().Add(time.Duration(r.shift.Load())).In(time.UTC) }

// set moves the clock without letting time pass, as sleep, NTP or a person do.
func (r *rig) set(by time.Duration) { r.shift.Add(int64(by)) }

func (r *rig) start(o Options, lines ...string) {
	ctx, cancel := context.WithCancel(r.t.Context())
	r.stop, r.ended = cancel, make(chan error, 1)
	s := must(r.t, lines...)
	go func() {
		r.ended <- Run(ctx, r.now, s, o, func(ctx context.Context) {
			r.starts = append(r.starts, r.now().Format("02 15:04:05"))
			if r.job != nil {
				r.job(ctx, len(r.starts))
			}
		})
	}()
}

// end stops Run, and compares what it started with want.
func (r *rig) end(want ...string) {
	r.t.Helper()
	r.stop()
	if err := <-r.ended; !errors.Is(err, context.Canceled) {
		r.t.Errorf("Run returned %v", err)
	}
	if !slices.Equal(r.starts, want) {
		r.t.Errorf("started at\n%s\nwant\n%s", strings.Join(r.starts, "\n"), strings.Join(want, "\n"))
	}
}

func TestRun(t *testing.T) {
	for name, play := range map[string]func(r *rig){
		"on time": func(r *rig) {
			r.start(Options{}, "0 */4 * * *")
			time.Sleep(9 * time.Hour)
			r.end("01 04:00:00", "01 08:00:00")
		},
		"several lines": func(r *rig) {
			r.start(Options{}, "0 4 * * *", "30 3 * * *", "0 4,5 * * *")
			time.Sleep(6 * time.Hour)
			r.end("01 03:30:00", "01 04:00:00", "01 05:00:00")
		},
		"a long job is not overlapped, and caught up with once": func(r *rig) {
			r.job = func(_ context.Context, n int) {
				if n == 1 {
					time.Sleep(3*time.Hour + 20*time.Minute)
				}
			}
			r.start(Options{CatchUp: true}, "@hourly")
			time.Sleep(6*time.Hour + time.Minute)
			r.end("01 01:00:00", "01 04:20:00", "01 05:00:00", "01 06:00:00")
		},
		"a long job without catching up": func(r *rig) {
			r.job = func(_ context.Context, n int) {
				if n == 1 {
					time.Sleep(3*time.Hour + 20*time.Minute)
				}
			}
			r.start(Options{}, "@hourly")
			time.Sleep(6*time.Hour + time.Minute)
			r.end("01 01:00:00", "01 05:00:00", "01 06:00:00")
		},
		"asleep past three due times": func(r *rig) {
			r.start(Options{CatchUp: true}, "@hourly")
			time.Sleep(30*time.Minute + time.Second)
			r.set(3 * time.Hour)
			time.Sleep(time.Hour)
			r.end("01 03:30:30", "01 04:00:00")
		},
		"asleep, without catching up": func(r *rig) {
			r.start(Options{}, "@hourly")
			time.Sleep(30*time.Minute + time.Second)
			r.set(3 * time.Hour)
			time.Sleep(time.Hour)
			r.end("01 04:00:00")
		},
		"a start a little late is on time": func(r *rig) {
			r.start(Options{}, "@hourly")
			time.Sleep(59*time.Minute + 31*time.Second)
			r.set(50 * time.Second)
			time.Sleep(50 * time.Minute)
			r.end("01 01:00:50")
		},
		"missed before the process began": func(r *rig) {
			r.start(Options{CatchUp: true, Last: r.now().Add(-80 * time.Hour)}, "@hourly")
			time.Sleep(90 * time.Minute)
			r.end("01 00:00:00", "01 01:00:00")
		},
		"nothing missed before the process began": func(r *rig) {
			r.start(Options{CatchUp: true, Last: r.now().Add(-10 * time.Minute)}, "30 */2 * * *")
			time.Sleep(90 * time.Minute)
			r.end("01 00:30:00")
		},
		"missed before, without catching up": func(r *rig) {
			r.start(Options{Last: r.now().Add(-80 * time.Hour)}, "@hourly")
			time.Sleep(90 * time.Minute)
			r.end("01 01:00:00")
		},
		"a last run in the future": func(r *rig) {
			r.start(Options{CatchUp: true, Last: r.now().Add(1000 * time.Hour)}, "@hourly")
			time.Sleep(90 * time.Minute)
			r.end("01 01:00:00")
		},
		"clock put back a little: no second start": func(r *rig) {
			r.start(Options{CatchUp: true}, "@hourly")
			time.Sleep(time.Hour + time.Second)
			r.set(-10 * time.Minute)
			time.Sleep(time.Hour + 10*time.Minute)
			r.end("01 01:00:00", "01 02:00:00")
		},
		"clock put back under the job: no second start": func(r *rig) {
			r.job = func(_ context.Context, n int) {
				if n == 1 {
					r.set(-30 * time.Second)
				}
			}
			r.start(Options{CatchUp: true}, "@hourly")
			time.Sleep(time.Hour + 40*time.Minute)
			r.end("01 01:00:00")
		},
		"clock put back by days: due times are those of the new date": func(r *rig) {
			r.start(Options{CatchUp: true}, "0 */4 * * *")
			time.Sleep(time.Hour + time.Second)
			r.set(-5 * 24 * time.Hour)
			time.Sleep(4 * time.Hour)
			r.end("27 04:00:00")
		},
		"clock put right under the job, by years": func(r *rig) {
			r.set(3653 * 24 * time.Hour)
			r.job = func(_ context.Context, n int) {
				if n == 1 {
					r.set(-3653 * 24 * time.Hour)
				}
			}
			r.start(Options{CatchUp: true, Last: r.now().Add(-time.Hour * 9)}, "0 */4 * * *")
			time.Sleep(5 * time.Hour)
			r.end("01 00:00:00", "01 04:00:00")
		},
		"clock put forward by years: one start": func(r *rig) {
			r.start(Options{CatchUp: true}, "0 */4 * * *")
			time.Sleep(time.Hour + time.Second)
			r.set(3652 * 24 * time.Hour)
			time.Sleep(4 * time.Hour)
			r.end("31 01:00:30", "31 04:00:00")
		},
		"jitter stays below the following due time": func(r *rig) {
			r.start(Options{CatchUp: true, Jitter: 5 * time.Hour}, "@hourly")
			time.Sleep(8 * time.Hour)
			r.stop()
			<-r.ended
			seen := map[string]bool{}
			for i, s := range r.starts {
				at, err := time.Parse("02 15:04:05", s)
				if err != nil || at.Hour() != i+1 {
					r.t.Errorf("start %d at %s: %v", i+1, s, err)
				}
				seen[s[5:]] = true
			}
			if len(r.starts) < 7 || len(seen) < 3 {
				r.t.Errorf("starts %v: too few, or not spread", r.starts)
			}
		},
		"catching up is not delayed by jitter": func(r *rig) {
			r.start(Options{CatchUp: true, Last: r.now().Add(-5 * time.Hour), Jitter: 20 * time.Hour}, "59 23 * * *")
			time.Sleep(time.Hour)
			r.end("01 00:00:00")
		},
		"the end comes while waiting": func(r *rig) {
			r.start(Options{}, "@weekly")
			time.Sleep(time.Minute)
			before := time.Now()
			r.end()
			if time.Since(before) != 0 {
				r.t.Errorf("Run took %v to end", time.Since(before))
			}
		},
		"the end comes while the job runs: it is waited for": func(r *rig) {
			finished := false
			r.job = func(ctx context.Context, _ int) {
				<-ctx.Done()
				time.Sleep(20 * time.Second) // finish what is in flight
				finished = true
			}
			r.start(Options{CatchUp: true}, "@hourly")
			time.Sleep(5 * time.Hour)
			r.end("01 01:00:00")
			if !finished {
				r.t.Error("Run returned before its job")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { play(&rig{t: t}) })
		})
	}
}

func TestRunTellsWhatItWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := rig{t: t}
		var told []string
		r.start(Options{Waiting: func(next time.Time) { told = append(told, next.Format("02 15:04")) }}, "0 */4 * * *")
		time.Sleep(5 * time.Hour)
		r.end("01 04:00:00")
		if want := []string{"01 04:00", "01 08:00"}; !slices.Equal(told, want) {
			t.Errorf("told %v, want %v", told, want)
		}
	})
}

func TestRunWithoutLines(t *testing.T) {
	if err := Run(t.Context(), time.Now, Schedule{}, Options{}, nil); err == nil || !strings.Contains(err.Error(), "no cron line") {
		t.Errorf("Run of nothing: %v", err)
	}
}
