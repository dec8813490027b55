package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/scan"
)

// metaForeign is the host folder of another OAuth client, while not all of it
// is copied.
const metaForeign = "foreign"

// A Foreign is the tree that another OAuth client has made of a backup.
type Foreign struct {
	Host  remote.Host
	Left  []Left // what has no place in a backup, or is another one here by now
	items []foreignItem
	left  int // of Left, those that have no place
}

type foreignItem struct {
	remote.State
	id   manifest.FileID
	in   int // of the items, the folder it is in; -1 for the host folder
	path manifest.Path
}

// A ForeignChoiceError says that not exactly one host folder of another client
// is meant.
type ForeignChoiceError struct {
	Folder, Name string
	Found        int // so many are meant
	Hosts        []remote.Host
}

// Error lists what there is.
func (e *ForeignChoiceError) Error() string {
	if len(e.Hosts) == 0 {
		return fmt.Sprintf("Drive shows no folder %q with a host folder in it that another client made: "+
			"is this the account, and [drive] folder the name it had?", e.Folder)
	}
	var b strings.Builder
	if e.Found == 0 {
		fmt.Fprintf(&b, "in %q, no other client made a folder %q; choose with --host NAME or --from ID:", e.Folder, e.Name)
	} else {
		fmt.Fprintf(&b, "%d folders could be meant; choose with --from ID:", e.Found)
	}
	for _, h := range e.Hosts {
		fmt.Fprintf(&b, "\n  %s  %s/%s, made %s", h.ID, h.Folder, h.Name, h.Created.Format(time.DateTime))
	}
	return b.String()
}

// An OwnBackupError says that a manifest holds a backup of its own, which what
// another client has made would be mixed with.
type OwnBackupError struct {
	Path  string
	Files int64
}

// Error names the way out.
func (e *OwnBackupError) Error() string {
	return fmt.Sprintf("the manifest %s holds a backup already, of %d files: "+
		"name an empty folder as state in acb.toml, in which the new client's backup begins", e.Path, e.Files)
}

