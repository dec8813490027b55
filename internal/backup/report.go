package backup

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/autocloudbackup/acb/manifest"
)

// A Report is what the manifest keeps of a run beside its changes: what it
// counted, what it left unprotected, what was held back, and which paths cost
// the most bytes.
type Report struct {
	Counts
	NotSaved []NotSaved    `json:"not_saved,omitempty"` // the first reportMost
	Omitted  int           `json:"not_saved_more,omitempty"`
	Held     []HeldReport  `json:"held,omitempty"`
	Costly   []Cost        `json:"costly,omitempty"` // the most bytes first
	Verify   *VerifyReport `json:"verify,omitempty"` // of a run that verified
}

// A VerifyReport says how thoroughly a verify has looked, and what it found.
type VerifyReport struct {
	Level    string `json:"level"`
	Ended    bool   `json:"ended"` // all was looked at
	Findings int    `json:"findings"`
	Left     int    `json:"left"`
	Items    int64  `json:"items"`
	Files    int64  `json:"files_read"`
	Bytes    int64  `json:"bytes_received"`
}

// NotSaved is a file or folder that is not protected, or not as it is now.
type NotSaved struct {
	Path   manifest.Path `json:"path"`
	Reason string        `json:"reason"`
}

// A HeldReport says what a guard held back.
type HeldReport struct {
	Source string `json:"source"`
	Guard  string `json:"guard"`
	Files  int    `json:"files"`
	Lifts  bool   `json:"lifts"` // the user's word lets it through
}

// A Cost is the content bytes that one path cost, repeats included.
type Cost struct {
	Path  manifest.Path `json:"path"`
	Bytes int64         `json:"bytes"`
}

// reportMost bounds each list of a Report.
const reportMost = 50

// report returns what is kept of the run.
func (r *run) report() ([]byte, error) {
	rep := Report{Counts: r.sum.Counts, Costly: r.journal.costly}
	for _, list := range [][]Failure{r.sum.Failures, r.sum.Unsaved} {
		for _, f := range list {
			rep.NotSaved = append(rep.NotSaved, NotSaved(f))
		}
	}
	if n := len(rep.NotSaved); n > reportMost {
		rep.NotSaved, rep.Omitted = rep.NotSaved[:reportMost], n-reportMost
	}
	for _, h := range r.sum.Held {
		rep.Held = append(rep.Held, HeldReport{
			Source: r.Backup.Sources[h.Source].Root, Guard: h.Guard.String(), Files: h.Files(), Lifts: h.Guard.Lifts(),
		})
	}
	rep.Verify = r.sum.Verified.Report()
	return json.Marshal(rep)
}

// Report returns the numbers of a verify; of none, nil.
func (v *Verified) Report() *VerifyReport {
	if v == nil {
		return nil
	}
	return &VerifyReport{v.Level, v.Ended, len(v.Findings), v.Left, v.Items, v.Files, v.Bytes}
}

// ReadReport returns what was kept of a run; of one that was interrupted it is
// empty.
func ReadReport(run manifest.Run) (Report, error) {
	var rep Report
	if err := json.Unmarshal(run.Counters, &rep); err != nil {
		return rep, fmt.Errorf("read what run %d did: %w", run.ID, err)
	}
	return rep, nil
}

// Costliest returns the n paths that cost the most bytes in several runs
// together.
func Costliest(runs []Report, n int) []Cost {
	sum := map[manifest.Path]int64{}
	for _, rep := range runs {
		for _, c := range rep.Costly {
			sum[c.Path] += c.Bytes
		}
	}
	var list []Cost
	for p, bytes := range sum {
		list = costlier(list, n, Cost{p, bytes})
	}
	return list
}

// costlier adds a cost to the n greatest, the greatest first.
func costlier(list []Cost, n int, c Cost) []Cost {
	if c.Bytes == 0 || len(list) == n && c.Bytes <= list[n-1].Bytes {
		return list
	}
	at, _ := slices.BinarySearchFunc(list, c, func(a, b Cost) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Path, b.Path))
	})
	list = slices.Insert(list, at, c)
	return list[:min(len(list), n)]
}
