package manifest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestView follows paths through some runs, an hour each.
func TestView(t *testing.T) {
	s := newStore(t)
	hour := func(n RunID) time.Time { return noon.Add(time.Duration(n) * time.Hour) }
	for i, steps := range [][]Step{
		{putFolder(2, Root, "d"), putFolder(3, 2, "in"), put(3, "a", "1"), put(Root, "top", "2")},
		{move(3, "a", 2, "a", "1")},
		{putFolder(2, Root, "e"), putFolder(4, Root, "d"), put(4, "a", "3")},
		{dropFolder(2), drop(Root, "top", "2")},
		{put(4, "in", "5")}, // a file where a folder was
	} {
		run := RunID(i + 1)
		if run > 1 {
			s.BeginRun("scan", hour(run))
		}
		do(t, s, steps...)
		if err := s.EndRun(run, hour(run), RunSummary{}); err != nil {
			t.Fatal(err)
		}
	}
	r := newReader(t, s)
	for path, want := range map[Path]string{ // the id at each run, "-" for nothing
		"":       " / / / / / /",
		"d":      " - id-d/ id-d/ id-d/ id-d/ id-d/",
		"e":      " - - - id-e/ - -",
		"d/in":   " - id-in/ id-in/ - - 5",
		"e/in":   " - - - id-in/ - -",
		"d/in/a": " - 1 - - - -",
		"d/a":    " - - 1 3 3 3",
		"e/a":    " - - - 1 - -",
		"top":    " - 2 2 2 - -",
		"top/x":  " - - - - - -",
		"none":   " - - - - - -",
	} {
		var got strings.Builder
		for run := range RunID(6) {
			dir, file, found, err := r.At(run).Lookup(path)
			switch {
			case err != nil:
				t.Fatal(err)
			case !found:
				got.WriteString(" -")
			case file != nil:
				fmt.Fprint(&got, " ", file.FileID)
			default:
				fmt.Fprint(&got, " ", dir.FileID, "/")
			}
		}
		if got.String() != want {
			t.Errorf("%q was%s, want%s", path, &got, want)
		}
	}

	for path, want := range map[Path][]string{
		"d/a":    {"1 from 2 to 3", "3 from 3"},
		"e/a":    {"1 from 3 to 4"},
		"d/in":   {"5 from 5", "id-in/ from 1 to 3"},
		"d":      {"id-d/ from 1 to 3", "id-d/ from 3"},
		"d/in/a": {"1 from 1 to 2"},
		"none/a": nil,
	} {
		files, folders, err := r.Ever(path)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		line := func(id string, from, to RunID) {
			s := fmt.Sprint(id, " from ", from)
			if to != Now {
				s += fmt.Sprint(" to ", to)
			}
			got = append(got, s)
		}
		for _, v := range files {
			line(string(v.FileID), v.From, v.To)
		}
		for _, f := range folders {
			line(string(f.FileID)+"/", f.From, f.To)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("Ever(%q): -want +got:\n%s", path, d)
		}
	}

	if _, found, err := r.RunAt(noon.Add(-1)); found || err != nil {
		t.Errorf("RunAt before the first run = %v, %v", found, err)
	}
	if _, found, err := r.RunAt(time.Date(1500, 1, 1, 0, 0, 0, 0, time.UTC)); found || err != nil {
		t.Errorf("RunAt before nanoseconds can be told = %v, %v", found, err)
	}
	farAhead := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	for at, want := range map[time.Time]RunID{noon: 1, hour(2).Add(-1): 1, hour(2): 2, hour(100): 5, farAhead: 5} {
		if run, found, err := r.RunAt(at); run.ID != want || !found || err != nil {
			t.Errorf("RunAt(%v) = run %d, %v, %v; want %d", at, run.ID, found, err, want)
		}
	}
	if run, found, err := r.Run(3); run.ID != 3 || !found || err != nil {
		t.Errorf("Run(3) = %+v, %v, %v", run, found, err)
	}
	if _, found, err := r.Run(9); found || err != nil {
		t.Errorf("Run(9) = %v, %v", found, err)
	}
}
