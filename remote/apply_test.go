package remote_test

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/zeebo/blake3"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

func md5of(p []byte) string {
	sum := md5.Sum(p)
	return hex.EncodeToString(sum[:])
}

// requests returns what f costs in HTTP requests, as Drive and as remote
// count them.
func (h *house) requests(f func()) int {
	h.t.Helper()
	before, seen := h.d.Stats(), h.srv.Stats()
	f()
	after, saw := h.d.Stats(), h.srv.Stats()
	n := int(after.Requests - before.Requests)
	if m := saw.Total() - seen.Total(); m != n {
		h.t.Errorf("%d requests counted, Drive saw %d", n, m)
	}
	if c, m := int(after.Calls-before.Calls), saw.TotalCalls()-seen.TotalCalls(); m != c {
		h.t.Errorf("%d calls counted, Drive saw %d", c, m)
	}
	if c, m := int(after.Units-before.Units), saw.Units-seen.Units; m != c {
		h.t.Errorf("%d quota units counted, Drive %d", c, m)
	}
	if c, m := after.Sent-before.Sent, saw.ContentIn-seen.ContentIn; m != c {
		h.t.Errorf("%d content bytes counted, Drive got %d", c, m)
	}
	return n
}

// firstRun is a tree of n files in as many folders as given for each level.
func (h *house) firstRun(n int, levels ...int) [][]*plan.Op {
	var stages [][]*plan.Op
	id, parents, paths := manifest.FolderID(2), []manifest.FolderID{manifest.Root}, []manifest.Path{""}
	for l, folders := range levels {
		var ops []*plan.Op
		var ids []manifest.FolderID
		var names []manifest.Path
		for i := range folders {
			p := i % len(parents)
			path := paths[p].Join(fmt.Sprintf("d%d-%d", l, i))
			ops = append(ops, mkdir(id, parents[p], path))
			ids, names = append(ids, id), append(names, path)
			id++
		}
		stages, parents, paths = append(stages, ops), ids, names
	}
	var ups []*plan.Op
	for i := range n {
		p := i % len(parents)
		path := paths[p].Join(fmt.Sprintf("f%d.txt", i))
		h.write(path, fmt.Sprintf("content of %d", i))
		ups = append(ups, h.upload(parents[p], path))
	}
	return append(stages, ups)
}

func ceil(a, b int) int { return (a + b - 1) / b }

func TestFirstRun(t *testing.T) {
	for _, tt := range []struct {
		files  int
		levels []int
	}{
		{0, []int{1}}, {1, []int{1}}, {25, []int{1, 1, 1}}, {40, []int{1, 101, 250}}, {998, nil}, {700, []int{299}}, {1200, []int{1, 100}},
	} {
		t.Run(fmt.Sprintf("%d files, folders %v", tt.files, tt.levels), func(t *testing.T) {
			h := newHouse(t, drivetest.Options{})
			folders, batches := 0, 0
			for _, n := range tt.levels {
				folders += n
				batches += ceil(n, 100)
			}
			most := tt.files + ceil(tt.files+folders, 1000) + batches + 4
			got := h.requests(func() {
				h.settle()
				if _, err := h.d.Account(t.Context()); err != nil {
					t.Fatal(err)
				}
				r := h.apply(h.firstRun(tt.files, tt.levels...)...)
				if r.Done != tt.files+folders || r.Failed != 0 || len(h.failed) > 0 {
					t.Errorf("%+v, failed %v", r, h.failed)
				}
			})
			if got > most {
				t.Errorf("%d requests, at most %d promised", got, most)
			}
			t.Logf("%d requests, promised %d", got, most)
			h.check()
			if len(h.acks) != tt.files+folders {
				t.Errorf("%d acknowledgements", len(h.acks))
			}
		})
	}
}

