package main

import "github.com/autocloudbackup/acb/internal/bwlimit"

const bwlimitUsage = "send no faster than this `rate` or timetable, such as 10M or \"08:00,512k 19:00,off\" (default: [limits] upload)"

// A bwlimitFlag is --bwlimit, which stands in for [limits] upload.
type bwlimitFlag struct {
	bwlimit.Timetable
	given bool
}

// Set reads the flag.
func (f *bwlimitFlag) Set(text string) (err error) {
	f.Timetable, err = bwlimit.Parse(text)
	f.given = err == nil
	return err
}

// Type names what follows the flag.
func (f *bwlimitFlag) Type() string { return "rate" }
