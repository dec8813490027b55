package bwlimit

import (
	"strings"
	"testing"
	"time"
)

func TestRates(t *testing.T) {
	for text, want := range map[string]Rate{
		"10M": 10 << 20, "10m": 10 << 20, "10Mi": 10 << 20, "10MiB": 10 << 20, "1.5M": 3 << 19,
		"512": 512 << 10, "512k": 512 << 10, "512K": 512 << 10, "1024B": 1 << 10, "2000b": 2000,
		"1G": 1 << 30, "1T": 1 << 40, "off": 0, "OFF": 0, "0": 0, "0M": 0, ".5M": 1 << 19,
		"10M:100k": 10 << 20, "off:1M": 0, "1M:off": 1 << 20, " 1M ": 1 << 20,
	} {
		got, err := Parse(text)
		if err != nil || got.At(time.Time{}) != want || got.String() != strings.TrimSpace(text) {
			t.Errorf("Parse(%q) = %v at %d, %v, want %d", text, got, got.At(time.Time{}), err, want)
		}
	}
}

func TestAt(t *testing.T) {
	const day = "08:00,512k 19:00,off"
	// rclone's own example.
	const week = "Mon-00:00,512 Fri-23:59,10M Mon-10:00,1M Sun-20:00,off"
	const mixed = "08:00,512k 19:00,10M:1M; Sat-08:00,off Saturday-19:00,off sun-08:00,off"
	for _, c := range []struct {
		table, at string
		want      Rate
	}{
		{day, "Mon 07:59:59", 0}, {day, "Mon 08:00:00", 512 << 10}, {day, "Mon 18:59:59", 512 << 10}, {day, "Mon 19:00:00", 0},
		{day, "Sun 00:00:00", 0}, {day, "Sun 12:00:00", 512 << 10}, {day, "Sat 23:59:59", 0},
		{week, "Sun 19:59:59", 10 << 20}, {week, "Sun 20:00:00", 0}, {week, "Sun 23:59:59", 0},
		{week, "Mon 00:00:00", 512 << 10}, {week, "Mon 09:59:59", 512 << 10}, {week, "Mon 10:00:00", 1 << 20},
		{week, "Fri 23:58:59", 1 << 20}, {week, "Fri 23:59:00", 10 << 20}, {week, "Sat 12:00:00", 10 << 20}, {week, "Sun 00:00:00", 10 << 20},
		{mixed, "Fri 20:00:00", 10 << 20}, {mixed, "Sat 07:00:00", 10 << 20}, {mixed, "Sat 08:00:00", 0}, {mixed, "Sat 20:00:00", 0},
		{mixed, "Sun 09:00:00", 0}, {mixed, "Sun 19:00:00", 10 << 20}, {mixed, "Mon 09:00:00", 512 << 10},
		{"08:00,1M 08:00,2M", "Mon 08:00:00", 2 << 20}, {"Mon-08:00,1M 08:00,2M", "Mon 08:00:00", 2 << 20},
		{"19:00,off 08:00,512k", "Sun 07:00:00", 0}, {"19:00,off 08:00,512k", "Sun 08:00:00", 512 << 10}, // the order is of no account
		{"Wed-12:30,1M", "Wed 12:29:00", 1 << 20}, {"Wed-12:30,1M", "Sun 00:00:00", 1 << 20},
	} {
		table, err := Parse(c.table)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse("Mon 15:04:05 2006-01-02", c.at+" "+dates[c.at[:3]])
		if err != nil {
			t.Fatal(err)
		}
		if got := table.At(at); got != c.want {
			t.Errorf("%q at %s: %d, want %d", c.table, c.at, got, c.want)
		}
		// The clock on the wall counts, wherever that hangs.
		far := time.FixedZone("far", 14*60*60)
		there := time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), 0, far)
		if got := table.At(there); got != c.want {
			t.Errorf("%q at %s in another zone: %d, want %d", c.table, c.at, got, c.want)
		}
	}
}

// dates is a week, by day.
var dates = map[string]string{
	"Sun": "2026-11-22", "Mon": "2026-11-23", "Tue": "2026-11-24", "Wed": "2026-11-25",
	"Thu": "2026-11-26", "Fri": "2026-11-27", "Sat": "2026-11-28",
}

