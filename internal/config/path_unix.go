//go:build !windows

package config

import (
	"fmt"
	"io/fs"
)

// checkPath has nothing to refuse: a path is absolute or relative.
func checkPath(string) error { return nil }

// checkMode refuses a configuration that everybody may write: it says what
// leaves this machine and to which server it goes, tokens included.
func checkMode(file string, info fs.FileInfo) error {
	if info.Mode().IsRegular() && info.Mode()&0o002 != 0 {
		return fmt.Errorf("read configuration: %s may be changed by every user of this machine: run chmod o-w on it", file)
	}
	return nil
}
