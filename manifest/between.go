package manifest

import (
	"cmp"
	"fmt"
	"slices"
)

// A Difference is what became of one file or folder between two runs. What
// rode in a folder that was moved is none.
type Difference struct {
	Kind     DifferenceKind
	Old, New Path
	File     Pair[*Version]       // of a file or symlink; each nil where it was not
	Dir      Pair[*FolderVersion] // of a folder
}

// A Pair is something before and after.
type Pair[T any] struct{ Old, New T }

// A DifferenceKind says what happened.
type DifferenceKind uint8

// The kinds, in the order in which Between has them.
const (
	WasCreated DifferenceKind = iota + 1
	WasModified
	WasTouched // another time or mode, or another item with the same content
	WasMoved   // and perhaps modified
	WasDeleted
)

// String returns the kind's name.
func (k DifferenceKind) String() string {
	return [...]string{"", "created", "modified", "touched", "moved", "deleted"}[k]
}

// Path is where it is now, or where it was.
func (d *Difference) Path() Path {
	if d.Kind == WasDeleted {
		return d.Old
	}
	return d.New
}

// IsDir reports whether a folder differs.
func (d *Difference) IsDir() bool { return d.Dir.Old != nil || d.Dir.New != nil }

// Between returns what differs between the trees after run a and after run b,
// which is later, or Now; by kind, folders first, then by path. It reads the
// whole manifest.
func (r *Reader) Between(a, b RunID) ([]Difference, error) {
	if a > b {
		return nil, fmt.Errorf("compare run %d with run %d: the first one is later", a, b)
	}
	bt := &between{r: r, a: r.At(a), b: r.At(b), files: map[FileID]*Pair[*Version]{}, dirs: map[FolderID]*Pair[*FolderVersion]{}}
	if err := bt.collect(); err != nil {
		return nil, err
	}
	return bt.differences()
}

type between struct {
	r     *Reader
	a, b  View
	files map[FileID]*Pair[*Version]
	dirs  map[FolderID]*Pair[*FolderVersion]
}

// collect finds what shows in one of the views and not in the other.
func (bt *between) collect() error {
	err := bt.r.eachVersion(selectVersion, func(v Version) error {
		bt.file(v)
		return nil
	})
	if err != nil {
		return err
	}
	were, err := bt.r.folderVersions(selectFolderVersion)
	if err != nil {
		return err
	}
	for _, f := range were {
		bt.dir(f)
	}
	return bt.r.At(Now).Walk(Root, func(_ Path, dir FolderVersion, files []Version) error {
		bt.dir(dir)
		for _, v := range files {
			bt.file(v)
		}
		return nil
	})
}

func (bt *between) file(v Version) {
	then, now := bt.a.shows(v.From, v.To), bt.b.shows(v.From, v.To)
	if then == now {
		return
	}
	p := bt.files[v.FileID]
	if p == nil {
		p = new(Pair[*Version])
		bt.files[v.FileID] = p
	}
	if then {
		p.Old = &v
	} else {
		p.New = &v
	}
}

func (bt *between) dir(f FolderVersion) {
	then, now := bt.a.shows(f.From, f.To), bt.b.shows(f.From, f.To)
	if then == now {
		return
	}
	p := bt.dirs[f.ID]
	if p == nil {
		p = new(Pair[*FolderVersion])
		bt.dirs[f.ID] = p
	}
	if then {
		p.Old = &f
	} else {
		p.New = &f
	}
}

// differences puts the pairs in order.
func (bt *between) differences() ([]Difference, error) {
	var list []Difference
	for _, p := range bt.dirs {
		d := Difference{Dir: *p}
		var in Pair[FolderID]
		var name Pair[string]
		if p.Old != nil {
			in.Old, name.Old = p.Old.Parent, p.Old.Name
		}
		if p.New != nil {
			in.New, name.New = p.New.Parent, p.New.Name
		}
		if err := bt.place(&d, in, name, p.Old != nil, p.New != nil); err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	for _, p := range bt.files {
		d := Difference{File: *p}
		var in Pair[FolderID]
		var name Pair[string]
		if p.Old != nil {
			in.Old, name.Old = p.Old.Folder, p.Old.Name
		}
		if p.New != nil {
			in.New, name.New = p.New.Folder, p.New.Name
		}
		if err := bt.place(&d, in, name, p.Old != nil, p.New != nil); err != nil {
			return nil, err
		}
		if d.Kind == WasTouched && !sameBytes(p.Old, p.New) {
			d.Kind = WasModified
		}
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b Difference) int {
		dirs := func(d *Difference) int {
			if d.IsDir() {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(dirs(&a), dirs(&b)), cmp.Compare(a.Path(), b.Path()))
	})
	return list, nil
}

func sameBytes(a, b *Version) bool { return a.Size == b.Size && a.Hash == b.Hash && a.MD5 == b.MD5 }

// place sets the paths and, as far as those tell, the kind.
func (bt *between) place(d *Difference, in Pair[FolderID], name Pair[string], was, is bool) error {
	path := func(v View, in FolderID, name string) (Path, error) {
		dir, found, err := v.PathOf(in)
		if err == nil && !found {
			err = &DamagedError{Folder: in, What: fmt.Sprintf("it was not there after run %d, and %q was in it", v.at, name)}
		}
		return dir.Join(name), err
	}
	var err error
	if was {
		if d.Old, err = path(bt.a, in.Old, name.Old); err != nil {
			return err
		}
	}
	if is {
		if d.New, err = path(bt.b, in.New, name.New); err != nil {
			return err
		}
	}
	switch {
	case !was:
		d.Kind = WasCreated
	case !is:
		d.Kind = WasDeleted
	case in.Old != in.New || name.Old != name.New:
		d.Kind = WasMoved
	default:
		d.Kind = WasTouched
	}
	return nil
}
