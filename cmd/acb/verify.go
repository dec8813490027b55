package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/autocloudbackup/acb/internal/backup"
)

// verifyFlags are the flags of "acb verify".
type verifyFlags struct {
	full   bool
	deep   bool
	sample share
	repair bool
	json   bool
}

func (a *app) verifyCommand() *cobra.Command {
	f := verifyFlags{sample: 1}
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Compare what is on Drive with what was saved there",
		Long: `Verify asks Drive what somebody else has added, changed, trashed or deleted in the
backup since it was asked last: one request, and one more for a thousand changes.

With --full it compares everything that Drive lists, whenever it came to be
there: one request for a thousand items. With --deep it
downloads the files as well and compares every byte; with --sample 5% as many of
them, others each time.

With --repair it puts right what it finds: what was moved, renamed or trashed goes
back to its place, what is gone, overwritten or damaged is sent again from disk,
and what acb does not know of goes into a folder "<host> quarantine" beside that of
the backup. It trashes nothing.

` + exitCodesHelp,
		Example: `  acb verify
  acb verify --full --repair
  acb verify --deep --sample 5%`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("sample") && !f.deep {
				return &exitError{exitUsage, errors.New("--sample says how much --deep downloads: say --deep as well")}
			}
			return a.verify(cmd.Context(), f)
		},
	}
	fl := cmd.Flags()
	fl.BoolVar(&f.full, "full", false, "compare everything that Drive lists")
	fl.BoolVar(&f.deep, "deep", false, "download files as well, and compare their bytes")
	fl.Var(&f.sample, "sample", "download this `share` of the files with --deep")
	fl.BoolVar(&f.repair, "repair", false, "put right what is found; nothing is trashed")
	fl.BoolVar(&f.json, "json", false, "print one JSON object a line; the last is the summary")
	fl.Var(&a.bwlimit, "bwlimit", bwlimitUsage)
	return cmd
}

// A share is a flag that holds a part of a whole, 0 to 1, written as "5%".
type share float64

// String writes it as Set reads it.
func (s *share) String() string {
	return strconv.FormatFloat(float64(*s)*100, 'g', 6, 64) + "%"
}

// Set reads a percentage.
func (s *share) Set(text string) error {
	number, ok := strings.CutSuffix(text, "%")
	n, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(n > 0 && n <= 100) {
		return errors.New("write a percentage above 0, such as 5%")
	}
	*s = share(n / 100)
	return nil
}

// Type is how the help calls it.
func (*share) Type() string { return "share" }

func (a *app) verify(ctx context.Context, f verifyFlags) error {
	s, err := a.open("acb verify", false)
	if err != nil {
		return err
	}
	defer s.Close()
	v := backup.Verify{Full: f.full, Repair: f.repair}
	if f.deep {
		v.Sample = float64(f.sample)
	}
	show := a.newDisplay(func(now time.Time) string { return silence(s.Progress().Unheard) + progressLine(s.Progress(), now) }, f.json)
	s.Watch = a.narrator(show.out, f.json)
	sum, err := s.Verify(ctx, v)
	show.stop()
	if err != nil {
		a.warn("%v", err)
	}
	return a.finish(sum, s, scanFlags{json: f.json})
}

// reportFindings says what differs on Drive.
func (a *app) reportFindings(v *backup.Verified, limit int) {
	done := v.Ended && v.Left == 0
	switch {
	case v.RolledBack && done:
		fmt.Fprintln(a.err, "acb: Drive had gone back to an earlier state than this backup had there already: all of it is there again")
	case v.RolledBack:
		fmt.Fprintf(a.err, "acb: %v\n", &backup.RolledBackError{})
	}
	for i, f := range v.Findings {
		if i == limit {
			fmt.Fprintf(a.err, "acb: and %d more, see the log\n", len(v.Findings)-i)
			break
		}
		end := ""
		switch {
		case f.Fixed:
			end = "; put right"
		case f.Reason != "":
			end = "; not put right: " + plain(f.Reason)
		}
		fmt.Fprintf(a.err, "acb: on Drive, %s: %s%s\n", f.What, mendedPath(f.Path, shown), end)
	}
	if v.Earlier > 0 {
		fmt.Fprintf(a.err, "acb: of these, Drive had gone back to an earlier content of %s\n", count(int64(v.Earlier), "file", "files"))
	}
}

// verified puts a verify into one line.
func verified(v *backup.VerifyReport) string {
	line := v.Level + " verify: nothing differs"
	switch {
	case !v.Ended:
		line = fmt.Sprintf("%s verify did not end, %s so far", v.Level, count(int64(v.Findings), "item differs", "items differ"))
	case v.Findings > 0:
		line = fmt.Sprintf("%s verify: %s, %s put right, %d left", v.Level,
			count(int64(v.Findings), "item differs", "items differ"), humanize.Comma(int64(v.Findings-v.Left)), v.Left)
	}
	if v.Items > 0 {
		line += fmt.Sprintf("; %s compared", count(v.Items, "item", "items"))
	}
	if v.Level == backup.Deep {
		line += fmt.Sprintf("; %s, %s downloaded", count(v.Files, "file", "files"), humanize.IBytes(uint64(v.Bytes)))
	}
	return line
}

// A jsonFinding is a finding for programs.
type jsonFinding struct {
	Type   string `json:"type"` // "finding"
	Path   string `json:"path"`
	ID     string `json:"id"`
	What   string `json:"what"`
	Fixed  bool   `json:"fixed"`
	Reason string `json:"reason,omitempty"` // why it is not put right
}
