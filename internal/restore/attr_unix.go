//go:build unix

package restore

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// nonBlock keeps an open from waiting at a pipe that has taken a file's place.
const nonBlock = unix.O_NONBLOCK

// mkdir makes a folder that has the mode unfinished from its first moment,
// where the system does that: Linux does.
func mkdir(root *os.Root, name string) error {
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	if err := unix.Mkdirat(int(d.Fd()), name, 0o1700); err != nil {
		return &fs.PathError{Op: "mkdirat", Path: name, Err: err}
	}
	return nil
}

// setLinkTime sets the time of a symlink itself. File systems that keep none
// are forgiven.
func setLinkTime(root *os.Root, name string, at time.Time) error {
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	ts, err := unix.TimeToTimespec(at)
	if err != nil {
		return err
	}
	err = unix.UtimesNanoAt(int(d.Fd()), name, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return err
}

// diskFull reports whether an error is that of a disk or quota without room.
func diskFull(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }
