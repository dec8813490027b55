package manifest

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSteps(t *testing.T) {
	const d, e = 2, 3
	for name, tt := range map[string]struct {
		steps []Step
		want  string
	}{
		"put":                        {[]Step{put(Root, "a", "1")}, "a=1"},
		"put and update":             {[]Step{put(Root, "a", "1"), put(Root, "a", "1")}, "a=1"},
		"drop":                       {[]Step{put(Root, "a", "1"), drop(Root, "a", "1")}, ""},
		"drop of another id":         {[]Step{put(Root, "a", "1"), drop(Root, "a", "2")}, "a=1"},
		"drop of nothing":            {[]Step{drop(Root, "a", "1"), drop(77, "a", "1")}, ""},
		"rename":                     {[]Step{put(Root, "a", "1"), move(Root, "a", Root, "b", "1")}, "b=1"},
		"rename over":                {[]Step{put(Root, "a", "1"), put(Root, "b", "2"), move(Root, "a", Root, "b", "1")}, "b=1 !b=2"},
		"rename over, old one gone":  {[]Step{put(Root, "a", "1"), put(Root, "b", "2"), move(Root, "a", Root, "b", "1"), drop(Root, "b", "2")}, "b=1"},
		"half a swap":                {[]Step{put(Root, "a", "1"), put(Root, "b", "2"), move(Root, "a", Root, "b", "1")}, "b=1 !b=2"},
		"swap":                       {[]Step{put(Root, "a", "1"), put(Root, "b", "2"), move(Root, "a", Root, "b", "1"), move(Root, "b", Root, "a", "2")}, "a=2 b=1"},
		"two thirds of a cycle":      {[]Step{put(Root, "a", "1"), put(Root, "b", "2"), put(Root, "c", "3"), move(Root, "a", Root, "b", "1"), move(Root, "b", Root, "c", "2")}, "b=1 c=2 !c=3"},
		"cycle":                      {[]Step{put(Root, "a", "1"), put(Root, "b", "2"), put(Root, "c", "3"), move(Root, "a", Root, "b", "1"), move(Root, "b", Root, "c", "2"), move(Root, "c", Root, "a", "3")}, "a=3 b=1 c=2"},
		"swap between folders":       {[]Step{putFolder(d, Root, "d"), put(Root, "a", "1"), put(d, "a", "2"), move(Root, "a", d, "a", "1"), move(d, "a", Root, "a", "2")}, "a=2 d/ d/a=1"},
		"displaced twice":            {[]Step{put(Root, "a", "1"), put(Root, "a", "2"), put(Root, "a", "3")}, "a=3 !a=1 !a=2"},
		"displaced and back":         {[]Step{put(Root, "a", "1"), put(Root, "a", "2"), put(Root, "b", "1")}, "a=2 b=1"},
		"folders":                    {[]Step{putFolder(d, Root, "d"), putFolder(e, d, "e"), put(e, "a", "1")}, "d/ d/e/ d/e/a=1"},
		"folder moved":               {[]Step{putFolder(d, Root, "d"), putFolder(e, Root, "e"), put(e, "a", "1"), putFolder(e, d, "x")}, "d/ d/x/ d/x/a=1"},
		"folder dropped":             {[]Step{putFolder(d, Root, "d"), putFolder(e, d, "e"), put(e, "a", "1"), put(Root, "b", "2"), dropFolder(d)}, "b=2"},
		"out of a dropped folder":    {[]Step{putFolder(d, Root, "d"), putFolder(e, d, "e"), put(d, "a", "1"), move(d, "a", Root, "a", "1"), putFolder(e, Root, "e"), dropFolder(d)}, "a=1 e/"},
		"dropped twice":              {[]Step{putFolder(d, Root, "d"), dropFolder(d), dropFolder(d)}, ""},
		"child and parent dropped":   {[]Step{putFolder(d, Root, "d"), putFolder(e, d, "e"), dropFolder(e), dropFolder(d)}, ""},
		"after a dropped folder":     {[]Step{putFolder(d, Root, "d"), put(d, "a", "1"), dropFolder(d), putFolder(e, Root, "d"), put(e, "a", "2")}, "d/ d/a=2"},
		"displaced in dropped":       {[]Step{putFolder(d, Root, "d"), put(d, "a", "1"), put(d, "a", "2"), dropFolder(d)}, ""},
		"put into dropped":           {[]Step{putFolder(d, Root, "d"), dropFolder(d), put(d, "a", "1")}, "!a=1"},
		"file becomes folder":        {[]Step{put(Root, "x", "1"), putFolder(d, Root, "x"), drop(Root, "x", "1")}, "x/"},
		"root dropped":               {[]Step{put(Root, "a", "1"), dropFolder(Root)}, "a=1"},
		"names that are not UTF-8":   {[]Step{putFolder(d, Root, "\xff\n"), put(d, "\xfe'\"", "1")}, "\xff\n/ \xff\n/\xfe'\"=1"},
		"siblings in bytewise order": {[]Step{putFolder(2, Root, "b"), putFolder(3, Root, "a"), putFolder(4, Root, "B")}, "B/ a/ b/"},
	} {
		t.Run(name, func(t *testing.T) {
			one := newStore(t) // all in one fold
			do(t, one, tt.steps...)
			if got := tree(t, one); got != tt.want {
				t.Errorf("in one fold:\n got %s\nwant %s", got, tt.want)
			}
			if name == "put into dropped" {
				return // step by step, that is an error of Ack
			}
			many := newStore(t) // each folded, and each twice
			for _, st := range tt.steps {
				do(t, many, st)
			}
			do(t, many, tt.steps[len(tt.steps)-1])
			if got := tree(t, many); got != tt.want {
				t.Errorf("step by step:\n got %s\nwant %s", got, tt.want)
			}
			if err := newReader(t, many).Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAckRefuses(t *testing.T) {
	s := newStore(t)
	for name, st := range map[string]Step{
		"no such folder":     put(9, "a", "1"),
		"no such parent":     putFolder(3, 9, "d"),
		"no kind of step":    {},
		"no id":              put(Root, "a", ""),
		"folder as an entry": {Kind: Put, Folder: Root, Entry: Entry{Name: "a", Stat: Stat{Kind: Dir}, Content: Content{FileID: "1"}}},
	} {
		if err := s.Ack([]Step{put(Root, "first", "0"), st}); err == nil {
			t.Errorf("%s: Ack took it", name)
		}
	}
	do(t, s)
	if got := tree(t, s); got != "" {
		t.Errorf("a refused group left %q", got)
	}
	if err := openTest(t, filepath.Join(t.TempDir(), "m.db")).Ack([]Step{put(Root, "a", "1")}); err == nil {
		t.Error("Ack without a run was taken")
	}
}

func TestIntents(t *testing.T) {
	s := newStore(t)
	path := s.Path()
	session := Session{
		Address: "/upload?upload_id=A", FileID: "2", Name: "b\xff", Hash: Hash{9}, Begun: noon.UnixNano(),
		Stat: Stat{Kind: File, Mode: 0o600, Size: 1 << 40, ModTime: -5, CTime: 6, Inode: 7}, Sent: 1 << 20, SentHash: Hash{1},
	}
	intents := []Intent{
		{Kind: CreateFile, Folder: Root, Name: "\xffa", FileID: "1", Stat: file("", "").Stat, Hour: 20_000, Late: true},
		{Kind: UpdateFile, Folder: Root, Name: "b", Flags: Pinned, FileID: "2", Stat: file("", "").Stat, HeadRevision: "head=", Session: session},
		{Kind: CreateFolder, Hour: 20_000, NewFolder: Folder{ID: 50, Parent: Root, Name: "d", FileID: "3", FS: 4, Mode: 0o700, Inode: 1 << 63, Birth: -1, ModTime: 7, Flags: Prefix}},
	}
	if err := s.Begin(intents); err != nil {
		t.Fatal(err)
	}
	intents[0].Session = Session{Address: "begun", FileID: "1", Parent: "p", Name: "a", Stat: file("", "").Stat}
	if err := s.Begin(intents[:1]); err != nil {
		t.Fatal(err)
	}
	s.Close() // as if killed

	s = openTest(t, path)
	got, err := s.Unsettled()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(intents, got); d != "" {
		t.Errorf("intents came back different:\n%s", d)
	}
	if id := s.NextFolderID(); id != 51 {
		t.Errorf("NextFolderID() = %d: an intent had 50", id)
	}
	s.BeginRun("scan", noon)
	st := put(Root, "b", "2")
	st.Intent = got[1].Seq
	if err := s.Ack([]Step{st}); err != nil {
		t.Fatal(err)
	}
	if err := s.Settle(got[0].Seq); err != nil {
		t.Fatal(err)
	}
	left, err := s.Unsettled()
	if err != nil || len(left) != 1 || left[0].Seq != got[2].Seq {
		t.Errorf("Unsettled() = %+v, %v, want the folder alone", left, err)
	}
	more := []Intent{{Kind: CreateFile, Folder: Root, Name: "c", FileID: "4", Stat: file("", "").Stat}}
	if err := s.Begin(more); err != nil || more[0].Seq <= got[2].Seq {
		t.Errorf("Begin() = %v, numbered %d after %d", err, more[0].Seq, got[2].Seq)
	}
}

// Steps share rows of the journal, and intents are settled in ranges: neither
// must show.
func TestManySteps(t *testing.T) {
	s := newStore(t)
	const n = 3*stepsInRow + 1
	intents := make([]Intent, n)
	for i := range intents {
		intents[i] = Intent{Kind: CreateFile, Folder: Root, Name: fmt.Sprintf("%03d", i), FileID: FileID(fmt.Sprint("id", i)), Stat: file("", "").Stat}
	}
	if err := s.Begin(intents); err != nil {
		t.Fatal(err)
	}
	open := map[int64]bool{intents[0].Seq: true, intents[7].Seq: true, intents[8].Seq: true, intents[n-1].Seq: true}
	var steps []Step
	for _, i := range rand.Perm(n) {
		if in := intents[i]; !open[in.Seq] {
			st := put(Root, in.Name, in.FileID)
			st.Intent = in.Seq
			steps = append(steps, st)
		}
	}
	if err := s.Ack(steps); err != nil {
		t.Fatal(err)
	}
	left, err := s.Unsettled()
	if err != nil || len(left) != len(open) {
		t.Errorf("%d intents are left, %v, want %d", len(left), err, len(open))
	}
	for _, in := range left {
		if !open[in.Seq] {
			t.Errorf("intent %d was settled by a step and is there", in.Seq)
		}
	}
	if err := s.Fold(); err != nil {
		t.Fatal(err)
	}
	r := newReader(t, s)
	row, _, err := r.Row(Root)
	if err != nil {
		t.Fatal(err)
	}
	if files, err := r.Entries(row); err != nil || len(files) != n-len(open) {
		t.Errorf("%d files, %v, want %d", len(files), err, n-len(open))
	}
}

func TestReservedIDs(t *testing.T) {
	s := newStore(t)
	if err := s.KeepIDs([]FileID{"old"}, noon); err != nil {
		t.Fatal(err)
	}
	if err := s.KeepIDs([]FileID{"b", "a"}, noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]FileID{{"a", "b"}, nil} {
		got, err := s.TakeIDs(noon.Add(24 * time.Hour))
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("TakeIDs: %v\n%s", err, d)
		}
	}
}
