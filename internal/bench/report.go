package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
)

// A row is one number of the report.
type row struct {
	what       string
	floor, acb string  // as measured, with units; floor is "" where there is none
	value      float64 // what is held against the limit
	sign       sign
	limit      float64
	unit       string // of value and limit: "x", "MB", "%", "requests"
}

// A sign says on which side of its limit a value must be.
type sign string

const (
	unbounded sign = "" // shown for its own sake
	atMost    sign = "<="
	atLeast   sign = ">="
)

// upTo is atMost, unless the limit is 0 and so none.
func upTo(limit float64) sign {
	if limit == 0 {
		return unbounded
	}
	return atMost
}

func (r row) missed() bool {
	return r.sign == atMost && r.value > r.limit || r.sign == atLeast && r.value < r.limit
}

func (r row) cells() []string {
	limit, verdict := "", ""
	if r.sign != unbounded {
		limit, verdict = string(r.sign)+" "+number(r.limit, r.unit), "ok"
		if r.missed() {
			verdict = "MISSED"
		}
	}
	return []string{r.what, r.floor, r.acb, number(r.value, r.unit), limit, verdict}
}

func number(v float64, unit string) string {
	switch unit {
	case "x":
		return fmt.Sprintf("%.2f x", v)
	case "requests", "items":
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1f %s", v, unit)
}

// A report gathers rows and what was left out.
type report struct {
	out     io.Writer
	rows    []row
	skipped []string
}

// section prints a heading with the load of the machine, which wall times
// depend on.
func (r *report) section(format string, args ...any) {
	fmt.Fprintf(r.out, "\n== %s%s\n", fmt.Sprintf(format, args...), load())
}

// load tells how busy the machine is with other things, where it does tell.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	return " (load " + strings.Fields(string(b))[0] + ")"
}

func (r *report) note(format string, args ...any) {
	fmt.Fprintf(r.out, "   "+format+"\n", args...)
}

// skip says, now and at the end, that a number was not taken.
func (r *report) skip(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	r.skipped = append(r.skipped, s)
	fmt.Fprintf(r.out, "   SKIPPED: %s\n", s)
}

// add takes a row and prints it at once, so that a long run can be followed.
func (r *report) add(w row) {
	r.rows = append(r.rows, w)
	c := w.cells()
	fmt.Fprintf(r.out, "   %s: %s against %s: %s %s %s\n", c[0], c[2], or(c[1], "nothing"), c[3], c[4], c[5])
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// contest adds wall and CPU of a contest as ratios, and acb's peak memory.
// A limit of 0 is no limit; maxPeak is in MB, as the limits are stated.
func (r *report) contest(what string, c contest, maxWall, maxCPU, maxPeak float64) {
	for _, f := range []struct {
		name  string
		of    func(usage) float64
		limit float64
	}{{"wall", wall, maxWall}, {"CPU", cpu, maxCPU}} {
		floor, acb := pick(c.floor, f.of), pick(c.what, f.of)
		r.add(row{
			what: what + ", " + f.name, floor: seconds(median(floor)), acb: seconds(median(acb)),
			value: pairRatio(acb, floor), sign: upTo(f.limit), limit: f.limit, unit: "x",
		})
	}
	most := 0.0
	for _, u := range c.what {
		most = max(most, peak(u))
	}
	r.add(row{what: what + ", peak memory", floor: megabytes(median(pick(c.floor, peak))), acb: megabytes(most), value: most / 1e6, sign: upTo(maxPeak), limit: maxPeak, unit: "MB"})
}

func seconds(s float64) string { return fmt.Sprintf("%.3f s", s) }

func megabytes(b float64) string { return fmt.Sprintf("%.1f MB", b/1e6) }

// finish prints the table and returns how many limits were missed.
func (r *report) finish() (missed int) {
	fmt.Fprintln(r.out)
	t := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "what\tfloor\tacb\tvalue\tlimit\t")
	for _, w := range r.rows {
		fmt.Fprintln(t, strings.Join(w.cells(), "\t"))
		if w.missed() {
			missed++
		}
	}
	t.Flush()
	for _, s := range r.skipped {
		fmt.Fprintln(r.out, "SKIPPED:", s)
	}
	if missed > 0 {
		fmt.Fprintf(r.out, "%d of the limits were missed. Wall ratios hold only with all cores free; go by the CPU ratio on a busy machine.\n", missed)
	}
	return missed
}
