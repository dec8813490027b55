package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/internal/config"
	"github.com/autocloudbackup/acb/internal/lock"
	"github.com/autocloudbackup/acb/remote/auth"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The exit codes that need no run; the others are a backup.Condition's. Source: design §6.
const (
	exitFatal       = 1
	exitUsage       = 2
	exitPartial     = 3
	exitHeldBack    = 4
	exitSignIn      = 5
	exitLocked      = 11
	exitInterrupted = 130
)

const exitCodesHelp = `Exit codes:
  0    done, also when nothing had changed
  1    fatal error
  2    wrong usage or configuration
  3    done, but some files could not be saved or brought back
  4    a guard held something back
  5    sign-in needed: run "acb auth"
  6    storage or quota of the account reached
  11   another run is using the state folder
  130  interrupted; what was done is kept
Where several hold, the first of 130, 1, 5, 6, 4, 3 is returned, and the
summary names them all.
`

// acb runs the command line and returns the exit code.
func acb(ctx context.Context, a *app) int {
	root := a.root()
	root.SetArgs(a.args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	var code *exitError
	if errors.As(err, &code) {
		if code.err != nil {
			fmt.Fprintf(a.err, "acb: %v\n", code.err)
		}
		return code.code
	}
	if err != nil {
		fmt.Fprintf(a.err, "acb: %v\nRun \"acb --help\" for what there is.\n", err)
		return exitUsage // what cobra itself refuses is usage
	}
	return 0
}

// An exitError ends the program with a code; err, if any, is shown.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return fmt.Sprintf("exit %d: %v", e.code, e.err) }
func (e *exitError) Unwrap() error { return e.err }

// exit gives err the code that its kind calls for.
func exit(err error) error {
	var code *exitError
	var problems config.Problems
	var credentials *auth.CredentialsError
	var host *backup.HostChoiceError
	var foreign *backup.ForeignChoiceError
	var held *lock.HeldError
	var dead *auth.DeadError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &code):
		return err
	case errors.As(err, &problems), errors.As(err, &credentials), errors.As(err, &host), errors.As(err, &foreign):
		return &exitError{exitUsage, err}
	case errors.As(err, &held):
		return &exitError{exitLocked, err}
	case errors.As(err, &dead):
		return &exitError{exitSignIn, err}
	case errors.Is(err, context.Canceled):
		return &exitError{exitInterrupted, errors.New("interrupted")}
	}
	return &exitError{backup.ConditionOf(err).ExitCode(), err}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "acb",
		Short: "Back folders up to Google Drive, as plain files, sending only what changed",
		Long: `acb backs folders up to Google Drive: by hand, from cron or Task Scheduler, or
staying and running on its own schedule. What lies on Drive is plain files in
plain folders. Files in a source are only ever read.

Any flag can also be set by a variable: ACB_BWLIMIT for --bwlimit.

` + exitCodesHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.configFile, "config", "", "the configuration `file` (default $ACB_CONFIG, else "+config.Usual(config.System())+")")
	flags.CountVarP(&a.verbose, "verbose", "v", "say more: -v every operation, -vv also why")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "say nothing unless something is wrong")
	root.MarkFlagsMutuallyExclusive("verbose", "quiet")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return fromEnvironment(cmd.Flags(), os.LookupEnv) }
	root.AddCommand(
		a.scanCommand(), a.runCommand(), a.authCommand(), a.statusCommand(),
		a.restoreCommand(),
		a.lsCommand(), a.findCommand(), a.historyCommand(),
		a.logCommand(), a.diffCommand(),
		a.verifyCommand(), a.undoCommand(), a.purgeCommand(),
		a.manifestCommand(),
		a.demoCommand(), a.versionCommand(), a.drivetestCommand(),
	)
	exits(root)
	return root
}

// fromEnvironment sets the flags that were not given from variables such as
// ACB_BWLIMIT for --bwlimit.
func fromEnvironment(flags *pflag.FlagSet, lookup func(string) (string, bool)) error {
	var first error
	loud, quiet := flags.Changed("verbose"), flags.Changed("quiet")
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name == "verbose" && quiet || f.Name == "quiet" && loud {
			return // what is given says the opposite
		}
		name := "ACB_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := lookup(name)
		if !ok || value == "" || f.Changed || f.Name == "help" {
			return
		}
		if err := flags.Set(f.Name, value); err != nil && first == nil {
			first = &exitError{exitUsage, fmt.Errorf("%s=%q: %w", name, value, err)}
		}
	})
	return first
}

// exits gives what the commands below cmd return the codes of exit.
func exits(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		inner := c.RunE
		c.RunE = func(cmd *cobra.Command, args []string) error { return exit(inner(cmd, args)) }
		exits(c)
	}
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print acb's version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintln(a.out, "acb", version)
			return nil
		},
	}
}

// isTerminal reports whether f is a terminal, for progress, colour and the
// prompt of "acb run".
func isTerminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && terminal(int(file.Fd()))
}
