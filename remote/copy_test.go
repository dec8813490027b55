package remote_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/zeebo/blake3"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// known returns an acknowledged file as a later run has it in its manifest.
func known(a remote.Ack) *manifest.FileAt {
	f := &manifest.FileAt{In: &manifest.Place{}, Entry: manifest.Entry{Name: a.Op.Name, Stat: a.Stat, Content: a.Content}}
	f.Since = 1
	return f
}

// twinOf gives an upload the change it carries out, for a copy of it in the
// same run.
func twinOf(op *plan.Op) *manifest.FileAt {
	f := &manifest.FileAt{In: &manifest.Place{}, Entry: manifest.Entry{Name: op.Name, Stat: op.Stat}}
	op.File = &manifest.FileChange{Kind: manifest.Created, New: f}
	return f
}

// copyOf makes the operation that has Drive copy twin for a file on the disk.
func (h *house) copyOf(twin *manifest.FileAt, parent manifest.FolderID, path manifest.Path) *plan.Op {
	op := h.upload(parent, path)
	op.Kind, op.From = plan.Copy, twin.Path()
	is := &manifest.FileAt{In: &manifest.Place{}, Entry: manifest.Entry{Name: op.Name, Stat: op.Stat}}
	is.Hash = blake3.Sum256(h.disk[path].data)
	op.File = &manifest.FileChange{Kind: manifest.Created, New: is, Twin: twin}
	return op
}

func TestCopies(t *testing.T) {
	for _, u := range []drivetest.Unsettled{{}, {CopyKeepsProperties: true, BatchForward: true, EditTouchesModified: true}} {
		h := newHouse(t, drivetest.Options{Unsettled: u})
		h.settle()
		h.write("a", strings.Repeat("a", 1000))
		h.apply([]*plan.Op{mkdir(2, manifest.Root, "d")}, []*plan.Op{h.upload(manifest.Root, "a")})
		first := h.ack("a")
		var ops []*plan.Op
		for i := range 250 {
			path := manifest.Path(fmt.Sprintf("d/%03d", i))
			h.write(path, strings.Repeat("a", 1000)).stat.ModTime += int64(i) * 1e9
			h.disk[path].stat.Mode = 0o600
			ops = append(ops, h.copyOf(known(first), 2, path))
		}
		before := h.srv.Stats()
		if n := h.requests(func() { h.apply(ops) }); n > ceil(250, 100)+1 {
			t.Errorf("%d requests for 250 copies", n)
		}
		if st := h.srv.Stats(); st.ContentIn != before.ContentIn || st.Calls[drivetest.Copy] != 250 {
			t.Errorf("%v", st)
		}
		h.check()
		for i, a := range h.acks[2:] {
			n := h.tree()[string(a.Op.Path)]
			want := fmt.Sprint(map[string]string{"acb.h": first.Content.Hash.String(), "acb.i": "inst-1", "acb.k": "f", "acb.m": "600",
				"acb.t": fmt.Sprint(h.disk[a.Op.Path].stat.ModTime)})
			if fmt.Sprint(n.AppProps) != want || n.ID != string(a.Content.FileID) {
				t.Fatalf("%d: %+v, want %s", i, n, want)
			}
			if a.Op.Kind != plan.Copy || a.Bytes != 0 || a.Content.Hash != first.Content.Hash || a.Content.MD5 != first.Content.MD5 ||
				a.Content.HeadRevision == "" || a.Stat != h.disk[a.Op.Path].stat {
				t.Fatalf("%+v", a)
			}
		}
		h.srv.Close()
	}
}