// Without leftovers, n creates cost ⌈n/1000⌉ reservations, not one more.
func TestReservations(t *testing.T) {
	h := newHouse(t, drivetest.Options{})
	h.settle()
	h.restart()
	h.srv.ResetStats()
	h.apply(h.firstRun(1001)...)
	if n := h.srv.Stats().Calls[drivetest.GenerateIDs]; n != 2 {
		t.Errorf("%d reservations", n)
	}
	h.check()
}

func TestAcknowledgement(t *testing.T) {
	h := newHouse(t, drivetest.Options{})
	h.settle()
	f := h.write("a.txt", "hello")
	link := h.write("l", "a.txt")
	link.stat.Kind = manifest.Symlink
	h.apply([]*plan.Op{h.upload(manifest.Root, "a.txt"), h.upload(manifest.Root, "l")})
	a := h.ack("a.txt")
	n := h.tree()["a.txt"]
	if a.Stat != f.stat || a.Bytes != 5 || string(a.Content.FileID) != n.ID || a.Content.HeadRevision != n.Head ||
		a.Content.MD5.String() != n.MD5 || a.Content.Hash != blake3.Sum256(f.data) {
		t.Errorf("acknowledged %+v, Drive has %+v", a, n)
	}
	want := map[string]string{
		"acb.h": a.Content.Hash.String(), "acb.t": fmt.Sprint(f.stat.ModTime), "acb.m": "644", "acb.k": "f", "acb.i": "inst-1",
	}
	if fmt.Sprint(n.AppProps) != fmt.Sprint(want) || n.Mime != "text/plain" {
		t.Errorf("on Drive %v %s", n.AppProps, n.Mime)
	}
	l := h.tree()["l.rclonelink"]
	if l.AppProps["acb.k"] != "l" || l.MD5 != md5of([]byte("a.txt")) {
		t.Errorf("link on Drive: %+v", l)
	}
}

func TestFolderMove(t *testing.T) {
	h := newHouse(t, drivetest.Options{})
	h.settle()
	h.apply(h.firstRun(30, 2)...)
	op := again(plan.MoveFolder, h.ack("d0-0"))
	op.Name, op.Parent, op.From, op.Path = "new", 3, op.Path, "d0-1/new"
	if n := h.requests(func() { h.apply([]*plan.Op{op}) }); n > 3 {
		t.Errorf("%d requests for a folder move", n)
	}
	if n := h.tree()["d0-1/new/f0.txt"]; n.Kind != "file" {
		t.Errorf("not moved: %v", h.tree())
	}
	if !h.holds(h.gens...) || h.gens[0] != h.lastGen {
		t.Errorf("generation is %v, on Drive %v", h.gens, h.srv.Tree("root")["Auto Cloud Backup/laptop"].AppProps)
	}
}

// n independent trashes, renames or patches cost ⌈n/100⌉ + 2.
func TestBatches(t *testing.T) {
	for _, n := range []int{1, 99, 100, 101, 250} {
		h := newHouse(t, drivetest.Options{})
		h.settle()
		h.apply(h.firstRun(n)...)
		for _, kind := range []plan.OpKind{plan.Patch, plan.MoveFile, plan.TrashFile} {
			var ops []*plan.Op
			for i := range n {
				op := again(kind, h.ack(manifest.Path(fmt.Sprintf("f%d.txt", i))))
				if kind == plan.MoveFile {
					op.Name = "new" + op.Name
				}
				op.Stat.ModTime += 5_000_000
				ops = append(ops, op)
			}
			if got := h.requests(func() { h.apply(ops) }); got > ceil(n, 100)+2 {
				t.Errorf("%d requests for %d × %s", got, n, kind)
			}
		}
		if len(h.tree()) != 0 || len(h.failed) != 0 {
			t.Errorf("n = %d: left %v, failed %v", n, h.tree(), h.failed)
		}
	}
}

func TestNothingToDo(t *testing.T) {
	h := newHouse(t, drivetest.Options{})
	h.settle()
	h.apply(h.firstRun(3)...)
	if n := h.requests(func() { h.settle(); h.apply(); h.apply(nil, nil) }); n != 0 {
		t.Errorf("%d requests", n)
	}
}
