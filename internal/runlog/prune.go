package runlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Keep says which logs Prune leaves.
type Keep struct {
	Age   time.Duration // older runs go; 0 means no limit
	Count int           // beyond so many, the oldest go; 0 means no limit
}

// idle is how long a log must have been silent before Prune takes it, as
// another process may still be writing to it.
const idle = 24 * time.Hour

// Prune removes logs of old runs from dir and tells how many. A file is one of
// ours only if its name is a run's ID; all else is left alone, and so are the
// log of the run inUse and logs written to within a day. One file that cannot
// be removed does not keep the others; the errors are joined.
func Prune(dir string, keep Keep, inUse ID, now time.Time) (removed int, err error) {
	ids, err := Logs(dir)
	if err != nil {
		return 0, err
	}
	slices.Reverse(ids) // newest first
	var errs []error
	for i, id := range ids {
		began, _ := id.Time()
		tooOld := keep.Age > 0 && now.Sub(began) > keep.Age
		tooMany := keep.Count > 0 && i >= keep.Count
		if id == inUse || !tooOld && !tooMany {
			continue
		}
		gone, err := removeIdle(filepath.Join(dir, string(id)+suffix), now)
		if err != nil {
			errs = append(errs, fmt.Errorf("prune run logs: %w", err))
		}
		if gone {
			removed++
		}
	}
	return removed, errors.Join(errs...)
}

// removeIdle removes a log unless it was written to of late. One that another
// process has pruned meanwhile is no error.
func removeIdle(path string, now time.Time) (gone bool, err error) {
	info, err := os.Lstat(path)
	if err == nil {
		if now.Sub(info.ModTime()) < idle {
			return false, nil
		}
		err = os.Remove(path)
	}
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
