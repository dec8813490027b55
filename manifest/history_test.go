package manifest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRuns(t *testing.T) {
	s := newStore(t) // run 1 has begun
	if err := s.Ack([]Step{put(Root, "a", "1")}); err != nil {
		t.Fatal(err)
	}
	s.Close() // interrupted
	s = openTest(t, s.Path())
	hour := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Hour) }
	end := func(kind string, n int, sum RunSummary) {
		t.Helper()
		if err := s.EndRun(s.BeginRun(kind, hour(n)), hour(n+1), sum); err != nil {
			t.Fatal(err)
		}
	}
	end("scan", 1, RunSummary{Complete: true, Counters: json.RawMessage(`{"created":1}`)})
	s.BeginRun("scan", hour(3)) // ends without a word and without a change: it never was
	end("scan", 4, RunSummary{Conditions: []string{"held_back", "failed"}})
	end("path", 6, RunSummary{Complete: true})

	none := json.RawMessage("{}")
	want := []Run{
		{ID: 4, Kind: "path", Started: hour(6), Ended: hour(7), RunSummary: RunSummary{Complete: true, Conditions: []string{}, Counters: none}},
		{ID: 3, Kind: "scan", Started: hour(4), Ended: hour(5), RunSummary: RunSummary{Conditions: []string{"held_back", "failed"}, Counters: none}},
		{ID: 2, Kind: "scan", Started: hour(1), Ended: hour(2), RunSummary: RunSummary{Complete: true, Conditions: []string{}, Counters: json.RawMessage(`{"created":1}`)}},
		{ID: 1, Kind: "scan", Started: noon, RunSummary: RunSummary{Conditions: []string{}, Counters: none}},
	}
	r := newReader(t, s)
	got, err := r.LastRuns(10)
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("LastRuns: %v\n%s", err, d)
	}
	if got, err := r.LastRuns(1); len(got) != 1 || got[0].ID != 4 || err != nil {
		t.Errorf("LastRuns(1) = %+v, %v", got, err)
	}
	if last, ok, err := r.LastSuccess("scan"); !ok || last.ID != 2 || err != nil {
		t.Errorf("LastSuccess = %+v, %v, %v", last, ok, err)
	}
	if _, ok, err := r.LastSuccess("verify"); ok || err != nil {
		t.Errorf("LastSuccess of what never ran = %v, %v", ok, err)
	}
	if err := s.EndRun(4, noon, RunSummary{}); err == nil {
		t.Error("a run ended twice")
	}
}

