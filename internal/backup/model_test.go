package backup_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// TestRandomInterrupted edits at random between runs that are interrupted,
// killed, or talk to a Drive where much goes wrong, on a machine whose clock
// jumps, whose state folder is copied and comes back, and whose Drive other
// hands get at.
func TestRandomInterrupted(t *testing.T) {
	inRounds(t, seeds(t, 50, 20), func(t *testing.T, seed uint64, clock func() time.Time, out *outside) (*editor, func(uint64)) {
		m := newModel(t, seed, clock, out)
		return m.hand, m.round
	})
}

// inRounds has a model of each seed live through four rounds, each of a seed of
// its own.
func inRounds(t *testing.T, list []uint64,
	begin func(t *testing.T, seed uint64, clock func() time.Time, out *outside) (hand *editor, round func(seed uint64))) {
	for _, seed := range list {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			out := newOutside(t)
			inBubble(t, func(t *testing.T, clock func() time.Time) {
				hand, round := begin(t, seed, clock, out)
				for n := 0; n < 4 && !t.Failed(); n++ {
					hand.say("-- round %d", n)
					round(seed*10 + uint64(n))
				}
			})
		})
	}
}

// A model is a trial of all that may happen to a backup.
type model struct {
	*trial
	out   *outside
	begun map[string]time.Time // when sessions were begun, by the machine's clock
	past  map[string]bool      // sessions that need not be gone on with
	spare *spare               // a copy of the state folder; nil if there is none

	touched bool // others have acted on Drive, and that is not put right yet
}

func newModel(t *testing.T, seed uint64, clock func() time.Time, out *outside) *model {
	m := &model{trial: fakeTrial(t, seed, clock, out), out: out, begun: map[string]time.Time{}, past: map[string]bool{}}
	m.named()
	if m.rng.IntN(2) == 0 {
		m.binding = backup.Binding{Machine: "machine 1", Client: "client"}
	}
	if m.rng.IntN(3) == 0 {
		m.hand.bigs = 2
		m.must(m.hand.createBig(m.hand.free(m.sources[0])))
	}
	return m
}

// round makes runs that something happens to, and then one that nothing comes
// between: disk, Drive and manifest tell the same, and there is nothing left
// to do. In every other round Drive is asked what others did.
func (m *model) round(seed uint64) {
	m.t.Helper()
	m.checkDrive = time.Duration(m.rng.IntN(2))
	for range 1 + m.rng.IntN(3) {
		m.out.after(m.settle)
		m.beside(func() bool { m.interrupted(seed); return false })
		if m.rng.IntN(3) > 0 {
			m.hand.edit(1 + m.rng.IntN(8))
		}
		m.jump()
		if m.checkDrive > 0 && m.rng.IntN(4) == 0 {
			m.hands()
		}
	}
	if m.rng.IntN(3) == 0 {
		if m.checkDrive == 0 {
			m.beside(func() bool { m.run(context.Background()); return false }) // there is something
		}
		m.hands()
		if m.checkDrive == 0 {
			m.touchAll()
		}
	}
	if m.spare != nil && m.rng.IntN(2) == 0 {
		m.useSpare()
	}
	m.undisturbed()
	m.hand.edit(1 + m.rng.IntN(10))
}

func (m *model) undisturbed() {
	m.t.Helper()
	m.must(m.hand.inhabit())
	m.out.after(m.settle)
	m.hand.say("-- undisturbed")
	before := m.standing()
	begunAnew, touched := m.lostOf(before), m.touched
	twice := m.srv.Stats().SentTwice
	m.beside(func() bool { m.hook(nil); m.ok(); m.srv.OnRequest(nil); return true })
	m.limits.Allow, m.touched = false, false
	m.wentOn(before)
	// An id whose file others have deleted is refused with its content.
	if n := m.srv.Stats().SentTwice - twice; n > begunAnew && !touched {
		m.t.Errorf("%d bytes were sent although Drive had acknowledged them", n)
	}
	m.compare()
	if left := m.unsettled(); len(left) > 0 {
		m.t.Errorf("the journal still holds %v", left)
	}
	m.checkDrive = 0
	m.quiet()
}

// hands lets others act on what there is, if there is anything.
func (m *model) hands() {
	m.t.Helper()
	if m.srv.Tree("root")[topName+"/"+hostName].ID == "" {
		return
	}
	m.touched = true
	m.otherHands(m.checkDrive > 0)
	m.giveUpSessions() // what they belong to may be gone
	if m.spare != nil {
		m.spare.drive = m.onHost()
	}
}

// jump sets the machine's clock wrong, or right again, as a laptop's that has
// slept or met a server of time.
func (tr *trial) jump() {
	if tr.rng.IntN(3) > 0 {
		return
	}
	by := []time.Duration{0, -40 * 24 * time.Hour, -time.Hour, -time.Second, time.Minute, 26 * time.Hour, 400 * 24 * time.Hour}
	d := by[tr.rng.IntN(len(by))]
	tr.hand.say("-- the clock is off by %v", d)
	tr.jumped.Store(int64(d))
}

// interrupted makes a run that something happens to.
func (m *model) interrupted(seed uint64) {
	m.t.Helper()
	before, kinds := m.standing(), 3
	if m.hand.bigs > 0 {
		kinds = 6
	}
	switch at := m.rng.IntN(14); m.rng.IntN(kinds) {
	case 0:
		m.hand.say("-- cancelled at request %d", at)
		m.cancelAt(at)
	case 1:
		m.hand.say("-- killed at request %d", at)
		m.killAfter(at)
	case 2:
		f := m.fault(rand.New(rand.NewPCG(seed, 3)))
		m.hand.say("-- %s", f)
		m.srv.Inject(f)
		m.hook(nil)
		if _, err := m.run(context.Background()); err != nil {
			m.hand.say("-- it ended early: %v", err)
		}
		m.srv.OnRequest(nil)
		m.srv.Inject(nil)
	case 3:
		m.hand.say("-- cancelled at chunk %d", at%6)
		m.endAt(m.chunk(at%6), func() {})
	case 4:
		m.hand.say("-- killed at chunk %d", at%6)
		m.killIn(m.chunk(at % 6))
	default:
		m.editedAt(at % 6)
		return
	}
	m.wentOn(before)
}

// editedAt makes a run with edits when chunk n of an upload begins.
func (m *model) editedAt(n int) {
	m.t.Helper()
	is := m.chunk(n)
	m.hook(func(r drivetest.Info) {
		if is(r) && r.Kind == drivetest.UploadChunk && m.rng.IntN(2) == 0 {
			m.hand.say("-- at chunk %d", n)
			m.hand.edit(1 + m.rng.IntN(3))
			if err := m.hand.editBig(); !errors.Is(err, errNothing) {
				m.keep(err)
			}
		}
	})
	m.hand.say("-- edited from chunk %d on", n)
	_, err := m.run(context.Background())
	m.srv.OnRequest(nil)
	m.must(err)
	m.note()
}

// fault makes many requests go wrong, in several ways.
func (tr *trial) fault(r *rand.Rand) drivetest.Fault {
	var all []drivetest.Fault
	for _, e := range effects {
		p := []float64{0, 0.05, 0.3}[r.IntN(3)]
		f := drivetest.Chance(p, r.Uint64(), e)
		if r.IntN(2) == 0 && e.String() != drivetest.Torn.String() {
			f = drivetest.InBatch(f)
		}
		all = append(all, f)
	}
	return drivetest.Several(all...)
}
