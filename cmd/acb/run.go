package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/autocloudbackup/acb/internal/config"
	"github.com/autocloudbackup/acb/internal/droppath"
	"github.com/autocloudbackup/acb/internal/schedule"
	"github.com/spf13/cobra"
)

func (a *app) runCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Stay, and make backups on the schedule of acb.toml",
		Long: `Run stays and makes a backup whenever a line of [schedule] cron is due, one at a
time, and verifies Drive ("acb verify --full") when one of [schedule] verify is. On
a terminal, a file or folder dropped onto the window, followed by Enter, is backed
up at once.

` + exitCodesHelp,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context()) },
	}
	cmd.Flags().Var(&a.bwlimit, "bwlimit", bwlimitUsage)
	return cmd
}

func (a *app) run(ctx context.Context) error {
	cfg, err := a.loadConfig()
	if err != nil {
		return err
	}
	if cfg.Schedule.Cron.IsZero() {
		return &exitError{exitUsage, fmt.Errorf(`%s: schedule.cron: the key is missing: write when to back up, such as cron = "0 */4 * * *" below [schedule]`, cfg.File)}
	}
	var one sync.Mutex // dropped paths and the schedules take turns
	interrupted := false
	job := func(ctx context.Context, do func(context.Context) error) {
		one.Lock()
		defer one.Unlock()
		if ctx.Err() != nil {
			return
		}
		if err := do(ctx); err != nil {
			var code *exitError
			known := errors.As(exit(err), &code)
			if !known || code.err != nil {
				a.warn("%v", err)
			}
			interrupted = known && code.code == exitInterrupted
		}
	}
	if isTerminal(a.in) {
		a.say("drop a file or folder here and press Enter to back it up now; Ctrl-C ends")
		go a.drops(ctx, func(paths []string) {
			job(ctx, func(ctx context.Context) error { return a.scan(ctx, scanFlags{paths: paths}) })
		})
	}
	err = a.atTheirTimes(ctx, cfg, job)
	one.Lock() // a dropped path may still be on its way
	defer one.Unlock()
	if ctx.Err() != nil {
		if isTerminal(a.err) {
			fmt.Fprintln(a.err) // behind ^C
		}
		if interrupted {
			return &exitError{code: exitInterrupted}
		}
		return nil // being ended between backups is how this command ends
	}
	return err
}

// atTheirTimes lets job do each thing at its times, until ctx ends.
func (a *app) atTheirTimes(ctx context.Context, cfg *config.Config, job func(context.Context, func(context.Context) error)) error {
	var runs []func() error
	for _, it := range []struct {
		kind, name string
		at         schedule.Schedule
		do         func(context.Context) error
	}{
		{"scan", "backup", cfg.Schedule.Cron, func(ctx context.Context) error { return a.scan(ctx, scanFlags{}) }},
		{"verify", "verify", cfg.Schedule.Verify, func(ctx context.Context) error { return a.verify(ctx, verifyFlags{full: true}) }},
	} {
		if it.at.IsZero() {
			continue
		}
		last, err := a.lastStart(manifestFile(cfg), it.kind)
		if err != nil {
			return err
		}
		opts := schedule.Options{
			CatchUp: cfg.Schedule.CatchUp, Last: last, Jitter: cfg.Schedule.Jitter,
			Waiting: func(next time.Time) { a.say("next %s %s", it.name, next.Format("Mon 2006-01-02 15:04:05")) },
		}
		runs = append(runs, func() error {
			return schedule.Run(ctx, a.now, it.at, opts, func(ctx context.Context) { job(ctx, it.do) })
		})
	}
	errs := make([]error, len(runs))
	var all sync.WaitGroup
	for i, run := range runs {
		all.Go(func() { errs[i] = run() })
	}
	all.Wait()
	return errors.Join(errs...)
}

// drops reads lines and hands on the paths in them, until the input ends.
// Reading a terminal cannot be interrupted: it ends with the process.
func (a *app) drops(ctx context.Context, backUp func(paths []string)) {
	lines := bufio.NewScanner(a.in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() && ctx.Err() == nil {
		if lines.Text() == "" {
			continue
		}
		paths, ok := droppath.Resolve(lines.Text(), func(path string) bool {
			_, err := os.Lstat(path)
			return err == nil
		})
		if !ok {
			a.warn("there is no file or folder %s", plain(lines.Text()))
			continue
		}
		backUp(paths)
	}
}

// lastStart returns when the last run of a kind began, zero if there was none.
func (a *app) lastStart(file, kind string) (time.Time, error) {
	r, err := a.readManifest(file)
	if r == nil {
		return time.Time{}, err
	}
	defer r.Close()
	run, _, err := r.LastRun(kind)
	return run.Started, err
}

// say tells what is going on, unless quiet.
func (a *app) say(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.err, "acb: "+format+"\n", args...)
	}
}
