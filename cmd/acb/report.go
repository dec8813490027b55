package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/internal/runlog"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/scan"
	"github.com/dustin/go-humanize"
)

// shown returns a path as the system writes it, fit for a terminal: bytes
// that are no text are quoted, control characters do nothing.
func shown(p manifest.Path) string {
	return plain(exact(p))
}

// plain takes the power over a terminal from a text.
func plain(s string) string {
	if harmless(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// harmless reports whether all of s is ASCII without control characters, as
// most of a million paths are.
func harmless(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// exact returns a path as the system writes it, as valid UTF-8 and yet
// unambiguous, for JSON.
func exact(p manifest.Path) string { return runlog.Quote(scan.OSPath(p)) }

// finish reports a run and returns its exit code as an error.
func (a *app) finish(sum *backup.Summary, s *session, f scanFlags) error {
	if f.json {
		if err := a.reportJSON(sum, f.dryRun); err != nil {
			return err
		}
	} else {
		a.report(sum, s, f.dryRun)
	}
	if code := sum.ExitCode(); code != 0 {
		return &exitError{code: code}
	}
	return nil
}

// most is how many lines of one kind a report shows; the log has them all.
const most = 10

// report writes the summary for a person: what is wrong to stderr, what was
// done to stdout.
func (a *app) report(sum *backup.Summary, s *session, dryRun bool) {
	limit := most
	if a.verbose > 0 {
		limit = int(^uint(0) >> 1)
	}
	lines(a.err, limit, "could not be saved", sum.Failures)
	lines(a.err, limit, "not backed up", sum.Unsaved)
	if sum.Quota != "" {
		fmt.Fprintf(a.err, "acb: not everything was sent: %s\n", plain(sum.Quota))
	}
	a.reportMended(sum, limit)
	if sum.Verified != nil {
		a.reportFindings(sum.Verified, limit)
	}
	for _, src := range sum.Sources {
		a.reportSource(src)
	}
	for _, h := range sum.Held {
		a.reportHeld(h, s)
	}
	for i, path := range sum.NotKept {
		if i == limit {
			fmt.Fprintf(a.err, "acb: and %d more, see the log\n", len(sum.NotKept)-i)
			break
		}
		fmt.Fprintf(a.err, "acb: saved, but not kept for good when it changes again: %s: Drive keeps 200 versions of a file\n", shown(path))
	}
	if sum.NotCopied != "" {
		fmt.Fprintf(a.err, "acb: the manifest could not be copied: %s\n", plain(sum.NotCopied))
	}
	if a.quiet {
		return
	}
	c := &sum.Counts
	done := "done"
	switch {
	case dryRun:
		done = "dry run"
	case len(sum.Conditions) > 0:
		done = strings.ReplaceAll(string(sum.Conditions[0]), "_", " ")
	}
	did := changes(c)
	if v := sum.Verified.Report(); v != nil {
		did = verified(v)
	}
	fmt.Fprintf(a.out, "%s in %s: %s\n", done, took(sum.Took), did)
	if c.Requests == 0 && !dryRun {
		fmt.Fprintln(a.out, "0 requests to Drive")
		return
	}
	what, eta := "sent", ""
	if dryRun {
		what = "would send"
		if sum.ETA >= time.Second {
			eta = ", in about " + took(sum.ETA)
		}
	}
	fmt.Fprintf(a.out, "%s %s in %s%s\n", what, humanize.IBytes(uint64(c.BytesSent)), count(c.Requests, "request", "requests"), eta)
}

// changes puts the counts into one line, the zeroes left out.
func changes(c *backup.Counts) string {
	var parts []string
	add := func(n int64, what string) {
		if n > 0 {
			parts = append(parts, humanize.Comma(n)+" "+what)
		}
	}
	add(c.Created, "created"+copied(c))
	add(c.Modified, "modified")
	add(c.Touched, "touched")
	add(c.Moved, "moved")
	add(c.Deleted, "deleted")
	add(c.MovedFolders, plural(c.MovedFolders, "folder moved", "folders moved"))
	add(c.CreatedFolders, plural(c.CreatedFolders, "folder created", "folders created"))
	add(c.DeletedFolders, plural(c.DeletedFolders, "folder deleted", "folders deleted"))
	add(c.Mended, "put right on Drive")
	add(c.Failed, "failed")
	add(c.HeldBack, "held back")
	add(c.Unknown, "unknown")
	add(c.Retired, "retired")
	add(c.Skipped, "skipped")
	if len(parts) == 0 {
		parts = append(parts, "nothing changed")
	}
	add(c.Unchanged, "unchanged")
	add(c.Ignored, "ignored")
	return strings.Join(parts, ", ")
}

// copied says of what was created how much was not sent.
func copied(c *backup.Counts) string {
	if c.Copied == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s copied on Drive, %s not sent)", humanize.Comma(c.Copied), humanize.IBytes(uint64(c.BytesCopied)))
}

func lines(w io.Writer, limit int, what string, list []backup.Failure) {
	for i, f := range list {
		if i == limit {
			fmt.Fprintf(w, "acb: and %d more, see the log\n", len(list)-i)
			return
		}
		fmt.Fprintf(w, "acb: %s: %s: %s\n", what, shown(f.Path), plain(f.Reason))
	}
}

// reportMended says what somebody else did on Drive.
func (a *app) reportMended(sum *backup.Summary, limit int) {
	if sum.Unasked != "" {
		fmt.Fprintf(a.err, "acb: Drive was not asked what others did there: %s; the next run asks again\n", plain(sum.Unasked))
	}
	if sum.Listed != "" {
		fmt.Fprintf(a.err, "acb: everything on Drive was compared: %s\n", plain(sum.Listed))
	}
	if sum.Verified != nil {
		return // a finding tells
	}
	for i, m := range sum.Mended {
		if i == limit {
			fmt.Fprintf(a.err, "acb: and %d more, see the log\n", len(sum.Mended)-i)
			return
		}
		fmt.Fprintf(a.err, "acb: on Drive somebody else has %s, put right: %s\n", m.What, mendedPath(m.Path, shown))
	}
}

// mendedPath names what was changed on Drive; the folders that hold the backup
// have no path on disk.
func mendedPath(p manifest.Path, show func(manifest.Path) string) string {
	if p == "" {
		return "the folder of the backup"
	}
	return show(p)
}

// reportSource says what is wrong with a source as a whole.
func (a *app) reportSource(src backup.SourceSummary) {
	path := plain(src.Path)
	switch src.State {
	case scan.OK:
	case scan.OtherFS:
		fmt.Fprintf(a.err, "acb: source %s is on another file system than last time; nothing in it is trashed\n", path)
		fmt.Fprintf(a.err, "acb: if this is right, say so once: acb scan --accept-source %s\n", plain(word(src.Path)))
	case scan.Empty:
		fmt.Fprintf(a.err, "acb: source %s is empty; nothing in it is trashed\n", path)
	default:
		fmt.Fprintf(a.err, "acb: source %s is %s: %s; nothing in it is trashed\n", path, src.State, plain(src.Reason))
	}
}

// reportHeld says what a guard holds back, an example, and what to do.
func (a *app) reportHeld(h plan.Held, s *session) {
	fmt.Fprintf(a.err, "acb: held back in %s: %s: %s, among them %s\n",
		plain(s.Sources[h.Source].Root), h.Guard, count(int64(h.Files()), "file", "files"), shown(h.Ops[0].Path))
	switch {
	case h.Guard == plan.Rebuilt:
		fmt.Fprintf(a.err, "acb: bring it back with: acb restore %s --in-place\n", plain(word(s.Sources[h.Source].Root)))
		fmt.Fprintln(a.err, "acb: or if it was deleted, let that through once: acb scan --allow-deletes")
	case h.Guard.Lifts():
		fmt.Fprintln(a.err, "acb: if this is right, let it through once: acb scan --allow-deletes")
	case h.Guard == plan.Damaged:
		fmt.Fprintln(a.err, "acb: \"acb manifest check\" tells where, \"acb manifest rebuild\" makes it anew")
	}
}

func count(n int64, one, many string) string {
	return humanize.Comma(n) + " " + plural(n, one, many)
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// took rounds a duration to what a person reads.
func took(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// Objects of --json.
type (
	jsonItem struct {
		Type   string `json:"type"` // "failed", "unsaved" or "mended"
		Path   string `json:"path"`
		Reason string `json:"reason"`
	}
	jsonHeld struct {
		Type   string `json:"type"` // "held_back"
		Source string `json:"source"`
		Reason string `json:"reason"`
		Op     string `json:"op"`
		Path   string `json:"path"`
		Files  int    `json:"files"`
	}
	jsonOp struct {
		Type    string  `json:"type"` // "plan" of a dry run, "done" with -v
		Op      string  `json:"op"`
		Path    string  `json:"path"`
		From    string  `json:"from,omitempty"`
		Bytes   int64   `json:"bytes,omitempty"` // content
		Files   int     `json:"files,omitempty"` // that a trashed folder takes along
		ID      string  `json:"id,omitempty"`
		Seconds float64 `json:"seconds,omitempty"`
	}
	jsonSource struct {
		Path   string `json:"path"`
		State  string `json:"state"`
		Reason string `json:"reason,omitempty"`
	}
	jsonSummary struct {
		Type string `json:"type"` // "summary"
		Run  int64  `json:"run,omitempty"`
		backup.Counts
		Seconds    float64              `json:"seconds"`
		ETA        *float64             `json:"eta_seconds,omitempty"` // of a dry run
		Conditions []backup.Condition   `json:"conditions"`
		Quota      string               `json:"quota,omitempty"` // why contents were not sent
		Sources    []jsonSource         `json:"sources"`
		NotCopied  string               `json:"manifest_not_copied,omitempty"`
		Verify     *backup.VerifyReport `json:"verify,omitempty"` // of a verify
	}
)

func (a *app) reportJSON(sum *backup.Summary, dryRun bool) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	var first error
	put := func(v any) {
		if err := enc.Encode(v); err != nil && first == nil {
			first = fmt.Errorf("write output: %w", err)
		}
	}
	for _, f := range sum.Failures {
		put(jsonItem{"failed", exact(f.Path), f.Reason})
	}
	for _, f := range sum.Unsaved {
		put(jsonItem{"unsaved", exact(f.Path), f.Reason})
	}
	for _, p := range sum.NotKept {
		put(jsonItem{"not_kept", exact(p), "Drive keeps 200 versions of a file for good"})
	}
	if v := sum.Verified; v != nil {
		for _, f := range v.Findings {
			put(jsonFinding{"finding", mendedPath(f.Path, exact), string(f.Item), f.What.String(), f.Fixed, f.Reason})
		}
	} else {
		for _, m := range sum.Mended {
			put(jsonItem{"mended", mendedPath(m.Path, exact), m.What.String()})
		}
	}
	for _, h := range sum.Held {
		for _, op := range h.Ops {
			put(jsonHeld{"held_back", sum.Sources[h.Source].Path, h.Guard.String(), op.Kind.String(), exact(op.Path), op.FileCount()})
		}
	}
	out := jsonSummary{
		Type: "summary", Run: sum.Run, Counts: sum.Counts, Seconds: sum.Took.Seconds(),
		Conditions: append([]backup.Condition{}, sum.Conditions...), Quota: sum.Quota, Sources: []jsonSource{},
		NotCopied: sum.NotCopied, Verify: sum.Verified.Report(),
	}
	if dryRun {
		eta := sum.ETA.Seconds()
		out.ETA = &eta
	}
	for _, s := range sum.Sources {
		out.Sources = append(out.Sources, jsonSource{s.Path, s.State.String(), s.Reason})
	}
	put(out)
	return first
}

// showPlan writes the operations of a dry run, one a line.
func (a *app) showPlan(p *plan.Plan, asJSON bool) {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	for _, stage := range p.Stages {
		for _, op := range stage {
			if asJSON {
				enc.Encode(opJSON("plan", op)) // a closed stdout is noticed by the summary
			} else {
				fmt.Fprintln(a.out, opLine(op))
			}
		}
	}
}
