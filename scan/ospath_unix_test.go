//go:build !windows

package scan

import (
	"testing"

	"github.com/autocloudbackup/acb/manifest"
)

func TestPathOf(t *testing.T) {
	demandPaths(t, PathOf, OSPath, []spelling{
		{"/", "", "/"},
		{"/data", "data", "/data"},
		{"/home/ana", "home/ana", "/home/ana"},
		{"/home//ana/./", "home/ana", "/home/ana"},
		{"/../data", "data", "/data"},
		{"/a b/\xff\n", "a b/\xff\n", "/a b/\xff\n"},
		{`/C:\Users`, `C:\Users`, `/C:\Users`},
	}, []string{"", "home/ana", "./x", `C:\Users`})
	for p, want := range map[manifest.Path]bool{"": true, "data": false, "home/ana": false} {
		if IsVolume(p) != want {
			t.Errorf("IsVolume(%q) = %v", p, !want)
		}
	}
}
