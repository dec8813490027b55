package remote_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// newAccount makes a house on the clock of a synctest bubble, reached through
// pipes, whose account bears what th says, and whose pauses are by seed.
func newAccount(t *testing.T, seed uint64, limit float64, transfers int, th drivetest.Throttle) *house {
	t.Helper()
	h := &house{
		t: t, disk: map[manifest.Path]*file{}, folders: map[manifest.FolderID]manifest.FileID{},
		begun: map[manifest.FileID]*plan.Op{}, halves: map[manifest.Path]manifest.Session{}, failed: map[manifest.Path]error{}, still: map[manifest.Path]error{},
		gens: []int64{1}, lastGen: 1,
	}
	h.srv = drivetest.Pipe(drivetest.Options{Seed: 1, NoSHA: true})
	t.Cleanup(func() { h.srv.Close() })
	h.opt = remote.Options{
		Endpoint: h.srv.URL, Client: h.srv.Client(), Folder: "Auto Cloud Backup", Host: "laptop", Installation: "inst-1",
		Transfers: transfers, WritesPerSecond: limit, Now: time.Now, Random: chance(seed),
	}
	h.restart()
	h.settle()
	time.Sleep(time.Minute) // whatever the layout took is back
	h.restart()
	h.srv.SetThrottle(th)
	h.srv.ResetStats()
	return h
}

// chance is a remote.Options.Random by seed.
func chance(seed uint64) func(time.Duration) time.Duration {
	rng := rand.New(rand.NewPCG(seed, 0x70616365))
	var mu sync.Mutex
	return func(below time.Duration) time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return time.Duration(rng.Int64N(int64(below)))
	}
}

// seeds are those of as many random pauses as $ACB_SEEDS says, or of a few.
func seeds(t *testing.T) int {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("ACB_SEEDS"), "3"))
	if err != nil {
		t.Fatalf("ACB_SEEDS: %v", err)
	}
	return n
}

// uploads makes n small files and the operations that send them.
func (h *house) uploads(n, size int) (ops []*plan.Op) {
	for i := range n {
		path := manifest.Path(fmt.Sprintf("f%04d", i))
		n := fmt.Sprint(i)
		h.write(path, strings.Repeat("0", max(size-len(n), 0))+n)
		ops = append(ops, h.upload(manifest.Root, path))
	}
	return ops
}

// took carries out the stages and says how long that was.
func (h *house) took(stages ...[]*plan.Op) time.Duration {
	h.t.Helper()
	began := time.Now()
	if r := h.apply(stages...); r.Failed > 0 || r.Stopped != nil {
		h.t.Errorf("%d failed: %v", r.Failed, h.failed)
	}
	return time.Since(began)
}

// A first run of 300 files on accounts that bear more or less, which is known
// or not: how much slower than the account allows, and how many of the calls
// were refused.
func TestAccounts(t *testing.T) {
	const n = 300
	for _, tt := range []struct {
		limit, bears    float64
		slower, refused float64 // most, times the floor and share of calls
	}{
		{3, 3, 1.05, 0},   // the default, on an account as Google describes it
		{3, 10, 1.05, 0},  // what the user allows is the limit, whatever the account bears
		{3, 2, 1.1, 0.02}, // as rclone's manual has it
		{3, 1, 1.1, 0.03},
		{0, 1, 1.05, 0.045}, // found out from nothing
		{0, 3, 1.2, 0.025},
		{0, 10, 1.35, 0.02},
	} {
		for _, latency := range []time.Duration{30 * time.Millisecond, 400 * time.Millisecond} {
			t.Run(fmt.Sprintf("limit %v bears %v latency %v", tt.limit, tt.bears, latency), func(t *testing.T) {
				for seed := range seeds(t) {
					synctest.Test(t, func(t *testing.T) {
						h := newAccount(t, uint64(seed), tt.limit, 4, drivetest.Throttle{WritesPerSecond: tt.bears, Latency: latency})
						took := h.took(h.uploads(n, 100)).Seconds()
						h.check()
						rate := tt.bears
						if tt.limit > 0 {
							rate = min(rate, tt.limit)
						}
						rate = min(rate, 4/latency.Seconds()) // four at a time
						floor := (n - 10) / rate
						st := h.srv.Stats()
						slower, refused := took/floor, float64(st.Refused)/float64(st.TotalCalls())
						t.Logf("%.1f s, %.3f x the floor, %d of %d calls refused", took, slower, st.Refused, st.TotalCalls())
						if slower > tt.slower || refused > tt.refused {
							t.Errorf("%.2f x the floor and %.1f %% refused, want at most %v x and %v %%", slower, 100*refused, tt.slower, 100*tt.refused)
						}
					})
				}
			})
		}
	}
}

