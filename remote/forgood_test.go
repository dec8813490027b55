package remote_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// TestKeptForGood: contents go up as ones that Drive keeps for good, whether
// small or large; those which it does not are saved all the same, and told
// apart, and no other refusal is taken for that one.
func TestKeptForGood(t *testing.T) {
	const most = 200 // what Drive keeps of a file
	for _, size := range []int{10, 1000} {
		h := newHouse(t, drivetest.Options{})
		h.small = 100
		h.settle()
		h.keep = remote.ForGood
		h.write("a", strings.Repeat("x", size))
		h.apply([]*plan.Op{h.upload(manifest.Root, "a")})
		update := func(n int) (r remote.Result) {
			h.write("a", fmt.Sprint(n, strings.Repeat("x", size)))
			op := again(plan.Update, h.ack("a"))
			op.Stat = h.disk["a"].stat
			return h.apply([]*plan.Op{op})
		}
		for n := range most + 1 {
			last := h.ack("a")
			if want := n < most; last.Content.Kept != want || last.Full == want {
				t.Fatalf("size %d, content %d: kept %v, full %v", size, n, last.Content.Kept, last.Full)
			}
			before := h.srv.Stats().Requests
			update(n)
			once := h.srv.Stats().Requests[drivetest.UploadMulti]-before[drivetest.UploadMulti]+
				h.srv.Stats().Requests[drivetest.UploadStart]-before[drivetest.UploadStart] == 1
			if once != (n < most-1) {
				t.Fatalf("size %d, content %d: asked once %v", size, n, once)
			}
		}
		revs, err := h.d.Revisions(t.Context(), h.ack("a").Content.FileID)
		if err != nil || len(revs) != most+2 || !revs[most-1].Pinned || revs[most].Pinned || revs[most+1].Pinned {
			t.Fatalf("size %d: %d revisions, %v", size, len(revs), err)
		}
		// What is known to be full is not asked for.
		h.keep = remote.Full
		before := h.srv.Stats().ContentIn
		update(most + 1)
		if sent := h.srv.Stats().ContentIn - before; !h.ack("a").Full || sent != int64(len(h.disk["a"].data)) {
			t.Errorf("size %d: full %v, %d bytes sent", size, h.ack("a").Full, sent)
		}
	}

	h := newHouse(t, drivetest.Options{})
	h.settle()
	h.keep = remote.ForGood
	h.write("a", "one")
	h.apply([]*plan.Op{h.upload(manifest.Root, "a")})
	h.srv.Inject(drivetest.Only(drivetest.Always(drivetest.Refuse(403, "insufficientFilePermissions")), drivetest.UploadMulti))
	h.write("a", "two")
	op := again(plan.Update, h.ack("a"))
	op.Stat = h.disk["a"].stat
	h.apply([]*plan.Op{op})
	if err := h.failed["a"]; err == nil || !strings.Contains(err.Error(), "insufficientFilePermissions") {
		t.Errorf("refused: %v", err)
	}
}
