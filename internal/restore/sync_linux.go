package restore

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// syncFile does nothing: disks make all files durable at once, which costs a
// restore of many small files less than it costs to wait for each.
func syncFile(*os.File) error { return nil }

// disks are the file systems that a run writes to.
type disks struct {
	mu   sync.Mutex
	open map[uint64]*os.File // a folder on each, by its device
}

// meet takes in the file system of a folder.
func (d *disks) meet(root *os.Root, st fs.FileInfo) error {
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("no device is known of it")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	dev := uint64(sys.Dev)
	if d.open[dev] != nil {
		return nil
	}
	f, err := root.Open(".")
	if err != nil {
		return err
	}
	if d.open == nil {
		d.open = map[uint64]*os.File{}
	}
	d.open[dev] = f
	return nil
}

// sync makes all that was written to the file systems durable.
func (d *disks) sync() error {
	d.mu.Lock()
	all := slices.Collect(maps.Values(d.open))
	d.mu.Unlock()
	var err error
	for _, f := range all {
		err = errors.Join(err, unix.Syncfs(int(f.Fd())))
	}
	return err
}

func (d *disks) close() {
	for _, f := range d.open {
		f.Close()
	}
}
