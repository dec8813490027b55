package remote_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// What another hand did to an item is put right by the next write to it.
func TestOtherHands(t *testing.T) {
	id := func(h *house, path string) string { return h.tree()[path].ID }
	for _, tt := range []struct {
		name string
		hand func(h *house)
		op   func(h *house) *plan.Op
	}{
		{"file trashed", func(h *house) { h.srv.Trash(id(h, "d/a")) }, patchOf("d/a")},
		{"folder trashed", func(h *house) { h.srv.Trash(id(h, "d")) }, patchOf("d/a")},
		{"file and two folders trashed", func(h *house) {
			f, d, s := id(h, "d/s/b"), id(h, "d"), id(h, "d/s")
			h.srv.Trash(f)
			h.srv.Trash(s)
			h.srv.Trash(d)
		}, patchOf("d/s/b")},
		{"parent of a new file trashed", func(h *house) { h.srv.Trash(id(h, "d/s")) }, func(h *house) *plan.Op {
			h.write("d/s/new", "new")
			return h.upload(3, "d/s/new")
		}},
		{"host folder trashed", func(h *house) { h.srv.Trash(string(h.lay.Host)) }, patchOf("d/a")},
		{"file moved, then patched", func(h *house) { h.srv.Move(id(h, "d/a"), id(h, "d/s")) }, patchOf("d/a")},
		{"file moved, then updated", func(h *house) { h.srv.Move(id(h, "d/a"), "root") }, func(h *house) *plan.Op {
			h.write("d/a", "edited")
			op := again(plan.Update, h.ack("d/a"))
			op.Stat = h.disk["d/a"].stat
			return op
		}},
		{"file moved, then moved", func(h *house) { h.srv.Move(id(h, "d/a"), "root") }, func(h *house) *plan.Op {
			op := again(plan.MoveFile, h.ack("d/a"))
			op.Parent, op.Path = 3, "d/s/a"
			h.disk["d/s/a"] = h.disk["d/a"]
			delete(h.disk, "d/a")
			return op
		}},
		{"folder moved, then moved", func(h *house) { h.srv.Move(id(h, "d/s"), "root") }, func(h *house) *plan.Op {
			op := again(plan.MoveFolder, h.ack("d/s"))
			op.Parent, op.Path = manifest.Root, "s"
			h.disk["s/b"] = h.disk["d/s/b"]
			delete(h.disk, "d/s/b")
			return op
		}},
		{"content changed, then patched", func(h *house) { h.srv.SetContent(id(h, "d/a"), []byte("foreign")) }, patchOf("d/a")},
		{"trashed already", func(h *house) { h.srv.Trash(id(h, "d/a")) }, trashOf("d/a")},
		{"deleted already", func(h *house) { h.srv.Delete(id(h, "d/a")) }, trashOf("d/a")},
	} {
		for _, strict := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, strict %v", tt.name, strict), func(t *testing.T) {
				h := newHouse(t, drivetest.Options{Unsettled: drivetest.Unsettled{StrictRemoveParents: strict, RootHidden: strict}})
				h.settle()
				h.write("d/a", "a")
				h.write("d/s/b", "b")
				h.apply([]*plan.Op{mkdir(2, manifest.Root, "d")}, []*plan.Op{mkdir(3, 2, "d/s")},
					[]*plan.Op{h.upload(2, "d/a"), h.upload(3, "d/s/b")})
				tt.hand(h)
				r := h.apply([]*plan.Op{tt.op(h)})
				if r.Done != 1 || r.Failed != 0 {
					t.Errorf("%+v, failed %v", r, h.failed)
				}
				h.check()
			})
		}
	}
}

func patchOf(path manifest.Path) func(h *house) *plan.Op {
	return func(h *house) *plan.Op {
		op := again(plan.Patch, h.ack(path))
		h.disk[path].stat.ModTime += 3e9
		op.Stat = h.disk[path].stat
		return op
	}
}

func trashOf(path manifest.Path) func(h *house) *plan.Op {
	return func(h *house) *plan.Op {
		op := again(plan.TrashFile, h.ack(path))
		delete(h.disk, path)
		return op
	}
}

