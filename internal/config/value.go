package config

import (
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/autocloudbackup/acb/internal/bwlimit"
	"github.com/autocloudbackup/acb/internal/schedule"
)

const day = 24 * time.Hour

// A value is what the document has for a key.
type value struct {
	v    any
	key  string // as messages name it
	path string // as keyLines names it
}

// describe names what a value is, for messages about wrong types.
func describe(v any) string {
	switch v.(type) {
	case string:
		return "a text is written here"
	case int64, float64:
		return "a number is written here"
	case bool:
		return "true or false is written here"
	case time.Time:
		return "a date or time is written here"
	case map[string]any:
		return "a table is written here"
	case []map[string]any:
		return "a list of tables is written here"
	}
	return "a list is written here"
}

func (l *loader) text(v value) (string, bool) {
	s, ok := v.v.(string)
	switch {
	case !ok:
		l.fail(v, `%s: write a text in quotes`, describe(v.v))
	case s == "":
		l.fail(v, "the text is empty: write a value, or take the key out to get the default")
	case strings.ContainsRune(s, 0):
		l.fail(v, "the text holds a NUL character: take it out")
	default:
		return s, true
	}
	return "", false
}

// texts returns the elements of a list, each as a value with its own line.
func (l *loader) texts(v value) []value {
	list, ok := v.v.([]any)
	if !ok {
		l.fail(v, `%s: write a list such as ["one", "two"]`, describe(v.v))
		return nil
	}
	elems := make([]value, len(list))
	for i, e := range list {
		elems[i] = value{v: e, key: v.key, path: element(v.path, i)}
	}
	return elems
}

func (l *loader) setBool(v value, to *bool) {
	b, ok := v.v.(bool)
	if !ok {
		l.fail(v, "%s: write true or false, without quotes", describe(v.v))
		return
	}
	*to = b
}

func (l *loader) setInt(v value, least, most int64, to *int) {
	n, ok := v.v.(int64)
	switch {
	case !ok:
		l.fail(v, "%s: write a whole number, without quotes", describe(v.v))
	case n < least || n > most:
		l.fail(v, "%d is out of range: write a number from %d to %d", n, least, most)
	default:
		*to = int(n)
	}
}

// setRate reads a number of things a second; 0 means as many as there are.
func (l *loader) setRate(v value, to *float64) {
	const most = 1000 // Drive gives one account a handful; more is a slip
	n, ok := v.v.(float64)
	if whole, isInt := v.v.(int64); isInt {
		n, ok = float64(whole), true
	}
	switch {
	case !ok:
		l.fail(v, "%s: write a number, without quotes", describe(v.v))
	case math.IsNaN(n) || n < 0 || n > most:
		l.fail(v, "%v is out of range: write a number from 0, which sets no limit, to %d", n, most)
	default:
		*to = n
	}
}

// setUpload reads a limit of bandwidth. One that never limits is none.
func (l *loader) setUpload(v value) {
	if _, isNumber := v.v.(int64); isNumber {
		l.fail(v, `%s: write a rate with its unit, in quotes, such as "512k"`, describe(v.v))
		return
	}
	s, ok := l.text(v)
	if !ok {
		return
	}
	switch t, err := bwlimit.Parse(s); {
	case err != nil:
		l.fail(v, "%w", err)
	case !t.IsZero():
		l.config.Limits.Upload = t
	}
}

// setShare reads "25%" as 0.25.
func (l *loader) setShare(v value, to *float64) {
	if _, isText := v.v.(string); !isText {
		l.fail(v, `%s: write a percentage in quotes, such as "25%%"`, describe(v.v))
		return
	}
	s, ok := l.text(v)
	if !ok {
		return
	}
	digits, percent := strings.CutSuffix(s, "%")
	n, err := strconv.ParseFloat(digits, 64)
	if !percent || err != nil || strings.Trim(digits, "0123456789.") != "" || n > 100 {
		l.fail(v, `%q is no percentage: write "0%%" to "100%%"; "100%%" switches the limit off`, s)
		return
	}
	*to = n / 100
}

