package drivetest

import (
	"fmt"
	"os"
	"syscall"
)

// lockFile takes the folder for this process. On Windows a file opened
// without any sharing cannot be opened twice, and the system closes it when
// the process ends.
func lockFile(path string) (*os.File, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, fmt.Errorf("lock %s: in use by another process: %w", path, err)
	}
	return os.NewFile(uintptr(h), path), nil
}

// replaceFile puts the journal fresh in the place of old. Windows replaces no
// file that is open, so both are closed for the moment of the renaming.
func replaceFile(old, fresh *journal) error {
	if err := fresh.f.Close(); err != nil {
		return err
	}
	old.f.Close()
	renamed := os.Rename(fresh.path+".new", old.path)
	f, err := os.OpenFile(old.path, os.O_RDWR|os.O_APPEND, 0o600)
	if renamed != nil {
		old.f, old.err = f, err
		return renamed
	}
	fresh.f, fresh.err = f, err
	return nil
}
