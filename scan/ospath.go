package scan

import (
	"fmt"
	"path"
	"strings"

	"github.com/autocloudbackup/acb/manifest"
)

// How Windows writes paths. Drives and shares lie side by side, with nothing
// above them on disk: C:\Users is "C/Users", \\srv\share\x "UNC/srv/share/x".
// These functions hold on every system, so that they are tested on each.
// Source: Microsoft, "File path formats on Windows systems".

// windowsPathOf returns the Path of an absolute path on Windows.
func windowsPathOf(abs string) (manifest.Path, error) {
	p := strings.ReplaceAll(abs, `\`, "/")
	if long, ok := strings.CutPrefix(p, "//?/UNC/"); ok {
		p = "//" + long
	} else {
		p = strings.TrimPrefix(p, "//?/")
	}
	if share, ok := strings.CutPrefix(p, "//"); ok {
		names := strings.SplitN(share, "/", 3)
		if len(names) < 2 || names[0] == "" || names[0] == "." || names[0] == "?" || names[1] == "" {
			return "", fmt.Errorf("path %q: it names no share", abs)
		}
		return below("UNC/"+names[0]+"/"+names[1], names[2:]), nil
	}
	if len(p) < 3 || p[1:3] != ":/" || !isLetter(p[0]) {
		return "", fmt.Errorf("path %q: not absolute", abs)
	}
	return below(strings.ToUpper(p[:1]), []string{p[3:]}), nil
}

// below returns the Path of what is in a volume; nothing leads out of that.
func below(volume string, rest []string) manifest.Path {
	return manifest.Path(strings.TrimSuffix(volume+path.Clean("/"+strings.Join(rest, "/")), "/"))
}

// windowsPath returns a Path as Windows writes it. That of what lies above all
// drives is "".
func windowsPath(p manifest.Path) string {
	volume, rest, _ := strings.Cut(string(p), "/")
	rest = strings.ReplaceAll(rest, "/", `\`)
	switch volume {
	case "":
		return ""
	case "UNC":
		return `\\` + rest
	}
	return volume + `:\` + rest
}

// windowsVolume reports whether a Path is a drive or a share, or lies above
// them.
func windowsVolume(p manifest.Path) bool {
	names := strings.Split(string(p), "/")
	return len(names) == 1 || names[0] == "UNC" && len(names) <= 3
}

func isLetter(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }
