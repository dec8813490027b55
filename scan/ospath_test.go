package scan

import (
	"runtime"
	"testing"

	"github.com/autocloudbackup/acb/manifest"
)

func TestPathOf(t *testing.T) {
	cases := map[string]manifest.Path{
		"/":             "",
		"/home/ana":     "home/ana",
		"/home//ana/./": "home/ana",
		"/a b/\xff\n":   "a b/\xff\n",
	}
	relative := "home/ana"
	if runtime.GOOS == "windows" {
		relative = `\home`
		cases = map[string]manifest.Path{
			`C:\`:                     "C",
			`c:\Users\ana`:            "C/Users/ana",
			`\\srv\share\x`:           "UNC/srv/share/x",
			`\\?\C:\Users\ana`:        "C/Users/ana",
			`\\?\UNC\srv\share\x\y`:   "UNC/srv/share/x/y",
			`C:\Users\..\Users\ana\\`: "C/Users/ana",
		}
	}
	for abs, want := range cases {
		got, err := PathOf(abs)
		if err != nil || got != want {
			t.Errorf("PathOf(%q) = %q, %v; want %q", abs, got, err, want)
			continue
		}
		if back, err := PathOf(OSPath(got)); err != nil || back != got {
			t.Errorf("%q goes out as %q and comes back as %q, %v", got, OSPath(got), back, err)
		}
	}
	if p, err := PathOf(relative); err == nil {
		t.Errorf("PathOf(%q) = %q", relative, p)
	}
}
