package scan

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// nonBlock keeps the opening of a pipe from waiting for its other end.
const nonBlock = unix.O_NONBLOCK

// lstatTellsInode: an lstat tells the inode number of a file.
const lstatTellsInode = true

func (st *info) setSys(fi fs.FileInfo) {
	raw, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return
	}
	st.Inode, st.dev = raw.Ino, uint64(uint32(raw.Dev))
	st.CTime = raw.Ctimespec.Nano()
	st.owner = raw.Uid
	if fi.IsDir() {
		st.birth = raw.Birthtimespec.Nano()
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

// fileSystemOf tells a volume by its UUID, or by its type and device.
func fileSystemOf(f *os.File) fileSystem {
	var st unix.Statfs_t
	if unix.Fstatfs(int(f.Fd()), &st) != nil {
		return fileSystem{}
	}
	kind := unix.ByteSliceToString(st.Fstypename[:])
	out := fileSystem{stable: kind == "apfs" || kind == "hfs"}
	if out.identity = volumeUUID(int(f.Fd())); out.identity == "" {
		out.identity = fmt.Sprintf("%s:%s", kind, unix.ByteSliceToString(st.Mntfromname[:]))
	}
	return out
}

// volumeUUID asks for the UUID of the volume that a file is on.
// Source: getattrlist(2), sys/attr.h.
func volumeUUID(n int) string {
	const (
		bitmapCount = 5
		volInfo     = 0x80000000
		volUUID     = 0x00040000
	)
	attrs := struct {
		count, reserved               uint16
		common, vol, dir, file, forks uint32
	}{count: bitmapCount, vol: volInfo | volUUID}
	var out struct {
		size uint32
		uuid [16]byte
	}
	_, _, errno := unix.Syscall6(unix.SYS_FGETATTRLIST, uintptr(n), uintptr(unsafe.Pointer(&attrs)),
		uintptr(unsafe.Pointer(&out)), unsafe.Sizeof(out), 0, 0)
	if errno != 0 || out.size < uint32(unsafe.Sizeof(out)) || out.uuid == [16]byte{} {
		return ""
	}
	return "uuid:" + hex.EncodeToString(out.uuid[:])
}
