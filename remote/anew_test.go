package remote_test

import (
	"errors"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// set puts the clock forward, or back.
func (c *clock) set(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// A run whose machine sleeps, or whose clock is set, looks at the generation
// again before it trashes or replaces anything: with another copy at work
// meanwhile it changes nothing more, without one it goes on.
func TestLooksAgainAfterSleep(t *testing.T) {
	for name, c := range map[string]struct {
		jump  time.Duration
		other bool // another copy of the state folder runs meanwhile
		looks int
		stops bool
	}{
		"no sleep":                       {time.Minute, false, 0, false},
		"no sleep, another copy":         {time.Minute, true, 0, false},
		"eight hours":                    {8 * time.Hour, false, 1, false},
		"eight hours, another copy":      {8 * time.Hour, true, 1, true},
		"clock put back":                 {-time.Hour, false, 1, false},
		"clock put back, another copy":   {-time.Hour, true, 1, true},
		"eleven minutes, another copy":   {11 * time.Minute, true, 1, true},
		"put back a little, nobody else": {-time.Second, false, 1, false},
	} {
		for _, kind := range []plan.OpKind{plan.TrashFile, plan.Update} {
			t.Run(name+", "+kind.String(), func(t *testing.T) {
				h := newHouse(t, drivetest.Options{TokenLife: 100 * time.Hour})
				h.settle()
				h.write("a", "a")
				h.write("b", "b")
				h.apply([]*plan.Op{h.upload(manifest.Root, "a"), h.upload(manifest.Root, "b")})
				h.write("new", "new")
				late := again(kind, h.ack("b"))
				if kind == plan.Update {
					late.Stat = h.write("b", "other").stat
				}
				before := h.srv.Stats()
				h.onDone = func(a remote.Ack) error {
					if a.Op.Path != "new" {
						return nil
					}
					h.onDone = nil
					h.clock.set(c.jump)
					if c.other {
						d, err := remote.New(h.opt)
						if err != nil {
							return err
						}
						_, err = d.Claim(t.Context(), h.lay.Host, remote.Gen{Known: h.gens, Next: func() (int64, error) { return 1e6, nil }})
						return err
					}
					return nil
				}
				r, err := h.d.Apply(t.Context(), [][]*plan.Op{{h.upload(manifest.Root, "new")}, {late}}, h.env())
				after := h.srv.Stats()
				var gen *remote.GenError
				switch {
				case c.stops && (!errors.As(err, &gen) || r.Done != 1):
					t.Errorf("%+v, %v", r, err)
				case !c.stops && (err != nil || r.Done != 2):
					t.Errorf("%+v, %v, %v", r, err, h.failed)
				}

				if n := after.Calls[drivetest.Get] - before.Calls[drivetest.Get]; n != c.looks {
					t.Errorf("%d looks, want %d", n, c.looks)
				}
			})
		}
	}
}
