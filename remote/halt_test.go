package remote_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// A halted is a house in which one run follows the other, each with the halt
// that the one before left, as the manifest keeps it.
type halted struct {
	*house
	halt []byte
}

// run carries out stages in a new process and returns what Drive was asked.
func (h *halted) run(stages ...[]*plan.Op) (remote.Result, map[drivetest.Kind]int) {
	h.t.Helper()
	env := h.env()
	if h.halt != nil {
		env.Halt = new(remote.Halt)
		if err := json.Unmarshal(h.halt, env.Halt); err != nil {
			h.t.Fatal(err)
		}
	}
	h.restart()
	h.srv.ResetStats()
	clear(h.failed)
	r, err := h.d.Apply(h.t.Context(), stages, env)
	if err != nil {
		h.t.Fatal(err)
	}
	h.gens = r.Gens
	h.halt = nil
	if r.Halt != nil {
		if h.halt, err = json.Marshal(r.Halt); err != nil {
			h.t.Fatal(err)
		}
	}
	return r, h.srv.Stats().Calls
}

// puts makes files of these sizes and the operations that send them.
func (h *house) puts(name string, sizes ...int) (ops []*plan.Op) {
	for i, n := range sizes {
		path := manifest.Path(fmt.Sprintf("%s%d", name, i))
		h.write(path, strings.Repeat("x", n))
		ops = append(ops, h.upload(manifest.Root, path))
	}
	return ops
}

func sentTo(calls map[drivetest.Kind]int) int {
	return calls[drivetest.UploadMulti] + calls[drivetest.UploadStart]
}

func newHalted(t *testing.T, o drivetest.Options, files int) *halted {
	h := &halted{house: newHouse(t, o)}
	h.settle()
	h.apply(h.firstRun(files)...)
	return h
}

// Full storage stops what does not fit, and trashes with it; the rest goes on.
// The next run asks how much room there is, and sends nothing that is refused.
func TestStorageFull(t *testing.T) {
	h := newHalted(t, drivetest.Options{}, 3)
	h.srv.SetStorageLimit(300)
	move := again(plan.MoveFile, h.ack("f0.txt"))
	move.Name, move.Path = "moved", "moved"
	ops := h.puts("g", 1000, 2000, 1, 400, 3000)
	r, calls := h.run([]*plan.Op{move}, ops, []*plan.Op{patchOf("f1.txt")(h.house)}, []*plan.Op{trashOf("f2.txt")(h.house)})
	if r.Done != 3 || r.Failed != 4 || len(r.Held) != 1 || r.Stopped == nil || r.Stopped.Class != remote.StorageFull || r.Halt == nil {
		t.Errorf("%+v %v", r, h.failed)
	}
	if n := sentTo(calls); n > 1+2 || calls[drivetest.About] != 1 { // two at a time
		t.Errorf("%d uploads, asked %d times", n, calls[drivetest.About])
	}
	if err := h.failed["g4"]; err == nil || !strings.Contains(err.Error(), "takes 3000 bytes, and there is room for") || !strings.Contains(err.Error(), "free some room") {
		t.Errorf("%v", err)
	}
	for range 2 {
		r, calls = h.run(h.again("g0", "g1", "g3", "g4"))
		if r.Failed != 4 || r.Halt == nil || r.Stopped == nil || sentTo(calls) != 0 || calls[drivetest.About] != 1 || calls[drivetest.GenerateIDs] != 0 {
			t.Errorf("still full: %+v, %v", r, calls)
		}
	}
	h.srv.SetStorageLimit(300 + 1500)
	r, calls = h.run(h.again("g0", "g1", "g3", "g4"))
	if r.Done != 2 || r.Failed != 2 || sentTo(calls) != 2 {
		t.Errorf("room for two: %+v, %v", r, calls)
	}
	h.srv.SetStorageLimit(0) // unlimited: one goes ahead
	r, _ = h.run(h.again("g1", "g4"))
	if r.Done != 2 || r.Halt != nil || r.Stopped != nil {
		t.Errorf("room again: %+v, %v", r, h.failed)
	}
}

// again makes the operations for files that were not sent.
func (h *house) again(paths ...manifest.Path) (ops []*plan.Op) {
	for _, p := range paths {
		ops = append(ops, h.upload(manifest.Root, p))
	}
	return ops
}

