// Package schedule turns cron lines into the times at which a backup is due,
// and runs a job at them.
//
// Lines have the five fields of crontab(5) (minute, hour, day of month, month,
// day of week), or are one of @hourly, @daily, @midnight, @weekly, @monthly,
// @yearly, @annually or "@every 90m". A line may open with CRON_TZ=Area/City.
// Without it, a line speaks of the local time of whoever asks.
//
// robfig/cron does the arithmetic, behind a guard: it is only ever asked about
// wall clock time written as UTC, which has neither gaps nor doubles, and
// wall.go maps the answer to an instant. What each guard is for stands beside it.
package schedule

import (
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// A Schedule is one or more cron lines; a time is due if any of them says so.
// The zero Schedule has no line and is never due.
type Schedule struct {
	lines []line
}

// A line is one checked cron line.
type line struct {
	text string         // as the user wrote it
	loc  *time.Location // from CRON_TZ; nil means the location of the time asked about
	cron cron.Schedule  // fed with wall clock time in UTC, or with instants if every
	// every marks "@every": a distance in time, for which clocks do not matter.
	every bool
}

// List is the union of several schedules. A time that several lines name is
// due once.
func List(all ...Schedule) Schedule {
	var s Schedule
	for _, one := range all {
		s.lines = append(s.lines, one.lines...)
	}
	return s
}

// ParseAll reads several lines into one Schedule. The error is that of the
// first bad line, as Parse words it.
func ParseAll(lines []string) (Schedule, error) {
	var s Schedule
	for _, text := range lines {
		one, err := Parse(text)
		if err != nil {
			return Schedule{}, err
		}
		s = List(s, one)
	}
	return s, nil
}

// IsZero reports whether s has no line at all.
func (s Schedule) IsZero() bool { return len(s.lines) == 0 }

// String gives the lines as the user wrote them, joined by "; ".
func (s Schedule) String() string {
	texts := make([]string, len(s.lines))
	for i, l := range s.lines {
		texts[i] = l.text
	}
	return strings.Join(texts, "; ")
}

// Next returns the first due time later than after, in after's location, or
// the zero time if s has no line.
//
// A line without CRON_TZ is read in after's location, so a time that comes
// from a database in UTC wants .In(time.Local) first. Where clocks are put
// forward, what falls into the gap is due once, right after it. Where they are
// put back, a local minute that comes twice is due at its first coming only.
func (s Schedule) Next(after time.Time) time.Time {
	var first time.Time
	for _, l := range s.lines {
		if t := l.next(after); first.IsZero() || t.Before(first) {
			first = t
		}
	}
	return first
}

func (l line) next(after time.Time) time.Time {
	after = after.Round(0) // due times are wall clock: no monotonic reading
	if l.every {
		return l.cron.Next(after)
	}
	loc := l.loc
	if loc == nil {
		loc = after.Location()
	}
	w := wallOf(after.In(loc))
	for {
		w = l.wallAfter(w)
		// In the second coming of an hour, the first answers lie in the past:
		// their minute had its turn.
		if t := firstShown(w, loc); t.After(after) {
			return t.In(after.Location())
		}
	}
}

// wallAfter is the next wall clock reading that matches, or the zero time.
//
// robfig/cron looks at most five years ahead, but 29 February is eight years
// away around 2100: what five years do not hold is looked for in the next five.
func (l line) wallAfter(w time.Time) time.Time {
	next := l.cron.Next(w)
	if next.IsZero() {
		unseen := time.Date(w.Year()+6, time.January, 1, 0, 0, 0, 0, time.UTC)
		next = l.cron.Next(unseen.Add(-time.Second))
	}
	return next
}