// What cannot be copied is sent in the same run, and there is one item.
func TestNotCopied(t *testing.T) {
	content := strings.Repeat("content ", 100)
	for _, tt := range []struct {
		name    string
		opt     drivetest.Options
		hand    func(h *house, op *plan.Op)
		copied  bool
		lost    bool // the original is found to be gone
		updated bool // what was copied is sent over
	}{
		{name: "nothing", copied: true},
		{name: "original trashed", hand: func(h *house, op *plan.Op) { h.srv.Trash(string(op.File.Twin.FileID)) }, copied: true},
		{name: "original trashed, and refused", opt: drivetest.Options{Unsettled: drivetest.Unsettled{TrashedNotCopied: true}},
			hand: func(h *house, op *plan.Op) { h.srv.Trash(string(op.File.Twin.FileID)) }},
		{name: "original deleted", hand: func(h *house, op *plan.Op) { h.srv.Delete(string(op.File.Twin.FileID)) }, lost: true},
		{name: "original changed", hand: func(h *house, op *plan.Op) { h.srv.SetContent(string(op.File.Twin.FileID), []byte("foreign")) }, updated: true},
		{name: "original changed, of the same size", hand: func(h *house, op *plan.Op) {
			h.srv.SetContent(string(op.File.Twin.FileID), []byte(strings.ToUpper(content)))
		}, updated: true},
		{name: "too large to copy", opt: drivetest.Options{MaxCopy: 100}},
		{name: "refused", hand: func(h *house, op *plan.Op) { h.copyFault(drivetest.Refuse(403, "cannotCopyFile")) }},
		{name: "id refused", hand: func(h *house, op *plan.Op) { h.copyFault(drivetest.Refuse(400, "fileIdNotUsable")) }, copied: true},
		{name: "time refused", hand: func(h *house, op *plan.Op) {
			h.disk["b"].stat.ModTime = h.clock.Now().UnixNano() + 5e9
			op.Stat.ModTime = h.disk["b"].stat.ModTime
			h.copyFault(drivetest.Refuse(400, "invalid"))
		}, copied: true},
		{name: "answer lost", hand: func(h *house, op *plan.Op) { h.copyFault(drivetest.Lost) }, copied: true},
		{name: "answer lost, then hidden", hand: func(h *house, op *plan.Op) { h.copyFault(drivetest.Fresh404(2)) }, copied: true},
		{name: "answer lies", hand: func(h *house, op *plan.Op) { h.copyFault(drivetest.WrongMD5) }, updated: true},
		{name: "folder trashed", hand: func(h *house, op *plan.Op) { h.srv.Trash(string(h.lay.Host)) }, copied: true},
		{name: "file changed", hand: func(h *house, op *plan.Op) { h.write("b", "other").stat.Inode++ }},
		{name: "original not sent as it was read", hand: func(h *house, op *plan.Op) { op.File.Twin.Hash[0]++ }},
		{name: "original not sent", hand: func(h *house, op *plan.Op) { op.File.Twin.Content = manifest.Content{} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, tt.opt)
			h.settle()
			h.write("a", content)
			h.apply([]*plan.Op{h.upload(manifest.Root, "a")})
			h.write("b", content)
			op := h.copyOf(known(h.ack("a")), manifest.Root, "b")
			id := string(op.File.Twin.FileID)
			if tt.hand != nil {
				tt.hand(h, op)
			}
			before := h.srv.Stats()
			r := h.apply([]*plan.Op{op})
			h.srv.Inject(nil)
			st := h.srv.Stats()
			if r.Done != 1 || len(h.failed) != 0 || (len(r.Lost) > 0) != tt.lost {
				t.Errorf("%+v, failed %v", r, h.failed)
			}
			want := int64(0)
			if !tt.copied {
				want = int64(len(h.disk["b"].data))
			}
			if sent := st.ContentIn - before.ContentIn; sent != want || st.SentTwice != before.SentTwice && tt.name != "answer lies" {
				t.Errorf("%d content bytes sent, want %d; %v", sent, want, st)
			}
			if a := h.ack("b"); (a.Op.Kind == plan.Copy) != tt.copied || a.Bytes != want || a.Content.Hash != blake3.Sum256(h.disk["b"].data) {
				t.Errorf("acknowledged %+v", a)
			}
			tree := h.srv.Tree("root")
			n := tree["Auto Cloud Backup/laptop/b"]
			if n.MD5 != md5of(h.disk["b"].data) || n.ID != string(h.ack("b").Content.FileID) || (n.Revs > 1) != tt.updated || n.AppProps["acb.k"] != "f" {
				t.Errorf("on Drive: %+v", n)
			}
			if at := h.disk["b"].stat.ModTime; n.AppProps["acb.t"] != fmt.Sprint(at) {
				t.Errorf("time %s, want %d", n.AppProps["acb.t"], at)
			}
			items := 4
			if tt.lost || strings.HasPrefix(tt.name, "original trashed") {
				items--
			}
			if len(tree) != items || !tt.lost && id == "" {
				t.Errorf("on Drive: %v", tree)
			}
		})
	}
}

// copyFault lets the next copy go wrong.
func (h *house) copyFault(e drivetest.Effect) {
	h.srv.Inject(drivetest.InBatch(drivetest.Nth(drivetest.Copy, 0, e)))
}

// A copy whose reserved id Drive takes no more has the true time under the next
// id, be it to come: nothing was wrong with that.
func TestCopyUnderAnotherID(t *testing.T) {
	h := newHouse(t, drivetest.Options{})
	h.settle()
	h.write("a", "a")
	h.apply([]*plan.Op{h.upload(manifest.Root, "a")})
	f := h.write("b", "a")
	f.stat.ModTime = h.clock.Now().AddDate(0, 0, 40).UnixNano()
	h.copyFault(drivetest.Refuse(400, "fileIdNotUsable"))
	op := h.copyOf(known(h.ack("a")), manifest.Root, "b")
	h.apply([]*plan.Op{op})
	if n := h.tree()["b"]; op.Kind != plan.Copy || !n.ModTime.Equal(time.Unix(0, f.stat.ModTime).Truncate(time.Millisecond)) {
		t.Errorf("%s: %+v, failed %v", op.Kind, n, h.failed)
	}
}

