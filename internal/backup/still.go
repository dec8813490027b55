package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
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
	known := knownNames{run: r}
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
		other, err := known.replaced(op)
		if err != nil {
			return fmt.Errorf("look again: %w", err)
		}
		if !other {
			return errors.New("it is there again")
		}
		return nil
	}
}

// knownNames are what the manifest has in the folder that was asked for last,
// for most that is trashed alone lies together, and in those above it.
type knownNames struct {
	*run
	mu      sync.Mutex
	last    manifest.FolderID
	folders map[manifest.FolderID]knownFolder
}

type knownFolder struct {
	manifest.Folder
	ids map[string][]manifest.FileID // by name
}

// replaced reports whether the manifest has something else in the place of
// what op trashes, or of a folder above it: a run that was interrupted has put
// it there and had not come to the trash.
func (k *knownNames) replaced(op *plan.Op) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.folders == nil || k.last != op.Parent {
		k.last, k.folders = op.Parent, map[manifest.FolderID]knownFolder{}
		if err := k.read(op.Parent); err != nil {
			k.folders = nil
			return false, err
		}
	}
	name, id := op.Name, op.FileID
	for in, ok := k.folders[op.Parent]; ok; in, ok = k.folders[in.Parent] {
		if slices.ContainsFunc(in.ids[name], func(other manifest.FileID) bool { return other != id }) {
			return true, nil
		}
		name, id = in.Name, in.FileID
	}
	return false, nil
}

// read reads a folder and those above it.
func (k *knownNames) read(at manifest.FolderID) error {
	known, err := k.Store.Reader()
	if err != nil {
		return err
	}
	defer known.Close()
	for at != 0 {
		row, ok, err := known.Row(at)
		if err != nil || !ok {
			return err
		}
		files, err1 := known.Entries(row)
		folders, err2 := known.Children(at)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		in := knownFolder{row.Folder, map[string][]manifest.FileID{}}
		for _, e := range files {
			in.ids[e.Name] = append(in.ids[e.Name], e.FileID)
		}
		for _, f := range folders {
			in.ids[f.Name] = append(in.ids[f.Name], f.FileID)
		}
		k.folders[at] = in
		at = row.Parent
	}
	return nil
}
