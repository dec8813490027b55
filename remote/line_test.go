package remote_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// wire notes when how many bytes have left by any connection.
type wire struct {
	mu   sync.Mutex
	at   []time.Time
	sent []int
}

func (w *wire) note(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at, w.sent = append(w.at, time.Now()), append(w.sent, n)
}

// total is what left from a time to another.
func (w *wire) total(from, to time.Time) (sum int) {
	for i, at := range w.at {
		if !at.Before(from) && at.Before(to) {
			sum += w.sent[i]
		}
	}
	return sum
}

// most is the most that left in any window of so long a time.
func (w *wire) most(window time.Duration) int {
	best, sum, last := 0, 0, 0
	for i := range w.at {
		sum += w.sent[i]
		for w.at[i].Sub(w.at[last]) >= window {
			sum -= w.sent[last]
			last++
		}
		best = max(best, sum)
	}
	return best
}

type wireConn struct {
	net.Conn
	*wire
}

func (c *wireConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.note(n)
	return n, err
}

// newLimitedHouse is a house whose line is limited, on the clock of a bubble,
// and what leaves by that line.
func newLimitedHouse(t *testing.T, limit func(time.Time) int64) (*house, *wire) {
	w := &wire{}
	srv := drivetest.Pipe(drivetest.Options{Now: time.Now})
	h := houseOf(t, newClock(), srv, func(o *remote.Options) {
		o.Now, o.Sleep, o.Transfers = time.Now, nil, 4
		o.Line = remote.NewLine(limit, time.Now)
		tr := srv.Transport()
		tr.WriteBufferSize = remote.NewTransport(1).WriteBufferSize
		dial := tr.DialContext
		tr.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dial(ctx, network, address)
			return &wireConn{c, w}, err
		}
		o.Client = &http.Client{Transport: &oauth2.Transport{
			Base:   o.Line.Limit(tr),
			Source: oauth2.StaticTokenSource(&oauth2.Token{AccessToken: srv.Token(drivetest.Ask{}).AccessToken}),
		}}
	})
	return h, w
}

func always(bytesPerSecond int64) func(time.Time) int64 {
	return func(time.Time) int64 { return bytesPerSecond }
}

// Whatever is sent, small files in one write or large ones in sessions, four
// at a time: in no 10 seconds does more leave than 5 % above the limit, and in
// none while there is something to send less than 5 % below. What waits for
// the line is not taken for a connection that stands still.
func TestLineHolds(t *testing.T) {
	for name, c := range map[string]struct {
		limit   int64
		n, size int
	}{
		"small files":               {64 << 10, 300, 10 << 10},
		"tiny files":                {16 << 10, 800, 100},
		"one write, lowest limit":   {1 << 10, 8, 50 << 10},
		"many writes, lowest limit": {1 << 10, 5, 200 << 10},
		"sessions":                  {1 << 20, 4, 8 << 20},
		"sessions, slow":            {16 << 10, 2, 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, w := newLimitedHouse(t, always(c.limit))
				if strings.HasPrefix(name, "sessions") {
					h.d.Shrink(512<<10, 2<<20)
				}
				h.settle()
				time.Sleep(time.Minute)
				began := time.Now()
				if r := h.apply(h.uploads(c.n, c.size)); r.Failed > 0 || r.Done != c.n {
					t.Fatalf("%+v, %v", r, h.failed)
				}
				h.check()
				if n := h.srv.Stats().SentTwice; n != 0 {
					t.Errorf("%d bytes were sent twice", n)
				}
				const window = 10 * time.Second
				limit := int(c.limit) * 10
				if most := w.most(window); most > limit*105/100 {
					t.Errorf("%d bytes left in 10 s, the limit is %d", most, limit)
				}
				last := w.at[len(w.at)-1]
				if last.Sub(began) < 2*window {
					t.Fatalf("it took %v only", last.Sub(began))
				}
				for at := began; at.Add(window).Before(last.Add(-time.Second)); at = at.Add(window / 7) {
					if n := w.total(at, at.Add(window)); n < limit*95/100 {
						t.Fatalf("%d bytes left in 10 s from %v on, the limit is %d", n, at.Sub(began), limit)
					}
				}
			})
		})
	}
}

// The limit is another one from the minute on that is named, for what is on
// its way, too.
func TestLineChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		midnight := time.Now() // in every bubble
		minute := func(n int) time.Time { return midnight.Add(time.Duration(n) * time.Minute) }
		const fast, slow = 400 << 10, 5 << 10
		h, w := newLimitedHouse(t, func(at time.Time) int64 {
			switch {
			case at.Before(minute(1)):
				return fast
			case at.Before(minute(2)):
				return slow
			case at.Before(minute(3)):
				return fast
			}
			return 0
		})
		h.settle()
		if r := h.apply(h.uploads(4, 20<<20)); r.Failed > 0 {
			t.Fatalf("%+v, %v", r, h.failed)
		}
		h.check()
		for n, want := range []int{fast * 60, slow * 60, fast * 60} {
			if got := w.total(minute(n), minute(n+1)); got < want*95/100 || got > want*105/100 {
				t.Errorf("%d bytes left in minute %d, want %d", got, n, want)
			}
		}
		if took := time.Since(minute(3)); took > time.Second {
			t.Errorf("without a limit it took %v", took)
		}
	})
}

// A connection that really stands still is given up as ever, whoever else
// makes progress.
func TestLineStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := newLimitedHouse(t, always(1<<10))
		h.settle()
		h.srv.Inject(drivetest.Nth(drivetest.UploadMulti, 1, drivetest.Hang))
		began := time.Now()
		if r := h.apply(h.uploads(8, 100<<10)); r.Failed > 0 {
			t.Fatalf("%+v, %v", r, h.failed)
		}
		h.check()
		if h.srv.Hits() != 1 {
			t.Fatal("no request hung")
		}
		// The eight take a little over 800 s; the one that hung waits its two
		// minutes beside the others, and once more its turn.
		if took := time.Since(began); took > 1100*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// An interrupt ends what waits for the line, however many wait.
func TestLineInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := newLimitedHouse(t, always(1<<10))
		h.opt.Transfers = 100
		h.restart()
		h.settle()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(30*time.Second, cancel)
		began := time.Now()
		_, err := h.d.Apply(ctx, [][]*plan.Op{h.uploads(100, 100<<10)}, h.env())
		if took := time.Since(began); !errors.Is(err, context.Canceled) || took > 39*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		h.srv.Close()
		synctest.Wait()
	})
}