// A copy whose folder or file is gone fails like an upload.
func TestCopyIntoNothing(t *testing.T) {
	h := newHouse(t, drivetest.Options{})
	h.settle()
	h.write("a", "a")
	h.apply([]*plan.Op{mkdir(2, manifest.Root, "d")}, []*plan.Op{h.upload(manifest.Root, "a")})
	h.write("d/b", "a")
	h.write("c", "a")
	into, gone := h.copyOf(known(h.ack("a")), 2, "d/b"), h.copyOf(known(h.ack("a")), manifest.Root, "c")
	dir := h.tree()["d"].ID
	h.srv.Delete(dir)
	delete(h.disk, "c")
	r := h.apply([]*plan.Op{into, gone})
	if id, ok := remote.IsLost(h.failed["d/b"]); !ok || string(id) != dir || len(r.Lost) != 1 {
		t.Errorf("%v; lost %v", h.failed["d/b"], r.Lost)
	}
	if !errors.Is(h.failed["c"], fs.ErrNotExist) {
		t.Errorf("%v", h.failed["c"])
	}
}

// Copies are counted against storage and the day like uploads.
func TestCopiesWithoutRoom(t *testing.T) {
	for class, opt := range map[remote.Class]drivetest.Options{
		remote.StorageFull: {StorageLimit: 250}, remote.DailyCap: {DailyUpload: 150},
	} {
		t.Run(class.String(), func(t *testing.T) {
			h := newHouse(t, opt)
			h.settle()
			h.write("a", strings.Repeat("a", 100))
			h.apply([]*plan.Op{h.upload(manifest.Root, "a")})
			var stages [][]*plan.Op
			for _, p := range []manifest.Path{"b", "c", "d"} {
				h.write(p, strings.Repeat("a", 100))
				stages = append(stages, []*plan.Op{h.copyOf(known(h.ack("a")), manifest.Root, p)})
			}
			before := h.srv.Stats()
			r := h.apply(append(stages, []*plan.Op{patchOf("a")(h)})...)
			st := h.srv.Stats()
			if r.Stopped == nil || r.Stopped.Class != class || r.Done != 2 || r.Failed != 2 {
				t.Errorf("%+v, failed %v", r, h.failed)
			}
			if st.ContentIn != before.ContentIn {
				t.Error("content was sent")
			}
			if tried := st.Calls[drivetest.Copy]; class == remote.StorageFull && tried != 2 {
				t.Errorf("%d copies were tried", tried)
			}
		})
	}
}

// A copy into a folder that takes no more is not sent into it either.
func TestCopyIntoCrowded(t *testing.T) {
	h := newHouse(t, drivetest.Options{MaxChildren: 1})
	h.settle()
	h.write("d/a", "a")
	h.apply([]*plan.Op{mkdir(2, manifest.Root, "d")}, []*plan.Op{h.upload(2, "d/a")})
	h.write("d/b", "a")
	before := h.srv.Stats().ContentIn
	r := h.apply([]*plan.Op{h.copyOf(known(h.ack("d/a")), 2, "d/b")})
	if err := h.failed["d/b"]; r.Failed != 1 || err == nil || !strings.Contains(err.Error(), "numChildrenInNonRootLimitExceeded") {
		t.Errorf("%+v: %v", r, err)
	}
	if sent := h.srv.Stats().ContentIn - before; sent != 0 {
		t.Errorf("%d bytes sent", sent)
	}
}

// Equal files of one run are sent once; if that fails, each on its own.
func TestTwinsInOneRun(t *testing.T) {
	for _, fails := range []bool{false, true} {
		h := newHouse(t, drivetest.Options{})
		h.settle()
		for _, p := range []manifest.Path{"a", "b", "c"} {
			h.write(p, strings.Repeat("a", 100))
		}
		a := h.upload(manifest.Root, "a")
		twin := twinOf(a)
		copies := []*plan.Op{h.copyOf(twin, manifest.Root, "b"), h.copyOf(twin, manifest.Root, "c")}
		want := int64(100)
		if fails {
			delete(h.disk, "a")
			want = 200
		}
		before := h.srv.Stats().ContentIn
		if n := h.requests(func() { h.apply([]*plan.Op{a}, copies) }); !fails && n != 2 {
			t.Errorf("%d requests", n)
		}
		if sent := h.srv.Stats().ContentIn - before; sent != want {
			t.Errorf("%d bytes sent, want %d", sent, want)
		}
		h.check()
	}
}
