package main

import (
	"testing"
	"time"
	_ "time/tzdata"
)

// TestParseMoment: moments are those of the user's zone, on days without 24
// hours, too.
func TestParseMoment(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 10, 25, 14, 30, 0, 0, zone) // the day has 25 hours
	for text, want := range map[string]string{
		"2026-10-25":           "2026-10-25T23:59:59.999999999+01:00",
		"2026-10-24":           "2026-10-24T23:59:59.999999999+02:00",
		"2026-03-29":           "2026-03-29T23:59:59.999999999+02:00", // 23 hours
		"2026-10-25 01:30":     "2026-10-25T01:30:00+02:00",
		"2026-10-25T03:30:05":  "2026-10-25T03:30:05+01:00",
		"01:30":                "2026-10-25T01:30:00+02:00",
		"2026-10-25T01:30:00Z": "2026-10-25T01:30:00Z",
		"90m":                  "2026-10-25T13:00:00+01:00",
		"1d":                   "2026-10-24T15:30:00+02:00", // 24 hours ago
		"2w":                   "2026-10-11T15:30:00+02:00",
		"yesterday":            "", "-3h": "", "25:00": "", "2026-13-01": "", "20000w": "", "d": "",
	} {
		at, err := parseMoment(text, now)
		if got := at.Format(time.RFC3339Nano); want == "" && err == nil || want != "" && (err != nil || got != want) {
			t.Errorf("%q is %s, %v; should be %s", text, got, err, want)
		}
	}
}
