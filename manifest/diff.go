package manifest

import (
	"cmp"
	"slices"
)

// Diff decides what became of everything in an observation. It does no I/O.
//
// A path that exists on both sides keeps its FileID, unless its new content
// equals one whose own path is gone or was replaced: then that FileID moves
// here, no byte is sent, and what the path held before is deleted or moves on
// in turn. So log rotation, atomic saves, swaps and cycles are all moves.
// Contents are equal if kind, size and hash are. Among several equal contents
// the same inode is preferred, then the same name, then path order.
func Diff(obs Observation) Changes {
	c := Changes{Folders: diffFolders(obs.Folders)}
	var m matcher
	for _, d := range obs.Files {
		if ch, ok := settled(d); ok {
			c.Files = append(c.Files, ch)
		} else {
			m.add(d)
		}
	}
	if rest := m.changes(); len(c.Files) == 0 { // a first run: the list is large, and there once
		c.Files = rest
	} else {
		c.Files = append(c.Files, rest...)
	}
	slices.SortStableFunc(c.Files, func(a, b FileChange) int { return compareFiles(cmp.Or(a.New, a.Old), cmp.Or(b.New, b.Old)) })
	slices.SortStableFunc(c.Folders, func(a, b FolderChange) int {
		return cmp.Compare(cmp.Or(a.New, a.Old).Path(), cmp.Or(b.New, b.Old).Path())
	})
	twins(c.Files)
	return c
}

// twins finds those of the created files whose content another of them brings
// to Drive.
func twins(cs []FileChange) {
	first := make(map[Sum]*FileAt)
	for i := range cs {
		c := &cs[i]
		if c.Kind != Created || c.Twin != nil {
			continue
		}
		if s, ok := c.New.Sum(); !ok {
			continue
		} else if c.Twin = first[s]; c.Twin == nil {
			first[s] = c.New
		}
	}
}

// compareFiles orders by folder, then by name, and builds no path for it.
func compareFiles(a, b *FileAt) int {
	return cmp.Or(cmp.Compare(a.In.Path, b.In.Path), cmp.Compare(a.Name, b.Name))
}

func diffFolders(diffs []FolderDiff) []FolderChange {
	var cs []FolderChange
	for _, d := range diffs {
		c := FolderChange{Old: d.Old, New: d.New}
		switch {
		case d.Old == nil:
			c.Kind = Created
		case d.New == nil && d.Old.Flags&(Retired|Pinned) != 0:
			c.Kind = Keep
		case d.New == nil:
			c.Kind = Deleted
		case d.Old.Flags.Has(Lost):
			c.Kind = Created
		case d.Old.In.ID != d.New.In.ID || d.Old.Name != d.New.Name:
			c.Kind = Moved
		case d.New.Flags.Has(Retired) && !d.Old.Flags.Has(Retired):
			c.Kind = Retire
		case d.Old.Flags.Has(Retired) && !d.New.Flags.Has(Retired):
			c.Kind = Unretire
		default:
			c.Kind = Restat
		}
		if c.New != nil && c.Kind != Created {
			c.New.FileID = c.Old.FileID
		}
		cs = append(cs, c)
	}
	return cs
}

// settled decides a difference that no other one can bear on: the content
// stayed, or what is absent is kept.
func settled(d FileDiff) (FileChange, bool) {
	c := FileChange{Old: d.Old, New: d.New}
	switch {
	case d.Old == nil:
		return c, false
	case d.New == nil:
		c.Kind = Keep
		return c, d.Old.Flags&(Retired|Pinned) != 0
	case d.New.Flags.Has(Retired):
		c.Kind = Restat
		if !d.Old.Flags.Has(Retired) {
			c.Kind = Retire
		}
	case d.Old.Flags.Has(Lost) || !sameContent(d):
		return c, false
	case d.Old.ModTime != d.New.ModTime || d.Old.Mode != d.New.Mode:
		c.Kind = Touched
	case d.Old.Flags.Has(Retired):
		c.Kind = Unretire
	default:
		c.Kind = Restat
	}
	c.keepContent()
	return c, true
}

