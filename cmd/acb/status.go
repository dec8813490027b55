package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/internal/config"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
)

func (a *app) statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say how the backup stands; asks nobody",
		Long: `Status says when the last complete backup was made, how many files and bytes it
holds, what the last run left undone, and when the next one is due. It works
while a backup runs, and sends nothing.

` + exitCodesHelp,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := a.loadConfig()
			if err != nil {
				return err
			}
			st, err := a.readState(cfg)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(a.out).Encode(st)
			}
			a.showState(st)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// state is what "acb status" tells.
type state struct {
	Manifest    string     `json:"manifest"`
	LastSuccess *time.Time `json:"last_success"` // when the last complete run began; null if none did
	Stale       bool       `json:"stale"`
	LastRun     *lastRun   `json:"last_run"`
	Halt        *halt      `json:"halt"` // null: nothing stands in the way of uploads
	Sources     []kept     `json:"sources"`
	Next        *time.Time `json:"next"` // for "acb run"; null without a schedule
}

type lastRun struct {
	Kind       string          `json:"kind"`
	Started    time.Time       `json:"started"`
	Ended      *time.Time      `json:"ended"` // null: still on, or interrupted
	Conditions []string        `json:"conditions"`
	Counters   json.RawMessage `json:"counters"`
}

// halt is why the last run sent no more contents.
type halt struct {
	Reason string     `json:"reason"`
	Since  time.Time  `json:"since"`
	Until  *time.Time `json:"until"` // null: until somebody has made room
}

// kept is what the manifest holds of one source.
type kept struct {
	Path    string `json:"path"`
	Files   int64  `json:"files"`
	Bytes   int64  `json:"bytes"`
	Retired int64  `json:"retired"`
}

// staleAfter is the age at which a backup without a schedule is called old.
const staleAfter = 7 * 24 * time.Hour

func (a *app) readState(cfg *config.Config) (*state, error) {
	st := &state{Manifest: manifestFile(cfg), Sources: []kept{}, Stale: true}
	now := a.now()
	if !cfg.Schedule.Cron.IsZero() {
		next := cfg.Schedule.Cron.Next(now)
		st.Next = &next
	}
	r, err := readManifest(st.Manifest)
	if r == nil {
		return st, err
	}
	defer r.Close()
	if err := st.runs(r); err != nil {
		return nil, err
	}
	if st.Halt, err = readHalt(r, now); err != nil {
		return nil, err
	}
	if st.LastSuccess != nil {
		st.Stale = now.Sub(*st.LastSuccess) > staleAfter
		if st.Next != nil {
			// Two due times passed without a complete run.
			due := cfg.Schedule.Cron.Next(cfg.Schedule.Cron.Next(st.LastSuccess.In(now.Location())))
			st.Stale = due.Before(now)
		}
		// By a clock that was ahead: nobody knows how old it is.
		st.Stale = st.Stale || st.LastSuccess.After(now.Add(time.Hour))
	}
	sources, err := sourcesOf(cfg)
	if err != nil {
		return nil, err
	}
	for _, s := range sources {
		k := kept{Path: s.Root}
		row, entry, found, err := r.Lookup(s.Path)
		if err != nil {
			return nil, err
		}
		switch {
		case found && entry != nil:
			k.Files, k.Bytes = 1, entry.Size
		case found:
			c, err := r.SubtreeCounts(row.ID)
			if err != nil {
				return nil, err
			}
			k.Files, k.Bytes, k.Retired = c.Files, c.Bytes, c.Retired
		}
		st.Sources = append(st.Sources, k)
	}
	return st, nil
}

// readHalt returns what stands in the way of uploads, nil if nothing does any more.
func readHalt(r *manifest.Reader, now time.Time) (*halt, error) {
	h, err := backup.Halt(r)
	if h == nil || err != nil {
		return nil, err
	}
	st := &halt{Reason: h.Words, Since: h.Asked}
	if !h.Until.IsZero() {
		if !now.Before(h.Until) {
			return nil, nil
		}
		st.Until = &h.Until
	}
	return st, nil
}

func (st *state) runs(r *manifest.Reader) error {
	good, ok, err := r.LastSuccess("scan")
	if err != nil {
		return err
	}
	if ok {
		st.LastSuccess = &good.Started
	}
	last, err := r.LastRuns(1)
	if err != nil || len(last) == 0 {
		return err
	}
	run := runJSON(last[0])
	st.LastRun = &run
	return nil
}

func runJSON(run manifest.Run) lastRun {
	l := lastRun{Kind: run.Kind, Started: run.Started, Conditions: append([]string{}, run.Conditions...), Counters: run.Counters}
	if !run.Ended.IsZero() {
		l.Ended = &run.Ended
	}
	return l
}

func (a *app) showState(st *state) {
	local := func(t time.Time) string { return t.In(a.now().Location()).Format("Mon 2006-01-02 15:04") }
	switch {
	case st.LastSuccess == nil:
		fmt.Fprintln(a.out, "no complete backup yet")
	default:
		age := humanize.RelTime(*st.LastSuccess, a.now(), "ago", "from now")
		warning := ""
		if st.Stale {
			warning = "  STALE"
			if colour(a.out) {
				warning = "  \x1b[31mSTALE\x1b[0m"
			}
		}
		fmt.Fprintf(a.out, "last complete backup  %s (%s)%s\n", local(*st.LastSuccess), age, warning)
	}
	if l := st.LastRun; l != nil {
		how := "complete"
		switch {
		case l.Ended == nil:
			how = "still running, or interrupted"
		case len(l.Conditions) > 0:
			how = fmt.Sprint(l.Conditions)
		}
		fmt.Fprintf(a.out, "last run              %s: %s\n", local(l.Started), how)
	}
	if st.Halt != nil {
		fmt.Fprintf(a.out, "uploads wait          %s\n", plain(st.Halt.Reason))
	}
	for _, s := range st.Sources {
		fmt.Fprintf(a.out, "source                %s: %s, %s", s.Path, count(s.Files, "file", "files"), humanize.IBytes(uint64(s.Bytes)))
		if s.Retired > 0 {
			fmt.Fprintf(a.out, ", %s retired", humanize.Comma(s.Retired))
		}
		fmt.Fprintln(a.out)
	}
	if st.Next != nil {
		fmt.Fprintf(a.out, "next run              %s, while \"acb run\" stays\n", local(*st.Next))
	}
}
