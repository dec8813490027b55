package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/autocloudbackup/acb/internal/restore"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/scan"
)

// restoreFlags are the flags of "acb restore".
type restoreFlags struct {
	to        string
	inPlace   bool
	at        string
	host      string
	overwrite bool
	unpin     bool
	dryRun    bool
	json      bool
}

func (a *app) restoreCommand() *cobra.Command {
	var f restoreFlags
	cmd := &cobra.Command{
		Use:   "restore [PATH]...",
		Short: "Bring back files and folders, as of now or of a moment",
		Long: `Restore brings back files, folders with all that is in them, and what a pattern
with *, ? and ** matches; without a PATH, everything. A PATH counts from where
you are, and means what was backed up there, whether it is there now or not.

With --to, each PATH appears in that folder under its own name, and everything
appears there with its whole path. With --in-place it goes where it was.
Nothing that is there is written over: a file that differs is kept and listed,
or moved aside with --overwrite. What is there already is not fetched. Restored
once more, what was interrupted goes on: what had not arrived is .acb-restore.*
until then, and is never backed up.

With --at it brings back what was there at that moment: ` + atHelp + `.
Deleted files come out of Drive's trash, and old contents from its revisions,
as long as Drive keeps them: 30 days as a rule. Drive gives an old content out
only when it keeps it for good from then on, which takes room there; restore
says of which it asked that, and with --unpin lets Drive drop them afterwards.

With --host it brings back what another machine has backed up in the same
account, or this one before its state folder was lost: what Drive lists there is
read anew, and the state folder here is left as it is. A PATH is then one of
that machine, whole. An acb.toml with [drive] and a sign-in are enough.

` + exitCodesHelp,
		Example: `  acb restore ~/Documents/thesis.odt --to ~/Desktop
  acb restore ~/Photos --in-place --at "2026-11-20 18:00"
  acb restore --to /mnt/new-disk -n
  acb restore --host laptop /home/ana/Photos --to .`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.restore(cmd.Context(), f, args) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.to, "to", "", "the `folder` that takes what is restored; it is made if it is not there")
	fl.BoolVar(&f.inPlace, "in-place", false, "restore to where it was")
	fl.StringVar(&f.at, "at", "", "what was there at that `moment`, or after the run of that number")
	fl.StringVar(&f.host, "host", "", "from the backup of that machine, by the `name` of its folder on Drive")
	fl.BoolVar(&f.overwrite, "overwrite", false, "move aside what is in the way, as NAME.acb-kept-TIME")
	fl.BoolVar(&f.unpin, "unpin", false, "let Drive drop the old contents that it had to keep for this")
	fl.BoolVarP(&f.dryRun, "dry-run", "n", false, "show what would be restored, and write nothing")
	fl.BoolVar(&f.json, "json", false, "print one JSON object a line; the last is the summary")
	cmd.MarkFlagsMutuallyExclusive("to", "in-place")
	cmd.MarkFlagsMutuallyExclusive("unpin", "dry-run")
	return cmd
}

func (a *app) restore(ctx context.Context, f restoreFlags, args []string) error {
	if f.host != "" && f.inPlace && len(args) == 0 {
		return &exitError{exitUsage, errors.New("restore --host --in-place: say which paths; for all of it, go on with its backup first: acb manifest rebuild --host " + word(f.host))}
	}
	open := a.openView
	if f.host != "" {
		open = func(command string) (*viewing, error) { return a.openHost(ctx, f.host) }
	}
	s, err := open("acb restore")
	if err != nil {
		return err
	}
	defer s.Close()
	if f.at == "" && f.host == "" && len(args) == 0 {
		if err := notEmpty(s.known, s.config); err != nil {
			return err
		}
	}
	run, err := a.runAt(s.known, f.at)
	if err != nil {
		return err
	}
	if f.to == "" && !f.inPlace {
		if err := a.askWhere(ctx, &f); err != nil {
			return err
		}
	}
	view := s.known.At(run)
	what, err := f.selections(view, s, args)
	if err != nil {
		return err
	}
	r := &restore.Restore{
		View: view, Drive: s.drive, Transfers: s.config.Limits.Transfers,
		Overwrite: f.overwrite, DryRun: f.dryRun, Log: s.log.Logger, Now: a.now,
	}
	began := a.now()
	show := a.newDisplay(func(now time.Time) string {
		return silence(s.drive.Stats().Unheard) + restoreLine(r.Progress(), now.Sub(began))
	}, f.json)
	if a.verbose > 0 {
		r.Watch = restoreNarrator(show.out, f)
	}
	sum, err := r.Run(ctx, what)
	if err == nil && f.unpin {
		err = unpin(ctx, s.drive, sum)
	}
	show.stop()
	return a.finishRestore(sum, err, f)
}

// askWhere asks where to restore to, where there is somebody to ask.
func (a *app) askWhere(ctx context.Context, f *restoreFlags) error {
	if !isTerminal(a.in) || !isTerminal(a.err) {
		return &exitError{exitUsage, errors.New("restore to where? Say --to FOLDER, or --in-place for where it was")}
	}
	line, err := a.ask(ctx, "Restore into which folder? (Enter alone: where it was; nothing there is written over) ")
	switch {
	case ctx.Err() != nil:
		return err
	case err != nil:
		return &exitError{exitUsage, errors.New("restore: no answer, nothing done")}
	}
	f.to = line
	f.inPlace = f.to == ""
	return nil
}

