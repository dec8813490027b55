package manifest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A logged run is a manifest whose log was kept from being folded into it, and
// what the run had been told to be durable when the log had a given size.
type loggedRun struct {
	db, wal []byte
	told    []told
}

// told is what was durable once the log had so many bytes.
type told struct {
	wal  int64
	tree string
}

// record makes a run of all kinds of steps, each group acknowledged and some
// folded, and notes after each durable write what must be there from then on.
func record(t *testing.T) *loggedRun {
	s := newStore(t)
	do(t, s, putFolder(2, Root, "a"), putFolder(3, Root, "b"), put(2, "one", "1"), put(2, "two", "2"), put(3, "three", "3"))
	s.Close()
	s = openTest(t, s.Path())
	s.BeginRun("scan", noon)
	if err := s.c.exec("PRAGMA wal_autocheckpoint = 0"); err != nil {
		t.Fatal(err)
	}
	run := &loggedRun{told: []told{{0, seen(t, s.Path())}}}
	note := func() {
		t.Helper()
		st, err := os.Stat(s.Path() + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		run.told = append(run.told, told{st.Size(), seen(t, s.Path())})
	}
	for i, group := range [][]Step{
		{putFolder(4, 2, "new"), put(4, "four", "4")},
		{put(2, "one", "1")}, // the same again: nothing changes
		{move(2, "two", 4, "two", "2")},
		{putFolder(3, 4, "b")}, // a folder moved
		{put(2, "swap", "5"), put(2, "one", "6")},
		{move(2, "swap", 2, "one", "5"), move(2, "one", 2, "swap", "6")},
		{drop(3, "three", "3")},
		{dropFolder(3)},
		{put(Root, "last", "7")},
	} {
		in := []Intent{{Kind: CreateFile, Folder: Root, Name: fmt.Sprint("begun", i), FileID: FileID(fmt.Sprint("b", i)), Stat: Stat{Kind: File}}}
		if err := s.Begin(in); err != nil {
			t.Fatal(err)
		}
		note()
		group[len(group)-1].Intent = in[0].Seq
		if err := s.Ack(group); err != nil {
			t.Fatal(err)
		}
		note()
		if i%2 == 0 {
			if err := s.Fold(); err != nil {
				t.Fatal(err)
			}
			note()
		}
	}
	if err := s.SetMeta(map[string]string{"gen": "2"}); err != nil {
		t.Fatal(err)
	}
	note()
	if err := s.EndRun(2, noon, RunSummary{Complete: true, Sources: []Source{{Path: "a", Folder: 2, FS: 3}}}); err != nil {
		t.Fatal(err)
	}
	note()
	var err1, err2 error
	run.db, err1 = os.ReadFile(s.Path())
	run.wal, err2 = os.ReadFile(s.Path() + "-wal")
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return run
}

// seen draws what a manifest holds when it is opened from copies of its files:
// the tree, what is unsettled, and the run.
func seen(t *testing.T, path string) string {
	t.Helper()
	db, err1 := os.ReadFile(path)
	wal, err2 := os.ReadFile(path + "-wal")
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return reopened(t, db, wal)
}

func reopened(t *testing.T, db, wal []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "manifest.db")
	if err := errors.Join(os.WriteFile(path, db, 0o600), os.WriteFile(path+"-wal", wal, 0o600)); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path)
	if err != nil {
		t.Fatalf("%d bytes of log: %v", len(wal), err)
	}
	defer s.Close()
	r := newReader(t, s)
	defer r.Close()
	if err := r.Check(); err != nil {
		t.Fatalf("%d bytes of log: %v", len(wal), err)
	}
	begun, err := s.Unsettled()
	if err != nil {
		t.Fatal(err)
	}
	text := tree(t, s)
	for _, in := range begun {
		text += " ?" + in.Name
	}
	runs, err := r.LastRuns(9)
	if err != nil {
		t.Fatal(err)
	}
	gen, err := r.Meta("gen")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(text, " runs ", len(runs), " ended ", !runs[0].Ended.IsZero(), " gen ", gen)
}

