package scan

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// nonBlock: Windows has no files whose opening waits for somebody.
const nonBlock = 0

// lstatTellsInode: the number of a file is known only of an open handle, which
// would cost one more call for each file. Folders are open anyway.
const lstatTellsInode = false

func (st *info) setSys(fi fs.FileInfo) {
	if raw, ok := fi.Sys().(*syscall.Win32FileAttributeData); ok && fi.IsDir() {
		st.birth = raw.CreationTime.Nanoseconds()
	}
}

func statFile(f *os.File, st *info) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	st.set(fi)
	var raw windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &raw); err != nil {
		return fmt.Errorf("get file information: %w", err)
	}
	st.dev = uint64(raw.VolumeSerialNumber)
	st.Inode = uint64(raw.FileIndexHigh)<<32 | uint64(raw.FileIndexLow)
	if fi.IsDir() {
		st.birth = (&syscall.Filetime{LowDateTime: raw.CreationTime.LowDateTime, HighDateTime: raw.CreationTime.HighDateTime}).Nanoseconds()
	}
	return nil
}

// fileSystemOf tells a volume by its serial number. File numbers last on NTFS
// and ReFS; FAT makes them up from places on the disk.
func fileSystemOf(f *os.File) fileSystem {
	var serial uint32
	var name [windows.MAX_PATH + 1]uint16
	if windows.GetVolumeInformationByHandle(windows.Handle(f.Fd()), nil, 0, &serial, nil, nil, &name[0], uint32(len(name))) != nil {
		return fileSystem{}
	}
	kind := windows.UTF16ToString(name[:])
	return fileSystem{identity: fmt.Sprintf("serial:%08x", serial), stable: kind == "NTFS" || kind == "ReFS"}
}
