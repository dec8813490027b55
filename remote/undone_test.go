package remote_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// TestUndone: what Drive refuses is certainly not done, whatever it is; what
// somebody lets pass before that refusal is not certain any more.
func TestUndone(t *testing.T) {
	ops := map[string]struct {
		kinds []drivetest.Kind // of the requests that carry it out
		op    func(h *house) *plan.Op
	}{
		"create folder": {[]drivetest.Kind{drivetest.Create}, func(*house) *plan.Op { return mkdir(9, manifest.Root, "d") }},
		"upload":        {[]drivetest.Kind{drivetest.UploadMulti}, func(h *house) *plan.Op { h.write("new", "new"); return h.upload(manifest.Root, "new") }},
		"upload large": {[]drivetest.Kind{drivetest.UploadStart, drivetest.UploadChunk}, func(h *house) *plan.Op {
			h.write("new", string(make([]byte, 700<<10)))
			return h.upload(manifest.Root, "new")
		}},
		"update": {[]drivetest.Kind{drivetest.UploadMulti}, func(h *house) *plan.Op {
			h.write("f0.txt", "other")
			op := again(plan.Update, h.ack("f0.txt"))
			op.Stat = h.disk["f0.txt"].stat
			return op
		}},
		"move": {[]drivetest.Kind{drivetest.Update}, func(h *house) *plan.Op {
			op := again(plan.MoveFile, h.ack("f0.txt"))
			op.Name = "moved"
			return op
		}},
		"trash": {[]drivetest.Kind{drivetest.Update}, trashOf("f0.txt")},
	}
	refused := drivetest.Refuse(403, "insufficientFilePermissions")
	before := map[string]struct {
		effect drivetest.Effect
		n      int // requests that it strikes
	}{
		"": {}, "503": {drivetest.Refuse(503, "backendError"), 1}, "429": {drivetest.TooMany(0), 2}, "lost": {drivetest.Lost, 1},
		"500 for what was done": {drivetest.LostAs(500), 1}, "cut": {drivetest.Cut, 1}, "torn": {drivetest.Torn, 1}, "no part": {drivetest.DropPart, 1},
	}
	for name, o := range ops {
		for way, b := range before {
			if way == "no part" && strings.HasPrefix(name, "up") {
				continue // in no batch
			}
			t.Run(name+" "+way, func(t *testing.T) {
				h := newHouse(t, drivetest.Options{})
				h.small = 256 << 10
				h.restart()
				h.settle()
				h.apply(h.firstRun(2)...)
				op := o.op(h)
				was := h.tree()
				var faults []drivetest.Fault
				for _, k := range o.kinds {
					for i := range b.n {
						faults = append(faults, drivetest.Nth(k, i, b.effect), drivetest.InBatch(drivetest.Nth(k, i, b.effect)))
					}
				}
				always := drivetest.Only(drivetest.Always(refused), o.kinds...)
				h.srv.Inject(drivetest.Several(append(faults, always, drivetest.InBatch(always))...))
				env := h.env()
				env.Claimed = true // which takes a request of the same kind
				if r, err := h.d.Apply(t.Context(), [][]*plan.Op{{op}}, env); err != nil || r.Failed != 1 {
					t.Fatalf("%+v, %v, failed %v", r, err, h.failed)
				}
				undone := slices.Contains(h.undone, op.Path)
				if want := way == "" || way == "429"; want && !undone {
					t.Errorf("not certain after %v", h.failed)
				}
				draw := func(tree map[string]drivetest.Node) (all []string) {
					for _, p := range slices.Sorted(maps.Keys(tree)) {
						all = append(all, fmt.Sprint(p, " ", tree[p].Head))
					}
					return all
				}
				if now := h.tree(); undone && !slices.Equal(draw(now), draw(was)) {
					t.Errorf("certain not to be done, and yet: %q, was %q", draw(now), draw(was))
				}
			})
		}
	}
}
