package backup

import (
	"slices"
	"strings"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// States are items as Drive has them.
type States = map[manifest.FileID]remote.State

// A Drift is an item that Drive does not have as the manifest has it, because
// somebody else has touched it: a person in the browser, or another program. Or
// one that Drive has in the host folder and the manifest does not know.
type Drift struct {
	What DriftKind
	Path manifest.Path // "" of the host folder and the one above it; of an extra item, where it is on Drive
	Item manifest.FileID
	Old  manifest.Entry // of a file or symlink, as the manifest has it
	Now  remote.State   // as Drive has it

	in     manifest.FolderID // that it belongs into; notKept for the top folder
	is     manifest.FolderID // of a folder below the top one, which is it
	parent manifest.FileID   // Drive's id of that one
	name   string            // "" where it is not ours to say
	kind   manifest.Kind
	time   int64 // modification time, nanoseconds since 1970; 0 for the folders above all
	level  int   // of folders above it
	lost   bool  // the manifest knows already that Drive does not have it
	hidden bool  // it, or a folder above it, is retired
	pinned bool  // it was backed up by name
	within bool  // a folder above it is in the trash, too
	waits  bool  // a folder above it is not on Drive any more, and has to be made first
}

// notKept is the folder that the top folder is in, which the manifest does
// not know.
const notKept manifest.FolderID = -1

// DriftKind is what somebody did to an item; several may hold.
type DriftKind uint16

// The kinds.
const (
	Gone      DriftKind = 1 << iota // deleted for good, or not shown to this sign-in any more
	Trashed                         // it, or a folder above it
	Moved                           // into another folder
	Renamed                         // likewise
	Changed                         // it has another content
	Replaced                        // it has the same content as a new revision
	Extra                           // made by this installation, in the host folder, and not in the manifest
	Duplicate                       // such a one where another item stands, too
	Damaged                         // what Drive sends of it is not what was saved
	Unread                          // an interrupted run has left open whether it is as on disk
)

// Has reports whether any of the kinds holds.
func (k DriftKind) Has(kinds DriftKind) bool { return k&kinds != 0 }

// String says what was done, as "moved and renamed".
func (k DriftKind) String() string {
	var words []string
	for i, word := range []string{"deleted", "put into the trash", "moved", "renamed", "overwritten", "replaced by the same", "not known", "there twice", "damaged", "not compared with the disk yet"} {
		if k.Has(1 << i) {
			words = append(words, word)
		}
	}
	return strings.Join(words, " and ")
}

// judge compares the item with what Drive has. The names of the top and the
// host folder are their owner's to choose, and so is where the top folder is.
func (d *Drift) judge(s remote.State) {
	d.Now, d.What = s, 0
	set := func(k DriftKind, holds bool) {
		if holds {
			d.What |= k
		}
	}
	if s.Absent {
		d.What = Gone
		return
	}
	set(Trashed, s.Trashed)
	set(Moved, d.in != notKept && s.Parent != d.parent)
	set(Renamed, d.name != "" && s.Name != d.name)
	if d.kind != manifest.Dir && !d.Old.MD5.IsZero() {
		set(Changed, s.MD5 != d.Old.MD5)
		set(Replaced, s.MD5 == d.Old.MD5 && s.HeadRevision != d.Old.HeadRevision)
	}
}

// unread reports whether the manifest does not know which content it is.
func (d *Drift) unread() bool {
	return d.kind != manifest.Dir && d.Old.Hash.IsZero() && d.Old.Flags.Has(manifest.Racy)
}

// stands reports whether the manifest has the item in that folder still, under
// the same name, and takes over the time that it has by now.
func (d *Drift) stands(known *manifest.Reader, in manifest.Row) (bool, error) {
	if d.kind == manifest.Dir {
		is, ok, err := known.Row(d.is)
		d.time = is.ModTime
		return ok && is.Parent == d.in && is.Name == d.name, err
	}
	files, err := known.Entries(in)
	i := slices.IndexFunc(files, func(e manifest.Entry) bool { return e.FileID == d.Item && e.Name == d.name })
	if i < 0 {
		return false, err
	}
	d.time = files[i].ModTime
	return true, err
}

// fix is what puts the item back to where it belongs.
func (d *Drift) fix() remote.Fix {
	f := remote.Fix{Path: d.Path, FileID: d.Item, Kind: d.kind, ModTime: d.time, Untrash: d.Now.Explicit}
	if d.What.Has(Moved) {
		f.Parent, f.From = d.parent, d.Now.Parent
	}
	if d.What.Has(Renamed) {
		f.Name = d.name
	}
	return f
}