func TestIsZero(t *testing.T) {
	for text, want := range map[string]bool{"off": true, "08:00,off 09:00,0": true, "1M": false, "08:00,off 09:00,2M": false} {
		table, err := Parse(text)
		if err != nil || table.IsZero() != want {
			t.Errorf("%q: %t, %v, want %t", text, table.IsZero(), err, want)
		}
	}
	if z := (Timetable{}); !z.IsZero() || z.At(time.Now()) != 0 || z.String() != "" {
		t.Error("the zero Timetable limits")
	}
}

func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                 `it is empty: write a rate, such as "10M", or a timetable`,
		" ; ":              `it is empty`,
		"bad":              `"bad" has the unit "bad", which is not known`,
		"10MB":             `"10MB" has the unit "MB", which is not known: write a number with K, M or G`,
		"10Mbit":           `unit "Mbit"`,
		"10Bi":             `unit "Bi"`,
		"k":                `"k" is no rate`,
		"-1":               `"-1" is no rate`,
		"+1":               `is no rate`,
		"1_0":              `is no rate`,
		"1.2.3":            `is no rate`,
		"1e3":              `is no rate`,
		"0x10":             `is no rate`,
		"inf":              `has the unit "inf"`,
		"100B":             `"100B" is below 1 KiB a second`,
		"0.5":              `below 1 KiB`,
		"2000T":            `more than any line has`,
		"1M:":              `"" is no rate`,
		":1M":              `"" is no rate`,
		"1M:fast":          `"fast" has the unit`,
		"1M 2M":            `entry "1M": it has no comma between time and rate`,
		"8:00,1M":          `entry "8:00,1M": "8:00" is no time of day: write hours and minutes with two digits`,
		"24:00,1M":         `"24:00" is no time of day`,
		"08:60,1M":         `no time of day`,
		"0800,1M":          `"0800" is no time of day`,
		"08.00,1M":         `no time of day`,
		"+8:00,1M":         `no time of day`,
		"08:00,":           `"" is no rate`,
		"08:00,1M,2M":      `is no rate`,
		"Mo-08:00,1M":      `"Mo" is no day: write Mon, Tue`,
		"Mon-Fri-08:00,1M": `"Fri-08:00" is no time of day`,
		"08:00,512k 19:00": `entry "19:00": it has no comma`,
	} {
		got, err := Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, %v, want an error with %q", text, got, err, want)
		}
	}
}

// A time of day alone would read as the pair of 8 KiB/s up and no limit down.
func TestTimeWithoutRate(t *testing.T) {
	for _, text := range []string{"08:00", "19:30"} {
		if got, err := Parse(text); err == nil || !strings.Contains(err.Error(), "is a time of day without a rate") {
			t.Errorf("Parse(%q) = %d, %v", text, got.At(time.Time{}), err)
		}
	}
}

// FuzzParse holds what every text must keep: no panic, an error that says what
// to do, and a rate at every minute of the week that was written for it.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"10M", "08:00,512k 19:00,off", "Mon-00:00,512 Fri-23:59,10M;Sun-20:00,1.5G:off", "8:00", "1M:2M", "\t;,", "Sat-,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		table, err := Parse(text)
		if err != nil {
			if !strings.Contains(err.Error(), ": ") {
				t.Fatalf("%q: an error that does not say what to do: %v", text, err)
			}
			return
		}
		again, err := Parse(table.String())
		if err != nil {
			t.Fatalf("%q reads, and not again as %q: %v", text, table, err)
		}
		start := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
		for m := 0; m < daysAWeek*minutesADay; m += 29 {
			at := start.Add(time.Duration(m) * time.Minute)
			got, want := table.At(at), Rate(-1)
			for back := range daysAWeek * minutesADay { // the latest entry before, minute by minute
				minute := (m - back + daysAWeek*minutesADay) % (daysAWeek * minutesADay)
				for _, s := range table.slots {
					if s.minute == minute {
						want = s.rate
					}
				}
				if want >= 0 {
					break
				}
			}
			if got != want || got != again.At(at) || got < 0 || got > 0 && got < least {
				t.Fatalf("%q at %v: %d, want %d, again %d", text, at, got, want, again.At(at))
			}
		}
	})
}
