package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A View is the tree as it was when a run had ended: what of today's was there
// then, and of the history what had not ended yet.
type View struct {
	r  *Reader
	at RunID
}

// At returns the tree as it was after a run; At(Now) is the tree of today.
func (r *Reader) At(run RunID) View { return View{r, run} }

// Run is the run after which the view shows the tree.
func (v View) Run() RunID { return v.at }

func (v View) shows(from, to RunID) bool { return from <= v.at && (v.at < to || to == Now) }

// Folder returns where a folder was, and whether it was there at all.
func (v View) Folder(id FolderID) (FolderVersion, bool, error) {
	row, found, err := v.r.Row(id)
	if err != nil {
		return FolderVersion{}, false, err
	}
	if found {
		if now := row.today(); v.shows(now.From, now.To) {
			return now.FolderVersion, true, nil
		}
	}
	were, err := v.r.FolderWere(id)
	for _, p := range were {
		if v.shows(p.From, p.To) {
			return p, true, err
		}
	}
	return FolderVersion{}, false, err
}

// A node is a folder as a view has it, with its row of today where that was
// read already.
type node struct {
	FolderVersion
	row *Row
}

// today is a folder as it is now.
func (r *Row) today() node {
	return node{FolderVersion{Folder: r.Folder, From: RunID(r.since), To: Now}, r}
}

// Folders returns the folders that were directly in parent, in bytewise order
// of their names. A damaged row is a *DamagedError, as for Reader.Children.
func (v View) Folders(parent FolderID) ([]FolderVersion, error) {
	nodes, err := v.folders(parent)
	if err != nil {
		return nil, err
	}
	list := make([]FolderVersion, len(nodes))
	for i, n := range nodes {
		list[i] = n.FolderVersion
	}
	return list, nil
}

func (v View) folders(parent FolderID) ([]node, error) {
	rows, err := v.r.Children(parent)
	if err != nil {
		return nil, err
	}
	list := make([]node, len(rows))
	for i := range rows {
		list[i] = rows[i].today()
	}
	if v.at != Now {
		were, err := v.r.ChildrenWere(parent, "")
		if err != nil {
			return nil, err
		}
		for _, p := range were {
			list = append(list, node{FolderVersion: p})
		}
		list = slices.DeleteFunc(list, func(n node) bool { return !v.shows(n.From, n.To) })
		slices.SortFunc(list, func(a, b node) int { return strings.Compare(a.Name, b.Name) })
	}
	return list, nil
}

// Files returns the files and symlinks that were in a folder, in bytewise
// order of their names.
func (v View) Files(in FolderID) ([]Version, error) {
	row, found, err := v.r.Row(in)
	if err != nil {
		return nil, err
	}
	if !found {
		return v.files(in, nil)
	}
	return v.files(in, &row)
}

// files is Files of a folder whose row of today is known, nil if there is none.
func (v View) files(in FolderID, row *Row) (list []Version, err error) {
	if row != nil {
		if list, err = v.r.versionsNow(*row); err != nil {
			return nil, err
		}
	}
	if v.at != Now {
		were, err := v.r.EntriesWere(in, "")
		if err != nil {
			return nil, err
		}
		list = slices.DeleteFunc(append(list, were...), func(e Version) bool { return !v.shows(e.From, e.To) })
		slices.SortFunc(list, func(a, b Version) int { return strings.Compare(a.Name, b.Name) })
	}
	return list, nil
}

// versionsNow returns the files of a folder as they are today.
func (r *Reader) versionsNow(row Row) ([]Version, error) {
	files, err := r.Entries(row)
	list := make([]Version, len(files))
	for i, e := range files {
		list[i] = Version{Folder: row.ID, Entry: e, From: RunID(e.Since), To: Now}
	}
	return list, err
}

// Lookup returns what was at a path: a folder, or a file or symlink and the
// folder that held it. That nothing was there is no error: found is false.
func (v View) Lookup(p Path) (at FolderVersion, file *Version, found bool, err error) {
	at, found, err = v.Folder(Root)
	names := p.Names()
	for i, name := range names {
		if err != nil || !found {
			return FolderVersion{}, nil, false, err
		}
		var next []FolderVersion
		if next, err = v.Folders(at.ID); err != nil {
			return FolderVersion{}, nil, false, err
		}
		k, isFolder := slices.BinarySearchFunc(next, name, func(p FolderVersion, n string) int { return strings.Compare(p.Name, n) })
		if isFolder {
			at = next[k]
			continue
		}
		if i < len(names)-1 {
			return FolderVersion{}, nil, false, nil
		}
		files, err := v.Files(at.ID)
		k, found = slices.BinarySearchFunc(files, name, func(e Version, n string) int { return strings.Compare(e.Name, n) })
		if err != nil || !found {
			return FolderVersion{}, nil, false, err
		}
		return at, &files[k], true, nil
	}
	return at, nil, found, err
}

// PathOf returns where a folder was, and whether it was there.
func (v View) PathOf(id FolderID) (Path, bool, error) {
	var names []string
	for id != Root {
		p, found, err := v.Folder(id)
		if err != nil || !found {
			return "", false, err
		}
		names = append(names, p.Name)
		if len(names) > maxDepth {
			return "", false, &DamagedError{Folder: id, What: "it lies below itself"}
		}
		id = p.Parent
	}
	slices.Reverse(names)
	return Path(strings.Join(names, "/")), true, nil
}

// Walk calls visit for the folder with the given number and for each folder
// that was below it, parents first and siblings in bytewise order of their
// names, with its path and its files. An error of visit ends the walk. A
// damaged folder is passed over, with all below it, and is part of the error
// at the end.
func (v View) Walk(at FolderID, visit func(p Path, dir FolderVersion, files []Version) error) error {
	path, found, err := v.PathOf(at)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("read manifest: there was no folder %d after run %d", at, v.at)
	}
	dir, _, err := v.Folder(at)
	if err != nil {
		return err
	}
	var damaged []error
	above := map[FolderID]bool{} // history has no checksums, and may lead in a circle
	var down func(p Path, dir node) error
	down = func(p Path, dir node) error {
		var below []node
		err := error(nil)
		if above[dir.ID] {
			err = &DamagedError{Folder: dir.ID, What: "it lies below itself"}
		}
		above[dir.ID] = true
		defer delete(above, dir.ID)
		if err == nil {
			below, err = v.visit(p, dir, visit)
		}
		var d *DamagedError
		if errors.As(err, &d) {
			d.Path = p
			damaged = append(damaged, err)
			return nil
		}
		for _, child := range below {
			if err := down(p.Join(child.Name), child); err != nil {
				return err
			}
		}
		return err
	}
	err = down(path, node{FolderVersion: dir})
	return errors.Join(append(damaged, err)...)
}

// visit visits one folder and returns those in it. It asks for nothing twice:
// of a folder as it is today, its parent has told all but what Drive holds.
func (v View) visit(p Path, dir node, visit func(Path, FolderVersion, []Version) error) ([]node, error) {
	if dir.row == nil {
		row, found, err := v.r.Row(dir.ID)
		if err != nil {
			return nil, err
		}
		if found {
			dir.row = &row
		}
	}
	files, err := v.files(dir.ID, dir.row)
	if err == nil {
		err = visit(p, dir.FolderVersion, files)
	}
	if err != nil || v.at == Now && dir.row != nil && dir.row.Subfolders == 0 {
		return nil, err
	}
	return v.folders(dir.ID)
}