// setSize reads a number of bytes such as "64MB", of which a kilobyte has 1024;
// "off" is 0.
func (l *loader) setSize(v value, to *int64) {
	if _, isText := v.v.(string); !isText {
		l.fail(v, `%s: write a size in quotes, such as "64MB", or "off"`, describe(v.v))
		return
	}
	s, ok := l.text(v)
	if !ok {
		return
	}
	if s == "off" {
		*to = 0
		return
	}
	const most = 1 << 40
	digits := strings.TrimRight(s, "KMGB")
	shift, known := sizeUnits[s[len(digits):]]
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case !known || err != nil || n <= 0:
		l.fail(v, `%q is no size: write a whole number with B, KB, MB or GB, such as "64MB", or "off"`, s)
	case n > most>>shift:
		l.fail(v, `%q is out of range: write at most "1024GB"`, s)
	default:
		*to = n << shift
	}
}

var sizeUnits = map[string]int{"B": 0, "KB": 10, "MB": 20, "GB": 30}

func (l *loader) setDuration(v value, least, most time.Duration, to *time.Duration) {
	if _, isText := v.v.(string); !isText {
		l.fail(v, `%s: write a time in quotes, such as "30d" or "1h30m"`, describe(v.v))
		return
	}
	s, ok := l.text(v)
	if !ok {
		return
	}
	d, err := parseDuration(s)
	switch {
	case err != nil:
		l.fail(v, "%w", err)
	case d < least || d > most:
		l.fail(v, "%q is out of range: write a time from %s to %s", s, formatDuration(least), formatDuration(most))
	default:
		*to = d
	}
}

// setOffOrDuration is setDuration with "off" for 0.
func (l *loader) setOffOrDuration(v value, least, most time.Duration, to *time.Duration) {
	if v.v == "off" {
		*to = 0
		return
	}
	l.setDuration(v, least, most, to)
}

var durationUnits = map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': day, 'w': 7 * day}

// parseDuration reads whole numbers with units, such as "30d" or "1h30m".
func parseDuration(s string) (time.Duration, error) {
	var sum time.Duration
	for rest := s; rest != ""; {
		n := 0
		for n < len(rest) && '0' <= rest[n] && rest[n] <= '9' {
			n++
		}
		count, err := strconv.ParseInt(rest[:n], 10, 32)
		if err != nil || n == len(rest) || durationUnits[rest[n]] == 0 {
			return 0, fmt.Errorf(`%q is no time: write numbers with w, d, h, m or s, such as "30d" or "1h30m"`, s)
		}
		// More than a Duration can hold, about 290 years, is out of any range.
		if count > int64((math.MaxInt64-sum)/durationUnits[rest[n]]) {
			return math.MaxInt64, nil
		}
		sum += time.Duration(count) * durationUnits[rest[n]]
		rest = rest[n+1:]
	}
	return sum, nil
}

// formatDuration writes a bound of setDuration as parseDuration reads it.
func formatDuration(d time.Duration) string {
	switch {
	case d >= day:
		return fmt.Sprintf("%dd", d/day)
	case d >= time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

// setCron reads one line or a list of lines.
func (l *loader) setCron(v value, to *schedule.Schedule) {
	lines := []value{v}
	if _, one := v.v.(string); !one {
		lines = l.texts(v)
	}
	for _, line := range lines {
		s, ok := l.text(line)
		if !ok {
			continue
		}
		due, err := schedule.Parse(s)
		if err != nil {
			l.fail(line, "%w", err)
			continue
		}
		*to = schedule.List(*to, due)
	}
}

func (l *loader) setKeepRevisions(v value) {
	if s, ok := l.text(v); ok {
		switch s {
		case "all", "none":
			l.config.Safety.KeepRevisions = s == "all"
		default:
			l.fail(v, `there is no %q: write "all" or "none"`, s)
		}
	}
}

func (l *loader) setOnDelete(v value) {
	if s, ok := l.text(v); ok {
		switch o := OnDelete(s); o {
		case Trash, Keep:
			l.config.Safety.OnDelete = o
		default:
			l.fail(v, `there is no %q: write "trash" or "keep"`, s)
		}
	}
}

// setLevel reads one of slog's levels. slog itself would also take "INFO+2".
func (l *loader) setLevel(v value) {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	if s, ok := l.text(v); ok {
		level, known := levels[s]
		if !known {
			l.fail(v, `there is no %q: write "debug", "info", "warn" or "error"`, s)
			return
		}
		l.config.Log.Level = level
	}
}
