package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/internal/config"
	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/auth"
)

// foreignFlags are the flags of "acb manifest adopt --from-other-client".
type foreignFlags struct {
	host, from             string
	dryRun, yes, noBrowser bool
}

// adoptForeign has Drive copy what another OAuth client has made into a backup
// of this one's.
func (a *app) adoptForeign(ctx context.Context, f foreignFlags) error {
	cfg, err := a.stateConfig()
	if err != nil {
		return err
	}
	if cfg.Drive.Endpoint.Embedded != "" {
		return &exitError{exitUsage, errors.New("[drive] endpoint is the built-in look-alike, which has no other client")}
	}
	s, err := a.openAs("acb manifest adopt", func(cfg *config.Config, line *remote.Line) (*http.Client, *auth.Source, error) {
		if err := backup.MayCopyForeign(manifestFile(cfg)); err != nil {
			return nil, nil, err
		}
		return a.signInOnce(ctx, cfg, line, f.noBrowser)
	})
	if err != nil {
		return err
	}
	defer s.Close()
	host, err := backup.FindForeign(ctx, s.Drive, s.config.Drive.Folder, cmp.Or(f.host, s.config.Drive.Host), f.from)
	if err != nil {
		return err
	}
	a.say("listing %s", plain(host.Folder+"/"+host.Name))
	tree, err := s.ReadForeign(ctx, host)
	if err != nil {
		return err
	}
	todo, sum, err := s.PlanForeign(tree)
	if err != nil {
		return err
	}
	a.tellLeft(tree.Left)
	files, err := a.showForeign(ctx, s, host, todo, sum)
	if err != nil || f.dryRun {
		return err
	}
	if err := a.agree(ctx, f.yes, "Copy %s on Drive? The old ones stay as they are.", files); err != nil {
		return err
	}
	sum, err = s.CopyForeign(ctx, tree)
	if err != nil {
		a.warn("%v", err)
	}
	if err := a.finish(sum, s, scanFlags{}); err != nil {
		return err
	}
	a.say("the old backup is as it was; next: acb auth, if it was not run with these credentials yet, then acb scan, which compares the disk with the copies")
	return nil
}

// showForeign says what copying takes, and returns what is copied in words.
func (a *app) showForeign(ctx context.Context, s *session, host remote.Host, todo *plan.Plan, sum *backup.Summary) (string, error) {
	account, err := s.Drive.Account(ctx)
	if err != nil {
		return "", err
	}
	var files, folders, bytes int64
	for _, stage := range todo.Stages {
		for _, op := range stage {
			if op.Kind == plan.Copy {
				files, bytes = files+1, bytes+op.Stat.Size
			} else {
				folders++
			}
		}
	}
	free := "no limit is known"
	if account.Limit > 0 {
		free = humanize.IBytes(uint64(max(0, account.Limit-account.Usage))) + " are free"
	}
	what := count(files, "file", "files")
	fmt.Fprintf(a.out, "account  %s\n", plain(account.Email))
	fmt.Fprintf(a.out, "from     %s/%s (%s)\n", plain(host.Folder), plain(host.Name), host.ID)
	fmt.Fprintf(a.out, "to copy  %s, and %s to make\n", what, count(folders, "folder", "folders"))
	fmt.Fprintf(a.out, "storage  %s more (%s)\n", humanize.IBytes(uint64(bytes)), free)
	fmt.Fprintf(a.out, "takes    %s in %s, %s at least\n", count(sum.Counts.Calls, "call", "calls"), count(sum.Counts.Requests, "request", "requests"), sum.ETA.Round(time.Second))
	if account.Limit > 0 && bytes > account.Limit-account.Usage {
		a.warn("the storage does not suffice: what has no room is not copied")
	}
	return what, nil
}

// signInOnce signs in with the permission to read all of the Drive, for as long
// as this command runs.
func (a *app) signInOnce(ctx context.Context, cfg *config.Config, line *remote.Line, noBrowser bool) (*http.Client, *auth.Source, error) {
	creds, err := auth.LoadCredentials(cfg.Drive.Credentials)
	if err != nil {
		return nil, nil, err
	}
	base := &http.Client{Transport: line.Limit(remote.NewTransport(cfg.Limits.Transfers))}
	opts := auth.SignInOptions{Out: a.err, Now: a.now, Base: base, Command: "acb manifest adopt --from-other-client"}
	if !noBrowser {
		opts.Open = auth.OpenBrowser
	}
	client, source, err := auth.SignInOnce(ctx, creds, auth.ReadAll, opts, auth.Options{Base: base, Now: a.now})
	switch {
	case ctx.Err() != nil:
		return nil, nil, ctx.Err()
	case err != nil:
		return nil, nil, &exitError{exitSignIn, err}
	}
	return client, source, nil
}
