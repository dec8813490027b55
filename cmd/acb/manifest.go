package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/internal/config"
	"github.com/autocloudbackup/acb/internal/lock"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/spf13/cobra"
)

func (a *app) manifestCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "manifest",
		Short: "Look after acb's own records: check them, copy them, go back to a copy",
		Long: `The manifest is acb's record of what lies on Drive. When it is damaged, acb
trashes nothing and says so. A copy of it is kept in the state folder, and as
far as [drive] manifest_copy allows, on Drive.

` + exitCodesHelp,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.manifestCheckCommand(), a.manifestBackupCommand(), a.manifestRestoreCommand(), a.manifestRebuildCommand(), a.manifestAdoptCommand())
	return cmd
}

func (a *app) manifestCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Read the manifest to its last byte, and tell all that is wrong",
		Long: `Check reads the whole manifest: its pages and indexes, and the checksum of every
record. It changes nothing, asks nobody, and works while a backup runs.

` + exitCodesHelp,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.stateConfig()
			if err != nil {
				return err
			}
			return a.telling(cmd.Context(), func() error { return a.checkManifest(manifestFile(cfg)) })
		},
	}
}

// stateConfig returns the configuration for what only needs the state folder:
// whether sources are there does not matter.
func (a *app) stateConfig() (*config.Config, error) {
	env := config.System()
	cfg, err := config.Load(config.Find(a.configFile, env), env)
	if _, only := config.MissingOnly(err); err != nil && !only {
		return nil, &exitError{exitUsage, err}
	}
	return cfg, nil
}

func (a *app) checkManifest(file string) error {
	r, err := manifest.OpenReader(file)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.Check(); err != nil {
		a.tellWrong(err)
		return &exitError{exitFatal, fmt.Errorf("manifest %s is damaged; nothing is trashed until it is made anew: %s", file, manifest.WayOut(file))}
	}
	n, err := r.SubtreeCounts(manifest.Root)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "%s is sound: %s, %s\n", plain(file), count(n.Files, "file", "files"), count(n.Folders, "folder", "folders"))
	return nil
}

// tellWrong writes each part of a joined error on a line of its own.
func (a *app) tellWrong(err error) {
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range list.Unwrap() {
			a.tellWrong(e)
		}
		return
	}
	var broken *manifest.BrokenError
	if errors.As(err, &broken) { // the way out is told once, at the end
		err = errors.New(broken.What)
	}
	for line := range strings.Lines(err.Error()) { // SQLite has some to say
		a.warn("%s", plain(strings.TrimSuffix(line, "\n")))
	}
}

func (a *app) manifestBackupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup [FILE]",
		Short: "Write a copy of the manifest, to its place in the state folder or to FILE",
		Long: `Backup writes a checked copy of the manifest, without the addresses of uploads
that are under way: to FILE, which is replaced, also while a backup runs; or to
where acb keeps its own copy.

` + exitCodesHelp,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := a.stateConfig()
			if err != nil {
				return err
			}
			to := manifest.CopyPath(manifestFile(cfg))
			if len(args) == 1 {
				if to, err = filepath.Abs(args[0]); err != nil {
					return err
				}
			} else { // a run writes there, too
				held, err := lock.Acquire(cfg.State, "acb manifest backup", a.now())
				if err != nil {
					return err
				}
				defer held.Release()
			}
			if err := manifest.Copy(manifestFile(cfg), to, a.now()); err != nil {
				return err
			}
			a.say("copied to %s", to)
			return nil
		},
	}
}

func (a *app) manifestRestoreCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "restore [FILE]",
		Short: "Go back to a copy of the manifest, acb's own or FILE",
		Long: `Restore puts a copy in the place of the manifest, which is kept under another
name. What was backed up since that copy was made is not in it. So acb changes
nothing on Drive until "acb manifest rebuild" has compared the two; all that only
looks or brings files back works at once.

` + exitCodesHelp,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.restoreManifest(strings.Join(args, "")) },
	}
}

func (a *app) restoreManifest(from string) error {
	cfg, err := a.stateConfig()
	if err != nil {
		return err
	}
	held, err := lock.Acquire(cfg.State, "acb manifest restore", a.now())
	if err != nil {
		return err
	}
	defer held.Release()
	if from != "" {
		if from, err = filepath.Abs(from); err != nil {
			return err
		}
	}
	kept, err := backup.BringBack(manifestFile(cfg), from, a.now())
	if kept != "" {
		a.say("what was there is now %s", kept)
	}
	if err == nil {
		a.say("the manifest is back; before the next backup: acb manifest rebuild")
	}
	return err
}
