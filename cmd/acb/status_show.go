package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// showState writes how the backup stands, for a person.
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
			how = strings.ReplaceAll(strings.Join(l.Conditions, ", "), "_", " ")
		}
		fmt.Fprintf(a.out, "last run              %s: %s\n", local(l.Started), how)
	}
	if v := st.LastVerify; v != nil {
		fmt.Fprintf(a.out, "last verify           %s (%s): %s\n", local(v.Started), humanize.RelTime(v.Started, a.now(), "ago", "from now"), verified(&v.VerifyReport))
	}
	if st.Halt != nil {
		fmt.Fprintf(a.out, "uploads wait          %s\n", plain(st.Halt.Reason))
	}
	for _, s := range st.Sources {
		fmt.Fprintf(a.out, "source                %s: %s, %s", plain(s.Path), count(s.Files, "file", "files"), humanize.IBytes(uint64(s.Bytes)))
		for _, n := range []struct {
			n    int64
			what string
		}{{s.Retired, "retired"}, {s.Pinned, "pinned"}, {s.Lost, "no longer on Drive"}} {
			if n.n > 0 {
				fmt.Fprintf(a.out, ", %s %s", humanize.Comma(n.n), n.what)
			}
		}
		fmt.Fprintln(a.out)
	}
	a.showReports(st)
	if st.Next != nil {
		fmt.Fprintf(a.out, "next run              %s, while \"acb run\" stays\n", local(*st.Next))
	}
}

// showReports tells what the last runs left undone, and what they cost.
func (a *app) showReports(st *state) {
	if n := len(st.NotSaved) + st.Omitted; n > 0 {
		fmt.Fprintf(a.out, "not protected         %s by the last scan:\n", count(int64(n), "file or folder", "files and folders"))
		for i, f := range st.NotSaved {
			if i == most && a.verbose == 0 {
				fmt.Fprintf(a.out, "                      and %d more (-v shows them)\n", n-i)
				break
			}
			fmt.Fprintf(a.out, "                      %s: %s\n", shown(f.Path), plain(f.Reason))
		}
	}
	for _, h := range st.Held {
		fmt.Fprintf(a.out, "held back             %s in %s: %s", count(int64(h.Files), "file", "files"), plain(h.Source), h.Guard)
		if h.Lifts {
			fmt.Fprint(a.out, " (acb scan --allow-deletes lets it through)")
		}
		fmt.Fprintln(a.out)
	}
	for i, c := range st.Costs {
		title := ""
		if i == 0 {
			title = "cost"
		}
		fmt.Fprintf(a.out, "%-22srun %d: %s in %s, %s quota units\n", title, c.Run,
			humanize.IBytes(uint64(c.Bytes)), count(c.Requests, "request", "requests"), humanize.Comma(c.Units))
	}
	for i, c := range st.Costly {
		title := ""
		if i == 0 {
			title = "most bytes in 30 days"
		}
		fmt.Fprintf(a.out, "%-22s%8s  %s\n", title, humanize.IBytes(uint64(c.Bytes)), shown(c.Path))
	}
}
