package scan

import "github.com/autocloudbackup/acb/manifest"

// PathOf returns the Path of an absolute path as Windows writes it: C:\Users
// is "C/Users", \\srv\share\x is "UNC/srv/share/x".
func PathOf(abs string) (manifest.Path, error) { return windowsPathOf(abs) }

// OSPath returns a Path as Windows writes it, "" for what lies above all drives.
func OSPath(p manifest.Path) string { return windowsPath(p) }

// IsVolume reports whether nothing can be put beside a Path: a drive, a share,
// and what lies above them.
func IsVolume(p manifest.Path) bool { return windowsVolume(p) }
