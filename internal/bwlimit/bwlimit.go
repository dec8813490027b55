// Package bwlimit reads limits of bandwidth in the syntax of rclone's
// --bwlimit: one rate that always holds, or a timetable of rates.
//
//	10M                                  10 MiB/s
//	08:00,512k 19:00,off                 every day
//	Mon-00:00,512 12:00,1M Sat-00:00,off some days other than others
//
// An entry holds from its minute, in local time, to the next entry of the
// week; that of the week's end holds on into the next week. An entry without a
// day is one for each day. Of two for the same minute the later one counts.
// Entries are parted by spaces or semicolons.
//
// A rate is a number with the unit B, K, M, G or T, bytes to TiB a second;
// without a unit it counts KiB. 0 and "off" set no limit. Of a pair
// "upload:download" the first half counts: what acb sends is all that is limited.
//
// Source: rclone's documentation, "--bwlimit=BANDWIDTH_SPEC", "Size options".
package bwlimit

import (
	"slices"
	"strings"
	"time"
)

// A Rate is bytes a second; 0 means no limit.
type Rate int64

// A Timetable says which rate holds when. The zero Timetable sets no limit.
type Timetable struct {
	text  string
	slots []slot // by minute, each minute once
}

// A slot is a rate and the minute of the week from which it holds, counted
// from Sunday 00:00.
type slot struct {
	minute int
	rate   Rate
}

const (
	minutesADay = 24 * 60
	daysAWeek   = 7
)

// At returns the rate that holds at a time, by the clock of its location.
func (t Timetable) At(at time.Time) Rate {
	if len(t.slots) == 0 {
		return 0
	}
	minute := int(at.Weekday())*minutesADay + at.Hour()*60 + at.Minute()
	i, found := slices.BinarySearchFunc(t.slots, minute, func(s slot, m int) int { return s.minute - m })
	if !found {
		i += len(t.slots) - 1 // the one before, which may be the last of the week before
	}
	return t.slots[i%len(t.slots)].rate
}

// IsZero reports whether it never sets a limit.
func (t Timetable) IsZero() bool {
	return !slices.ContainsFunc(t.slots, func(s slot) bool { return s.rate > 0 })
}

// String returns it as it was written.
func (t Timetable) String() string { return t.text }

// put adds a slot; of two for the same minute the later one counts.
func (t *Timetable) put(s slot) {
	i, found := slices.BinarySearchFunc(t.slots, s.minute, func(s slot, m int) int { return s.minute - m })
	if found {
		t.slots[i] = s
		return
	}
	t.slots = slices.Insert(t.slots, i, s)
}

// fields parts entries.
func fields(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\t' || r == ';' })
}
