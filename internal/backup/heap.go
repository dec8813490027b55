package backup

import (
	"runtime/debug"
	"runtime/metrics"
)

// A heapRoom lets the heap of a run that sends be as large as it was when
// sending began. A first run begins with the plan of everything in memory and
// lets go of each operation that is done, so that the collector, which goes by
// a share of what is in use, would run ever more often. So its share grows as
// the plan shrinks, and the peak is what it was.
type heapRoom struct {
	least   int // the share that was set before, in percent
	percent int // that is set now
	most    uint64
	samples [2]metrics.Sample
}

// mostGC bounds the share: where hardly anything is in use, a collection costs
// hardly anything.
const mostGC = 1000

// newHeapRoom returns nil where the collector is off.
func newHeapRoom() *heapRoom {
	least := debug.SetGCPercent(mostGC) // which tells what was set
	debug.SetGCPercent(least)
	if least < 0 {
		return nil
	}
	h := &heapRoom{least: least, percent: least}
	h.samples[0].Name, h.samples[1].Name = "/gc/heap/live:bytes", "/gc/heap/goal:bytes"
	_, h.most = h.read()
	return h
}

// read returns how much was in use after the last collection, and at how much
// the next one begins.
func (h *heapRoom) read() (live, goal uint64) {
	metrics.Read(h.samples[:])
	return h.samples[0].Value.Uint64(), h.samples[1].Value.Uint64()
}

// adjust follows what is in use now.
func (h *heapRoom) adjust() {
	if h == nil {
		return
	}
	live, _ := h.read()
	h.most = max(h.most, live+live*uint64(h.least)/100)
	if p := gcPercent(live, h.most, h.least); p != h.percent {
		h.percent = p
		debug.SetGCPercent(p)
	}
}

// gcPercent returns the share by which live bytes may grow to have most, and
// never less than least. A quarter is left: for what grows meanwhile outside
// of the heap, such as the database's memory, and because the collector adds
// the same share of stacks and globals.
func gcPercent(live, most uint64, least int) int {
	room := most / 4 * 3
	if live == 0 || room <= live {
		return least
	}
	return max(least, int(min((room-live)*100/live, mostGC)))
}

// close sets what was set before.
func (h *heapRoom) close() {
	if h != nil {
		debug.SetGCPercent(h.least)
	}
}