// An account that does not say how much room it has: one content tries.
func TestStorageFullUnsaid(t *testing.T) {
	h := newHalted(t, drivetest.Options{}, 1)
	h.srv.Inject(drivetest.Only(drivetest.Always(drivetest.Refuse(403, "storageQuotaExceeded")), drivetest.UploadMulti))
	r, calls := h.run(h.puts("g", 10, 10, 5, 10, 10))
	if r.Failed != 5 || sentTo(calls) > 2 {
		t.Errorf("%+v, %v", r, calls)
	}
	r, calls = h.run(h.again("g0", "g1", "g2", "g3", "g4"))
	if r.Failed != 5 || sentTo(calls) != 1 || r.Halt == nil {
		t.Errorf("%+v, %v", r, calls)
	}
	h.srv.Inject(nil)
	if r, _ = h.run(h.again("g0", "g1", "g2", "g3", "g4")); r.Done != 5 || r.Halt != nil {
		t.Errorf("%+v, %v", r, h.failed)
	}
	if got := h.acks[1].Op.Path; got != "g2" {
		t.Errorf("%s went ahead, not the smallest", got)
	}
}

// The daily cap hides behind a rate limit with its own wording; once that
// does not pass, contents stop for a day. Moves go on. Runs meanwhile send
// nothing within an hour, then one content.
func TestDailyCap(t *testing.T) {
	h := newHalted(t, drivetest.Options{DailyUpload: 10, TokenLife: 100 * time.Hour}, 1)
	at := h.clock.Now()
	r, calls := h.run(h.puts("g", 9, 9, 5, 9, 9), []*plan.Op{patchOf("f0.txt")(h.house)})
	if r.Stopped == nil || r.Stopped.Class != remote.DailyCap || r.Halt == nil || r.Done < 1 {
		t.Fatalf("%+v %v", r, h.failed)
	}
	if sentTo(calls) > 2+2*3 {
		t.Errorf("%d uploads", sentTo(calls))
	}
	until := r.Halt.Until
	if d := until.Sub(at); d < 24*time.Hour || d > 24*time.Hour+time.Minute {
		t.Errorf("stopped for %s", d)
	}
	var left []manifest.Path
	for p := range h.failed {
		left = append(left, p)
		if text := h.failed[p].Error(); !strings.Contains(text, "uploads go on after "+until.Format("2006-01-02 15:04")) {
			t.Errorf("%s", text)
		}
	}
	r, calls = h.run(h.again(left...), []*plan.Op{patchOf("f0.txt")(h.house)})
	if r.Done != 1 || r.Failed != len(left) || sentTo(calls)+calls[drivetest.GenerateIDs] != 0 || r.Stopped == nil || !r.Halt.Until.Equal(until) {
		t.Errorf("at once: %+v, %v", r, calls)
	}
	h.clock.Sleep(t.Context(), 2*time.Hour)
	r, calls = h.run(h.again(left...))
	if r.Failed != len(left) || sentTo(calls) != 1 || !r.Halt.Until.Equal(until) || !r.Halt.Asked.Equal(h.clock.Now()) {
		t.Errorf("two hours later: %+v %+v, %v", r, r.Halt, calls)
	}
	h.clock.Sleep(t.Context(), 23*time.Hour)
	h.srv.SetDailyUpload(0)
	if r, _ = h.run(h.again(left...)); r.Done != len(left) || r.Halt != nil {
		t.Errorf("a day later: %+v, %v", r, h.failed)
	}
	h.check()
}

// A cap that an hour shows to have been none is forgotten.
func TestDailyCapPasses(t *testing.T) {
	h := newHalted(t, drivetest.Options{DailyUpload: 10, TokenLife: 100 * time.Hour}, 1)
	h.run(h.puts("g", 10, 10, 10))
	left := []manifest.Path{}
	for p := range h.failed {
		left = append(left, p)
	}
	h.srv.SetDailyUpload(0)
	h.clock.Sleep(t.Context(), time.Hour+time.Minute)
	if r, _ := h.run(h.again(left...)); len(left) == 0 || r.Done != len(left) || r.Halt != nil || r.Stopped != nil {
		t.Errorf("%d left: %+v, %v", len(left), r, h.failed)
	}
}

