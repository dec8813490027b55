package scan

import (
	"sync/atomic"
	"unsafe"

	"github.com/autocloudbackup/acb/internal/ignore"
	"github.com/autocloudbackup/acb/manifest"
)

// A node is a folder that the walk has entered, or one above the sources.
type node struct {
	up     *node // nil for a source's top
	top    *top
	branch *branch
	name   string
	id     manifest.FolderID
	row    *manifest.Row   // what is known of it; nil if it is new
	oldIn  *manifest.Place // its parent as the manifest has it, if that is not up

	flags          manifest.Flags // of its files that are compared
	rules, exclude *ignore.Rules
	rel            string // slash-separated from the source's top; empty unless there are rules

	dev, inode uint64 // by which it is known again when it must be reopened
	fs         *device

	// The handle stays open until all subfolders were opened, unless too many
	// are open; guarded by walk.mu.
	d       dir
	pending int // subfolders not yet opened
	users   int // workers that use d right now

	now, was atomic.Pointer[manifest.Place]
}

// place returns where the folder is now.
func (n *node) place() *manifest.Place {
	if p := n.now.Load(); p != nil {
		return p
	}
	p := &manifest.Place{ID: n.id, Path: n.up.place().Path.Join(n.name), Source: n.top.index}
	n.now.CompareAndSwap(nil, p)
	return n.now.Load()
}

// old returns where the manifest has the folder, which must be known. For all
// that has not moved that is place.
func (n *node) old() *manifest.Place {
	if p := n.was.Load(); p != nil {
		return p
	}
	p := n.place()
	if path := n.oldParent().Path.Join(n.row.Name); path != p.Path {
		p = &manifest.Place{ID: n.id, Path: path, Source: n.top.walk.sourceOf(path)}
	}
	n.was.CompareAndSwap(nil, p)
	return n.was.Load()
}

// parent returns where the folder that holds this one is.
func (n *node) parent() *manifest.Place {
	if n.up == nil {
		return n.top.in
	}
	return n.up.place()
}

// oldParent returns where the folder that holds this one in the manifest is there.
func (n *node) oldParent() *manifest.Place {
	switch {
	case n.oldIn != nil:
		return n.oldIn
	case n.up == nil:
		return n.top.in
	}
	return n.up.old()
}

// verdict is what today's rules make of a name.
type verdict uint8

const (
	visible  verdict = iota
	hidden           // by the rules: retired if known
	excluded         // from this run: unknown if known
)

// judge gives the verdict on a name in the folder. It does not keep the name.
func (n *node) judge(name []byte, isDir bool) verdict {
	if n.exclude == nil && n.rules == nil {
		return visible
	}
	s := unsafe.String(unsafe.SliceData(name), len(name))
	if n.exclude.Match(n.rel, s, isDir) == ignore.Ignored {
		return excluded
	}
	if n.rules.Match(n.rel, s, isDir) == ignore.Ignored {
		return hidden
	}
	return visible
}

// relPath returns the folder's path from the source's top, slash-separated.
func (n *node) relPath() string {
	if n.rel != "" || n.up == nil {
		return n.rel
	}
	if above := n.up.relPath(); above != "" {
		return above + "/" + n.name
	}
	return n.name
}