// TestIdleRun: a run that changed nothing writes one row, and its sources
// only once.
func TestIdleRun(t *testing.T) {
	s := newStore(t)
	sum := RunSummary{Complete: true, Sources: []Source{{Path: "home/ana", Folder: 2, FS: 1, Inode: 1<<63 + 5}}}
	if err := s.EndRun(1, noon, sum); err != nil {
		t.Fatal(err)
	}
	changes := func() int64 {
		n, err := s.c.number("SELECT total_changes()")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := changes()
	if err := s.EndRun(s.BeginRun("scan", noon), noon, sum); err != nil {
		t.Fatal(err)
	}
	if n := changes() - before; n != 2 { // the row's insert and its update
		t.Errorf("an idle run wrote %d rows", n)
	}
	sum.Sources[0].FS++
	if err := s.EndRun(s.BeginRun("scan", noon), noon, sum); err != nil {
		t.Fatal(err)
	}
	sum.Sources[0].Run = 3
	got, err := newReader(t, s).Sources()
	if d := cmp.Diff(sum.Sources, got); d != "" || err != nil {
		t.Errorf("Sources: %v\n%s", err, d)
	}
}

// TestHistory follows a file and a folder through some runs.
func TestHistory(t *testing.T) {
	s := newStore(t)
	run := func(steps ...Step) {
		t.Helper()
		do(t, s, steps...)
		if err := s.EndRun(s.run.id, noon, RunSummary{}); err != nil {
			t.Fatal(err)
		}
		s.BeginRun("scan", noon)
	}
	v1, v2 := file("a", "1"), file("a", "1")
	v1.Hash, v1.MD5 = Hash{1}, MD5{2}
	v2.HeadRevision, v2.Size, v2.Mode = "r2", 7, 0o600
	run(putFolder(2, Root, "d"), Step{Kind: Put, Folder: 2, Entry: v1})
	run(Step{Kind: Put, Folder: 2, Entry: func() Entry { e := v1; e.Inode, e.Day = 9, 9; return e }()}) // only stat'ed: no version
	run(Step{Kind: Put, Folder: 2, Entry: v2, Reason: EndModified})
	moved := v2
	moved.Name = "b"
	run(Step{Kind: Move, OldFolder: 2, OldName: "a", Folder: 2, Entry: moved, Reason: EndMoved})
	run(putFolder(2, Root, "e"))
	run(dropFolder(2))

	was := func(e Entry, name string, from, to RunID, why EndReason) Version {
		e.Name, e.Since, e.CTime = name, int64(from), 0
		return Version{Folder: 2, Entry: e, From: from, To: to, Reason: why}
	}
	r := newReader(t, s)
	versions := []Version{was(v1, "a", 1, 3, EndModified), was(v2, "a", 3, 4, EndMoved), was(v2, "b", 4, 6, EndDeleted)}
	for name, f := range map[string]func() ([]Version, error){
		"EntriesWere": func() ([]Version, error) { return r.EntriesWere(2, "") },
		"FileWas":     func() ([]Version, error) { return r.FileWas("1") },
	} {
		got, err := f()
		if d := cmp.Diff(versions, got); d != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, d)
		}
	}
	if got, err := r.EntriesWere(2, "b"); len(got) != 1 || err != nil {
		t.Errorf("EntriesWere(b) = %+v, %v", got, err)
	}
	place := func(name string, from, to RunID) FolderVersion {
		f := putFolder(2, Root, name).Dir
		return FolderVersion{Folder: Folder{ID: 2, Parent: Root, Name: name, FileID: f.FileID, Mode: f.Mode, ModTime: f.ModTime}, From: from, To: to}
	}
	places := []FolderVersion{place("d", 1, 5), place("e", 5, 6)}
	for _, f := range []func() ([]FolderVersion, error){
		func() ([]FolderVersion, error) { return r.FolderWere(2) },
		func() ([]FolderVersion, error) { return r.ChildrenWere(Root, "") },
	} {
		if got, err := f(); cmp.Diff(places, got) != "" || err != nil {
			t.Errorf("where folder 2 was: %v\n%s", err, cmp.Diff(places, got))
		}
	}
	if got, err := r.ChildrenWere(Root, "e"); len(got) != 1 || err != nil {
		t.Errorf("ChildrenWere(e) = %+v, %v", got, err)
	}
}

// TestMarkRemoved: a content that is removed for good is so in every version
// that held it, and counts no more as kept; a file, with all that it held.
func TestMarkRemoved(t *testing.T) {
	s := newStore(t)
	steps := func(id FileID) (list []Step) {
		for i, rev := range []string{"r1", "r1", "r2", "r3"} { // the second one only has another time
			st := put(Root, string(id), id)
			st.Entry.HeadRevision, st.Entry.ModTime, st.Entry.Kept = rev, int64(i), true
			list = append(list, st)
		}
		return list
	}
	do(t, s, steps("a")...)
	do(t, s, steps("b")...)
	if err := s.MarkRemoved([]Content{{FileID: "a", HeadRevision: "r1"}, {FileID: "b"}}); err != nil {
		t.Fatal(err)
	}
	r := newReader(t, s)
	for id, want := range map[FileID]struct {
		removed string
		kept    int64
	}{"a": {"r1 r1", 1}, "b": {"r1 r1 r2", 0}} {
		versions, err := r.FileWas(id)
		if err != nil {
			t.Fatal(err)
		}
		var removed []string
		for _, v := range versions {
			if v.Reason == EndRemoved {
				removed = append(removed, v.HeadRevision)
			}
		}
		if got := strings.Join(removed, " "); got != want.removed {
			t.Errorf("of %s, removed is %q, should be %q", id, got, want.removed)
		}
		if n, err := s.CountKept(id); n != want.kept || err != nil {
			t.Errorf("of %s, %d are kept, %v; should be %d", id, n, err, want.kept)
		}
	}
}
