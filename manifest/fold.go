package manifest

import (
	"cmp"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// foldAtOnce is the most steps that one transaction of Fold applies. It bounds
// what Fold holds in memory, a few hundred bytes a step.
const foldAtOnce = 25_000

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
	for {
		steps, last, err := s.acked()
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

// acked reads the next steps and the number of the last of them.
func (s *Store) acked() (steps []ackedStep, last int64, err error) {
	err = s.c.query("SELECT seq, run, record FROM step ORDER BY seq LIMIT ?", func(v []driver.Value) error {
		st := ackedStep{run: integer(v[1])}
		last = integer(v[0])
		body, wrong := unsealed(last, blob(v[2]))
		if wrong != "" || !st.decode(body) {
			return fmt.Errorf("manifest %s: step %d in the journal is damaged; put back an earlier copy of the file", s.path, last)
		}
		steps = append(steps, st)
		return nil
	}, int64(foldAtOnce))
	return steps, last, err
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
	row     Row // without Files
	since   int64
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
	err := f.c.query("SELECT parent, id, name, file_id, flags, fs, mode, inode, birth, mtime, subfolders, sum, NULL, since FROM folder WHERE id = ?",
		func(v []driver.Value) error {
			w.missing, w.since = false, integer(v[13])
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
		w.missing, w.isNew, w.since = false, true, st.run
	case moved || was.Name != st.Dir.Name:
		if err := folderWas(f.c, &was, w.since, st.run); err != nil {
			return err
		}
		w.since = st.run
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

// write applies the operations on one folder's files and writes its row.
func (f *fold) write(w *folderWork) error {
	if len(w.ops) == 0 {
		if !w.dirty {
			return nil
		}
		if !w.isNew {
			return w.writeFacts(f.c)
		}
		return w.write(f.c, nil)
	}
	var files []Entry
	if !w.isNew && !w.missing {
		var err error
		files, err = entriesOf(f.c, w.row.ID)
		var damaged *DamagedError
		if errors.As(err, &damaged) {
			w.missing = true // what is there stays as it is; what comes is kept apart
		} else if err != nil {
			return err
		}
	}
	// By name; stable, because a name's operations go by their order.
	slices.SortStableFunc(w.ops, func(a, b entryOp) int { return strings.Compare(a.name, b.name) })
	if w.missing {
		f.divert(w)
		if w.dirty { // damaged, not missing: its facts are sound
			return w.writeFacts(f.c)
		}
		return nil
	}
	files, err := f.merge(w, files)
	if err != nil {
		return err
	}
	return w.write(f.c, files)
}

// divert keeps what is put into a folder that is damaged or not there among
// the displaced, so that no FileID is forgotten.
func (f *fold) divert(w *folderWork) {
	for _, op := range w.ops {
		ft := fate{order: op.order, folder: w.row.ID}
		if op.put {
			ft.entry = &op.step.Entry
		}
		f.settle(op.id, ft)
	}
}

// merge returns the folder's files after its operations, both in bytewise
// order of names.
func (f *fold) merge(w *folderWork, files []Entry) ([]Entry, error) {
	out := make([]Entry, 0, len(files)+len(w.ops))
	for ops := w.ops; len(ops) > 0; {
		name := ops[0].name
		i, found := slices.BinarySearchFunc(files, name, func(e Entry, n string) int { return strings.Compare(e.Name, n) })
		out = append(out, files[:i]...)
		files = files[i:]
		var now *Entry
		if found {
			now, files = &files[0], files[1:]
		}
		for len(ops) > 0 && ops[0].name == name {
			var err error
			if now, err = f.turn(w.row.ID, now, &ops[0]); err != nil {
				return nil, err
			}
			ops = ops[1:]
		}
		if now != nil {
			out = append(out, *now)
		}
	}
	return append(out, files...), nil
}

// turn returns what is under a name after one operation, now being what was.
func (f *fold) turn(in FolderID, now *Entry, op *entryOp) (*Entry, error) {
	st := op.step
	if !op.put {
		f.settle(op.id, fate{order: op.order})
		if now == nil || now.FileID != op.id {
			return now, nil
		}
		return nil, entryWas(f.c, in, now, st.run, st.Reason)
	}
	next := st.Entry
	next.Since = st.run
	if now != nil {
		if now.FileID == next.FileID && sameVersion(now, &next) {
			next.Since = now.Since
		} else if err := entryWas(f.c, in, now, st.run, st.Reason); err != nil {
			return nil, err
		}
		if now.FileID != next.FileID {
			was := *now // now is in the folder's list, which need not stay in memory
			f.settle(now.FileID, fate{order: op.order, folder: in, entry: &was})
		}
	}
	f.settle(next.FileID, fate{order: op.order})
	return &next, nil
}

// settle notes what became of a FileID, unless something later is known.
func (f *fold) settle(id FileID, ft fate) {
	if old, ok := f.fate[id]; !ok || old.order < ft.order {
		f.fate[id] = ft
	}
}

// sameVersion reports whether two entries of one FileID differ at most in what
// the history does not tell.
func sameVersion(a, b *Entry) bool {
	return a.HeadRevision == b.HeadRevision && a.Hash == b.Hash && a.MD5 == b.MD5 &&
		a.Size == b.Size && a.ModTime == b.ModTime && a.Mode == b.Mode && a.Kind == b.Kind
}

func (f *fold) writeDisplaced() error {
	before, err := f.c.number("SELECT count(*) FROM displaced")
	if err != nil {
		return err
	}
	for id, ft := range f.fate {
		if ft.entry != nil {
			rec := sealed(int64(ft.folder), appendPlaced(make([]byte, recordHead), ft.folder, ft.entry))
			err = f.c.exec("REPLACE INTO displaced VALUES (?, ?, ?)", string(id), int64(ft.folder), rec)
		} else if before > 0 { // mostly there are none

			err = f.c.exec("DELETE FROM displaced WHERE file_id = ?", string(id))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// dropTree takes a folder and all below it out of the tree, into the history.
func (f *fold) dropTree(st *ackedStep) error {
	rows := reading(f.c)
	queue := []FolderID{st.Dir.ID}
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		row, ok, err := rows.Row(id)
		if err != nil || !ok {
			return err
		}
		err = f.c.query("SELECT id FROM folder WHERE parent = ?", func(v []driver.Value) error {
			queue = append(queue, FolderID(integer(v[0])))
			return nil
		}, int64(id))
		if err != nil {
			return err
		}
		files, err := rows.Entries(row)
		var damaged *DamagedError
		if err != nil && !errors.As(err, &damaged) { // what a damaged record held, history cannot tell
			return err
		}
		for i := range files {
			if err := entryWas(f.c, id, &files[i], st.run, st.Reason); err != nil {
				return err
			}
		}
		since, err := f.c.number("SELECT since FROM folder WHERE id = ?", int64(id))
		if err == nil {
			err = folderWas(f.c, &row.Folder, since, st.run)
		}
		for _, del := range []string{
			"DELETE FROM folder WHERE id = ?",
			"DELETE FROM content WHERE id = ?",
			"DELETE FROM displaced WHERE folder = ?", // gone from Drive with their folder
		} {
			if err == nil {
				err = f.c.exec(del, int64(id))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
