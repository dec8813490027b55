package backup

import (
	"errors"
	"fmt"
	"os"
)

// errElsewhere says that a source's folder is another one than when the run
// began, as when its disk was unmounted meanwhile.
var errElsewhere = errors.New("the source is not the one that was scanned any more")

// lookAtRoots remembers what the sources are before they are scanned. One that
// cannot be looked at is nil; the scan says why.
func (r *run) lookAtRoots() {
	r.roots = make([]os.FileInfo, len(r.Backup.Sources))
	for i, s := range r.Backup.Sources {
		if info, err := os.Stat(s.Root); err == nil {
			r.roots[i] = info
		}
	}
}

// rootStands returns nil if a source is still what was scanned: only then does
// it mean anything that something in it is not there. Outside of all sources
// (below 0) there is nothing to compare.
func (r *run) rootStands(source int) error {
	if source < 0 {
		return nil
	}
	now, err := os.Stat(r.Backup.Sources[source].Root)
	if err != nil {
		return fmt.Errorf("look at the source again: %w", err)
	}
	// A source that is a file is often replaced when it is saved.
	if was := r.roots[source]; was == nil || was.IsDir() && !os.SameFile(was, now) {
		return errElsewhere
	}
	return nil
}