// TestSyncs: what makes a commit durable is on, on every system.
func TestSyncs(t *testing.T) {
	s := newStore(t)
	for pragma, want := range map[string]int64{"synchronous": 2, "fullfsync": 1} {
		if got, err := s.c.number("PRAGMA " + pragma); got != want || err != nil {
			t.Errorf("%s is %d, %v, want %d", pragma, got, err, want)
		}
	}
}

// TestPowerCut cuts the log back to every frame, as a disk may that has lost
// what was not synced, and in the middle of every frame. Whatever is left is
// the state after one of the durable writes, and none that had been told to be
// durable when the log was that long is lost.
func TestPowerCut(t *testing.T) {
	run := record(t)
	const head = logHead
	frame := frameHead + int(binary.BigEndian.Uint32(run.wal[8:]))
	if n := (len(run.wal) - head) / frame; n < 40 || (len(run.wal)-head)%frame != 0 {
		t.Fatalf("the log has %d frames, and %d bytes more", n, (len(run.wal)-head)%frame)
	}
	states := map[string]bool{}
	last := ""
	for cut := 0; cut <= len(run.wal); cut += frame {
		for _, torn := range [][]byte{nil, bytes.Repeat([]byte{0xa5}, frame/2), run.wal[cut:min(cut+frame/2, len(run.wal))]} {
			last = reopened(t, run.db, append(run.wal[:cut:cut], torn...))
			states[last] = true
			if !run.holds(last, cut) {
				t.Fatalf("cut to %d of %d bytes, and %d torn, it is\n%s", cut, len(run.wal), len(torn), last)
			}
		}
		if cut == 0 {
			cut = head - frame
		}
	}
	if want := run.told[len(run.told)-1].tree; last != want || len(states) < 15 {
		t.Errorf("%d states, the last %s\nwant %s", len(states), last, want)
	}
}

// TestLogFlips flips a bit in each frame of the log, and in its head. What opens
// is a state after all but the last durable write; all else is told.
func TestLogFlips(t *testing.T) {
	run := record(t)
	frame := frameHead + pageSize
	n := (len(run.wal) - logHead) / frame
	told := map[bool]int{}
	flip := func(at, bit int) {
		t.Helper()
		wal := bytes.Clone(run.wal)
		wal[at] ^= 1 << bit
		path := filepath.Join(t.TempDir(), "manifest.db")
		if err := errors.Join(os.WriteFile(path, run.db, 0o600), os.WriteFile(path+"-wal", wal, 0o600)); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path)
		told[err != nil]++
		switch {
		case err == nil:
			s.Close()
			if got := reopened(t, run.db, wal); got != run.told[len(run.told)-1].tree && got != run.told[len(run.told)-2].tree {
				t.Errorf("bit %d of byte %d: nothing is told, and it is\n%s", bit, at, got)
			}
		case !IsBroken(err):
			t.Errorf("bit %d of byte %d: %v", bit, at, err)
		}
		if after, _ := os.ReadFile(path + "-wal"); err != nil && !bytes.Equal(after, wal) {
			t.Errorf("bit %d of byte %d: the log was changed", bit, at)
		}
	}
	for i := range n {
		spots := []int{0, 5, 9, 13, 17, 21, frameHead + i*31, frame - 1}
		flip(logHead+i*frame+spots[i%8], i%7)
		flip(logHead+i*frame+spots[(i+5)%8], i%7)
		if i > n-12 { // the last commits
			for _, at := range spots {
				flip(logHead+i*frame+at, i%8)
			}
		}
	}
	for at := range logHead {
		flip(at, at%8)
	}
	if told[true] < n || told[false] == 0 {
		t.Errorf("%d were told, %d not, of a log with %d frames", told[true], told[false], n)
	}
}

