package remote_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// One answer in six is lost and one request in ten refused: each file comes to
// be on Drive once, and nothing else does.
func TestLossyDrive(t *testing.T) {
	for seed := range uint64(3) {
		synctest.Test(t, func(t *testing.T) {
			h := newAccount(t, seed, 0, 4, drivetest.Throttle{Latency: 50 * time.Millisecond})
			h.srv.Inject(drivetest.Several(drivetest.Chance(1.0/6, seed, drivetest.Lost), drivetest.Chance(0.1, seed+100, drivetest.Unavailable)))
			stages, began := [][]*plan.Op{h.uploads(300, 1000)}, time.Now()
			for h.apply(h.rest(stages)...).Failed > 0 { // seven bad ones in a row: the next run's work
				clear(h.failed)
			}
			took, hits := time.Since(began), h.srv.Hits()
			h.srv.Inject(nil)
			h.check()
			if n := len(h.srv.Tree("root")); n != 2+300 || hits < 60 {
				t.Errorf("%d items on Drive, %d faults", n, hits)
			}
			st := h.srv.Stats()
			t.Logf("%v, %d faults, %d bytes came for the second time", took, hits, st.SentTwice)
		})
	}
}

// A line of 20 KiB/s with 300 ms on which one request in a hundred is cut in
// the middle: the run ends, right, and little is sent again.
func TestBadLine(t *testing.T) {
	for seed := range uint64(3) {
		synctest.Test(t, func(t *testing.T) {
			h := newAccount(t, seed, 3, 4, drivetest.Throttle{Latency: 300 * time.Millisecond, BytesPerSecond: 20 << 10})
			ops := h.uploads(150, 10_000)
			h.write("large", strings.Repeat("0123456789abcdef", 6<<20/16))
			ops = append(ops, h.upload(manifest.Root, "large"))
			h.srv.Inject(drivetest.Several(
				drivetest.Nth(drivetest.UploadChunk, 1, drivetest.CutBody(600<<10)),
				drivetest.Only(drivetest.Chance(0.02, seed, drivetest.CutBody(5_000)), drivetest.UploadMulti, drivetest.UploadChunk),
				drivetest.Chance(0.01, seed+100, drivetest.Cut)))
			took := h.took(ops)
			hits := h.srv.Hits()
			h.check()
			content := int64(150*10_000 + 6<<20)
			over := h.srv.Stats().ContentIn - content
			t.Logf("%v, %d faults, %d bytes more than the content, %.1f %%", took, hits, over, 100*float64(over)/float64(content))
			if hits < 3 || over > content/20 {
				t.Errorf("%d faults, %d of %d bytes sent in vain", hits, over, content)
			}
		})
	}
}