// MayCopyForeign returns why the manifest at path cannot take in what another
// client has made: it cannot be read, or is an *OwnBackupError.
func MayCopyForeign(path string) error {
	known, err := manifest.OpenReader(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer known.Close()
	begun, err1 := known.Meta(metaForeign)
	n, err2 := known.SubtreeCounts(manifest.Root)
	if err := errors.Join(err1, err2); err != nil || begun != "" || n.Files == 0 {
		return err
	}
	return &OwnBackupError{path, n.Files}
}

// FindForeign finds the host folder of another client: by its id, or else the
// one of the name. Errors are Drive's and *ForeignChoiceError.
func FindForeign(ctx context.Context, d *remote.Drive, folder, name, id string) (remote.Host, error) {
	hosts, err := d.ForeignHosts(ctx)
	if err != nil {
		return remote.Host{}, err
	}
	var found []remote.Host
	for _, h := range hosts {
		if id == "" && h.Name == name || id != "" && string(h.ID) == id {
			found = append(found, h)
		}
	}
	if len(found) != 1 {
		return remote.Host{}, &ForeignChoiceError{folder, name, len(found), hosts}
	}
	return found[0], nil
}

// ReadForeign lists all that is in a host folder of another client.
func (b *Backup) ReadForeign(ctx context.Context, host remote.Host) (*Foreign, error) {
	begun, err := b.Store.Meta(metaForeign)
	if err != nil {
		return nil, err
	}
	if begun != "" && begun != string(host.ID) {
		return nil, fmt.Errorf("copying %s was begun and is not done: go on with --from %[1]s, or begin with an empty state folder", begun)
	}
	l := &relisting{states: States{}, in: map[manifest.FileID][]manifest.FileID{}}
	err = b.Drive.ForeignTree(ctx, host.ID, func(id manifest.FileID, s remote.State) error {
		l.states[id] = s
		l.in[s.Parent] = append(l.in[s.Parent], id)
		return nil
	})
	if err != nil {
		return nil, err
	}
	f := &Foreign{Host: host}
	for at := -1; at < len(f.items); at++ {
		in := foreignItem{id: host.ID}
		if at >= 0 {
			if in = f.items[at]; in.Kind != manifest.Dir {
				continue
			}
		}
		for _, id := range l.taken(in.id, in.path) {
			s := l.states[id]
			f.items = append(f.items, foreignItem{s, id, at, in.path.Join(s.Name)})
		}
	}
	f.Left, f.left = l.left, len(l.left)
	return f, nil
}

// PlanForeign says what it means to copy a tree of another client.
func (b *Backup) PlanForeign(f *Foreign) (*plan.Plan, *Summary, error) {
	return b.preview(b.copying(f))
}

// CopyForeign has Drive copy a tree of another client into the host folder of
// this one, and takes the copies into the manifest; the tree itself stays as it
// is. The next scan compares them with the disk by Drive's MD5. One that was
// interrupted goes on. What is not on this disk is not taken for deleted.
func (b *Backup) CopyForeign(ctx context.Context, f *Foreign) (*Summary, error) {
	if err := b.Store.SetMeta(map[string]string{metaForeign: string(f.Host.ID)}); err != nil {
		return &Summary{}, err
	}
	sum, err := b.carryOut(ctx, b.copying(f))
	if err == nil && sum.complete() {
		err = b.Store.SetMeta(map[string]string{metaForeign: ""})
	}
	return sum, err
}

func (b *Backup) copying(f *Foreign) edit {
	return edit{
		kind: "adopt", goOn: true, open: openForeign,
		changes: func(known *manifest.Reader) (manifest.Changes, error) { return b.foreignChanges(f, known) },
	}
}

// foreignChanges names as created what the manifest does not hold yet.
func (b *Backup) foreignChanges(f *Foreign, known *manifest.Reader) (c manifest.Changes, err error) {
	f.Left = f.Left[:f.left]
	top := &foreignFolder{Place: &manifest.Place{ID: manifest.Root}}
	if err := top.read(known); err != nil {
		return c, err
	}
	folders := map[int]*foreignFolder{-1: top}
	for i, it := range f.items {
		in := folders[it.in]
		if in == nil {
			continue // what holds it is left
		}
		row, isDir := in.folders[it.Name]
		file, isFile := in.files[it.Name]
		switch {
		case it.Kind == manifest.Dir && isFile, it.Kind != manifest.Dir && isDir:
			f.Left = append(f.Left, Left{string(it.path), it.id, "something else has its place in the new backup"})
		case isFile && (file.MD5 != it.MD5 || file.Size != it.Size || file.Kind != it.Kind):
			f.Left = append(f.Left, Left{string(it.path), it.id, "the new backup has another content there"})
		case isFile:
		case it.Kind == manifest.Dir:
			folder := &foreignFolder{Place: &manifest.Place{ID: row.ID, Path: it.path}}
			folders[i] = folder
			if isDir {
				if err := folder.read(known); err != nil {
					return c, err
				}
				continue
			}
			dir := manifest.Folder{ID: b.Store.NextFolderID(), Parent: in.ID, Name: it.Name, Flags: manifest.Unmet, Mode: it.Mode, ModTime: it.ModTime}
			if slices.ContainsFunc(b.Sources, func(src scan.Source) bool { return src.Path != it.path && src.Path.Within(it.path) }) {
				dir.Flags = manifest.Prefix
			}
			folder.ID = dir.ID
			c.Folders = append(c.Folders, manifest.FolderChange{Kind: manifest.Created, New: &manifest.FolderAt{In: in.Place, Folder: dir}})
		default:
			c.Files = append(c.Files, it.copied(in.Place))
		}
	}
	return c, nil
}

// copied is the change that makes a copy of it, in a folder. No BLAKE3 of it is
// known: the twin's is none either, and so both are the same.
func (it *foreignItem) copied(in *manifest.Place) manifest.FileChange {
	e := manifest.Entry{
		Name: it.Name, Flags: manifest.Racy | manifest.Unmet,
		Stat: manifest.Stat{Kind: it.Kind, Mode: it.Mode, Size: it.Size, ModTime: it.ModTime},
	}
	twin := e
	twin.Content = it.Content
	return manifest.FileChange{Kind: manifest.Created, New: &manifest.FileAt{In: in, Entry: e}, Twin: &manifest.FileAt{In: in, Entry: twin}}
}

// A foreignFolder is what the manifest has of a folder that is copied.
type foreignFolder struct {
	*manifest.Place
	folders map[string]manifest.Row
	files   map[string]manifest.Entry
}

func (f *foreignFolder) read(known *manifest.Reader) error {
	f.folders, f.files = map[string]manifest.Row{}, map[string]manifest.Entry{}
	row, found, err := known.Row(f.ID)
	if err != nil || !found {
		return err
	}
	rows, err1 := known.Children(f.ID)
	entries, err2 := known.Entries(row)
	for _, row := range rows {
		f.folders[row.Name] = row
	}
	for _, e := range entries {
		f.files[e.Name] = e
	}
	return errors.Join(err1, err2)
}

// openForeign opens what is copied: no disk holds it.
func openForeign(op *plan.Op) (remote.Content, error) {
	if op.Kind != plan.Copy {
		return nil, errors.New("it was not copied on Drive; the next scan sends it if it is on this disk")
	}
	return onDrive{op.Stat}, nil
}

// onDrive is a content that is copied and never read.
type onDrive struct{ stat manifest.Stat }

func (c onDrive) Stat() (manifest.Stat, error) { return c.stat, nil }
func (onDrive) Close() error                   { return nil }
func (onDrive) ReadAt([]byte, int64) (int, error) {
	return 0, errors.New("it is on Drive only")
}
