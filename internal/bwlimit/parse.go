package bwlimit

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

const (
	// least is the lowest limit: below it, signing in alone would take longer
	// than servers wait.
	least = 1 << 10
	// most is far above any line, and far below what an int64 holds.
	most = 1 << 50

	exampleRate  = `write a number with K, M or G, such as "512k" or "1.5M", or "off"`
	exampleTable = `write a rate, such as "10M", or a timetable, such as "08:00,512k 19:00,off"`
)

// Parse reads a rate or a timetable. Errors quote the entry and say how to
// write it.
func Parse(text string) (Timetable, error) {
	t := Timetable{text: strings.TrimSpace(text)}
	entries := fields(text)
	switch {
	case len(entries) == 0:
		return Timetable{}, errors.New("it is empty: " + exampleTable)
	case len(entries) == 1 && !strings.Contains(entries[0], ","):
		if _, err := parseClock(entries[0]); err == nil { // and not 8 KiB up and nothing down
			return Timetable{}, fmt.Errorf("%q is a time of day without a rate: %s", entries[0], exampleTable)
		}
		rate, err := parsePair(entries[0])
		if err != nil {
			return Timetable{}, err
		}
		t.put(slot{0, rate})
		return t, nil
	}
	for _, entry := range entries {
		if err := t.parseEntry(entry); err != nil {
			return Timetable{}, fmt.Errorf("entry %q: %w", entry, err)
		}
	}
	return t, nil
}

// parseEntry reads "Mon-08:00,512k" or, for every day, "08:00,512k".
func (t *Timetable) parseEntry(entry string) error {
	when, limit, ok := strings.Cut(entry, ",")
	if !ok {
		return errors.New("it has no comma between time and rate: " + exampleTable)
	}
	first, days := 0, daysAWeek
	if name, clock, ok := strings.Cut(when, "-"); ok {
		day, err := parseDay(name)
		if err != nil {
			return err
		}
		first, days, when = day, 1, clock
	}
	minute, err := parseClock(when)
	if err != nil {
		return err
	}
	rate, err := parsePair(limit)
	if err != nil {
		return err
	}
	for day := first; day < first+days; day++ {
		t.put(slot{day*minutesADay + minute, rate})
	}
	return nil
}

var dayNames = [daysAWeek]string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

// parseDay reads "Mon" or "Monday" in any case.
func parseDay(name string) (int, error) {
	for i, day := range dayNames {
		if lower := strings.ToLower(name); lower == day || lower == day[:3] {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%q is no day: write Mon, Tue, Wed, Thu, Fri, Sat or Sun", name)
}

// parseClock reads "08:30" as minutes since midnight.
func parseClock(text string) (int, error) {
	h, m, ok := strings.Cut(text, ":")
	hour, err1 := strconv.ParseUint(h, 10, 8)
	minute, err2 := strconv.ParseUint(m, 10, 8)
	if !ok || len(h) != 2 || len(m) != 2 || err1 != nil || err2 != nil || hour > 23 || minute > 59 {
		return 0, fmt.Errorf(`%q is no time of day: write hours and minutes with two digits each, from "00:00" to "23:59"`, text)
	}
	return int(hour)*60 + int(minute), nil
}

// parsePair reads a rate, or "upload:download", of which it returns the first.
func parsePair(text string) (Rate, error) {
	up, down, pair := strings.Cut(text, ":")
	if pair {
		if _, err := parseRate(down); err != nil {
			return 0, err
		}
	}
	return parseRate(up)
}

// units are the letters behind a number.
var units = map[string]float64{"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}

// parseRate reads "512", "512k", "512Ki" and "512KiB", which are the same, in
// any case.
func parseRate(text string) (Rate, error) {
	if strings.EqualFold(text, "off") {
		return 0, nil
	}
	digits := strings.TrimRightFunc(text, unicode.IsLetter)
	unit := float64(1 << 10)
	if suffix := text[len(digits):]; suffix != "" {
		letter, tail := strings.ToLower(suffix[:1]), strings.ToLower(suffix[1:])
		u, known := units[letter]
		if !known || tail != "" && (letter == "b" || tail != "i" && tail != "ib") {
			return 0, fmt.Errorf("%q has the unit %q, which is not known: %s", text, suffix, exampleRate)
		}
		unit = u
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || strings.Trim(digits, "0123456789.") != "" {
		return 0, fmt.Errorf("%q is no rate: %s", text, exampleRate)
	}
	switch n *= unit; {
	case n > 0 && n < least:
		return 0, fmt.Errorf(`%q is below 1 KiB a second, at which not even a sign-in gets through in time: write "1k" or more, or "off" for no limit`, text)
	case n > most || math.IsInf(n, 0):
		return 0, fmt.Errorf(`%q is more than any line has: write "off" for no limit`, text)
	}
	return Rate(n), nil
}
