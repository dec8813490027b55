package scan

import (
	"testing"

	"github.com/autocloudbackup/acb/manifest"
)

// A spelling is a path as a system may write it, and what comes of it.
type spelling struct {
	abs  string
	path manifest.Path
	back string // as OSPath writes it
}

func demandPaths(t *testing.T, of func(string) (manifest.Path, error), back func(manifest.Path) string, good []spelling, bad []string) {
	t.Helper()
	for _, c := range good {
		got, err := of(c.abs)
		if err != nil || got != c.path {
			t.Errorf("PathOf(%q) = %q, %v; want %q", c.abs, got, err, c.path)
			continue
		}
		if s := back(got); s != c.back {
			t.Errorf("%q goes out as %q, want %q", c.abs, s, c.back)
		}
		if again, err := of(back(got)); err != nil || again != got {
			t.Errorf("%q goes out as %q and comes back as %q, %v", got, back(got), again, err)
		}
	}
	for _, abs := range bad {
		if p, err := of(abs); err == nil {
			t.Errorf("PathOf(%q) = %q", abs, p)
		}
	}
}

func TestWindowsPathOf(t *testing.T) {
	demandPaths(t, windowsPathOf, windowsPath, []spelling{
		{`C:\`, "C", `C:\`},
		{`c:/`, "C", `C:\`},
		{`C:\\`, "C", `C:\`},
		{`C:\..`, "C", `C:\`},
		{`D:\data`, "D/data", `D:\data`},
		{`c:\Users\ana`, "C/Users/ana", `C:\Users\ana`},
		{`C:\Users\..\Users\.\ana\\`, "C/Users/ana", `C:\Users\ana`},
		{`\\?\C:\Users\ana`, "C/Users/ana", `C:\Users\ana`},
		{`\\?\C:\`, "C", `C:\`},
		{`\\srv\share`, "UNC/srv/share", `\\srv\share`},
		{`\\srv\share\`, "UNC/srv/share", `\\srv\share`},
		{`\\srv\share\x`, "UNC/srv/share/x", `\\srv\share\x`},
		{`\\srv\share\..\..\x`, "UNC/srv/share/x", `\\srv\share\x`},
		{`//srv/share/x`, "UNC/srv/share/x", `\\srv\share\x`},
		{`\\?\UNC\srv\share\x\y`, "UNC/srv/share/x/y", `\\srv\share\x\y`},
	}, []string{"", `\home`, `home`, `C:`, `C:x`, `1:\x`, `\\srv`, `\\srv\`, `\\.\pipe\x`, `\\?\Volume{0}\x`, `\\.\C:\`, `/x`})
	if got := windowsPath(""); got != "" {
		t.Errorf("above all drives is %q", got)
	}
	for p, want := range map[manifest.Path]bool{
		"": true, "C": true, "C/Users": false, "UNC": true, "UNC/srv": true, "UNC/srv/share": true, "UNC/srv/share/x": false,
	} {
		if windowsVolume(p) != want {
			t.Errorf("windowsVolume(%q) = %v", p, !want)
		}
	}
}
