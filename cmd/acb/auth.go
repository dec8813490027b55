package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/autocloudbackup/acb/internal/config"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/auth"
	"github.com/spf13/cobra"
)

func (a *app) authCommand() *cobra.Command {
	var noBrowser, status bool
	cmd := &cobra.Command{
		Use:   "auth",
		Short: "Sign in to Google Drive",
		Long: `Auth signs in with the OAuth client of [drive] credentials, in the browser, and
keeps the token in a file that only you can read. acb asks for one permission:
to see and change the files that it created itself (drive.file).

` + exitCodesHelp,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.readingConfig()
			if err != nil {
				return err
			}
			if cfg.Drive.Endpoint.Embedded != "" {
				fmt.Fprintln(a.out, "[drive] endpoint is the built-in look-alike, which needs no sign-in")
				return nil
			}
			creds, err := auth.LoadCredentials(cfg.Drive.Credentials)
			if err != nil {
				return err
			}
			if status {
				return a.authStatus(auth.ReadStatus(creds, cfg.Drive.Token, a.now()))
			}
			return a.signIn(cmd.Context(), cfg, creds, noBrowser)
		},
	}
	cmd.Flags().BoolVar(&noBrowser, "no-browser", false, "print the link instead of opening a browser")
	cmd.Flags().BoolVar(&status, "status", false, "say whether and how acb is signed in; asks nobody")
	cmd.MarkFlagsMutuallyExclusive("no-browser", "status")
	return cmd
}

func (a *app) signIn(ctx context.Context, cfg *config.Config, creds *auth.Credentials, noBrowser bool) error {
	opts := auth.SignInOptions{
		Out: a.err, Now: a.now,
		Base: &http.Client{Transport: remote.NewTransport(1)},
	}
	if !noBrowser {
		opts.Open = auth.OpenBrowser
	}
	st, err := auth.SignIn(ctx, creds, cfg.Drive.Token, opts)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return &exitError{exitSignIn, err}
	}
	return a.authStatus(st)
}

// authStatus prints a sign-in, and returns exit code 5 if there is none.
func (a *app) authStatus(st auth.Status) error {
	if !st.SignedIn {
		return &exitError{exitSignIn, st.Problem}
	}
	fmt.Fprintf(a.out, "signed in as %s %s\n", st.Kind, st.Client)
	if !st.Obtained.IsZero() {
		fmt.Fprintf(a.out, "since        %s (%s ago)\n", st.Obtained.In(a.now().Location()).Format(time.DateTime), st.Age.Round(time.Minute))
	}
	if st.Scope != "" {
		fmt.Fprintf(a.out, "permission   %s\n", st.Scope)
	}
	if st.File != "" {
		fmt.Fprintf(a.out, "token        %s\n", st.File)
	}
	return nil
}

// signedIn returns a client that signs every request in, and the source of its
// tokens. It sends nothing. Where nobody is signed in, a dry run
// gets a client that says so when it is used, which it never is, and no source.
func (a *app) signedIn(cfg *config.Config, line *remote.Line, dryRun bool) (*http.Client, *auth.Source, error) {
	client, source, err := signedInClient(a, cfg, line)
	if err == nil {
		return client, source, nil
	}
	if dryRun {
		return &http.Client{Transport: refusing{err}}, nil, nil
	}
	return nil, nil, err
}

func signedInClient(a *app, cfg *config.Config, line *remote.Line) (*http.Client, *auth.Source, error) {
	creds, err := auth.LoadCredentials(cfg.Drive.Credentials)
	if err != nil {
		return nil, nil, err
	}
	return auth.Client(creds, cfg.Drive.Token, auth.Options{
		Base: &http.Client{Transport: line.Limit(remote.NewTransport(cfg.Limits.Transfers))}, Now: a.now,
	})
}

// refusing answers every request with one error.
type refusing struct{ err error }

func (r refusing) RoundTrip(*http.Request) (*http.Response, error) { return nil, r.err }