// selections turns the arguments into what to restore, and where to.
func (f *restoreFlags) selections(view manifest.View, s *viewing, args []string) ([]restore.Selection, error) {
	to := func(p manifest.Path) restore.Selection {
		if f.inPlace {
			return inPlace(p)
		}
		return restore.Selection{Path: p, Into: f.to}
	}
	if len(args) == 0 && f.inPlace {
		return everything(view, s)
	}
	if len(args) == 0 {
		return []restore.Selection{{Into: f.to}}, nil
	}
	var list []restore.Selection
	pathOf := backedUp
	if f.host != "" {
		pathOf = theirs
	}
	taken := map[string]string{} // names in the target, and whose they are
	for _, arg := range args {
		p, pattern, err := meant(view, arg, pathOf)
		if err != nil {
			return nil, err
		}
		sel := to(p)
		if pattern != "" {
			if !doublestar.ValidatePattern(pattern) {
				return nil, &exitError{exitUsage, fmt.Errorf("%q: this pattern is not valid", arg)}
			}
			sel.Match = matcher(p, pattern)
		}
		_, name := p.Split()
		if before, ok := taken[name]; ok && !f.inPlace && before != arg {
			return nil, &exitError{exitUsage, fmt.Errorf("%s and %s would both be %s in %s: restore them one by one, or --in-place", before, arg, name, f.to)}
		}
		taken[name] = arg
		list = append(list, sel)
	}
	return list, nil
}

// inPlace selects a path for where it was.
func inPlace(p manifest.Path) restore.Selection {
	if scan.IsVolume(p) {
		return restore.Selection{Path: p, Into: scan.OSPath(p), Inside: true}
	}
	up, _ := p.Split()
	return restore.Selection{Path: p, Into: scan.OSPath(up)}
}

// meant returns the path that an argument names, and the pattern below it, if
// it is one: what was backed up under just that name is meant literally.
func meant(view manifest.View, arg string, pathOf func(string) (manifest.Path, error)) (p manifest.Path, pattern string, err error) {
	folder, pattern := globOf(arg)
	if pattern != "" {
		p, err := pathOf(arg)
		if err != nil {
			return "", "", &exitError{exitUsage, err}
		}
		_, _, found, err := view.Lookup(p)
		if err != nil || found {
			return p, "", err
		}
	}
	if p, err = pathOf(folder); err != nil {
		return "", "", &exitError{exitUsage, err}
	}
	return p, pattern, nil
}

// matcher matches what lies below a folder.
func matcher(folder manifest.Path, pattern string) func(manifest.Path, bool) bool {
	return func(p manifest.Path, _ bool) bool {
		if p == folder {
			return false
		}
		rel := strings.TrimPrefix(strings.TrimPrefix(string(p), string(folder)), "/")
		return doublestar.MatchUnvalidated(pattern, rel)
	}
}

// everything selects what lies below the folders that are only there to hold
// it, each for where it was: the sources, and what was backed up beside them.
func everything(view manifest.View, s *viewing) ([]restore.Selection, error) {
	var sources []manifest.Path
	for _, src := range s.config.Sources {
		p, err := scan.PathOf(src.Path)
		if err != nil {
			return nil, err
		}
		sources = append(sources, p)
	}
	above := func(p manifest.Path, dir manifest.FolderVersion) bool {
		for _, src := range sources {
			if p != src && src.Within(p) {
				return true
			}
		}
		return dir.Flags.Has(manifest.Prefix)
	}
	var list []restore.Selection
	var down func(p manifest.Path, id manifest.FolderID) error
	down = func(p manifest.Path, id manifest.FolderID) error {
		files, err := view.Files(id)
		if err != nil {
			return err
		}
		for _, file := range files {
			list = append(list, inPlace(p.Join(file.Name)))
		}
		dirs, err := view.Folders(id)
		if err != nil {
			return err
		}
		for _, d := range dirs {
			at := p.Join(d.Name)
			if above(at, d) {
				if err := down(at, d.ID); err != nil {
					return err
				}
				continue
			}
			list = append(list, inPlace(at))
		}
		return nil
	}
	return list, down("", manifest.Root)
}

// unpin lets Drive drop the old contents that were pinned to be fetched, but
// for those that did not get to where they were wanted.
func unpin(ctx context.Context, d *remote.Drive, sum *restore.Summary) error {
	var drop []remote.Blob
	for _, p := range sum.Pinned {
		if p.Restored {
			drop = append(drop, p.Blob)
		}
	}
	failed, err := d.Unkeep(ctx, drop)
	sum.Pinned = slices.DeleteFunc(sum.Pinned, func(p restore.Pinned) bool {
		return p.Restored && failed[p.Blob] == nil && err == nil
	})
	return err
}

// restoreLine says how far a restore is.
func restoreLine(p restore.Progress, spent time.Duration) string {
	line := fmt.Sprintf("restoring: %s/%s files, %s/%s", humanize.Comma(p.FilesDone), humanize.Comma(p.Files),
		humanize.IBytes(uint64(p.BytesDone)), humanize.IBytes(uint64(p.Bytes)))
	if s := spent.Seconds(); s >= 1 {
		line += fmt.Sprintf(", %s/s", humanize.IBytes(uint64(float64(p.Received)/s)))
	}
	return line
}
