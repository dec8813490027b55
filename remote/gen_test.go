package remote_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// holds reports whether the host folder holds these generations and no other.
func (h *house) holds(gens ...int64) bool {
	h.t.Helper()
	var there, want []string
	for key := range h.srv.Tree("root")["Auto Cloud Backup/laptop"].AppProps {
		if g, ok := strings.CutPrefix(key, "acb.g."); ok {
			there = append(there, g)
		}
	}
	for _, g := range gens {
		want = append(want, fmt.Sprint(g))
	}
	slices.Sort(there)
	slices.Sort(want)
	return slices.Equal(there, want)
}

// versions tells whether anything but the host folder was touched.
func (h *house) versions() map[string]int64 {
	v := map[string]int64{}
	for at, n := range h.srv.Tree("root") {
		v[at] = n.Version
	}
	delete(v, "Auto Cloud Backup/laptop")
	return v
}

// stale reports whether an Apply with these known generations is refused, and
// that it then changes nothing.
func (h *house) stale(known []int64, op *plan.Op) bool {
	h.t.Helper()
	before, acks, begins := h.versions(), len(h.acks), h.begins
	h.gens = known
	r, err := h.d.Apply(h.t.Context(), [][]*plan.Op{{op}}, h.env())
	var g *remote.GenError
	if !errors.As(err, &g) {
		if err != nil {
			h.t.Fatal(err)
		}
		h.gens = r.Gens
		return false
	}
	if len(h.acks) > acks || h.begins > begins || fmt.Sprint(before) != fmt.Sprint(h.versions()) {
		h.t.Errorf("with generations %v something was changed", known)
	}
	h.gens = r.Gens
	if !slices.Equal(r.Gens, known) {
		h.t.Errorf("knew %v, knows %v", known, r.Gens)
	}
	return true
}

// A manifest that is not the last one to have changed Drive changes nothing,
// also if all it would do is to create.
func TestGeneration(t *testing.T) {
	h := newHouse(t, drivetest.Options{})
	h.settle()
	h.apply(h.firstRun(2)...)
	middle := slices.Clone(h.gens) // a first run is copied before it ends, too
	h.apply([]*plan.Op{patchOf("f0.txt")(h)})
	if !h.holds(h.lastGen) {
		t.Fatalf("knows %v", h.gens)
	}
	last := h.lastGen
	h.restart()
	h.write("new.txt", "made after the copy")
	create := func() *plan.Op { return h.upload(h.ack("f0.txt").Op.Parent, "new.txt") }
	for _, tt := range []struct {
		known []int64
		stale bool
	}{
		{[]int64{1}, true},
		{[]int64{last - 1}, true},
		{middle, true},
		{[]int64{last + 100}, true},
		{nil, true},
		{[]int64{last - 1, last}, false}, // its own, whose answer was lost
	} {
		if h.stale(tt.known, create()) != tt.stale || h.stale(tt.known, patchOf("f1.txt")(h)) != tt.stale && tt.stale {
			t.Errorf("known %v: stale should be %v", tt.known, tt.stale)
		}
	}
}

// Of two copies that begin at once, exactly one goes on, however their
// requests come: the second to put its generation there sees the first's.
func TestTwoCopiesAtOnce(t *testing.T) {
	for _, ends := range []bool{true, false} {
		h := newHouse(t, drivetest.Options{})
		h.settle()
		h.apply(h.firstRun(2)...)
		known := slices.Clone(h.gens)
		other := &house{
			t: t, clock: h.clock, disk: h.disk, folders: h.folders, begun: h.begun, acks: h.acks, failed: h.failed, still: h.still,
			srv: h.srv, opt: h.opt, lay: h.lay, gens: known, lastGen: 1000,
		}
		other.restart()
		h.write("one.txt", "one")
		h.write("two.txt", "two")
		parent := h.ack("f0.txt").Op.Parent
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		met := false
		h.srv.OnRequest(func(_ int, r drivetest.Info) {
			if r.Kind != drivetest.UploadMulti || met {
				return
			}
			met = true
			if !other.stale(known, other.upload(parent, "two.txt")) {
				t.Error("both copies went on")
			}
			if !ends {
				cancel() // and the first is killed
			}
		})
		_, err := h.d.Apply(ctx, [][]*plan.Op{{h.upload(parent, "one.txt")}}, h.env())
		h.srv.OnRequest(nil)
		if (err == nil) != ends || !met {
			t.Fatalf("%v", err)
		}
		if !other.stale(known, other.upload(parent, "two.txt")) {
			t.Error("the copy went on after the first had ended")
		}
		// The first one is not held up.
		if h.stale(h.gens, patchOf("f1.txt")(h)) {
			t.Errorf("the right one is stale: %v", h.gens)
		}
	}
}
