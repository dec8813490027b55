package backup

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// eachItem calls visit for everything that the manifest knows of Drive, folders
// before what is in them: the top folder, the host folder, and all below it.
// What is damaged is passed over, and part of the error.
func eachItem(known *manifest.Reader, lay remote.Layout, visit func(d Drift)) error {
	type folder struct {
		id    manifest.FileID
		level int
		lost  bool           // it, or one above it
		flags manifest.Flags // likewise
	}
	folders := map[manifest.FolderID]folder{0: {id: lay.Top}}
	visit(Drift{Item: lay.Top, in: notKept, kind: manifest.Dir})
	return known.Walk(manifest.Root, func(p manifest.Path, row manifest.Row, files []manifest.Entry) error {
		above := folders[row.Parent]
		here := folder{id: row.FileID, level: above.level + 1, lost: above.lost || row.Flags.Has(manifest.Lost), flags: above.flags | row.Flags}
		d := Drift{
			Path: p, Item: row.FileID, in: row.Parent, is: row.ID, kind: manifest.Dir, name: row.Name, time: row.ModTime,
			parent: above.id, level: above.level, waits: above.lost,
			lost: row.Flags.Has(manifest.Lost), hidden: here.flags.Has(manifest.Retired), pinned: here.flags.Has(manifest.Pinned),
		}
		if row.ID == manifest.Root {
			here.id, d.Item, d.time = lay.Host, lay.Host, 0
		}
		folders[row.ID] = here
		visit(d)
		for _, e := range files {
			flags := here.flags | e.Flags
			visit(Drift{
				Path: p.Join(e.Name), Item: e.FileID, in: row.ID, kind: e.Kind, name: e.Name, time: e.ModTime, Old: e,
				parent: here.id, level: here.level, waits: here.lost,
				lost: e.Flags.Has(manifest.Lost), hidden: flags.Has(manifest.Retired), pinned: flags.Has(manifest.Pinned),
			})
		}
		return nil
	})
}

// isDamage reports whether an error says no more than that a part of the
// manifest is damaged: what is in it is unknown.
func isDamage(err error) bool {
	var damaged *manifest.DamagedError
	return errors.As(err, &damaged)
}

// A comparison compares what Drive has with what the manifest says.
type comparison struct {
	states  States
	found   drifts
	met     map[manifest.FileID]bool   // of the states, what the manifest has
	trashed map[manifest.FolderID]bool // it, or one above it
}

// drifts are what was found, the last that was seen of each item.
type drifts map[manifest.FileID]Drift

// compare adds to found what differs of the items that states has. It returns
// those that the manifest does not know; none if it is damaged, for then it
// tells nothing of what it does not know.
func (found drifts) compare(known *manifest.Reader, lay remote.Layout, states States) (strange []manifest.FileID, err error) {
	if len(states) == 0 {
		return nil, nil
	}
	c := comparison{states: states, found: found, met: map[manifest.FileID]bool{}, trashed: map[manifest.FolderID]bool{}}
	if err := eachItem(known, lay, c.look); isDamage(err) {
		return nil, nil // the scan says so
	} else if err != nil {
		return nil, err
	}
	for id := range states {
		if !c.met[id] {
			strange = append(strange, id)
		}
	}
	return strange, nil
}

// look compares one item.
func (c *comparison) look(d Drift) {
	d.within = c.trashed[d.in]
	s, listed := c.states[d.Item]
	if listed {
		c.met[d.Item] = true
	}
	if listed && !d.lost {
		d.judge(s)
		if d.within && !s.Explicit {
			d.What &^= Trashed // that was not done to the item
		}
		if d.What != 0 {
			c.found[d.Item] = d
		}
		if s.Trashed && d.kind == manifest.Dir {
			c.trashed[d.is] = true
		}
	}
	if d.within && d.kind == manifest.Dir {
		c.trashed[d.is] = true
	}
}

// sorted returns what was found, folders before what is in them.
func (found drifts) sorted() []Drift {
	return slices.SortedFunc(maps.Values(found), func(a, b Drift) int {
		return cmp.Or(cmp.Compare(a.level, b.level), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Item, b.Item))
	})
}

// touched is sorted without what the manifest does not know: that is no
// business of a scan.
func (found drifts) touched() []Drift {
	return slices.DeleteFunc(found.sorted(), func(d Drift) bool { return d.What.Has(Extra | Duplicate) })
}