// sameContent reports whether the content of a path on both sides stayed. A
// scan that read the content says so by its hash; one that had no need to
// read it, by an equal stat.
func sameContent(d FileDiff) bool {
	if d.Old.Kind != d.New.Kind || d.Old.Size != d.New.Size {
		return false
	}
	if d.New.Hash.IsZero() {
		return d.Old.Stat == d.New.Stat
	}
	return d.New.Hash == d.Old.Hash
}

// keepContent gives the new side what Drive holds for the old one.
func (c *FileChange) keepContent() {
	c.New.Content = c.Old.Content
}

// A content is what two files must share for one to have become the other.
type content struct {
	kind Kind
	size int64
	hash Hash
}

func contentOf(f *FileAt) content { return content{f.Kind, f.Size, f.Hash} }

// A trait is what two files share that make a likely pair.
type trait struct {
	content
	inode uint64
	name  string
}

// A pairing gives each content that came to a path at most one that left one.
type pairing struct {
	left, came []*FileAt // by path
	from       map[*FileAt]*FileAt
	taken      map[*FileAt]bool
}

// pair matches what shares a trait and has no partner yet, in path order.
func (p *pairing) pair(of func(*FileAt) (trait, bool)) {
	left := make(map[trait][]*FileAt)
	for _, o := range p.left {
		if t, ok := of(o); ok && !p.taken[o] {
			left[t] = append(left[t], o)
		}
	}
	for _, n := range p.came {
		t, ok := of(n)
		olds := left[t]
		if !ok || p.from[n] != nil || len(olds) == 0 {
			continue
		}
		p.from[n], p.taken[olds[0]] = olds[0], true
		left[t] = olds[1:]
	}
}

// A matcher pairs contents that left a path with contents that came to one.
type matcher struct {
	diffs []FileDiff
	lost  []FileChange
}

func (m *matcher) add(d FileDiff) {
	switch {
	case d.Old != nil && d.Old.Flags.Has(Lost):
		// Drive has nothing to move or update.
		if d.New == nil {
			m.lost = append(m.lost, FileChange{Kind: Deleted, Old: d.Old})
			return
		}
		m.lost = append(m.lost, FileChange{Kind: Created, Old: d.Old, New: d.New, Twin: d.Twin})
	case d.Old != nil && d.New != nil && d.Old.Kind != d.New.Kind:
		// A file became a symlink or the reverse: two things, not one.
		m.diffs = append(m.diffs, FileDiff{Old: d.Old}, FileDiff{New: d.New, Twin: d.Twin})
	default:
		m.diffs = append(m.diffs, d)
	}
}

// changes pairs and decides what add collected.
func (m *matcher) changes() []FileChange {
	p := pairing{from: make(map[*FileAt]*FileAt), taken: make(map[*FileAt]bool)}
	for _, d := range m.diffs {
		if d.Old != nil && !d.Old.Hash.IsZero() {
			p.left = append(p.left, d.Old)
		}
		if d.New != nil && !d.New.Hash.IsZero() {
			p.came = append(p.came, d.New)
		}
	}
	slices.SortFunc(p.left, compareFiles)
	slices.SortFunc(p.came, compareFiles)
	p.pair(func(f *FileAt) (trait, bool) {
		return trait{content: contentOf(f), inode: f.Inode}, f.Inode != 0
	})
	p.pair(func(f *FileAt) (trait, bool) { return trait{content: contentOf(f), name: f.Name}, true })
	p.pair(func(f *FileAt) (trait, bool) { return trait{content: contentOf(f)}, true })

	cs := slices.Grow(m.lost, len(m.diffs)) // nearly always one change a difference
	for _, d := range m.diffs {
		stays := d.Old != nil && d.New != nil && p.from[d.New] == nil && !p.taken[d.Old]
		if stays {
			cs = append(cs, FileChange{Kind: Modified, Old: d.Old, New: d.New})
			continue
		}
		if d.Old != nil && !p.taken[d.Old] {
			cs = append(cs, FileChange{Kind: Deleted, Old: d.Old})
		}
		if d.New == nil {
			continue
		}
		if old := p.from[d.New]; old != nil {
			c := FileChange{Kind: Moved, Old: old, New: d.New}
			c.keepContent()
			cs = append(cs, c)
		} else {
			cs = append(cs, FileChange{Kind: Created, New: d.New, Twin: d.Twin})
		}
	}
	return cs
}
