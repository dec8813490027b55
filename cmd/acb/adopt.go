package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/autocloudbackup/acb/remote"
	"github.com/spf13/cobra"
)

func (a *app) manifestAdoptCommand() *cobra.Command {
	var foreign bool
	var f foreignFlags
	cmd := &cobra.Command{
		Use:   "adopt",
		Short: "Take the state folder, or what another OAuth client made, over for this machine",
		Long: `Adopt says that the state folder is at home on this machine now: it was moved
here for good, or the system was installed anew. It asks Drive whether this is
the copy of the state folder that made the last backup, and shows what it is
bound to. From then on, other copies of it are stopped.

It sends and trashes nothing. A copy that is not the newest is not taken over:
it does not know what the newest one did. And it cannot help where the OAuth
client is another one: Google shows a client only what it made itself.

For that there is --from-other-client, with the new client's credentials and an
empty state folder. You sign in once to let acb read all of your Drive; that
permission is not written down and ends with the command. Then Drive copies the
old backup into a new one, which takes as much storage again: what that is, and
how long it takes, is shown first. The old one stays as it is. No content is
sent, but history and old versions are not copied. Interrupted, it goes on when
it is run again.

` + exitCodesHelp,
		Example: `  acb manifest adopt --from-other-client -n`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if foreign {
				return a.adoptForeign(cmd.Context(), f)
			}
			for _, name := range []string{"host", "from", "dry-run", "yes", "no-browser"} {
				if cmd.Flags().Changed(name) {
					return &exitError{exitUsage, fmt.Errorf("--%s goes with --from-other-client", name)}
				}
			}
			return a.adopt(cmd.Context())
		},
	}
	fl := cmd.Flags()
	fl.BoolVar(&foreign, "from-other-client", false, "copy on Drive what another OAuth client has backed up")
	fl.StringVar(&f.host, "host", "", "the `name` of its host folder; [drive] host if not given")
	fl.StringVar(&f.from, "from", "", "the `id` of its host folder, where several have the name")
	fl.BoolVarP(&f.dryRun, "dry-run", "n", false, "show what would be copied, and change nothing")
	fl.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	fl.BoolVar(&f.noBrowser, "no-browser", false, "print the link instead of opening a browser")
	cmd.MarkFlagsMutuallyExclusive("host", "from")
	return cmd
}

func (a *app) adopt(ctx context.Context) error {
	s, err := a.open("acb manifest adopt", false)
	if err != nil {
		return err
	}
	defer s.Close()
	found, err := s.Adopt(ctx)
	if found.HostID != "" {
		fmt.Fprintf(a.out, "account      %s\n", plain(found.Account.Email))
		fmt.Fprintf(a.out, "host folder  %s\n", plain(found.Host))
		fmt.Fprintf(a.out, "state folder %s\n", s.config.State)
	}
	var stale *remote.GenError
	switch {
	case errors.As(err, &stale):
		return &exitError{exitHeldBack, errors.New("another copy of this state folder has changed the backup since, so this one does not know all of it: " +
			"bring the newest copy here and adopt that one, or begin a backup of its own with another state folder and [drive] host")}
	case err != nil:
		return err
	case found.Moved:
		fmt.Fprintln(a.out, "the state folder belongs to this machine now")
	default:
		fmt.Fprintln(a.out, "the state folder was this machine's already; other copies of it are stopped")
	}
	return nil
}
