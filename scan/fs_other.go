//go:build !windows && !darwin && !(linux && (amd64 || arm64))

package scan

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Systems that acb is not made for, and 32-bit Linux, get along with names,
// sizes and times: nothing is said of their file systems, which are so taken
// for ones that keep no inode numbers.

const (
	nonBlock        = unix.O_NONBLOCK
	lstatTellsInode = true
)

func (st *info) setSys(fi fs.FileInfo) {
	if raw, ok := fi.Sys().(*syscall.Stat_t); ok {
		st.Inode, st.dev = uint64(raw.Ino), uint64(raw.Dev)
		st.owner = raw.Uid
	}
}

func statFile(f *os.File, st *info) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	st.set(fi)
	return nil
}

func fileSystemOf(*os.File) fileSystem { return fileSystem{} }
