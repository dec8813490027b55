package remote_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// Whatever a run is waiting for when it is interrupted, the next try, the end
// of a rate limit, its turn or an answer that never comes: it ends within what
// answers on their way are given.
func TestInterruptedWhileWaiting(t *testing.T) {
	for name, c := range map[string]struct {
		fault  drivetest.Fault
		writes float64
		within time.Duration
	}{
		"next try":   {drivetest.Always(drivetest.Unavailable), 0, 0},
		"rate limit": {drivetest.Always(drivetest.TooMany(time.Hour)), 0, 0},
		"no answer":  {drivetest.Always(drivetest.Hang), 0, 8 * time.Second},
		"turn":       {nil, 0.01, 0},
	} {
		for _, after := range []time.Duration{time.Second, 10 * time.Second} {
			t.Run(name+" after "+after.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := houseOf(t, newClock(), drivetest.Pipe(drivetest.Options{Now: time.Now}), func(o *remote.Options) {
						o.Now, o.Sleep, o.WritesPerSecond = time.Now, nil, c.writes
					})
					h.d.Shrink(100, 256<<10)
					h.settle()
					stages := [][]*plan.Op{{mkdir(2, manifest.Root, "d"), mkdir(3, manifest.Root, "e")}, h.uploads(30, 300)}
					h.srv.Inject(c.fault)
					ctx, cancel := context.WithCancel(t.Context())
					var at time.Time
					time.AfterFunc(after, func() { at = time.Now(); cancel() })
					_, err := h.d.Apply(ctx, stages, h.env())
					if took := time.Since(at); !errors.Is(err, context.Canceled) || took > c.within {
						t.Errorf("%v, %v after the interrupt", err, took)
					}
				})
			})
		}
	}
}