// What is copied counts as uploaded: with the day's volume spent, neither
// copies nor uploads are tried again and again.
func TestDailyCapCopies(t *testing.T) {
	h := newHalted(t, drivetest.Options{DailyUpload: 10, TokenLife: 100 * time.Hour}, 0)
	h.apply(h.puts("g", 11))
	for n := range 3 {
		var ops []*plan.Op
		for i := range 20 {
			path := manifest.Path(fmt.Sprintf("copy%d", i))
			h.disk[path] = h.disk["g0"]
			ops = append(ops, h.copyOf(known(h.ack("g0")), manifest.Root, path))
		}
		r, calls := h.run(ops, h.puts("h", 5, 5, 5), []*plan.Op{patchOf("g0")(h.house)})
		if r.Done != 1 || r.Failed != 23 || r.Stopped == nil || r.Stopped.Class != remote.DailyCap {
			t.Errorf("%+v %v", r, h.failed)
		}
		want := []int{20 * 3, 0, 20}[n] // at first in doubt, then not within the hour, then in a request or two
		if got := calls[drivetest.Copy] + sentTo(calls); got > want || got == 0 && want > 0 {
			t.Errorf("run %d: %v", n, calls)
		}
		if n == 1 {
			h.clock.Sleep(t.Context(), 2*time.Hour)
		}
	}
}

// An owner's daily cap, and a Retry-After that no run waits for, are caps by
// their own words.
func TestDailyCapNamed(t *testing.T) {
	for _, tt := range []struct {
		eff   drivetest.Effect
		after time.Duration
	}{{drivetest.Refuse(403, "dailyLimitExceeded"), 24 * time.Hour}, {drivetest.TooMany(5 * time.Hour), 5 * time.Hour}} {
		h := newHalted(t, drivetest.Options{}, 1)
		at := h.clock.Now()
		h.srv.Inject(drivetest.Only(drivetest.Always(tt.eff), drivetest.UploadMulti))
		r, calls := h.run(h.puts("g", 9, 9, 5, 9, 9))
		if r.Failed != 5 || sentTo(calls) > 2 || r.Halt == nil || r.Halt.Until.Sub(at) != tt.after {
			t.Errorf("%s: %+v, halt %+v, %v", tt.eff, r, r.Halt, calls)
		}
	}
}

// An account that may create nothing more still takes new content for what is
// there.
func TestItemsFull(t *testing.T) {
	h := newHalted(t, drivetest.Options{MaxItems: 2 + 2}, 2)
	h.write("f0.txt", "new content")
	update := again(plan.Update, h.ack("f0.txt"))
	update.Stat = h.disk["f0.txt"].stat
	for range 2 {
		ops := append(h.puts("g", 10, 10, 10, 10, 10), update)
		r, calls := h.run([]*plan.Op{mkdir(9, manifest.Root, "d")}, ops)
		if r.Failed != 6 || r.Done != 1 || r.Stopped == nil || r.Stopped.Class != remote.ItemsFull || r.Halt == nil {
			t.Errorf("%+v %v", r, h.failed)
		}
		if sentTo(calls) != 1 || calls[drivetest.Create] != 1 {
			t.Errorf("%v", calls)
		}
		if err := h.failed["d"]; err == nil || !strings.Contains(err.Error(), "500 million") {
			t.Errorf("%v", err)
		}
	}
}

// A folder that is full says so once; what goes elsewhere goes on. One that
// is too deep takes what is below it along.
func TestFolderLimits(t *testing.T) {
	h := newHalted(t, drivetest.Options{}, 0)
	h.srv.SetFolderLimits(3, 4)
	stages := [][]*plan.Op{{mkdir(2, manifest.Root, "d"), mkdir(3, manifest.Root, "e")}, {mkdir(4, 3, "e/1")}, {mkdir(5, 4, "e/1/2")}, {mkdir(6, 5, "e/1/2/3")}}
	var ops []*plan.Op
	for i := range 8 {
		path := manifest.Path(fmt.Sprintf("d/%d", i))
		h.write(path, "x")
		ops = append(ops, h.upload(2, path))
	}
	h.write("e/f", "x")
	h.write("e/1/2/f", "x")
	ops = append(ops, h.upload(3, "e/f"), h.upload(5, "e/1/2/f"))
	r, calls := h.run(append(stages, ops)...)
	if r.Stopped != nil || r.Halt != nil || r.Failed != 5+2+1 {
		t.Errorf("%+v %v", r, h.failed)
	}
	if sentTo(calls) > 3+1+2 {
		t.Errorf("%d uploads", sentTo(calls))
	}
	for path, want := range map[manifest.Path]string{
		"d/7":     "500,000 items in one folder, those in its trash included, and d has them",
		"e/1/2":   "100 folders within each other, and e/1/2 would be one more",
		"e/1/2/f": "its folder is not there: create folder e/1/2: 403 myDriveHierarchyDepthLimitExceeded",
	} {
		if err := h.failed[path]; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
