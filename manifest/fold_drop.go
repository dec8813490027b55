package manifest

import (
	"database/sql/driver"
	"errors"
)

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
		if err := f.c.index(id, files, nil); err != nil { // of a damaged record, the index keeps what leads nowhere
			return err
		}
		err = folderWas(f.c, &row.Folder, row.since, st.run)
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