// What is gone for good is reported, and everything else goes on.
func TestLost(t *testing.T) {
	h := newHouse(t, drivetest.Options{})
	h.settle()
	for _, p := range []manifest.Path{"a", "b", "d/c", "d/s/e"} {
		h.write(p, string(p))
	}
	h.apply([]*plan.Op{mkdir(2, manifest.Root, "d")}, []*plan.Op{mkdir(3, 2, "d/s")},
		[]*plan.Op{h.upload(manifest.Root, "a"), h.upload(manifest.Root, "b"), h.upload(2, "d/c"), h.upload(3, "d/s/e")})
	dir, a := h.tree()["d"].ID, h.tree()["a"].ID
	h.srv.Delete(dir)
	h.srv.Delete(a)
	h.write("a", "a2")
	h.write("d/new", "new")
	update := again(plan.Update, h.ack("a"))
	update.Stat = h.disk["a"].stat
	trash := again(plan.TrashFile, h.ack("b"))
	r := h.apply([]*plan.Op{mkdir(4, 2, "d/t")}, []*plan.Op{mkdir(5, 4, "d/t/u")},
		[]*plan.Op{h.upload(2, "d/new"), update}, []*plan.Op{patchOf("b")(h)}, []*plan.Op{trash})
	if r.Done != 1 || r.Failed != 4 || len(r.Held) != 1 {
		t.Errorf("%+v, failed %v", r, h.failed)
	}
	want := []manifest.FileID{manifest.FileID(dir), manifest.FileID(a)}
	slices.Sort(want)
	if !slices.Equal(r.Lost, want) {
		t.Errorf("lost %v, want %v", r.Lost, want)
	}
	for _, p := range []manifest.Path{"a", "d/new", "d/t", "d/t/u"} {
		if _, ok := remote.IsLost(h.failed[p]); !ok {
			t.Errorf("%s: %v", p, h.failed[p])
		}
	}
	h.srv.Delete(string(h.lay.Host))
	_, err := h.d.Apply(t.Context(), [][]*plan.Op{{patchOf("b")(h)}}, h.env())
	if id, ok := remote.IsLost(err); !ok || id != h.lay.Host {
		t.Errorf("without host folder: %v", err)
	}
}

// A trash waits while anything else in its source is not done, and goes only
// if its target is still absent.
func TestTrashesWait(t *testing.T) {
	h := newHouse(t, drivetest.Options{})
	h.settle()
	h.apply(h.firstRun(4)...)
	trash := func(i int, source ...int) *plan.Op {
		op := again(plan.TrashFile, h.ack(manifest.Path(fmt.Sprintf("f%d.txt", i))))
		op.Sources = source
		return op
	}
	h.write("unreadable", "x")
	bad := h.upload(manifest.Root, "unreadable")
	delete(h.disk, "unreadable")
	h.still["f2.txt"] = errors.New("it is back")
	r := h.apply([]*plan.Op{bad}, []*plan.Op{trash(0, 0), trash(1, 1), trash(2, 1), trash(3, 1, 0)})
	if r.Done != 1 || r.Failed != 1 || len(r.Held) != 3 {
		t.Errorf("%+v", r)
	}
	for _, held := range r.Held {
		if held.Op.Path == "f2.txt" != (held.Reason == "it is back") {
			t.Errorf("%s: %s", held.Op.Path, held.Reason)
		}
	}
	if n := h.tree(); len(n) != 3 || n["f1.txt"].ID != "" {
		t.Errorf("left: %v", n)
	}
}

func TestHostTaken(t *testing.T) {
	h := newHouse(t, drivetest.Options{})
	h.settle()
	h.opt.Installation = "inst-2"
	h.lay = remote.Layout{}
	h.restart()
	err := h.trySettle()
	var taken *remote.HostTakenError
	if !errors.As(err, &taken) || taken.Installation != "inst-1" || !strings.Contains(err.Error(), "[drive] host") {
		t.Fatalf("%v", err)
	}
	h.opt.Host = "desktop"
	h.restart()
	h.settle()
	if tree := h.srv.Tree("root"); len(tree) != 3 {
		t.Errorf("%v", tree)
	}
	// Found again without anything known, under the same ids.
	known := h.lay
	h.lay = remote.Layout{}
	h.restart()
	h.settle()
	if h.lay.Host != known.Host || h.lay.Top != known.Top {
		t.Errorf("found %+v, was %+v", h.lay, known)
	}
}

func TestCheck(t *testing.T) {
	h := newHouse(t, drivetest.Options{})
	h.settle()
	h.apply(h.firstRun(101, 1)...)
	var ids []manifest.FileID
	for _, a := range h.acks {
		ids = append(ids, a.Content.FileID)
	}
	h.srv.Delete(string(ids[5]))
	h.srv.Trash(string(ids[6]))
	var got map[manifest.FileID]remote.State
	if n := h.requests(func() {
		var err error
		if got, err = h.d.Check(t.Context(), ids); err != nil {
			t.Fatal(err)
		}
	}); n < 2 || len(got) != 102 {
		t.Errorf("%d requests, %d states", n, len(got))
	}
	for i, a := range h.acks {
		s := got[a.Content.FileID]
		switch {
		case s.Absent != (i == 5), s.Trashed != (i == 6), s.Explicit != (i == 6):
			t.Errorf("%d: %+v", i, s)
		case i == 5:
		case a.Op.Kind == plan.CreateFolder:
			if s.Kind != manifest.Dir || s.Parent != h.lay.Host || s.Name != "d0-0" {
				t.Errorf("%+v", s)
			}
		case s.Content != a.Content || s.ModTime != a.Stat.ModTime || s.Mode != a.Stat.Mode || s.Size != a.Stat.Size ||
			s.Name != a.Op.Name || s.Installation != "inst-1" || s.Kind != manifest.File:
			t.Errorf("%+v, acknowledged %+v", s, a)
		}
	}
}
