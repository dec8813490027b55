package schedule

import (
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
)

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		line string
		says []string // parts of the message
	}{
		{"", []string{"empty", "0 3 * * *"}},
		{"   ", []string{"empty"}},
		{"0 3 * *", []string{"4 of the 5 fields", "day of week"}},
		{"0 0 3 * * *", []string{"6 fields", "no seconds"}},
		{"0 3 * * * acb scan", []string{"7 fields", "no command"}},
		{"60 * * * *", []string{`minute "60"`, "not between 0 and 59", "*/15"}},
		{"0 24 * * *", []string{`hour "24"`, "not between 0 and 23"}},
		{"0 0 0 * *", []string{`day of month "0"`, "not between 1 and 31"}},
		{"0 0 1 13 *", []string{`month "13"`, "not between 1 and 12"}},
		{"0 0 * * 8", []string{`day of week "8"`, "not between 0 and 7"}},
		{"0 0 * * mo", []string{`day of week "mo"`, `"mo" is not a number`}},
		{"x * * * *", []string{`minute "x"`, `"x" is not a number`}},
		{"+5 * * * *", []string{`"+5" is not a number`}},
		{"-5 * * * *", []string{"a number is missing"}},
		{"5- * * * *", []string{"a number is missing"}},
		{"1-2-3 * * * *", []string{`"2-3" is not a number`}},
		{"*-5 * * * *", []string{`minute "*-5"`, `"*" is not a number`}},
		{"1,,2 * * * *", []string{"comma"}},
		{", * * * *", []string{"comma"}},
		{"30-10 * * * *", []string{"backwards, from 30 to 10"}},
		{"*/0 * * * *", []string{"step 0 is not between 1 and 59"}},
		{"*/90 * * * *", []string{"step 90", "@every 90m"}},
		{"*/ * * * *", []string{"a number is missing"}},
		{"*/5/5 * * * *", []string{`"5/5" is not a number`}},
		{"99999999999999999999 * * * *", []string{"not a number from the field's range"}},
		{"0 0 31 2 *", []string{"no such day ever comes"}},
		{"0 0 30 feb *", []string{"no such day ever comes"}},
		{"0 0 31 4,6,9,11 *", []string{"no such day ever comes"}},
		{"TZ=UTC", []string{"nothing follows the time zone", "CRON_TZ=Europe/Berlin"}},
		{"TZ=0", []string{"nothing follows"}},
		{"CRON_TZ=Europe/Berlin", []string{"nothing follows"}},
		{"CRON_TZ=Europe/Berlin   ", []string{"nothing follows"}},
		{"CRON_TZ= 0 3 * * *", []string{"names no time zone"}},
		{"CRON_TZ=Berlin 0 3 * * *", []string{`"Berlin" is not known`, "Europe/Berlin"}},
		{"CRON_TZ=../../etc/passwd 0 3 * * *", []string{"not known"}},
		{"CRON_TZ=UTC CRON_TZ=UTC 0 3 * * *", []string{"6 fields"}},
		{"CRON_TZ=UTC @every 2h", []string{"knows no time zone"}},
		{"@every 59s", []string{"shorter than a minute", "@every 90m"}},
		{"@every 0s", []string{"shorter than a minute"}},
		{"@every -1h", []string{"shorter than a minute"}},
		{"@every 1d", []string{"not a length of time", "@every 24h"}},
		{"@every", []string{"one length of time"}},
		{"@every 1h 30m", []string{"one length of time"}},
		{"@reboot", []string{"@reboot is not known", "@daily"}},
		{"@daily 5", []string{"stands alone"}},
		{"@", []string{"not known"}},
	} {
		_, err := Parse(c.line)
		if err == nil {
			t.Errorf("Parse(%q) is accepted", c.line)
			continue
		}
		for _, part := range append(c.says, "cron line") {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("Parse(%q) = %q, without %q", c.line, err, part)
			}
		}
	}
}

// dues lists the first n due times after a start, as a person reads them.
func dues(t *testing.T, s Schedule, after time.Time, n int) string {
	t.Helper()
	var out []string
	for range n {
		after = s.Next(after)
		out = append(out, after.Format("Mon 2006-01-02 15:04 -0700"))
	}
	return strings.Join(out, "\n")
}

