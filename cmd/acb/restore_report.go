package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/autocloudbackup/acb/internal/restore"
	"github.com/autocloudbackup/acb/internal/runlog"
)

// restoreNarrator tells of each file as it ends.
func restoreNarrator(w io.Writer, f restoreFlags) func(restore.Result) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return func(r restore.Result) {
		switch {
		case r.Err != nil: // the report has it
		case f.json:
			enc.Encode(jsonRestored{Type: r.Outcome.String(), Path: exact(r.Path), Bytes: r.Bytes}) // a closed stdout is noticed by the summary
		default:
			fmt.Fprintf(w, "%-10s %s\n", r.Outcome, shown(r.Path))
		}
	}
}

// finishRestore reports a restore and returns its exit code as an error.
func (a *app) finishRestore(sum *restore.Summary, err error, f restoreFlags) error {
	if f.json {
		if e := a.restoreJSON(sum); e != nil {
			return e
		}
	} else {
		a.reportRestore(sum, f, err)
	}
	switch {
	case err != nil:
		return err
	case !sum.Complete():
		return &exitError{code: exitPartial}
	}
	return nil
}

// reportRestore writes the summary for a person: what is wrong to stderr, what
// was done to stdout.
func (a *app) reportRestore(sum *restore.Summary, f restoreFlags, err error) {
	list := func(n int, line func(i int)) {
		for i := range n {
			if i == most && a.verbose == 0 {
				fmt.Fprintf(a.err, "acb: and %d more, see the log\n", n-i)
				return
			}
			line(i)
		}
	}
	problems := sum.Problems
	if err != nil { // which is told at the end, once
		problems = slices.DeleteFunc(slices.Clone(problems), func(p restore.Result) bool { return p.Err.Error() == err.Error() })
	}
	list(len(problems), func(i int) {
		p := problems[i]
		hint := ""
		if errors.As(p.Err, new(*restore.NotFoundError)) {
			hint = "; acb find NAME looks for names at any time"
		}
		a.warn("%s: %s: %s%s", p.Outcome, shown(p.Path), plain(p.Err.Error()), hint)
	})
	if sum.Plain {
		a.warn("the target keeps no modes: files have those there that it gives to all")
	}
	list(len(sum.Renamed), func(i int) {
		r := sum.Renamed[i]
		a.warn("%s is called %s there, which its own name cannot be", shown(r.Path), plain(runlog.Quote(r.As)))
	})
	list(len(sum.SetAside), func(i int) {
		r := sum.SetAside[i]
		a.warn("moved aside: what was in the place of %s is now %s", shown(r.Path), plain(runlog.Quote(r.As)))
	})
	if n := int64(len(sum.Pinned)); n > 0 {
		a.warn("Drive keeps %s for good now, which takes room there (%s): another time, --unpin lets them go",
			count(n, "old content", "old contents"), humanize.IBytes(uint64(pinnedBytes(sum))))
	}
	if a.quiet {
		return
	}
	done, where := "done", "where it was"
	switch {
	case err != nil:
		done = "ended early"
	case f.dryRun:
		done = "dry run"
	}
	if f.to != "" {
		where = filepath.Clean(f.to)
	}
	fmt.Fprintf(a.out, "%s in %s: %s, into %s\n", done, took(sum.Took), outcomes(sum), plain(where))
	what, bytes := "fetched", sum.BytesReceived
	if f.dryRun {
		what, bytes = "would fetch", sum.Bytes
	}
	fmt.Fprintf(a.out, "%s %s in %s\n", what, humanize.IBytes(uint64(bytes)), count(sum.Requests, "request", "requests"))
}

func pinnedBytes(sum *restore.Summary) (n int64) {
	for _, p := range sum.Pinned {
		n += p.Size
	}
	return n
}

// outcomes puts the counts into one line, the zeroes left out.
func outcomes(sum *restore.Summary) string {
	var parts []string
	for how, n := range sum.Files {
		if n > 0 {
			parts = append(parts, humanize.Comma(n)+" "+restore.Outcome(how).String())
		}
	}
	if sum.Folders > 0 {
		parts = append(parts, count(sum.Folders, "folder made", "folders made"))
	}
	if len(parts) == 0 {
		return "nothing to restore"
	}
	return strings.Join(parts, ", ")
}

// Objects of restore's --json.
type (
	jsonRestored struct {
		Type   string `json:"type"` // an outcome, "renamed", "set_aside" or "pinned"
		Path   string `json:"path,omitempty"`
		Bytes  int64  `json:"bytes,omitempty"`
		Reason string `json:"reason,omitempty"`
		As     string `json:"as,omitempty"`
		ID     string `json:"id,omitempty"`
		Rev    string `json:"revision,omitempty"`
	}
	jsonRestoreSummary struct {
		Type          string  `json:"type"` // "summary"
		Restored      int64   `json:"restored"`
		Present       int64   `json:"present"`
		Kept          int64   `json:"kept"`
		Damaged       int64   `json:"damaged"`
		Gone          int64   `json:"gone"`
		Failed        int64   `json:"failed"`
		Folders       int64   `json:"folders"`
		Bytes         int64   `json:"bytes"`
		BytesReceived int64   `json:"bytes_received"`
		Requests      int64   `json:"requests"`
		Seconds       float64 `json:"seconds"`
	}
)

func (a *app) restoreJSON(sum *restore.Summary) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	var all []any
	for _, p := range sum.Problems {
		all = append(all, jsonRestored{Type: p.Outcome.String(), Path: exact(p.Path), Reason: p.Err.Error()})
	}
	for _, r := range sum.Renamed {
		all = append(all, jsonRestored{Type: "renamed", Path: exact(r.Path), As: runlog.Quote(r.As)})
	}
	for _, r := range sum.SetAside {
		all = append(all, jsonRestored{Type: "set_aside", Path: exact(r.Path), As: runlog.Quote(r.As)})
	}
	for _, p := range sum.Pinned {
		all = append(all, jsonRestored{Type: "pinned", ID: string(p.FileID), Rev: p.Revision, Bytes: p.Size})
	}
	n := sum.Files
	all = append(all, jsonRestoreSummary{
		Type: "summary", Restored: n[restore.Restored], Present: n[restore.Present], Kept: n[restore.Kept],
		Damaged: n[restore.Damaged], Gone: n[restore.Gone], Failed: n[restore.Failed], Folders: sum.Folders,
		Bytes: sum.Bytes, BytesReceived: sum.BytesReceived, Requests: sum.Requests, Seconds: sum.Took.Seconds(),
	})
	for _, v := range all {
		if err := enc.Encode(v); err != nil {
			return fmt.Errorf("write output: %w", err)
		}
	}
	return nil
}
