package manifest

import (
	"cmp"
	"database/sql/driver"
	"fmt"
	"slices"
)

// foldAtOnce is the most steps that one transaction of Fold applies. It bounds
// what Fold holds in memory, half a kilobyte a step, and is large enough for
// the row of a large folder not to be written over and over.
const foldAtOnce = 8_000

// Fold applies the acknowledged steps of the journal to the tree, folder by
// folder, writes what they end into the history and takes them out of the
// journal. However many steps a folder got, its row is written once. A crash
// leaves a step in the journal or in the tree, never in both or neither.
func (s *Store) Fold() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fold()
}

func (s *Store) fold() error {
	var steps []ackedStep
	for {
		last, err := s.acked(&steps)
		if err != nil || len(steps) == 0 {
			clear(s.unfolded)
			return err
		}
		err = s.c.tx(func() error {
			if err := applySteps(s.c, steps); err != nil {
				return err
			}
			return s.c.exec("DELETE FROM step WHERE seq <= ?", last)
		})
		if err != nil {
			return fmt.Errorf("fold journal: %w", err)
		}
	}
}

// An ackedStep is a step with the run that acknowledged it.
type ackedStep struct {
	Step
	run int64
}

// acked reads the next steps and the number of the last row of them.
func (s *Store) acked(steps *[]ackedStep) (last int64, err error) {
	*steps = (*steps)[:0]
	err = s.c.query("SELECT seq, run, record FROM step ORDER BY seq LIMIT ?", func(v []driver.Value) error {
		last = integer(v[0])
		body, wrong := unsealed(last, blob(v[2]))
		next := func() *Step {
			*steps = append(*steps, ackedStep{run: integer(v[1])})
			return &(*steps)[len(*steps)-1].Step
		}
		if wrong != "" || !decodeSteps(body, next) {
			return damagedJournal(s.path, "step", last)
		}
		return nil
	}, int64(foldAtOnce/stepsInRow))
	return last, err
}

// applySteps applies steps within a transaction. Puts and drops of files are
// sorted by folder; folders are dropped after them, so that a put after a drop
// of a folder begins anew.
func applySteps(c *conn, steps []ackedStep) error {
	f := newFold(c)
	for i := range steps {
		st := &steps[i]
		if len(f.dropped) > 0 && (st.Kind == Put || st.Kind == Move || st.Kind == PutFolder) {
			if err := f.flush(); err != nil {
				return err
			}
			f = newFold(c)
		}
		if err := f.add(st); err != nil {
			return err
		}
	}
	return f.flush()
}

// A fold collects what steps do to each folder, and then does it.
type fold struct {
	c       *conn
	folders map[FolderID]*folderWork
	dropped []*ackedStep // DropFolder
	order   int          // of the last operation
	fate    map[FileID]fate
}

// A fate says what became last of a FileID that was displaced, put or dropped.
type fate struct {
	order  int
	folder FolderID
	entry  *Entry // if it was displaced: what it was, in folder
}

// A folderWork is a folder that steps touch.
type folderWork struct {
	row     Row      // without Files
	isNew   bool     // not in the database yet
	missing bool     // nor a step's: there is none
	dirty   bool     // row differs from the database's
	gone    bool     // some step drops it
	parent  FolderID // in the database
	ops     []entryOp
}

// An entryOp puts an entry under a name, or drops one from under it.
type entryOp struct {
	order int
	put   bool
	name  string
	id    FileID
	step  *ackedStep
}

func newFold(c *conn) *fold {
	return &fold{c: c, folders: map[FolderID]*folderWork{}, fate: map[FileID]fate{}}
}

func (f *fold) add(st *ackedStep) error {
	switch st.Kind {
	case Put:
		return f.op(st.Folder, st.Entry.Name, true, st)
	case Drop:
		return f.op(st.Folder, st.Entry.Name, false, st)
	case Move:
		if err := f.op(st.OldFolder, st.OldName, false, st); err != nil {
			return err
		}
		return f.op(st.Folder, st.Entry.Name, true, st)
	case PutFolder:
		return f.putFolder(st)
	default:
		return f.dropFolder(st)
	}
}

func (f *fold) op(in FolderID, name string, put bool, st *ackedStep) error {
	w, err := f.folder(in)
	if err != nil {
		return err
	}
	f.order++
	w.ops = append(w.ops, entryOp{order: f.order, put: put, name: name, id: st.Entry.FileID, step: st})
	return nil
}

// folder returns the work on a folder, read from the database the first time.
func (f *fold) folder(id FolderID) (*folderWork, error) {
	if w, ok := f.folders[id]; ok {
		return w, nil
	}
	w := &folderWork{missing: true}
	w.row.ID = id
	err := f.c.query("SELECT parent, id, name, file_id, flags, fs, mode, inode, birth, mtime, subfolders, since, sum, NULL FROM folder WHERE id = ?",
		func(v []driver.Value) error {
			w.missing = false
			return w.row.scan(v)
		}, int64(id))
	if err != nil {
		return nil, err
	}
	w.parent = w.row.Parent
	f.folders[id] = w
	return w, nil
}

func (f *fold) putFolder(st *ackedStep) error {
	w, err := f.folder(st.Dir.ID)
	if err != nil {
		return err
	}
	was := w.row.Folder
	moved := w.missing || was.Parent != st.Dir.Parent
	if moved {
		to, err := f.folder(st.Dir.Parent)
		if err != nil {
			return err
		}
		if to.missing {
			return fmt.Errorf("there is no folder %d to put %q into", st.Dir.Parent, st.Dir.Name)
		}
		to.row.Subfolders++
		to.dirty = true
		if !w.missing {
			if err := f.leave(was.Parent); err != nil {
				return err
			}
		}
	}
	switch {
	case w.missing:
		w.missing, w.isNew, w.row.since = false, true, st.run
	case moved || was.Name != st.Dir.Name:
		if err := folderWas(f.c, &was, w.row.since, st.run); err != nil {
			return err
		}
		w.row.since = st.run
	}
	w.dirty = w.dirty || was != st.Dir
	w.row.Folder = st.Dir
	return nil
}

// leave counts one subfolder less.
func (f *fold) leave(parent FolderID) error {
	w, err := f.folder(parent)
	if err != nil {
		return err
	}
	w.row.Subfolders--
	w.dirty = true
	return nil
}

func (f *fold) dropFolder(st *ackedStep) error {
	w, err := f.folder(st.Dir.ID)
	if err != nil || w.missing || w.gone || st.Dir.ID == Root {
		return err
	}
	w.gone = true
	f.dropped = append(f.dropped, st)
	return f.leave(w.row.Parent)
}

// flush writes all that was collected.
func (f *fold) flush() error {
	list := make([]*folderWork, 0, len(f.folders))
	for _, w := range f.folders {
		list = append(list, w)
	}
	slices.SortFunc(list, func(a, b *folderWork) int { // as they lie in the database
		return cmp.Or(cmp.Compare(a.row.Parent, b.row.Parent), cmp.Compare(a.row.ID, b.row.ID))
	})
	for _, w := range list {
		if err := f.write(w); err != nil {
			return err
		}
	}
	if err := f.writeDisplaced(); err != nil {
		return err
	}
	for _, st := range f.dropped {
		if err := f.dropTree(st); err != nil {
			return err
		}
	}
	return nil
}
