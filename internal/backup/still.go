package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/scan"
)

// still makes the last look at the disk before a trash: what the scan saw
// absent must be absent now, in a source that is there. Something that has
// taken its place does not count.
func (r *run) still() func(*plan.Op) error {
	if r.edit != nil {
		return func(*plan.Op) error { return nil } // the user has said so, whatever is on disk
	}
	// Places that something else has taken since. Most runs trash nothing and
	// need none of them.
	taken := make(map[manifest.Path]bool)
	if last := r.planned.Stages[len(r.planned.Stages)-1]; last[0].Kind.Trashes() {
		for _, stage := range r.planned.Stages {
			for _, op := range stage {
				if !op.Kind.Trashes() {
					taken[op.Path] = true
				}
			}
		}
	}
	var mu sync.Mutex // one goroutine at a time reads the manifest
	return func(op *plan.Op) error {
		if err := r.rootStands(op.Sources[0]); err != nil {
			return err
		}
		for at := op.Path; at != ""; at, _ = at.Split() {
			if taken[at] {
				return nil
			}
		}
		now, err := os.Lstat(scan.OSPath(op.Path))
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
			return nil
		case err != nil:
			return fmt.Errorf("look again: %w", err)
		case now.IsDir() != (op.Kind == plan.TrashFolder):
			return nil // something else has taken its place, and is hidden
		}
		mu.Lock()
		defer mu.Unlock()
		other, err := r.replaced(op)
		if err != nil {
			return fmt.Errorf("look again: %w", err)
		}
		if !other {
			return errors.New("it is there again")
		}
		return nil
	}
}

// replaced reports whether the manifest has something else in the place of
// what op trashes, or of a folder above it: a run that was interrupted has put
// it there and had not come to the trash.
func (r *run) replaced(op *plan.Op) (bool, error) {
	known, err := r.Store.Reader()
	if err != nil {
		return false, err
	}
	defer known.Close()
	at, name, id := op.Parent, op.Name, op.FileID
	for {
		in, ok, err := known.Row(at)
		if err != nil || !ok {
			return false, err
		}
		files, err := known.Entries(in)
		if err != nil {
			return false, err
		}
		for _, e := range files {
			if e.Name == name && e.FileID != id {
				return true, nil
			}
		}
		folders, err := known.Children(at)
		if err != nil {
			return false, err
		}
		for _, f := range folders {
			if f.Name == name && f.FileID != id {
				return true, nil
			}
		}
		if at == manifest.Root {
			return false, nil
		}
		at, name, id = in.Parent, in.Name, in.FileID
	}
}
