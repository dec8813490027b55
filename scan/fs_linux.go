//go:build linux && (amd64 || arm64)

package scan

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stableTypes are the file systems that keep inode numbers and change times
// across mounts, by their magic number in statfs(2). On others, such as
// network and FUSE file systems and FAT, both are left out of comparisons.
// Source: linux/magic.h; for overlayfs, the kernel's overlayfs.rst, "Inode
// properties": a number that does change costs a read, never a loss.
var stableTypes = map[int64]string{
	unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs",
	unix.TMPFS_MAGIC: "tmpfs", unix.F2FS_SUPER_MAGIC: "f2fs", unix.OVERLAYFS_SUPER_MAGIC: "overlay",
	0x2fc12fc1: "zfs", 0xca451a4e: "bcachefs",
}

func (linux) fileSystem(d dir) fileSystem {
	n := int(d.(fd))
	var st unix.Statfs_t
	if unix.Fstatfs(n, &st) != nil {
		return fileSystem{}
	}
	name, stable := stableTypes[int64(st.Type)]
	id := fsUUID(n)
	if id == "" {
		id = mountIdentity(n)
	}
	if id == "" && name != "" {
		id = fmt.Sprintf("%s:%x", name, uint64(uint32(st.Fsid.Val[0]))<<32|uint64(uint32(st.Fsid.Val[1])))
	}
	if name == "btrfs" && id != "" {
		// Each subvolume numbers its inodes from the start.
		id += fmt.Sprintf(":%d", btrfsSubvolume(n))
	}
	return fileSystem{identity: id, stable: stable}
}

// fsUUID asks the kernel for the file system's UUID (since Linux 6.9).
// Source: linux/fs.h, FS_IOC_GETFSUUID = _IOR(0x15, 0, struct fsuuid2), which
// is a length byte and 16 bytes.
func fsUUID(n int) string {
	const getUUID = 0x80111500
	var u struct {
		size uint8
		uuid [16]byte
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(n), getUUID, uintptr(unsafe.Pointer(&u))); errno != 0 || int(u.size) > len(u.uuid) {
		return ""
	}
	if bytes.Equal(u.uuid[:], make([]byte, 16)) {
		return ""
	}
	return "uuid:" + hex.EncodeToString(u.uuid[:u.size])
}

// btrfsSubvolume returns the number of the subvolume that a folder is in.
// Source: linux/btrfs.h, BTRFS_IOC_INO_LOOKUP = _IOWR(0x94, 18, 4096 bytes):
// tree id 0 is that of the handle, object id 256 a subvolume's first.
func btrfsSubvolume(n int) uint64 {
	const inoLookup = 0xd0009412
	var args struct {
		tree, object uint64
		name         [4080]byte
	}
	args.object = 256
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(n), inoLookup, uintptr(unsafe.Pointer(&args))); errno != 0 {
		return 0
	}
	return args.tree
}

// mountIdentity tells a file system by its line in mountinfo: by the UUID of
// the device that it is on, or by its type and source; an overlay by its upper
// folder. What has none of these, such as tmpfs, is told by the mount's number
// and the boot, which is right until it is unmounted.
// Source: proc_pid_mountinfo(5).
func mountIdentity(n int) string {
	var st unix.Statx_t
	if unix.Statx(n, "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS, &st) != nil {
		return ""
	}
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	dev := fmt.Sprintf("%d:%d", st.Dev_major, st.Dev_minor)
	for line := range strings.Lines(string(b)) {
		head, tail, ok := strings.Cut(line, " - ")
		fields, after := strings.Fields(head), strings.Fields(tail)
		if !ok || len(fields) < 5 || len(after) < 2 || fields[2] != dev {
			continue
		}
		kind, source := after[0], after[1]
		switch {
		case kind == "overlay" && len(after) > 2:
			for opt := range strings.SplitSeq(after[2], ",") {
				if upper, ok := strings.CutPrefix(opt, "upperdir="); ok {
					return "overlay:" + upper
				}
			}
		case strings.HasPrefix(source, "/dev/"):
			if id := deviceUUID(source); id != "" {
				return "uuid:" + strings.ToLower(strings.ReplaceAll(id, "-", "")) // as the kernel tells it
			}
			return kind + ":" + source
		case strings.ContainsAny(source, ":/"):
			return kind + ":" + source // a server's export
		}
		boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
		return kind + ":" + dev + ":" + strings.TrimSpace(string(boot))
	}
	return ""
}

// deviceUUID finds the UUID of the file system on a device, without asking it.
func deviceUUID(device string) string {
	const byUUID = "/dev/disk/by-uuid"
	real, err := filepath.EvalSymlinks(device)
	if err != nil {
		return ""
	}
	links, err := os.ReadDir(byUUID)
	if err != nil {
		return ""
	}
	for _, l := range links {
		if at, err := filepath.EvalSymlinks(filepath.Join(byUUID, l.Name())); err == nil && at == real {
			return l.Name()
		}
	}
	return ""
}
