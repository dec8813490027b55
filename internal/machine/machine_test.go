package machine

import (
	"strings"
	"testing"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"b08dfa6083e7567a1921a715000001fb\n":     "b08dfa6083e7567a1921a715000001fb",
		"564D8F3A-1C5E-4B7A-9D2F-0A1B2C3D4E5F":   "564d8f3a-1c5e-4b7a-9d2f-0a1b2c3d4e5f",
		"":                                       "",
		"uninitialized\n":                        "",
		"00000000000000000000000000000000\n":     "",
		"00000000-0000-0000-0000-000000000000":   "",
		"not available on this system, sorry!!!": "",
		"b08dfa":                                 "",
	} {
		if got := clean(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// An id stays, differs by purpose, and does not show the system's own.
func TestID(t *testing.T) {
	a, b := ID("one"), ID("two")
	if own := clean(read()); own == "" {
		if a != "" {
			t.Errorf("%q of a machine without an id", a)
		}
		t.Skip("this system has no machine id")
	} else if strings.Contains(a, own) || strings.Contains(own, a) {
		t.Error("the system's own id shows")
	}
	if a == "" || a == b || a != ID("one") {
		t.Errorf("%q, %q, %q", a, b, ID("one"))
	}
}
