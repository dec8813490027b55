//go:build !linux

package restore

import "os"

// beginWriteback leaves it to the system when it writes.
func beginWriteback(*os.File, int64, int64) {}
