package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/remote"
	"github.com/spf13/cobra"
)

func (a *app) manifestAdoptCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "adopt",
		Short: "Take the state folder over for this machine",
		Long: `Adopt says that the state folder is at home on this machine now: it was moved
here for good, or the system was installed anew. It asks Drive whether this is
the copy of the state folder that made the last backup, and shows what it is
bound to. From then on, other copies of it are stopped.

It sends and trashes nothing. A copy that is not the newest is not taken over:
it does not know what the newest one did. And it cannot help where the OAuth
client is another one: Google shows a client only what it made itself.

` + exitCodesHelp,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.adopt(cmd.Context()) },
	}
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
	var client *backup.ClientError
	var account *backup.AccountError
	switch {
	case errors.As(err, &stale):
		return &exitError{exitHeldBack, errors.New("another copy of this state folder has changed the backup since, so this one does not know all of it: " +
			"bring the newest copy here and adopt that one, or begin a backup of its own with another state folder and [drive] host")}
	case errors.As(err, &client):
		return &exitError{exitHeldBack, err}
	case errors.As(err, &account):
		return &exitError{exitSignIn, err}
	case err != nil:
		return err
	case found.Moved:
		fmt.Fprintln(a.out, "the state folder belongs to this machine now")
	default:
		fmt.Fprintln(a.out, "the state folder was this machine's already; other copies of it are stopped")
	}
	return nil
}
