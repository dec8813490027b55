package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/internal/plan"
)

// purgeFlags are the flags of "acb purge".
type purgeFlags struct {
	trash    bool
	versions bool
	older    string
	dryRun   bool
	yes      bool
	json     bool
}

func (a *app) purgeCommand() *cobra.Command {
	var f purgeFlags
	cmd := &cobra.Command{
		Use:   "purge [PATH]...",
		Short: "Take off Drive what a backup never takes: hidden, pinned, or for good",
		Long: `Purge puts into Drive's trash what acb scan keeps there although it is no longer
part of the backup: what is retired, because a rule hides it or its source left
acb.toml, and what is pinned, because it was backed up by name (--path).

With --trash it removes for good the files that acb has put into Drive's trash,
with --versions the old contents that Drive was asked to keep for good. Both
free storage; nothing brings back what they remove.

It shows what it would do, and asks. With a PATH only what is at or below it is
meant, with --older only what was saved, or ended, longer ago.

` + exitCodesHelp,
		Example: `  acb purge -n
  acb purge ~/old-project
  acb purge --trash --older 14d --yes`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.purge(cmd.Context(), f, args) },
	}
	fl := cmd.Flags()
	fl.BoolVar(&f.trash, "trash", false, "remove for good what acb has put into Drive's trash")
	fl.BoolVar(&f.versions, "versions", false, "remove for good the old contents that Drive keeps for good")
	fl.StringVar(&f.older, "older", "", "only what is older than this `age` (90m, 3h, 5d, 2w)")
	fl.BoolVarP(&f.dryRun, "dry-run", "n", false, "show what would be done, and change nothing")
	fl.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	fl.BoolVar(&f.json, "json", false, "print one JSON object a line; the last is the summary")
	cmd.MarkFlagsMutuallyExclusive("trash", "versions")
	return cmd
}

func (a *app) purge(ctx context.Context, f purgeFlags, args []string) error {
	var p backup.Purge
	for _, arg := range args {
		path, err := backedUp(arg)
		if err != nil {
			return &exitError{exitUsage, err}
		}
		p.Paths = append(p.Paths, path)
	}
	if f.older != "" {
		age, err := parseAge(f.older)
		if err != nil {
			return &exitError{exitUsage, fmt.Errorf("--older %q: this is no age: write 90m, 3h, 5d or 2w", f.older)}
		}
		p.Before = a.now().Add(-age)
	}
	s, err := a.open("acb purge", f.dryRun)
	if err != nil {
		return err
	}
	defer s.Close()
	if f.trash || f.versions {
		return a.purgeForGood(ctx, s, p, f)
	}
	todo, sum, err := s.PlanPurge(p)
	if err != nil {
		return err
	}
	if len(todo.Stages) == 0 {
		return a.nothingTo("purge")
	}
	a.showPlan(todo, f.json)
	if f.dryRun {
		return a.finish(sum, s, scanFlags{dryRun: true, json: f.json})
	}
	if err := a.agree(ctx, f.yes, "Put %s into Drive's trash?", count(trashedFiles(todo), "file", "files")); err != nil {
		return err
	}
	sum, err = s.CarryOutPurge(ctx, p)
	if err != nil {
		a.warn("%v", err)
	}
	return a.finish(sum, s, scanFlags{json: f.json})
}

func trashedFiles(p *plan.Plan) (n int64) {
	for _, stage := range p.Stages {
		for _, op := range stage {
			n += int64(op.FileCount())
		}
	}
	return n
}

// nothingTo says that there is nothing of the kind.
func (a *app) nothingTo(what string) error {
	a.say("there is nothing to %s", what)
	return nil
}

// purgeForGood removes what nothing brings back.
func (a *app) purgeForGood(ctx context.Context, s *session, p backup.Purge, f purgeFlags) error {
	find, what := s.InTrash, "in Drive's trash"
	if f.versions {
		find, what = s.Pinned, "that Drive keeps of files as they were"
	}
	list, err := find(ctx, p)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return a.nothingTo("remove")
	}
	var bytes int64
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	for _, r := range list {
		bytes += r.Size
		if f.json {
			err = enc.Encode(entryJSON(r.Path, r.Version))
		} else {
			_, err = fmt.Fprintf(a.out, "remove for good  %8s  %s  (%s, run %d)\n", humanize.IBytes(uint64(r.Size)), shown(r.Path), r.Reason, r.To)
		}
		if err != nil {
			return fmt.Errorf("write output: %w", err)
		}
	}
	if f.dryRun {
		return nil
	}
	err = a.agree(ctx, f.yes, "Remove for good %s %s, %s? Nothing brings them back.",
		count(int64(len(list)), "content", "contents"), what, humanize.IBytes(uint64(bytes)))
	if err != nil {
		return err
	}
	sum, err := s.Remove(ctx, list)
	if err != nil {
		a.warn("%v", err)
	}
	return a.finish(sum, s, scanFlags{json: f.json})
}
