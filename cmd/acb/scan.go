package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/internal/ignore"
	"github.com/autocloudbackup/acb/scan"
	"github.com/spf13/cobra"
)

// scanFlags are the flags of "acb scan".
type scanFlags struct {
	dryRun       bool
	json         bool
	paths        []string
	exclude      []string
	accept       []string
	allowDeletes bool
}

func (a *app) scanCommand() *cobra.Command {
	var f scanFlags
	cmd := &cobra.Command{
		Use:   "scan",
		Short: "Make one backup now",
		Long: `Scan looks at every configured source, works out what was created, modified,
moved and deleted since the last run, and brings Drive in line.

With --path it backs up just the named files and folders, inside or outside of
the sources, ignored or not; nothing is trashed then.

` + exitCodesHelp,
		Example: `  acb scan -n                  what would be done, with bytes and requests
  acb scan                     do it
  acb scan --path report.pdf   back this file up on the spot`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.scan(cmd.Context(), f) },
	}
	fl := cmd.Flags()
	fl.BoolVarP(&f.dryRun, "dry-run", "n", false, "show what would be done, and change nothing")
	fl.StringArrayVar(&f.paths, "path", nil, "back up only this file or folder; may be repeated")
	fl.BoolVar(&f.json, "json", false, "print one JSON object a line; the last is the summary")
	fl.Var(&a.bwlimit, "bwlimit", bwlimitUsage)
	fl.StringArrayVar(&f.exclude, "exclude", nil, "leave out what this gitignore `pattern` matches in this run; what is backed up of it stays")
	fl.BoolVar(&f.allowDeletes, "allow-deletes", false, "let more deletions and changes through than [safety] max_delete and max_modify, this once")
	fl.StringArrayVar(&f.accept, "accept-source", nil, "take the file system that this source is on now for the right one")
	cmd.MarkFlagsMutuallyExclusive("path", "allow-deletes")
	cmd.MarkFlagsMutuallyExclusive("path", "accept-source")
	return cmd
}

func (a *app) scan(ctx context.Context, f scanFlags) error {
	s, err := a.open("acb scan", f.dryRun)
	if err != nil {
		return err
	}
	defer s.Close()
	req, err := f.request(s)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	show := a.newDisplay(func(now time.Time) string { return silence(s.Progress().Unheard) + progressLine(s.Progress(), now) }, f.json)
	s.Watch = a.narrator(show.out, f.json)
	if f.dryRun {
		p, sum, err := s.Plan(ctx, req)
		show.stop()
		if err != nil {
			return err
		}
		a.showPlan(p, f.json)
		return a.finish(sum, s, f)
	}
	sum, err := s.Run(ctx, req)
	show.stop()
	if err != nil {
		a.warn("%v", err)
	}
	return a.finish(sum, s, f)
}

// request turns flags into what the run needs, and puts the limits and
// sources of this run into the session.
func (f *scanFlags) request(s *session) (backup.Request, error) {
	var req backup.Request
	s.Limits.Allow = f.allowDeletes
	var patterns []ignore.Pattern
	for i, text := range f.exclude {
		p, err := ignore.NewPattern(text, text, i+1)
		if err != nil {
			return req, fmt.Errorf("--exclude %q: %w", text, err)
		}
		patterns = append(patterns, p)
	}
	if len(patterns) > 0 {
		for i := range s.Sources {
			s.Sources[i].Exclude = ignore.New(s.Sources[i].Root, "--exclude", patterns)
		}
	}
	for _, path := range f.accept {
		if err := acceptSource(s.Sources, path); err != nil {
			return req, err
		}
	}
	for _, path := range f.paths {
		if path == "" {
			return req, fmt.Errorf("--path: %w", errNoPath)
		}
		abs, err := filepath.Abs(path)
		if err != nil {
			return req, fmt.Errorf("--path %q: %w", path, err)
		}
		p, err := scan.PathOf(abs)
		if err != nil {
			return req, fmt.Errorf("--path %q: %w", path, err)
		}
		req.Targets = append(req.Targets, scan.Target{Path: p, Root: abs, Rules: ignore.New(abs, s.config.File, s.config.Ignore)})
	}
	return req, nil
}

func acceptSource(sources []scan.Source, path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("--accept-source %q: %w", path, err)
	}
	for i := range sources {
		if sources[i].Root == abs {
			sources[i].Accept = true
			return nil
		}
	}
	return fmt.Errorf("--accept-source %q: no such source: name one of the paths below backup in acb.toml", path)
}