// TestTornCommit loses pages of the last commit in any order, as a power cut
// does that comes before the sync: that is no damage.
func TestTornCommit(t *testing.T) {
	run := record(t)
	frame := frameHead + pageSize
	last := run.told[len(run.told)-2].wal
	for at := last; at < int64(len(run.wal)); at += int64(frame) {
		wal := bytes.Clone(run.wal)
		clear(wal[at:][:frame])
		if got := reopened(t, run.db, wal); got != run.told[len(run.told)-2].tree {
			t.Errorf("without the frame at %d it is\n%s", at, got)
		}
	}
}

// TestTornCommits loses the first page of one commit after the other, each with
// fewer pages than the one before: behind what the log holds then, there is the
// end of each. That is no damage either.
func TestTornCommits(t *testing.T) {
	run := record(t)
	db, wal := run.db, run.wal
	for _, pages := range []int{60, 30, 10} {
		path := filepath.Join(t.TempDir(), "manifest.db")
		if err := errors.Join(os.WriteFile(path, db, 0o600), os.WriteFile(path+"-wal", wal, 0o600)); err != nil {
			t.Fatal(err)
		}
		s := openTest(t, path)
		var err error
		if db, err = os.ReadFile(path); err != nil { // the log begins anew
			t.Fatal(err)
		}
		s.BeginRun("scan", noon)
		if err := errors.Join(s.c.exec("PRAGMA wal_autocheckpoint = 0"), s.SetMeta(map[string]string{"gen": fmt.Sprint(pages)})); err != nil {
			t.Fatal(err)
		}
		want := seen(t, path)
		before, err1 := os.ReadFile(path + "-wal")
		err2 := s.Begin([]Intent{{Kind: CreateFile, Folder: Root, Name: strings.Repeat("x", pages*pageSize), FileID: "x", Stat: Stat{Kind: File}}})
		after, err3 := os.ReadFile(path + "-wal")
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		frame := frameHead + pageSize
		at := logHead
		for at < len(before) && bytes.Equal(before[at:][:frame], after[at:][:frame]) {
			at += frame
		}
		clear(after[at:][:frame])
		if wal = after; pages == 60 && len(wal) < at+pages*frame {
			t.Fatalf("the first commit has %d bytes only", len(wal)-at)
		}
		if got := reopened(t, db, wal); got != want {
			t.Errorf("after a commit of %d pages that was lost it is\n%.500s\nwant\n%s", pages, got, want)
		}
	}
}

// TestTornHead cuts the power while the head of a new round of the log is written
// over the old one: all of that round is in the manifest by then, and nothing
// is damaged.
func TestTornHead(t *testing.T) {
	run := record(t)
	path := filepath.Join(t.TempDir(), "manifest.db")
	if err := errors.Join(os.WriteFile(path, run.db, 0o600), os.WriteFile(path+"-wal", run.wal, 0o600)); err != nil {
		t.Fatal(err)
	}
	s := openTest(t, path)
	defer s.Close()
	if err := s.c.exec("PRAGMA wal_checkpoint(PASSIVE)"); err != nil {
		t.Fatal(err)
	}
	db, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head := bytes.Clone(run.wal[:logHead])
	binary.BigEndian.PutUint32(head[12:], binary.BigEndian.Uint32(head[12:])+1)
	copy(head[16:], "new salt")
	sum := logSum{order: binary.LittleEndian}
	sum.add(head[:24])
	binary.BigEndian.PutUint32(head[24:], sum.a)
	binary.BigEndian.PutUint32(head[28:], sum.b)
	for written := 0; written <= 28; written++ {
		wal := bytes.Clone(run.wal)
		copy(wal, head[:written])
		if got, want := reopened(t, db, wal), run.told[len(run.told)-1].tree; got != want {
			t.Errorf("%d bytes of it: it is\n%s", written, got)
		}
	}
}

// holds reports whether a state is that after one of the durable writes, and
// after none before the last that was told within so many bytes of log.
func (run *loggedRun) holds(state string, wal int) bool {
	least := 0
	for i, told := range run.told {
		if told.wal <= int64(wal) {
			least = i
		}
	}
	return slices.ContainsFunc(run.told[least:], func(t told) bool { return t.tree == state })
}
