package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/autocloudbackup/acb/remote/drivetest"
	"github.com/spf13/cobra"
)

// drivetestCommand serves the Drive look-alike to other processes.
func (a *app) drivetestCommand() *cobra.Command {
	var listen, dir, export string
	var discard bool
	cmd := &cobra.Command{
		Use:    "drivetest",
		Short:  "Serve the Drive look-alike, for trying acb out and for tests",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := drivetest.New(drivetest.Options{Dir: dir, Discard: discard})
			if err != nil {
				return err
			}
			defer d.Close()
			if export != "" {
				return d.Export("root", export)
			}
			l, err := net.Listen("tcp", listen)
			if err != nil {
				return err
			}
			base := "http://" + l.Addr().String()
			if dir != "" {
				file := filepath.Join(dir, "credentials.json")
				if err := os.WriteFile(file, d.Credentials(base, ""), 0o600); err != nil {
					return fmt.Errorf("write credentials: %w", err)
				}
				fmt.Fprintln(a.out, "credentials:", file)
			}
			fmt.Fprintln(a.out, "endpoint:", base)
			return d.Serve(cmd.Context(), l)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "address to listen on")
	cmd.Flags().StringVar(&dir, "data", "", "folder for its state; memory if empty")
	cmd.Flags().StringVar(&export, "export", "", "lay what it holds out as plain files in this folder, and end")
	cmd.Flags().BoolVar(&discard, "discard", false, "keep sums of contents, not the contents")
	return cmd
}
