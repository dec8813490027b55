package schedule

import "time"

// wallOf is what a clock at t's location shows, written as a UTC time, so that
// arithmetic on it meets no change of clocks.
func wallOf(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// widest is more than any offset from UTC ever kept by a place: about 16 hours
// in the local mean times of the 19th century.
// Source: the IANA time zone database, Asia/Manila and America/Juneau.
const widest = 26 * time.Hour

// firstShown is the first instant at which clocks in loc show the wall clock
// time w (in UTC form) or a later one. If w comes twice, that is its first
// coming; if clocks jump over w, it is the instant of the jump.
//
// time.Date is no help here: in both cases it may return either side.
func firstShown(w time.Time, loc *time.Location) time.Time {
	at := w.Add(-widest).In(loc)
	for {
		_, offset := at.Zone()
		start, end := at.ZoneBounds()
		t := w.Add(-time.Duration(offset) * time.Second)
		if !start.IsZero() && t.Before(start) {
			t = start
		}
		if end.IsZero() || t.Before(end) {
			return t.In(loc)
		}
		at = end
	}
}
