package restore

import (
	"os"

	"golang.org/x/sys/unix"
)

// beginWriteback has n bytes of f, from an offset on, written to the disk, and
// does not wait for it. Errors show when the file is made durable.
// Source: sync_file_range(2)
func beginWriteback(f *os.File, from, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), from, n, unix.SYNC_FILE_RANGE_WRITE)
}
