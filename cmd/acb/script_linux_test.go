package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// diskCommand gives a script a disk of its own, in memory:
//
//	disk new DIR BYTES    mounts one, as large as 4096 divides it
//	disk fill DIR FREE    fills it but for so many bytes, with DIR/ballast
//	disk ro|rw DIR        makes it read-only, or writable again
func diskCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: disk new DIR BYTES | fill DIR FREE | ro DIR | rw DIR")
	}
	dir := ts.MkAbs(args[1])
	var n int64
	var err error
	if len(args) == 3 {
		n, err = strconv.ParseInt(args[2], 10, 64)
		ts.Check(err)
	}
	switch args[0] {
	case "new":
		ts.Check(os.MkdirAll(dir, 0o700))
		ts.Check(syscall.Mount("acb-test", dir, "tmpfs", 0, fmt.Sprint("size=", n)))
		ts.Defer(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	case "fill":
		os.Remove(filepath.Join(dir, "ballast"))
		var st syscall.Statfs_t
		ts.Check(syscall.Statfs(dir, &st))
		ts.Check(os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, max(int64(st.Bavail)*st.Bsize-n, 0)), 0o600))
	case "ro":
		ts.Check(syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	case "rw":
		ts.Check(syscall.Mount("", dir, "", syscall.MS_REMOUNT, ""))
	default:
		ts.Fatalf("disk: no such subcommand: %s", args[0])
	}
}

// canMount reports whether this process may mount a disk.
func canMount() bool {
	dir, err := os.MkdirTemp("", "acb-disk-")
	if err != nil {
		return false
	}
	defer os.Remove(dir)
	if syscall.Mount("acb-test", dir, "tmpfs", 0, "size=4096") != nil {
		return false
	}
	return syscall.Unmount(dir, 0) == nil
}
