package restore

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// nonBlock: what blocks an open on Unix cannot take a file's place here.
const nonBlock = 0

// mkdir makes a folder.
func mkdir(root *os.Root, name string) error { return root.Mkdir(name, 0o700) }

// setLinkTime leaves a symlink the time at which it was made: os.Root gives
// no handle of a link itself.
func setLinkTime(*os.Root, string, time.Time) error { return nil }

// diskFull reports whether an error is that of a disk or quota without room.
func diskFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) ||
		errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED)
}
