package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // CRON_TZ must work where no zone files are installed: Windows, bare containers

	"github.com/robfig/cron/v3"
)

// minEvery is the shortest "@every": shorter than a run lasts helps nobody.
// robfig/cron itself turns zero and negative distances into one second.
const minEvery = time.Minute

// example closes messages about a line as a whole.
const example = `an example: "0 3 * * *" is every day at 03:00`

// Parse reads one cron line. Its errors name the line, the field and what is
// wrong with it, and show how to write it. A line that can never be due, such
// as one for 31 February, is an error.
func Parse(text string) (Schedule, error) {
	l, err := parse(text)
	if err != nil {
		return Schedule{}, fmt.Errorf("cron line %q: %w", text, err)
	}
	return Schedule{lines: []line{l}}, nil
}

func parse(text string) (line, error) {
	rest := strings.TrimSpace(text)
	l := line{text: rest}
	rest, loc, err := cutZone(rest)
	if err != nil {
		return line{}, err
	}
	l.loc = loc
	if strings.HasPrefix(rest, "@") {
		l.cron, l.every, err = shorthand(rest)
	} else {
		l.cron, err = fiveFields(rest)
	}
	if err != nil {
		return line{}, err
	}
	if l.every && l.loc != nil {
		return line{}, errors.New("@every counts from the last run and knows no time zone; leave CRON_TZ out")
	}
	// Any start would do: days repeat every 28 years, and wallAfter sees more
	// than the 8 that can pass between two times that match.
	start := time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)
	if !l.every && l.wallAfter(start).IsZero() {
		return line{}, errors.New("no such day ever comes; day of month and month do not go together, " + example)
	}
	return l, nil
}

// cutZone takes CRON_TZ=Area/City (or TZ=) off the front. robfig/cron panics
// if nothing follows the zone, so it never gets to see one.
func cutZone(text string) (rest string, loc *time.Location, err error) {
	head, rest, _ := strings.Cut(strings.ReplaceAll(text, "\t", " "), " ")
	key, name, ok := strings.Cut(head, "=")
	if !ok || key != "CRON_TZ" && key != "TZ" {
		return text, nil, nil
	}
	const zoned = `an example: "CRON_TZ=Europe/Berlin 0 3 * * *"`
	rest = strings.TrimSpace(rest)
	if rest == "" {
		return "", nil, fmt.Errorf("nothing follows the time zone %q; %s", head, zoned)
	}
	if name == "" {
		return "", nil, fmt.Errorf("%s= names no time zone; %s", key, zoned)
	}
	loc, err = time.LoadLocation(name)
	if err != nil {
		return "", nil, fmt.Errorf("time zone %q is not known; %s", name, zoned)
	}
	return rest, loc, nil
}

// shorthand reads a line that starts with @.
func shorthand(text string) (s cron.Schedule, every bool, err error) {
	fields := strings.Fields(strings.ToLower(text))
	switch fields[0] {
	case "@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually":
		if len(fields) > 1 {
			return nil, false, fmt.Errorf("%s stands alone, but %q follows it", fields[0], fields[1])
		}
		s, err = standard(fields[0])
		return s, false, err
	case "@every":
		s, err = distance(fields[1:])
		return s, true, err
	}
	return nil, false, fmt.Errorf("%s is not known; there are @hourly, @daily, @weekly, @monthly, @yearly and \"@every 90m\"", fields[0])
}

func distance(words []string) (cron.Schedule, error) {
	const hours = `write hours and minutes, as in "@every 90m" or "@every 24h"`
	if len(words) != 1 {
		return nil, fmt.Errorf("@every wants one length of time; %s", hours)
	}
	d, err := time.ParseDuration(words[0])
	if err != nil {
		return nil, fmt.Errorf("@every %s: not a length of time; %s", words[0], hours)
	}
	if d < minEvery {
		return nil, fmt.Errorf("@every %s: shorter than a minute, the least there is; %s", words[0], hours)
	}
	return cron.Every(d), nil
}

// fiveFields reads minute, hour, day of month, month and day of week.
func fiveFields(text string) (cron.Schedule, error) {
	words := strings.Fields(text)
	switch n := len(words); {
	case n == 0:
		return nil, fmt.Errorf("it is empty; %s", example)
	case n < len(fields):
		return nil, fmt.Errorf("it has %d of the 5 fields minute, hour, day of month, month, day of week; %s", n, example)
	case n > len(fields):
		return nil, fmt.Errorf("it has %d fields instead of 5; there are no seconds, no years and no command; %s", n, example)
	}
	for i, f := range fields {
		w, err := f.check(words[i])
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w; an example: %s", f.name, words[i], err, f.example)
		}
		words[i] = w
	}
	s, err := standard(strings.Join(words, " "))
	if err != nil {
		return nil, err
	}
	if spec, ok := s.(*cron.SpecSchedule); ok {
		// If neither day field starts with a star, a day that matches one of
		// them is enough; robfig/cron forgets that */2 starts with one.
		// Source: crontab(5), the note on the two day fields.
		if words[2][0] == '*' {
			spec.Dom |= starBit
		}
		if words[4][0] == '*' {
			spec.Dow |= starBit
		}
	}
	return s, nil
}

// starBit is the mark of a star in the day fields of cron.SpecSchedule.
// Source: robfig/cron v3.0.1, spec.go.
const starBit = 1 << 63

// standard calls robfig/cron's own parser, to which panics are known to
// happen. The line holds wall clock time in UTC from here on.
func standard(text string) (s cron.Schedule, err error) {
	defer func() {
		if r := recover(); r != nil {
			s, err = nil, fmt.Errorf("it cannot be read (%v); %s", r, example)
		}
	}()
	s, err = cron.ParseStandard(text)
	if err != nil {
		return nil, fmt.Errorf("%w; %s", err, example)
	}
	if spec, ok := s.(*cron.SpecSchedule); ok {
		spec.Location = time.UTC
	}
	return s, nil
}
