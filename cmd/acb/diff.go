package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/autocloudbackup/acb/manifest"
)

func (a *app) diffCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "diff [RUN [RUN]]",
		Short: "Tell what changed between two runs, or since the last one on disk",
		Long: `Diff tells what was created, modified, touched (another time or mode), moved and
deleted between two runs; with one RUN, between it and the last. Without any it
compares the disk with the last run, as "acb scan -n" does. A RUN is ` + atHelp + `.

` + exitCodesHelp,
		Example: `  acb diff            what would a backup do now?
  acb diff 16 17      what did run 17 save?
  acb diff 1w         what changed in the last week?`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return a.diff(cmd.Context(), args, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

func (a *app) diff(ctx context.Context, args []string, asJSON bool) error {
	if len(args) == 0 {
		return a.scan(ctx, scanFlags{dryRun: true, json: asJSON})
	}
	return a.telling(ctx, func() error { return a.diffRuns(args, asJSON) })
}

// diffRuns tells what changed between two runs.
func (a *app) diffRuns(args []string, asJSON bool) error {
	_, known, err := a.read()
	if err != nil {
		return err
	}
	defer known.Close()
	runs := []manifest.RunID{0, manifest.Now}
	for i, arg := range args {
		if runs[i], err = a.runAt(known, arg); err != nil {
			return err
		}
	}
	if runs[0] > runs[1] {
		return &exitError{exitUsage, errors.New("diff: the earlier run comes first")}
	}
	list, err := known.Between(runs[0], runs[1])
	if err != nil {
		return err
	}
	return a.showDifferences(list, asJSON)
}

// showDifferences writes a difference a line.
func (a *app) showDifferences(list []manifest.Difference, asJSON bool) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	for _, d := range list {
		var err error
		if asJSON {
			err = enc.Encode(differenceJSON(d))
		} else {
			_, err = fmt.Fprintln(a.out, differenceLine(d))
		}
		if err != nil {
			return fmt.Errorf("write output: %w", err)
		}
	}
	return nil
}

// differenceLine says what became of a file or folder, for a person.
func differenceLine(d manifest.Difference) string {
	end := ""
	if d.IsDir() {
		end = "/"
	}
	line := fmt.Sprintf("%-9s %s%s", d.Kind, shown(d.Path()), end)
	if d.Kind == manifest.WasMoved {
		line = fmt.Sprintf("%-9s %s%s -> %s%s", d.Kind, shown(d.Old), end, shown(d.New), end)
	}
	size := func(v *manifest.Version) string { return humanize.IBytes(uint64(v.Size)) }
	switch was, is := d.File.Old, d.File.New; {
	case was != nil && is != nil && was.Size != is.Size:
		line += fmt.Sprintf(" (%s -> %s)", size(was), size(is))
	case is != nil && d.Kind == manifest.WasCreated:
		line += fmt.Sprintf(" (%s)", size(is))
	}
	return line
}

// A jsonDifference is a difference for programs.
type jsonDifference struct {
	Type string     `json:"type"` // its kind
	Path string     `json:"path"`
	From string     `json:"from,omitempty"` // of what was moved
	Dir  bool       `json:"folder,omitempty"`
	Old  *jsonEntry `json:"old,omitempty"`
	New  *jsonEntry `json:"new,omitempty"`
}

func differenceJSON(d manifest.Difference) jsonDifference {
	j := jsonDifference{Type: d.Kind.String(), Path: exact(d.Path()), Dir: d.IsDir()}
	if d.Kind == manifest.WasMoved {
		j.From = exact(d.Old)
	}
	if v := d.File.Old; v != nil {
		e := entryJSON(d.Old, *v)
		j.Old = &e
	}
	if v := d.File.New; v != nil {
		e := entryJSON(d.New, *v)
		j.New = &e
	}
	return j
}
