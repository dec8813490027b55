package backup

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestGCPercent(t *testing.T) {
	const mb = 1 << 20
	for _, c := range []struct {
		live, most  uint64
		least, want int
	}{
		{0, 4 * mb, 33, 33},
		{60 * mb, 80 * mb, 33, 33},
		{90 * mb, 80 * mb, 33, 33},
		{30 * mb, 120 * mb, 33, 200},
		{30 * mb, 100 * mb, 400, 400},
		{20 * mb, 120 * mb, 33, 350},
		{mb, 100 * mb, 33, mostGC},
	} {
		if got := gcPercent(c.live, c.most, c.least); got < c.want-1 || got > c.want {
			t.Errorf("%d MB of %d, at least %d %%: %d %%, want %d", c.live/mb, c.most/mb, c.least, got, c.want)
		}
	}
}

// The room is used when the heap has shrunk, and left behind at the end. A
// collector that is off stays off.
func TestHeapRoom(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(50))
	plan := make([]byte, 64<<20)
	runtime.GC()
	h := newHeapRoom()
	h.adjust()
	if h.percent != 50 {
		t.Errorf("%d %% before anything was let go of", h.percent)
	}
	runtime.KeepAlive(plan)
	plan = nil
	runtime.GC()
	h.adjust()
	if got := debug.SetGCPercent(h.percent); got != h.percent || got <= 100 {
		t.Errorf("the heap has shrunk, and the collector is at %d %%, the room at %d", got, h.percent)
	}
	h.close()
	if got := debug.SetGCPercent(-1); got != 50 {
		t.Errorf("%d %% afterwards", got)
	}
	off := newHeapRoom()
	off.adjust()
	off.close()
	if got := debug.SetGCPercent(50); got != -1 {
		t.Errorf("%d %%, though it was off", got)
	}
}
