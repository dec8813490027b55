package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/autocloudbackup/acb/manifest"
)

func (a *app) historyCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "history PATH",
		Short: "Tell all versions of a file, and what Drive should still have of them; asks nobody",
		Long: `History tells every version that was backed up at a path, the newest first: since
which run, until which and why, and until when Drive should keep it. Drive keeps
what is in its trash and what was replaced for 30 days, of a file at most 100
old contents, and for good what it was asked to keep so (keep_revisions). Where the file was before, or went to,
is told too.

` + exitCodesHelp,
		Example: `  acb history ~/Documents/thesis.odt
  acb restore ~/Documents/thesis.odt --to /tmp --at 17`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.telling(cmd.Context(), func() error { return a.history(args[0], asJSON) })
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

func (a *app) history(arg string, asJSON bool) error {
	_, known, err := a.read()
	if err != nil {
		return err
	}
	defer known.Close()
	p, err := backedUp(arg)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	files, folders, err := known.Ever(p)
	if err != nil {
		return err
	}
	if len(files)+len(folders) == 0 {
		return &exitError{exitPartial, fmt.Errorf("%s: nothing was ever backed up there; acb find NAME looks for names", shown(p))}
	}
	h := &historian{lister: lister{app: a, known: known, flags: lsFlags{json: asJSON}}, runs: map[manifest.RunID]manifest.Run{}}
	for _, v := range slices.Backward(files) {
		if err := h.version(p, v); err != nil {
			return err
		}
	}
	for _, d := range slices.Backward(folders) {
		if err := h.place(p, d); err != nil {
			return err
		}
	}
	if !asJSON {
		return h.elsewhere(p, files)
	}
	return nil
}

// A historian tells what was.
type historian struct {
	lister
	runs map[manifest.RunID]manifest.Run
}

// keptFor is how long Drive keeps what is in its trash, and an old content
// that is not pinned. Source: Drive API guide, "Delete files and folders",
// "Manage file revisions".
const keptFor = 30 * 24 * time.Hour

// version tells one version of a file.
func (h *historian) version(p manifest.Path, v manifest.Version) error {
	kept, err := h.kept(v)
	if err != nil {
		return err
	}
	if h.flags.json {
		e := entryJSON(p, v)
		e.Kept = kept
		return h.put(e)
	}
	since, err := h.run(v.From)
	if err != nil {
		return err
	}
	fmt.Fprintf(h.out, "run %-5d %s  %8s, modified %s", v.From, h.when(since.Started), humanize.IBytes(uint64(v.Size)), h.when(time.Unix(0, v.ModTime)))
	if !v.Hash.IsZero() {
		fmt.Fprintf(h.out, ", BLAKE3 %.12s", v.Hash.String())
	}
	if v.To == manifest.Now {
		fmt.Fprintf(h.out, "\n          %s: %s\n", kept, fileLink(v.FileID))
		return nil
	}
	until, err := h.run(v.To)
	if err != nil {
		return err
	}
	fmt.Fprintf(h.out, "\n          until run %d, %s: %s; %s\n", v.To, h.when(until.Started), v.Reason, kept)
	return nil
}

// kept says what Drive should still have of a version.
func (h *historian) kept(v manifest.Version) (string, error) {
	switch {
	case v.Flags.Has(manifest.Lost), v.Reason == manifest.EndLost, v.Reason == manifest.EndRemoved:
		return "Drive no longer has it", nil
	case v.To == manifest.Now && v.Kept:
		return "it is what Drive holds, and keeps for good", nil
	case v.To == manifest.Now:
		return "it is what Drive holds", nil
	case v.Reason == manifest.EndMoved, v.Reason == manifest.EndTouched, v.Reason == manifest.EndRetired:
		return "its content went on", nil
	}
	to, where := v.To, "among the file's revisions"
	switch trashed, err := h.trashed(v.FileID); {
	case err != nil:
		return "", err
	case toTrash(v.Reason):
		where = "in its trash"
	case v.Kept && trashed == 0:
		return "Drive keeps it for good", nil
	case v.Kept: // what is kept goes with its file
		to, where = trashed, "in its trash"
	}
	until, err := h.run(to)
	if err != nil {
		return "", err
	}
	end := until.Started.Add(keptFor)
	if h.now().After(end) {
		return fmt.Sprintf("Drive had it %s until about %s", where, h.day(end)), nil
	}
	return fmt.Sprintf("Drive has it %s until about %s", where, h.day(end)), nil
}

