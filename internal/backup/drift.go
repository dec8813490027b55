package backup

import (
	"errors"
	"strings"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// A Drift is an item that Drive does not have as the manifest has it, because
// somebody else has touched it: a person in the browser, or another program.
type Drift struct {
	What DriftKind
	Path manifest.Path // "" of the host folder and the one above it
	Item manifest.FileID
	Old  manifest.Entry // of a file or symlink, as the manifest has it
	Now  remote.State   // as Drive has it

	in     manifest.FolderID // that it belongs into; notKept for the top folder
	parent manifest.FileID   // Drive's id of that one
	name   string            // "" where it is not ours to say
	kind   manifest.Kind
	time   int64 // modification time, nanoseconds since 1970; 0 for the folders above all
	level  int   // of folders above it
	within bool  // a folder above it is in the trash, too
	waits  bool  // a folder above it is not on Drive any more, and has to be made first
}

// notKept is the folder that the top folder is in, which the manifest does
// not know.
const notKept manifest.FolderID = -1

// DriftKind is what somebody did to an item; several may hold.
type DriftKind uint8

// The kinds.
const (
	Gone     DriftKind = 1 << iota // deleted for good, or not shown to this sign-in any more
	Trashed                        // it, or a folder above it
	Moved                          // into another folder
	Renamed                        // likewise
	Changed                        // it has another content
	Replaced                       // it has the same content as a new revision
)

// Has reports whether any of the kinds holds.
func (k DriftKind) Has(kinds DriftKind) bool { return k&kinds != 0 }

// String says what was done, as "moved and renamed".
func (k DriftKind) String() string {
	var words []string
	for i, word := range []string{"deleted", "put into the trash", "moved", "renamed", "overwritten", "replaced by the same"} {
		if k.Has(1 << i) {
			words = append(words, word)
		}
	}
	return strings.Join(words, " and ")
}

// A comparison compares what Drive has with what the manifest says. Items that
// the manifest does not know are none of its business.
type comparison struct {
	known  *manifest.Reader
	layout remote.Layout
	states map[manifest.FileID]remote.State
	see    func(Drift) // told of what differs, folders before what is in them
	// unlisted, when set, is told of what the manifest has and states lacks.
	unlisted func(manifest.FileID)
	folders  map[manifest.FolderID]compared
}

// compared is what the comparison keeps of a folder.
type compared struct {
	id            manifest.FileID
	level         int
	trashed, lost bool // it, or one above it
}

func (c *comparison) run() error {
	c.folders = map[manifest.FolderID]compared{}
	top := Drift{Item: c.layout.Top, in: notKept, kind: manifest.Dir}
	c.folders[0] = compared{id: c.layout.Top, trashed: c.look(top)}
	err := c.known.Walk(manifest.Root, func(p manifest.Path, row manifest.Row, files []manifest.Entry) error {
		above := c.folders[row.Parent]
		here := compared{id: row.FileID, level: above.level + 1, trashed: above.trashed, lost: above.lost || row.Flags.Has(manifest.Lost)}
		d := Drift{Path: p, Item: row.FileID, in: row.Parent, kind: manifest.Dir, name: row.Name, time: row.ModTime}
		if row.ID == manifest.Root {
			here.id, d.Item, d.time = c.layout.Host, c.layout.Host, 0
		}
		if !row.Flags.Has(manifest.Lost) {
			here.trashed = c.look(d) || here.trashed
		}
		c.folders[row.ID] = here
		for _, e := range files {
			if !e.Flags.Has(manifest.Lost) {
				c.look(Drift{Path: p.Join(e.Name), Item: e.FileID, in: row.ID, kind: e.Kind, name: e.Name, time: e.ModTime, Old: e})
			}
		}
		return nil
	})
	var damaged *manifest.DamagedError
	if errors.As(err, &damaged) {
		return nil // what is in it is unknown, and the scan says so
	}
	return err
}

// look compares one item, and reports whether it is in the trash.
func (c *comparison) look(d Drift) (trashed bool) {
	s, listed := c.states[d.Item]
	if !listed {
		if c.unlisted != nil {
			c.unlisted(d.Item)
		}
		return false
	}
	above := c.folders[d.in]
	d.parent, d.level, d.within, d.waits = above.id, above.level, above.trashed, above.lost
	d.judge(s)
	if d.within && !s.Explicit {
		d.What &^= Trashed // that was not done to the item
	}
	if d.What != 0 {
		c.see(d)
	}
	return s.Trashed
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
