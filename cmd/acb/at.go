package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/autocloudbackup/acb/manifest"
)

// atHelp says how a moment is written.
const atHelp = `a run's number (17), a date (2026-11-28: its end), a date and time
("2026-11-28 14:30", or as in RFC 3339), a time of today (14:30), or an age (90m, 3h, 5d, 2w)`

// runAt returns the run that text means: by its number, or the last that had
// begun at that time.
func (a *app) runAt(r *manifest.Reader, text string) (manifest.RunID, error) {
	if text == "" {
		return manifest.Now, nil
	}
	if text == "0" {
		return 0, nil // before the first, when nothing was backed up
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		run, found, err := r.Run(manifest.RunID(n))
		if err == nil && !found {
			err = &exitError{exitUsage, fmt.Errorf("there is no run %s: acb log lists them", text)}
		}
		return run.ID, err
	}
	at, err := parseMoment(text, a.now())
	if err != nil {
		return 0, &exitError{exitUsage, fmt.Errorf("%q: %w", text, err)}
	}
	run, found, err := r.RunAt(at)
	if err == nil && !found {
		err = &exitError{exitUsage, fmt.Errorf("%q: the first backup is younger than %s; acb log lists them all", text, at.Format("2006-01-02 15:04:05 MST"))}
	}
	return run.ID, err
}

// parseMoment reads a moment as atHelp says, in the zone of now.
func parseMoment(text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	if t, err := time.ParseInLocation("2006-01-02", text, now.Location()); err == nil {
		return t.AddDate(0, 0, 1).Add(-1), nil
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			y, m, d := now.Date()
			return time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), 0, now.Location()), nil
		}
	}
	if age, err := parseAge(text); err == nil {
		return now.Add(-age), nil
	}
	return time.Time{}, fmt.Errorf("this is no moment: write %s", strings.ReplaceAll(atHelp, "\n", " "))
}

// parseAge reads a duration, also in days and weeks.
func parseAge(text string) (time.Duration, error) {
	for unit, day := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		n, err := strconv.ParseUint(strings.TrimSuffix(text, unit), 10, 16)
		switch {
		case err != nil || !strings.HasSuffix(text, unit):
		case time.Duration(n) > math.MaxInt64/day:
			return 0, fmt.Errorf("%q is longer than %d years", text, int64(math.MaxInt64/(365*24*time.Hour)))
		default:
			return time.Duration(n) * day, nil
		}
	}
	age, err := time.ParseDuration(text)
	if err == nil && age < 0 {
		err = fmt.Errorf("%q lies in the future", text)
	}
	return age, err
}
