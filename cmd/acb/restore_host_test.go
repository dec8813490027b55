package main

import "testing"

func TestTheirs(t *testing.T) {
	for arg, want := range map[string]string{
		"/home/ana/x": "home/ana/x", "home/ana/x": "home/ana/x", "/": "", "/home//ana/": "home/ana", "/../x": "x",
		`C:\Users\ana`: "C/Users/ana", "c:/Users": "C/Users", "C/Users": "C/Users", `\\nas\share\x`: "UNC/nas/share/x",
		`/odd\name`: `odd\name`,
	} {
		if got, err := theirs(arg); string(got) != want || err != nil {
			t.Errorf("theirs(%q) = %q, %v, want %q", arg, got, err, want)
		}
	}
}
