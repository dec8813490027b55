package backup

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// Listed compares all that Drive lists of an installation with a manifest:
// ⌈items/1000⌉ requests, and one for 100 items whose listing is in doubt.
//
// It tells what is gone, trashed, moved, renamed or overwritten; and as Extra
// or Duplicate what the manifest does not know, of items in the host folder,
// the topmost ones; strange are all of those, wherever they are. What has been
// begun may be there or not. A manifest that is damaged in places tells nothing
// of what is extra.
//
// In memory it holds 16 bytes an item, and what differs.
func Listed(ctx context.Context, drive *remote.Drive, installation string, known *manifest.Reader, lay remote.Layout, begun map[manifest.FileID]bool) (found []Drift, strange States, items int64, err error) {
	l, err := expect(known, lay)
	damaged := isDamage(err)
	if err != nil && !damaged {
		return nil, nil, 0, err
	}
	into, strange := drifts{}, States{}
	met := func(id manifest.FileID, s remote.State) {
		items++
		l.meet(id, s)
	}
	err = list(ctx, drive, installation, true, met, func(looked States) ([]manifest.FileID, error) {
		if looked == nil {
			doubtful, err := l.doubtful(known, lay)
			doubtful = append(doubtful, lay.Top, lay.Host)
			if !damaged {
				doubtful = append(doubtful, l.more...)
			}
			return doubtful, err
		}
		_, err := into.compare(known, lay, looked)
		if err == nil && !damaged {
			strange, err = into.extras(known, lay, looked, l.more, begun)
		}
		return nil, err
	})
	if err != nil {
		return nil, nil, 0, fmt.Errorf("compare Drive with the manifest: %w", err)
	}
	return into.sorted(), strange, items, nil
}

// list tells met of all that Drive lists of an installation, and then looks up
// by id what doubtful names, until it names nothing more: listings lag, and
// show what has been changed a moment ago as it was. Doubtful is told what was
// looked up last, nil at first.
func list(ctx context.Context, drive *remote.Drive, installation string, trash bool, met func(manifest.FileID, remote.State),
	doubtful func(looked States) ([]manifest.FileID, error)) error {
	err := drive.List(ctx, installation, trash, func(id manifest.FileID, s remote.State) error {
		met(id, s)
		return nil
	})
	for looked := States(nil); err == nil; {
		var ids []manifest.FileID
		if ids, err = doubtful(looked); err != nil || len(ids) == 0 {
			return err
		}
		looked, err = drive.Check(ctx, ids)
	}
	return err
}

// A listing takes off what it meets as it should be.
type listing struct {
	seed maphash.Seed
	left map[uint64]uint64 // of ids: the digest of what is expected, not met yet
	more []manifest.FileID // that were not expected
}

// expect begins a listing of what a manifest knows. What is damaged in it is
// not expected, and part of the error.
func expect(known *manifest.Reader, lay remote.Layout) (*listing, error) {
	l := &listing{seed: maphash.MakeSeed(), left: map[uint64]uint64{}}
	return l, eachItem(known, lay, func(d Drift) {
		if !d.lost {
			l.left[l.key(d.Item)] = l.digest(&d)
		}
	})
}

// doubtful returns what is expected and was not met as it should be, but for
// the two folders above all.
func (l *listing) doubtful(known *manifest.Reader, lay remote.Layout) (ids []manifest.FileID, err error) {
	err = eachItem(known, lay, func(d Drift) {
		if _, left := l.left[l.key(d.Item)]; left && !d.lost && d.Item != lay.Top && d.Item != lay.Host {
			ids = append(ids, d.Item)
		}
	})
	if isDamage(err) {
		err = nil
	}
	return ids, err
}

func (l *listing) key(id manifest.FileID) uint64 { return maphash.String(l.seed, string(id)) }

// digest is what an item should be as, in a number. That of two different
// states is the same once in 2^64.
func (l *listing) digest(d *Drift) uint64 {
	var h maphash.Hash
	h.SetSeed(l.seed)
	put := func(words ...string) {
		for _, w := range words {
			h.WriteString(w)
			h.WriteByte(0)
		}
	}
	put(string(d.parent), d.name)
	if d.kind != manifest.Dir {
		h.Write(d.Old.MD5[:])
		put(d.Old.HeadRevision)
	}
	return h.Sum64()
}

// meet takes an item of the listing. One that is in the trash only because
// a folder above it is stands or falls with that one.
func (l *listing) meet(id manifest.FileID, s remote.State) {
	key := l.key(id)
	want, expected := l.left[key]
	is := Drift{parent: s.Parent, name: s.Name, kind: s.Kind, Old: manifest.Entry{Content: s.Content}}
	switch {
	case !expected && !s.Trashed:
		l.more = append(l.more, id)
	case expected && !s.Explicit && want == l.digest(&is):
		delete(l.left, key)
	}
}

// A spot is where an item is on Drive.
type spot struct {
	parent manifest.FileID
	name   string
}

// extras returns what the manifest does not know of the items with the given
// ids, and adds to found the topmost of what is in the host folder, or another
// host folder beside it.
func (found drifts) extras(known *manifest.Reader, lay remote.Layout, states States, ids []manifest.FileID, begun map[manifest.FileID]bool) (extra States, err error) {
	extra = States{}
	above := map[manifest.FileID]Drift{} // of folders with something extra in them
	for _, id := range ids {
		if s := states[id]; !s.Absent && !s.Trashed && !begun[id] {
			extra[id], above[s.Parent] = s, Drift{}
		}
	}
	displaced, err := known.Displaced()
	if err != nil {
		return nil, err
	}
	for _, e := range displaced {
		delete(extra, e.FileID)
	}
	taken := map[spot]bool{{lay.Top, states[lay.Host].Name}: true}
	for _, s := range extra {
		at := spot{s.Parent, s.Name}
		if _, asked := taken[at]; !asked {
			taken[at] = false
		}
	}
	err = eachItem(known, lay, func(d Drift) {
		if d.lost {
			return
		}
		delete(extra, d.Item)
		at := spot{d.parent, d.name}
		if _, asked := taken[at]; asked {
			taken[at] = true
		}
		if _, asked := above[d.Item]; asked && d.in != notKept {
			above[d.Item] = d
		}
	})
	if err != nil {
		return nil, err
	}
	ids = slices.SortedFunc(maps.Keys(extra), func(a, b manifest.FileID) int { return cmp.Compare(a, b) })
	for _, id := range ids {
		s := extra[id]
		at, up := spot{s.Parent, s.Name}, above[s.Parent]
		if up.Item == "" && (s.Parent != lay.Top || !taken[at]) {
			continue // below another one, or none of the backup
		}
		d := Drift{What: Extra, Path: up.Path.Join(s.Name), Item: id, Now: s, kind: s.Kind, level: up.level + 1, in: notKept}
		if taken[at] {
			d.What = Duplicate
		}
		taken[at] = true
		found[id] = d
	}
	return extra, nil
}
