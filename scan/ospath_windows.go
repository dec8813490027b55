package scan

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/autocloudbackup/acb/manifest"
)

// PathOf returns the Path of an absolute path as Windows writes it: C:\Users
// is "C/Users", \\srv\share\x is "UNC/srv/share/x".
func PathOf(abs string) (manifest.Path, error) {
	p := filepath.Clean(abs)
	if long, ok := strings.CutPrefix(p, `\\?\UNC\`); ok {
		p = `\\` + long
	} else {
		p = strings.TrimPrefix(p, `\\?\`)
	}
	switch vol := filepath.VolumeName(p); {
	case strings.HasPrefix(vol, `\\`) && !strings.HasPrefix(vol, `\\.\`):
		p = "UNC" + p[1:]
	case len(vol) == 2 && filepath.IsAbs(p):
		p = strings.ToUpper(p[:1]) + p[2:]
	default:
		return "", fmt.Errorf("path %q: not absolute", abs)
	}
	return manifest.Path(strings.TrimRight(filepath.ToSlash(p), "/")), nil
}

// OSPath returns a Path as Windows writes it.
func OSPath(p manifest.Path) string {
	volume, rest, _ := strings.Cut(string(p), "/")
	if volume == "UNC" {
		return `\\` + filepath.FromSlash(rest)
	}
	return volume + `:\` + filepath.FromSlash(rest)
}
