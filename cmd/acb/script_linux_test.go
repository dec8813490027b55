package main

import (
	"fmt"
	"os"
	"os/exec"
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
//	disk fat DIR          mounts one with FAT: no modes, no links, no case
func diskCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: disk new DIR BYTES | fill DIR FREE | ro DIR | rw DIR | fat DIR")
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
	case "fat":
		ts.Check(os.MkdirAll(dir, 0o700))
		ts.Check(mountFAT(dir+".img", dir))
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

// mountFAT makes a small file system in an image and mounts it: by the kernel
// where that can, else by fusefat.
func mountFAT(image, dir string) error {
	if err := os.WriteFile(image, make([]byte, 4<<20), 0o600); err != nil {
		return err
	}
	if out, err := exec.Command("mkfs.vfat", image).CombinedOutput(); err != nil {
		return fmt.Errorf("mkfs.vfat: %w: %s", err, out)
	}
	if exec.Command("mount", "-o", "loop,utf8", "-t", "vfat", image, dir).Run() == nil {
		return nil
	}
	if out, err := exec.Command("fusefat", "-o", "rw+", image, dir).CombinedOutput(); err != nil {
		return fmt.Errorf("fusefat: %w: %s", err, out)
	}
	return nil
}

// canFAT reports whether this process may mount a file system with FAT.
func canFAT() bool {
	dir, err := os.MkdirTemp("", "acb-fat-")
	if err != nil {
		return false
	}
	defer os.RemoveAll(dir)
	at := filepath.Join(dir, "at")
	if os.Mkdir(at, 0o700) != nil || mountFAT(at+".img", at) != nil {
		return false
	}
	return syscall.Unmount(at, 0) == nil
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
