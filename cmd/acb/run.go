package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/autocloudbackup/acb/internal/droppath"
	"github.com/autocloudbackup/acb/internal/schedule"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/spf13/cobra"
)

func (a *app) runCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Stay, and make backups on the schedule of acb.toml",
		Long: `Run stays and makes a backup whenever a line of [schedule] cron is due, one at a
time. On a terminal, a file or folder dropped onto the window, followed by
Enter, is backed up at once.

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
	last, err := lastStart(manifestFile(cfg))
	if err != nil {
		return err
	}
	var one sync.Mutex // a dropped path and the schedule take turns
	interrupted := false
	job := func(ctx context.Context, f scanFlags) {
		one.Lock()
		defer one.Unlock()
		if ctx.Err() != nil {
			return
		}
		if err := a.scan(ctx, f); err != nil {
			var code *exitError
			known := errors.As(exit(err), &code)
			if !known || code.err != nil {
				a.warn("%v", err)
			}
			interrupted = known && code.code == exitInterrupted
		}
	}
	opts := schedule.Options{
		CatchUp: cfg.Schedule.CatchUp, Last: last, Jitter: cfg.Schedule.Jitter,
		Waiting: func(next time.Time) { a.say("next backup %s", next.Format("Mon 2006-01-02 15:04:05")) },
	}
	if isTerminal(a.in) {
		a.say("drop a file or folder here and press Enter to back it up now; Ctrl-C ends")
		go a.drops(ctx, func(paths []string) { job(ctx, scanFlags{paths: paths}) })
	}
	err = schedule.Run(ctx, a.now, cfg.Schedule.Cron, opts, func(ctx context.Context) { job(ctx, scanFlags{}) })
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

// lastStart returns when the last scan began, zero if there was none.
func lastStart(file string) (time.Time, error) {
	r, err := readManifest(file)
	if r == nil {
		return time.Time{}, err
	}
	defer r.Close()
	runs, err := r.LastRuns(100)
	for _, run := range runs {
		if run.Kind == "scan" {
			return run.Started, err
		}
	}
	return time.Time{}, err
}

// readManifest opens the manifest for reading, also while a run writes it;
// nil if there is none yet.
func readManifest(file string) (*manifest.Reader, error) {
	r, err := manifest.OpenReader(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return r, err
}

// say tells what is going on, unless quiet.
func (a *app) say(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.err, "acb: "+format+"\n", args...)
	}
}
