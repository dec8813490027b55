package schedule

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// zones have, in this order: the usual hour at night; the same on other days;
// none; half an hour; midnight itself; a whole day left out (2011-12-30).
func zones(t testing.TB) []*time.Location {
	t.Helper()
	var out []*time.Location
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia"} {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, loc)
	}
	return out
}

func TestNextOverClockChanges(t *testing.T) {
	for _, c := range []struct{ name, zone, line, after, want string }{
		{"gap, once and right after it", "Europe/Berlin", "30 2 * * *", "2026-03-28 12:00",
			"Sun 2026-03-29 03:00 +0200\nMon 2026-03-30 02:30 +0200"},
		{"gap, all that fell into it together", "Europe/Berlin", "*/20 2 * * *", "2026-03-29 01:00",
			"Sun 2026-03-29 03:00 +0200\nMon 2026-03-30 02:00 +0200"},
		{"gap, together with what is due then anyway", "Europe/Berlin", "*/30 * * * *", "2026-03-29 01:00",
			"Sun 2026-03-29 01:30 +0100\nSun 2026-03-29 03:00 +0200\nSun 2026-03-29 03:30 +0200"},
		{"double, first coming only", "Europe/Berlin", "30 2 * * *", "2026-10-24 12:00",
			"Sun 2026-10-25 02:30 +0200\nMon 2026-10-26 02:30 +0100"},
		{"double, every minute of it once", "Europe/Berlin", "*/30 * * * *", "2026-10-25 01:40",
			"Sun 2026-10-25 02:00 +0200\nSun 2026-10-25 02:30 +0200\nSun 2026-10-25 03:00 +0100"},
		{"gap", "America/New_York", "15 2 * * *", "2026-03-07 12:00", "Sun 2026-03-08 03:00 -0400\nMon 2026-03-09 02:15 -0400"},
		{"double", "America/New_York", "15 1 * * *", "2026-10-31 12:00", "Sun 2026-11-01 01:15 -0400\nMon 2026-11-02 01:15 -0500"},
		{"no change", "Asia/Kolkata", "30 2 * * *", "2026-03-28 12:00", "Sun 2026-03-29 02:30 +0530\nMon 2026-03-30 02:30 +0530"},
		{"half an hour, gap", "Australia/Lord_Howe", "15 2 * * *", "2026-10-03 12:00", "Sun 2026-10-04 02:30 +1100\nMon 2026-10-05 02:15 +1100"},
		{"half an hour, double", "Australia/Lord_Howe", "45 1 * * *", "2026-04-04 12:00", "Sun 2026-04-05 01:45 +1100\nMon 2026-04-06 01:45 +1030"},
		{"no midnight", "America/Sao_Paulo", "@daily", "2018-11-03 12:00", "Sun 2018-11-04 01:00 -0200\nMon 2018-11-05 00:00 -0200"},
		{"two midnights", "America/Sao_Paulo", "30 23 * * *", "2018-02-17 12:00", "Sat 2018-02-17 23:30 -0200\nSun 2018-02-18 23:30 -0300"},
		{"no such day", "Pacific/Apia", "0 9 30 * *", "2011-12-01 12:00", "Sat 2011-12-31 00:00 +1400\nMon 2012-01-30 09:00 +1400"},
		{"eight years", "Europe/Berlin", "0 0 29 2 *", "2096-02-29 00:00", "Fri 2104-02-29 00:00 +0100"},
		{"six years", "Europe/Berlin", "0 0 29 2 *", "2098-06-01 00:00", "Fri 2104-02-29 00:00 +0100"},
		{"@every counts time, not clocks", "Europe/Berlin", "@every 2h", "2026-03-29 01:00", "Sun 2026-03-29 04:00 +0200"},
		{"another zone's gap", "Asia/Kolkata", "CRON_TZ=Europe/Berlin 30 2 * * *", "2026-03-29 00:00", "Sun 2026-03-29 06:30 +0530\nMon 2026-03-30 06:00 +0530"},
	} {
		t.Run(c.zone+"/"+c.name, func(t *testing.T) {
			loc, err := time.LoadLocation(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			after, err := time.ParseInLocation("2006-01-02 15:04", c.after, loc)
			if err != nil {
				t.Fatal(err)
			}
			if got := dues(t, must(t, c.line), after, strings.Count(c.want, "\n")+1); got != c.want {
				t.Errorf("%q is due\n%s\nwant\n%s", c.line, got, c.want)
			}
		})
	}
}

// A start inside the second coming of an hour finds what was due in the first
// to be over.
func TestNextInsideDouble(t *testing.T) {
	berlin := zones(t)[0]
	second := time.Date(2026, time.October, 25, 1, 10, 0, 0, time.UTC).In(berlin) // 02:10 for the second time
	if got, want := dues(t, must(t, "*/30 * * * *"), second, 1), "Sun 2026-10-25 03:00 +0100"; got != want {
		t.Errorf("due %s, want %s", got, want)
	}
}

func TestListIsAUnion(t *testing.T) {
	start := time.Date(2026, time.June, 1, 0, 0, 0, 0, time.UTC)
	s := must(t, "0 3 * * *", "0 */2 * * *", "0 2,3 * * *") // 02:00 twice, 03:00 twice
	want := "Mon 2026-06-01 02:00 +0000\nMon 2026-06-01 03:00 +0000\nMon 2026-06-01 04:00 +0000"
	if got := dues(t, s, start, 3); got != want {
		t.Errorf("due\n%s\nwant\n%s", got, want)
	}
	if got, want := s.String(), "0 3 * * *; 0 */2 * * *; 0 2,3 * * *"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
	if !(Schedule{}).Next(start).IsZero() || !(Schedule{}).IsZero() || s.IsZero() {
		t.Error("the zero Schedule is due, or not known as such")
	}
	if _, err := ParseAll([]string{"@daily", "@dayly"}); err == nil || !strings.Contains(err.Error(), "@dayly") {
		t.Errorf("ParseAll with a bad second line: %v", err)
	}
}

// Next must agree with walking through time minute by minute: a minute is due
// if clocks show it for the first time and it matches, or if clocks just
// jumped over one that matches.
func TestNextAgreesWithWalk(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(all ...string) string { return all[rnd.IntN(len(all))] }
	changes := []time.Time{ // within a day of a change in each zone
		time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC), time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC),
		time.Date(2026, 3, 7, 18, 0, 0, 0, time.UTC), time.Date(2026, 10, 31, 18, 0, 0, 0, time.UTC),
		time.Date(2026, 10, 3, 0, 0, 0, 0, time.UTC), time.Date(2026, 4, 4, 0, 0, 0, 0, time.UTC),
		time.Date(2018, 11, 3, 12, 0, 0, 0, time.UTC), time.Date(2018, 2, 17, 12, 0, 0, 0, time.UTC),
		time.Date(2011, 12, 29, 20, 0, 0, 0, time.UTC),
	}
	for range 40 {
		text := fmt.Sprintf("%s %s %s * %s", pick("0", "30", "*/7", "15,45", "59"), pick("*", "0-3", "2", "1,3", "*/2", "23"),
			pick("*", "*", "*", "30", "*/2"), pick("*", "*", "*", "7", "1-5"))
		s := must(t, text)
		for _, loc := range zones(t) {
			at := changes[rnd.IntN(len(changes))].In(loc)
			end := at.Add(36 * time.Hour)
			shown := wallOf(at) // clocks never showed anything later
			want := s.Next(at)
			for at = at.Add(time.Minute); at.Before(end); at = at.Add(time.Minute) {
				due := false
				for w := wallOf(at); shown.Before(w); {
					shown = shown.Add(time.Minute)
					due = due || s.lines[0].cron.Next(shown.Add(-time.Second)).Equal(shown)
				}
				if due != at.Equal(want) {
					t.Fatalf("%q in %v: %v: due %t, Next said %v", text, loc, at, due, want)
				}
				if due {
					want = s.Next(at)
				}
			}
		}
	}
}