func toTrash(why manifest.EndReason) bool {
	return why == manifest.EndDeleted || why == manifest.EndPurged
}

// trashed returns the run that put a file into the trash for the last time, 0
// if none did.
func (h *historian) trashed(id manifest.FileID) (by manifest.RunID, err error) {
	were, err := h.known.FileWas(id)
	for _, v := range were {
		if toTrash(v.Reason) {
			by = max(by, v.To)
		}
	}
	return by, err
}

// place tells of a folder.
func (h *historian) place(p manifest.Path, d manifest.FolderVersion) error {
	if h.flags.json {
		e := jsonEntry{
			Type: manifest.Dir.String(), Path: exact(p), Modified: moment(d.ModTime), Mode: fmt.Sprintf("%04o", d.Mode),
			ID: string(d.FileID), Link: folderLink(d.FileID), Since: int64(d.From), Flags: flagNames(d.Flags),
		}
		if d.To != manifest.Now {
			e.Until = int64(d.To)
		}
		return h.put(e)
	}
	since, err := h.run(d.From)
	if err != nil {
		return err
	}
	fmt.Fprintf(h.out, "run %-5d %s  a folder", d.From, h.when(since.Started))
	if d.To == manifest.Now {
		fmt.Fprintf(h.out, "\n          it is there: %s\n", folderLink(d.FileID))
		return nil
	}
	until, err := h.run(d.To)
	if err != nil {
		return err
	}
	fmt.Fprintf(h.out, "\n          until run %d, %s\n", d.To, h.when(until.Started))
	return nil
}

// elsewhere tells where the files at p were before, and went to.
func (h *historian) elsewhere(p manifest.Path, files []manifest.Version) error {
	moved := map[manifest.FileID]bool{}
	told := map[manifest.Path]bool{p: true}
	for _, v := range files {
		moved[v.FileID] = true
		were, err := h.known.FileWas(v.FileID)
		if err != nil {
			return err
		}
		for _, w := range slices.Backward(were) {
			dir, found, err := h.known.At(w.To - 1).PathOf(w.Folder)
			if err != nil {
				return err
			}
			if at := dir.Join(w.Name); found && !told[at] {
				told[at] = true
				fmt.Fprintf(h.out, "it was, until run %d, %s\n", w.To, shown(at))
			}
		}
	}
	left := slices.ContainsFunc(files, func(v manifest.Version) bool { return v.Reason == manifest.EndMoved })
	if !left {
		return nil
	}
	return h.known.Walk(manifest.Root, func(at manifest.Path, _ manifest.Row, entries []manifest.Entry) error {
		for _, e := range entries {
			if q := at.Join(e.Name); moved[e.FileID] && !told[q] {
				fmt.Fprintf(h.out, "it is now %s\n", shown(q))
			}
		}
		return nil
	})
}

// run returns a run of the history; one that has no row, as when it ended
// without a word, is the zero Run.
func (h *historian) run(id manifest.RunID) (manifest.Run, error) {
	if run, ok := h.runs[id]; ok {
		return run, nil
	}
	run, _, err := h.known.Run(id)
	h.runs[id] = run
	return run, err
}

func (h *historian) when(t time.Time) string { return h.local(t, "2006-01-02 15:04") }
func (h *historian) day(t time.Time) string  { return h.local(t, "2006-01-02") }

func (h *historian) local(t time.Time, layout string) string {
	return t.In(h.now().Location()).Format(layout)
}