func must(t testing.TB, lines ...string) Schedule {
	t.Helper()
	s, err := ParseAll(lines)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParseAccepts(t *testing.T) {
	monday := time.Date(2026, time.June, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct{ line, want string }{
		{"0 3 * * *", "Tue 2026-06-02 03:00 +0000\nWed 2026-06-03 03:00 +0000"},
		{"  */20\t*  * * ?  ", "Mon 2026-06-01 12:20 +0000\nMon 2026-06-01 12:40 +0000"},
		{"50/5 12 * * *", "Mon 2026-06-01 12:50 +0000\nMon 2026-06-01 12:55 +0000"},
		{"0 0 * * 7", "Sun 2026-06-07 00:00 +0000\nSun 2026-06-14 00:00 +0000"},
		{"0 0 * * 0", "Sun 2026-06-07 00:00 +0000\nSun 2026-06-14 00:00 +0000"},
		{"0 0 * * 5-7", "Fri 2026-06-05 00:00 +0000\nSat 2026-06-06 00:00 +0000\nSun 2026-06-07 00:00 +0000\nFri 2026-06-12 00:00 +0000"},
		{"0 0 * * SAT-sun", "Sat 2026-06-06 00:00 +0000\nSun 2026-06-07 00:00 +0000\nSat 2026-06-13 00:00 +0000"},
		{"0 0 * * 3,7", "Wed 2026-06-03 00:00 +0000\nSun 2026-06-07 00:00 +0000\nWed 2026-06-10 00:00 +0000"},
		{"0 0 * * 1-7/2", "Wed 2026-06-03 00:00 +0000\nFri 2026-06-05 00:00 +0000\nSun 2026-06-07 00:00 +0000\nMon 2026-06-08 00:00 +0000"},
		{"0 0 * * 4/2", "Thu 2026-06-04 00:00 +0000\nSat 2026-06-06 00:00 +0000\nThu 2026-06-11 00:00 +0000"},
		{"0 0 * * 7/2", "Sun 2026-06-07 00:00 +0000\nSun 2026-06-14 00:00 +0000"},
		{"0 0 * * 0-7", "Tue 2026-06-02 00:00 +0000\nWed 2026-06-03 00:00 +0000"},
		{"0 0 13 * 5", "Fri 2026-06-05 00:00 +0000\nFri 2026-06-12 00:00 +0000\nSat 2026-06-13 00:00 +0000"}, // either day
		{"0 0 */10 * 4", "Thu 2026-06-11 00:00 +0000\nThu 2026-10-01 00:00 +0000"},                           // both, for the star
		{"0 0 10 * */3", "Wed 2026-06-10 00:00 +0000\nSat 2026-10-10 00:00 +0000"},
		{"0 0 1 jan-mar/2 *", "Fri 2027-01-01 00:00 +0000\nMon 2027-03-01 00:00 +0000\nSat 2028-01-01 00:00 +0000"},
		{"0 0 29 2 *", "Tue 2028-02-29 00:00 +0000\nSun 2032-02-29 00:00 +0000"},
		{"@hourly", "Mon 2026-06-01 13:00 +0000\nMon 2026-06-01 14:00 +0000"},
		{"@Daily", "Tue 2026-06-02 00:00 +0000\nWed 2026-06-03 00:00 +0000"},
		{"@midnight", "Tue 2026-06-02 00:00 +0000"},
		{"@weekly", "Sun 2026-06-07 00:00 +0000\nSun 2026-06-14 00:00 +0000"},
		{"@monthly", "Wed 2026-07-01 00:00 +0000"},
		{"@yearly", "Fri 2027-01-01 00:00 +0000"},
		{"@annually", "Fri 2027-01-01 00:00 +0000"},
		{"@every 1m", "Mon 2026-06-01 12:01 +0000\nMon 2026-06-01 12:02 +0000"},
		{"@every 90m", "Mon 2026-06-01 13:30 +0000\nMon 2026-06-01 15:00 +0000"},
		{"CRON_TZ=Europe/Berlin 0 3 * * *", "Tue 2026-06-02 01:00 +0000\nWed 2026-06-03 01:00 +0000"},
		{"TZ=America/New_York\t@daily", "Tue 2026-06-02 04:00 +0000"},
	} {
		if got := dues(t, must(t, c.line), monday, strings.Count(c.want, "\n")+1); got != c.want {
			t.Errorf("%q is due\n%s\nwant\n%s", c.line, got, c.want)
		}
	}
}

// robfig/cron panics when a zone is followed by nothing; should it ever get to
// see such a line, that is an error.
func TestPanicIsAnError(t *testing.T) {
	func() {
		defer func() {
			if recover() == nil {
				t.Error("robfig/cron no longer panics: the guard may go")
			}
		}()
		_, _ = cron.ParseStandard("TZ=UTC")
	}()
	if _, err := standard("TZ=UTC"); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("standard(TZ=UTC) = %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, line := range []string{"0 3 * * *", "*/5 8-18 * * 1-5", "0 0 31 2 *", "0 0 * * 5-7", "TZ=UTC", "CRON_TZ=Europe/Berlin 30 2 * * *",
		"@every 90m", "@every -1h", "@daily", "1,,2 * * * *", "59/59 23 29 2 7", "0 0 29 feb *", "CRON_TZ=Australia/Lord_Howe */7 * * * *"} {
		f.Add(line, int64(1774746000)) // an hour before clocks change in Berlin
	}
	zones := zones(f)
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		const from, to = -5_000_000_000, 8_000_000_000 // the years 1811 to 2223
		after := time.Unix(from+int64(uint64(unix)%(to-from)), 0).In(zones[uint64(unix)%uint64(len(zones))])
		for range 3 {
			next := s.Next(after)
			if !next.After(after) {
				t.Fatalf("%q: after %v comes %v", text, after, next)
			}
			if between := next.Add(-time.Second); !s.lines[0].every && between.After(after) && !s.Next(between).Equal(next) {
				t.Fatalf("%q: after %v comes %v, but after %v comes %v", text, after, next, between, s.Next(between))
			}
			after = next
		}
	})
}
