package manifest

import (
	"errors"
	"slices"
	"strings"
)

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
	merged, err := f.merge(w, files)
	if err == nil {
		err = f.c.index(w.row.ID, files, merged)
	}
	if err != nil {
		return err
	}
	return w.write(f.c, merged)
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

// sameVersion reports whether the entry b of a FileID differs from a, the one
// before, at most in what the history does not tell. That its BLAKE3 is known
// now makes no other content of it.
func sameVersion(a, b *Entry) bool {
	sameHash := a.Hash == b.Hash || a.Hash.IsZero() && !a.MD5.IsZero()
	return a.HeadRevision == b.HeadRevision && sameHash && a.MD5 == b.MD5 &&
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
