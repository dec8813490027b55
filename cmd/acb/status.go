package main

import (
	"encoding/json"
	"time"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/internal/config"
	"github.com/autocloudbackup/acb/manifest"
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
	Manifest    string      `json:"manifest"`
	LastSuccess *time.Time  `json:"last_success"` // when the last complete run began; null if none did
	Stale       bool        `json:"stale"`
	LastRun     *lastRun    `json:"last_run"`
	LastVerify  *lastVerify `json:"last_verify"` // null if none has ended
	Halt        *halt       `json:"halt"`        // null: nothing stands in the way of uploads
	Sources     []kept      `json:"sources"`
	Next        *time.Time  `json:"next"` // for "acb run"; null without a schedule

	NotSaved []backup.NotSaved   `json:"not_saved"` // by the last scan
	Omitted  int                 `json:"not_saved_more,omitempty"`
	Held     []backup.HeldReport `json:"held_back"` // likewise
	Costs    []runCost           `json:"costs"`     // of the last runs, the newest first
	Costly   []backup.Cost       `json:"costly"`    // the paths that cost the most bytes in the last 30 days
}

// runCost is what one run cost.
type runCost struct {
	Run      int64     `json:"run"`
	Started  time.Time `json:"started"`
	Bytes    int64     `json:"bytes_sent"`
	Requests int64     `json:"requests"`
	Units    int64     `json:"quota_units"`
}

type lastRun struct {
	Kind       string          `json:"kind"`
	Started    time.Time       `json:"started"`
	Ended      *time.Time      `json:"ended"` // null: still on, or interrupted
	Conditions []string        `json:"conditions"`
	Counters   json.RawMessage `json:"counters"`
}

// lastVerify is what the last "acb verify" found.
type lastVerify struct {
	Started time.Time `json:"started"`
	backup.VerifyReport
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
	Pinned  int64  `json:"pinned"`
	Lost    int64  `json:"lost"` // Drive no longer has them; the next scan sends them
}

// staleAfter is the age at which a backup without a schedule is called old.
const staleAfter = 7 * 24 * time.Hour

func (a *app) readState(cfg *config.Config) (*state, error) {
	st := &state{
		Manifest: manifestFile(cfg), Stale: true,
		Sources: []kept{}, NotSaved: []backup.NotSaved{}, Held: []backup.HeldReport{}, Costs: []runCost{}, Costly: []backup.Cost{},
	}
	now := a.now()
	if !cfg.Schedule.Cron.IsZero() {
		next := cfg.Schedule.Cron.Next(now)
		st.Next = &next
	}
	r, err := a.readManifest(st.Manifest)
	if r == nil {
		return st, err
	}
	defer r.Close()
	if err := st.runs(r); err != nil {
		return nil, err
	}
	if err := st.reports(r, now); err != nil {
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
			k.Files, k.Bytes, k.Retired, k.Pinned, k.Lost = c.Files, c.Bytes, c.Retired, c.Pinned, c.Lost
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
	if err := st.verifies(r); err != nil {
		return err
	}
	last, err := r.LastRuns(1)
	if err != nil || len(last) == 0 {
		return err
	}
	run := runJSON(last[0])
	st.LastRun = &run
	return nil
}

// verifies takes in the last verify that ended.
func (st *state) verifies(r *manifest.Reader) error {
	run, ok, err := r.LastEnded("verify")
	if err != nil || !ok {
		return err
	}
	rep, err := backup.ReadReport(run)
	if err == nil && rep.Verify != nil {
		st.LastVerify = &lastVerify{run.Started, *rep.Verify}
	}
	return err
}

// month is how far back the costly paths go.
const month = 30 * 24 * time.Hour

// mostCosts is how many runs' costs, and how many costly paths, are told.
const mostCosts = 5

// reports takes in what the runs of the last month kept of themselves.
func (st *state) reports(r *manifest.Reader, now time.Time) error {
	runs, err := r.RunsSince(now.Add(-month))
	if err != nil {
		return err
	}
	var all []backup.Report
	scanned := false
	for _, run := range runs {
		rep, err := backup.ReadReport(run)
		if err != nil {
			return err
		}
		all = append(all, rep)
		if len(st.Costs) < mostCosts && !run.Ended.IsZero() {
			st.Costs = append(st.Costs, runCost{int64(run.ID), run.Started, rep.BytesSent, rep.Requests, rep.QuotaUnits})
		}
		if run.Kind == "scan" && !run.Ended.IsZero() && !scanned {
			scanned = true
			st.NotSaved, st.Omitted = append(st.NotSaved, rep.NotSaved...), rep.Omitted
			st.Held = append(st.Held, rep.Held...)
		}
	}
	st.Costly = append(st.Costly, backup.Costliest(all, mostCosts)...)
	return nil
}

func runJSON(run manifest.Run) lastRun {
	l := lastRun{Kind: run.Kind, Started: run.Started, Conditions: append([]string{}, run.Conditions...), Counters: run.Counters}
	if !run.Ended.IsZero() {
		l.Ended = &run.Ended
	}
	return l
}
