package remote

import (
	"time"

	"github.com/autocloudbackup/acb/internal/plan"
)

// A Forecast is what carrying out a plan is expected to cost, if every
// request succeeds at once.
type Forecast struct {
	Requests int64 // to Drive
	Calls    int64 // the same, those inside batches counted one by one
	Bytes    int64 // content
	// Least is the time that the limits of writes and of the line alone take.
	Least time.Duration
}

// Forecast says what Apply of these stages would cost, the search for the
// host folder included if this is the first run. It sends nothing. A folder
// that has to be found again, and whatever goes wrong, come on top.
func (d *Drive) Forecast(stages [][]*plan.Op, first bool) Forecast {
	t := tally{batch: maxBatch}
	if d.opt.WritesPerSecond > 0 {
		t.batch = enough // metadata leaves as the pacer lets it
	}
	pool := int64(0)
	if first {
		// One batch that asks for all there is to know; top and host folder.
		t.requests, t.calls, t.writes = 3, 6, 2
		pool = maxIDs - 2
	} else if len(stages) > 0 {
		t.requests, t.calls, t.writes = 1, 1, 1 // the generation, with the first ids
	}
	last, tail := tailStage(stages), int64(0)
	if len(stages) > 0 {
		tail = 1 // the generation, once more
	}
	for i, ops := range stages {
		var metadata int64
		for _, op := range ops {
			if op.Kind.Creates() {
				t.creates++
			}
			if !op.Kind.Sends() {
				metadata++
				continue
			}
			t.content(op.Stat.Size)
			if op.Stat.Size > smallFile {
				tail++ // its BLAKE3 follows
			}
		}
		if i == last {
			metadata, tail = metadata+tail, 0
		}
		t.metadata(metadata)
	}
	t.metadata(tail)
	ids := up(max(t.creates-pool, 0), maxIDs)
	f := Forecast{Requests: t.requests + ids, Calls: t.calls + ids, Bytes: t.bytes}
	if !first && ids > 0 {
		f.Requests--
	}
	if limit := d.opt.WritesPerSecond; limit > 0 {
		f.Least = time.Duration(float64(max(t.writes-firstBurst, 0)) / limit * float64(time.Second))
	}
	if limit := d.opt.Line.Rate(); limit > 0 { // what the timetable says of later is left out
		f.Least = max(f.Least, time.Duration(float64(t.bytes)/float64(limit)*float64(time.Second)))
	}
	return f
}

// A tally adds up what requests cost.
type tally struct {
	batch                          int64 // calls in one batch
	requests, calls, writes, bytes int64
	creates                        int64 // ids needed
}

// metadata adds n calls without content.
func (t *tally) metadata(n int64) {
	t.requests += up(n, t.batch)
	t.calls += n
	t.writes += n
}

// content adds a file: one request, or a session and its chunks on a line that
// is fast enough for the largest.
func (t *tally) content(size int64) {
	n := int64(1)
	if size > smallFile {
		// The second chunk is read while the first is under way, and so
		// before that has told how fast the line is.
		n++
		for left, chunk := size-firstChunk, int64(firstChunk); left > 0; chunk = min(chunk*2, maxChunk) {
			left -= chunk
			n++
		}
	}
	t.requests += n
	t.calls += n
	t.writes++
	t.bytes += size
}

// up divides n by d and rounds up.
func up(n, d int64) int64 { return (n + d - 1) / d }
