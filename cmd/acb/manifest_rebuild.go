package main

import (
	"context"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/internal/lock"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/scan"
)

func (a *app) manifestRebuildCommand() *cobra.Command {
	var host string
	var yes bool
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "Make the manifest anew from what Drive has",
		Long: `Rebuild lists what lies on Drive and makes the manifest anew from that, with
what a copy of it knows beyond: the one on Drive, or one in the state folder.
Without a copy, what was before is not known any more: what is on Drive now is.
What was there is kept under another name, and no file on Drive is touched.

It is for a state folder that was lost or damaged, and for a new machine that
goes on with the backup of an old one: --host names that one's folder on Drive.
From then on the old one's state folder is stopped.

The next scan reads every file and compares it with what Drive has; of what is
the same, nothing is sent. What is on Drive and not on this disk is not taken
for deleted until a scan is complete: bring it back with acb restore, or say
acb scan --allow-deletes.

` + exitCodesHelp,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.rebuild(cmd.Context(), host, yes) },
	}
	cmd.Flags().StringVar(&host, "host", "", "the host folder on Drive to go on with, by its `name` or its installation")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask, also where the manifest is sound")
	return cmd
}

func (a *app) rebuild(ctx context.Context, host string, yes bool) error {
	cfg, err := a.stateConfig()
	if err != nil {
		return err
	}
	s := &session{config: cfg}
	defer s.Close()
	held, err := lock.Acquire(cfg.State, "acb manifest rebuild", a.now())
	if err != nil {
		return err
	}
	s.closers = append(s.closers, closer(held.Release))
	if err := a.openLog(s); err != nil {
		return err
	}
	file := manifestFile(cfg)
	if backup.Healthy(file) {
		if err := a.agree(ctx, yes, "The manifest %s is sound. Make it anew all the same?", plain(file)); err != nil {
			return err
		}
	}
	r, found, err := a.finding(ctx, s, backup.HostWish{Name: host})
	if err != nil {
		return err
	}
	if own := backup.Known(r.Older...); own != "" && own != found.Installation && host == "" {
		err := a.agree(ctx, yes, "The host folder %q was made by another installation than this one. Go on with its backup here, and stop the other?", plain(found.Name))
		if err != nil {
			return err
		}
	}
	for _, src := range cfg.Sources {
		p, err := scan.PathOf(src.Path)
		if err != nil {
			return err
		}
		r.Sources = append(r.Sources, p)
	}
	a.say("listing %s", plain(found.Folder+"/"+found.Name))
	built := file + ".rebuilt"
	made, err := r.Build(ctx, found, built)
	if err != nil {
		return err
	}
	kept, err := r.Install(ctx, built, file)
	if kept != "" {
		a.say("what was there is now %s", plain(kept))
	}
	if err != nil {
		return err
	}
	a.reportRebuilt(made)
	return nil
}

// finding opens Drive and finds the host folder that is wanted, by what the
// state folder knows if the user does not say.
func (a *app) finding(ctx context.Context, s *session, wish backup.HostWish) (*backup.Rebuild, remote.Host, error) {
	file := manifestFile(s.config)
	r := &backup.Rebuild{Log: s.log.Logger, Now: a.now, Older: []string{file, manifest.CopyPath(file)}}
	wish.Usual, wish.Installation = s.config.Drive.Host, backup.Known(r.Older...)
	drive, _, err := a.openDrive(s, "not known yet", a.usual(false))
	if err != nil {
		return nil, remote.Host{}, err
	}
	r.Drive = drive
	found, err := backup.FindHost(ctx, drive, wish)
	if err != nil {
		return nil, found, err
	}
	drive.Become(found.Installation)
	r.Binding = backup.Binding{Machine: a.machine(found.Installation), Client: s.binding.Client}
	return r, found, nil
}

// reportRebuilt says what was made, and what was left.
func (a *app) reportRebuilt(made *backup.Rebuilt) {
	a.tellLeft(made.Left)
	if a.quiet {
		return
	}
	fmt.Fprintf(a.out, "rebuilt: %s in %s, %s\n", count(made.Files, "file", "files"), count(made.Folders, "folder", "folders"), humanize.IBytes(uint64(made.Bytes)))
	if made.Base == "" {
		fmt.Fprintln(a.out, "from Drive's listing alone: what was before is not known")
		return
	}
	of := "the copy on Drive"
	if made.Base != backup.OnDrive {
		of = plain(made.Base)
	}
	fmt.Fprintf(a.out, "with %s, as it was after the run of %s; since then %d new, %d gone, %d changed, %d moved\n",
		of, made.Of.In(a.now().Location()).Format(time.DateTime), made.Added, made.Dropped, made.Changed, made.Moved)
}

// tellLeft lists what has no place in a manifest that was made anew.
func (a *app) tellLeft(list []backup.Left) {
	for i, l := range list {
		if i == most && a.verbose == 0 {
			a.warn("and %d more, see the log", len(list)-i)
			return
		}
		a.warn("left on Drive as it is: %s (%s): %s", plain(l.Path), l.Item, l.Why)
	}
}
