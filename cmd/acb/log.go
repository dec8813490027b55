package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/internal/config"
	"github.com/autocloudbackup/acb/internal/runlog"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/scan"
)

func (a *app) logCommand() *cobra.Command {
	var n int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "log [RUN]",
		Short: "Tell the runs there were, or every operation of one; asks nobody",
		Long: `Log tells the last runs, the newest first: when, how they ended, what they did and
what that cost. With a RUN, it tells every operation of that run as it was
logged, or, when the log is pruned by now, what the run changed. It works while
a backup runs, and sends nothing.

` + exitCodesHelp,
		Example: `  acb log
  acb log 17`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.telling(cmd.Context(), func() error { return a.log(args, n, asJSON) })
		},
	}
	cmd.Flags().IntVarP(&n, "number", "n", 20, "how many runs")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

func (a *app) log(args []string, n int, asJSON bool) error {
	cfg, known, err := a.read()
	if err != nil {
		return err
	}
	defer known.Close()
	if len(args) == 1 {
		return a.logOf(cfg, known, args[0], asJSON)
	}
	runs, err := known.LastRuns(n)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(a.out)
	for _, run := range runs {
		if asJSON {
			err = enc.Encode(jsonRun{ID: int64(run.ID), lastRun: runJSON(run)})
		} else {
			_, err = fmt.Fprintln(a.out, a.runLine(run))
		}
		if err != nil {
			return fmt.Errorf("write output: %w", err)
		}
	}
	return nil
}

// A jsonRun is a run for programs.
type jsonRun struct {
	ID int64 `json:"run"`
	lastRun
}

// runLine says how a run went, for a person.
func (a *app) runLine(run manifest.Run) string {
	line := fmt.Sprintf("run %-5d %s  %-6s", run.ID, run.Started.In(a.now().Location()).Format("2006-01-02 15:04"), run.Kind)
	var c backup.Report
	switch {
	case run.Ended.IsZero():
		return line + "  still on, or interrupted"
	case json.Unmarshal(run.Counters, &c) != nil:
		return line
	}
	did := changes(&c.Counts)
	if c.Verify != nil {
		did = verified(c.Verify)
	}
	line += "  " + did
	if c.Requests > 0 {
		line += fmt.Sprintf("; sent %s in %s", humanize.IBytes(uint64(c.BytesSent)), count(c.Requests, "request", "requests"))
	}
	line += "; " + took(run.Ended.Sub(run.Started))
	if len(run.Conditions) > 0 {
		line += "; " + strings.ReplaceAll(strings.Join(run.Conditions, ", "), "_", " ")
	}
	return line
}

// logOf tells the operations of one run.
func (a *app) logOf(cfg *config.Config, known *manifest.Reader, text string, asJSON bool) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return &exitError{exitUsage, fmt.Errorf("log %q: a run is a number; acb log lists them", text)}
	}
	run, found, err := known.Run(manifest.RunID(n))
	if err != nil {
		return err
	}
	if !found {
		return &exitError{exitUsage, fmt.Errorf("log %d: there is no such run; acb log lists them", n)}
	}
	id, logged, err := runlog.Find(cfg.Log.Dir, n, run.Started)
	if err != nil {
		return err
	}
	if !asJSON {
		fmt.Fprintln(a.out, a.runLine(run))
	}
	if !logged {
		list, err := known.Between(run.ID-1, run.ID)
		if err != nil {
			return err
		}
		if !asJSON {
			fmt.Fprintln(a.out, "its log is pruned; it changed:")
		}
		return a.showDifferences(list, asJSON)
	}
	return runlog.Read(cfg.Log.Dir, id, func(r runlog.Record) error {
		var err error
		switch {
		case asJSON:
			_, err = fmt.Fprintf(a.out, "%s\n", r.Raw)
		case r.Msg != runlog.Began && r.Msg != "run ended":
			_, err = fmt.Fprintln(a.out, recordLine(r, a.now().Location()))
		}
		if err != nil {
			return fmt.Errorf("write output: %w", err)
		}
		return nil
	})
}

// logged shows a path that the log has quoted already.
func logged(path string) string { return plain(scan.OSPath(manifest.Path(path))) }

// recordLine writes a line of a log for a person.
func recordLine(r runlog.Record, zone *time.Location) string {
	line := r.Time.In(zone).Format("15:04:05")
	if r.Level != "INFO" {
		line += "  " + r.Level
	}
	line += "  " + plain(r.Msg)
	switch {
	case r.From != "":
		line += "  " + logged(r.From) + " -> " + logged(r.Path)
	case r.Path != "":
		line += "  " + logged(r.Path)
	}
	if r.Bytes > 0 {
		line += fmt.Sprintf("  (%s, %.1f s)", humanize.IBytes(uint64(r.Bytes)), r.Seconds)
	}
	if why := r.Reason + r.Err; why != "" {
		line += ": " + plain(why)
	}
	return line
}
