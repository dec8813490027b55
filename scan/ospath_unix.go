//go:build !windows

package scan

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/autocloudbackup/acb/manifest"
)

// PathOf returns the Path of an absolute path as the system writes it.
func PathOf(abs string) (manifest.Path, error) {
	if !filepath.IsAbs(abs) {
		return "", fmt.Errorf("path %q: not absolute", abs)
	}
	return manifest.Path(strings.TrimPrefix(filepath.Clean(abs), "/")), nil
}

// OSPath returns a Path as the system writes it.
func OSPath(p manifest.Path) string { return "/" + string(p) }

// IsVolume reports whether nothing can be put beside a Path: it is the root.
func IsVolume(p manifest.Path) bool { return p == "" }