// An account that bears less from some moment on, or more.
func TestAccountChanges(t *testing.T) {
	for _, tt := range []struct {
		limit, before, after float64
		slower               float64 // of the second part, most, times its floor
	}{{3, 3, 1, 1.02}, {0, 10, 1, 1.02}, {0, 1, 10, 5}, {3, 1, 3, 1.6}} {
		t.Run(fmt.Sprintf("limit %v from %v to %v", tt.limit, tt.before, tt.after), func(t *testing.T) {
			for seed := range seeds(t) {
				synctest.Test(t, func(t *testing.T) {
					const n = 600
					h := newAccount(t, uint64(seed), tt.limit, 4, drivetest.Throttle{WritesPerSecond: tt.before, Latency: 100 * time.Millisecond})
					ops := h.uploads(n, 100)
					first := h.took(ops[: n/3 : n/3]).Seconds()
					h.srv.SetThrottle(drivetest.Throttle{WritesPerSecond: tt.after, Latency: 100 * time.Millisecond})
					second := h.took(ops[n/3:]).Seconds()
					h.check()
					st := h.srv.Stats()
					floor := float64(n-n/3-10) / tt.after
					t.Logf("%.0f s for %d at %v/s, then %.0f s for %d at %v/s; %d of %d refused",
						first, n/3, tt.before, second, n-n/3, tt.after, st.Refused, st.TotalCalls())
					if refused := float64(st.Refused) / float64(st.TotalCalls()); second > tt.slower*floor || refused > 0.025 {
						t.Errorf("%.2f x the floor, %.1f %% refused", second/floor, 100*refused)
					}
				})
			}
		})
	}
}

// Large contents flow while small ones wait for their turn to be written, and
// the other way round, whichever comes first in the plan: the run takes as
// long as the scarcer of the two. A large content takes a connection 20 s.
func TestBytesFlowWhileWritesWait(t *testing.T) {
	const small = 150
	for _, tt := range []struct {
		transfers, large int
		latency          time.Duration
		most             float64 // seconds
	}{
		{2, 2, 100 * time.Millisecond, 51}, // the writes alone take 47
		{4, 2, 100 * time.Millisecond, 51},
		{4, 6, 100 * time.Millisecond, 54}, // on one connection, 120
		{4, 1, 2 * time.Second, 95},        // writes are at hand all the time; one after the other it takes 109
	} {
		for _, first := range []bool{true, false} { // the large ones come first
			t.Run(fmt.Sprintf("%d transfers, %d large, latency %v, large first %v", tt.transfers, tt.large, tt.latency, first), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newAccount(t, 1, 3, tt.transfers, drivetest.Throttle{WritesPerSecond: 3, Latency: tt.latency, BytesPerSecond: 1 << 20 / 20})
					h.small = smallest
					h.restart()
					ops := h.uploads(small, 100)
					var large []*plan.Op
					for i := range tt.large {
						path := manifest.Path(fmt.Sprint("big", i))
						h.write(path, strings.Repeat("x", 1<<20))
						large = append(large, h.upload(manifest.Root, path))
					}
					if first {
						ops = append(large, ops...)
					} else {
						ops = append(ops, large...)
					}
					took := h.took(ops).Seconds()
					h.check()
					t.Logf("%.1f s", took)
					if took > tt.most || h.srv.Stats().Refused > 0 {
						t.Errorf("%.1f s, want at most %.1f; %d refused", took, tt.most, h.srv.Stats().Refused)
					}
				})
			})
		}
	}
}
