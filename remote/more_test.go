package remote_test

import (
	"strings"
	"testing"
	"time"

	"github.com/zeebo/blake3"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// A connection that stands still is given up, whatever it was for.
func TestHang(t *testing.T) {
	t.Parallel()
	s := &scenario{house: newHouse(t, drivetest.Options{NoSHA: true})}
	s.small = smallest
	s.restart()
	s.d.Hurry(time.Second)
	s.srv.Inject(drivetest.Several(
		drivetest.Nth(drivetest.Batch, 0, drivetest.Hang), drivetest.Nth(drivetest.UploadMulti, 1, drivetest.HangAfter),
		drivetest.Nth(drivetest.UploadStart, 0, drivetest.Hang), drivetest.Nth(drivetest.UploadChunk, 1, drivetest.HangAfter),
	))
	s.settle()
	s.apply(s.first()...)
	if n := s.srv.Hits(); n != 4 {
		t.Errorf("%d connections stood still", n)
	}
	s.finish()
}

// The same on a shared drive, where every call must say so.
func TestSharedDrive(t *testing.T) {
	h := newHouse(t, drivetest.Options{})
	h.opt.SharedDrive = h.srv.AddSharedDrive("team")
	h.small = smallest
	h.restart()
	s := &scenario{h}
	s.settle()
	s.apply(s.first()...)
	s.apply(s.edit()...)
	s.check()
	if len(s.failed) > 0 {
		t.Errorf("failed: %v", s.failed)
	}
	if n := h.srv.Tree(h.opt.SharedDrive)["Auto Cloud Backup/laptop"]; n.ID != string(h.lay.Host) {
		t.Errorf("not on the shared drive: %v", h.srv.Tree(h.opt.SharedDrive))
	}
	// What somebody has moved there meanwhile would have two parents.
	other, err := h.srv.AddFolder(h.opt.SharedDrive, "other")
	if err == nil {
		err = h.srv.Move(string(h.ack("e/a.txt").Content.FileID), other)
	}
	if err != nil {
		t.Fatal(err)
	}
	move := again(plan.MoveFile, h.ack("e/a.txt"))
	move.Name, move.Path, move.Parent = "a.txt", "a.txt", manifest.Root
	h.disk["a.txt"] = h.disk["e/a.txt"]
	delete(h.disk, "e/a.txt")
	if h.apply([]*plan.Op{move}); len(h.failed) > 0 {
		t.Errorf("failed: %v", h.failed)
	}
	s.check()
	known := h.lay
	h.lay = remote.Layout{}
	h.restart()
	if h.settle(); h.lay.Host != known.Host {
		t.Errorf("found %+v, was %+v", h.lay, known)
	}
}

// The hash of a large file follows in a patch, unless the scan knew it.
func TestLargeHash(t *testing.T) {
	for _, known := range []bool{false, true} {
		h := newHouse(t, drivetest.Options{})
		h.small = smallest
		h.restart()
		h.settle()
		f := h.write("f", strings.Repeat("x", 300<<10))
		op := h.upload(manifest.Root, "f")
		op.File = &manifest.FileChange{New: &manifest.FileAt{Entry: manifest.Entry{Stat: f.stat}}}
		if known {
			op.File.New.Hash = blake3.Sum256(f.data)
		}
		h.srv.ResetStats()
		h.apply([]*plan.Op{op})
		// With the generation, which is raised in either case.
		if n := h.srv.Stats().Calls[drivetest.Update]; n != map[bool]int{false: 2, true: 1}[known] {
			t.Errorf("known %v: %d patches", known, n)
		}
		if got, want := h.tree()["f"].AppProps["acb.h"], h.ack("f").Content.Hash.String(); got != want {
			t.Errorf("known %v: hash on Drive %q, want %q", known, got, want)
		}
		// New content under the same id must not keep the old hash meanwhile.
		f = h.write("f", strings.Repeat("y", 300<<10))
		update := again(plan.Update, h.ack("f"))
		update.Stat, update.File = f.stat, nil
		h.srv.Inject(drivetest.InBatch(drivetest.Only(drivetest.From(1, drivetest.Unavailable), drivetest.Update)))
		h.apply([]*plan.Op{update})
		if n := h.tree()["f"]; n.AppProps["acb.h"] != "" || n.MD5 != md5of(f.data) {
			t.Errorf("%+v", n)
		}
	}
}
