package plan

import (
	"cmp"
	"strings"

	"github.com/autocloudbackup/acb/manifest"
)

// trashes turns what was observed absent into as few trashes as hold exactly
// that: a folder is trashed whole only if nothing below it is to stay, else
// its largest clean subtrees, and the folder itself is retired. What moved
// out has left by then: moves run first, and a failed one holds the trashes
// of its sources back.
func (p *planner) trashes(c manifest.Changes, unknown []manifest.Path) {
	g := goneFolders(c, unknown)
	if !p.opts.Allow {
		g.markUnmet(c)
	}
	covers := make(map[manifest.FolderID]*Op) // trashed folders and what lies below them
	for i := range c.Folders {
		ch := &c.Folders[i]
		if ch.Kind != manifest.Deleted {
			continue
		}
		id := ch.Old.ID
		switch {
		case g.stained[id] || p.opts.Keep:
			p.keptFolders = append(p.keptFolders, ch.Old)
		case g.clouded[id]: // a later scan will know
		case covers[ch.Old.In.ID] != nil:
			covers[id] = covers[ch.Old.In.ID]
		default:
			op := folderOp(TrashFolder, ch)
			covers[id] = op
			p.trash = append(p.trash, op)
		}
	}
	for i := range c.Files {
		ch := &c.Files[i]
		if ch.Kind != manifest.Deleted {
			continue
		}
		if p.opts.Keep {
			p.keptFiles = append(p.keptFiles, ch.Old)
			continue
		}
		if top := covers[ch.Old.In.ID]; top != nil {
			top.Files++
			continue
		}
		op := fileOp(TrashFile, ch)
		op.FileID, op.Old = ch.Old.FileID, &ch.Old.Content
		p.trash = append(p.trash, op)
	}
}

// retire keeps, out of sight, what is to stay.
func (p *planner) retire() {
	for _, old := range p.keptFolders {
		if p.waits[old.In.Source] {
			continue
		}
		kept := *old
		kept.Flags |= manifest.Retired
		p.Local.Folders = append(p.Local.Folders, manifest.FolderChange{Kind: manifest.Retire, Old: old, New: &kept})
	}
	for _, old := range p.keptFiles {
		if p.waits[old.In.Source] {
			continue
		}
		kept := *old
		kept.Flags |= manifest.Retired
		p.Local.Files = append(p.Local.Files, manifest.FileChange{Kind: manifest.Retire, Old: old, New: &kept})
	}
}

// gone is what the planner knows of folders that were observed absent.
type gone struct {
	parent  map[manifest.FolderID]manifest.FolderID
	stained map[manifest.FolderID]bool // something below is to stay
	clouded map[manifest.FolderID]bool // something below is unknown
}

func goneFolders(c manifest.Changes, unknown []manifest.Path) gone {
	g := gone{
		parent:  make(map[manifest.FolderID]manifest.FolderID),
		stained: make(map[manifest.FolderID]bool),
		clouded: make(map[manifest.FolderID]bool),
	}
	at := make(map[manifest.Path]manifest.FolderID)
	for _, f := range c.Folders {
		if f.Kind == manifest.Deleted || f.Kind == manifest.Keep {
			g.parent[f.Old.ID] = f.Old.In.ID
			at[f.Old.Path()] = f.Old.ID
		}
	}
	for _, f := range c.Folders {
		if f.Kind == manifest.Keep {
			g.mark(g.stained, f.Old.ID)
		}
	}
	for _, f := range c.Files {
		if f.Kind == manifest.Keep {
			g.mark(g.stained, f.Old.In.ID)
		}
	}
	for _, u := range unknown {
		for dir := u; dir != ""; dir, _ = dir.Split() {
			if id, ok := at[dir]; ok {
				g.mark(g.clouded, id)
				break
			}
		}
	}
	return g
}

// mark puts a gone folder, and the gone folders above it, into set.
func (g gone) mark(set map[manifest.FolderID]bool, id manifest.FolderID) {
	for !set[id] {
		parent, ok := g.parent[id]
		if !ok {
			return
		}
		set[id] = true
		id = parent
	}
}

// markUnmet keeps the folders that were met, and have something in them that
// was not, from being trashed whole.
func (g gone) markUnmet(c manifest.Changes) {
	unmet := make(map[manifest.FolderID]bool)
	for _, f := range c.Folders {
		if f.Kind == manifest.Deleted && f.Old.Flags.Has(manifest.Unmet) {
			unmet[f.Old.ID] = true
		}
	}
	mark := func(in manifest.FolderID) {
		if !unmet[in] {
			g.mark(g.clouded, in)
		}
	}
	for _, f := range c.Folders {
		if unmet[cmp.Or(f.Old, f.New).ID] {
			mark(f.Old.In.ID)
		}
	}
	for _, f := range c.Files {
		if f.Kind == manifest.Deleted && f.Old.Flags.Has(manifest.Unmet) {
			mark(f.Old.In.ID)
		}
	}
}

// guard takes out what the guards hold back, source by source.
func (p *planner) guard() {
	for i, s := range p.sources {
		g := p.guardOf(i, s)
		if g == NoGuard && !p.opts.Allow {
			p.hold(i, Rebuilt)
			if over(p.count(i, p.trash, (*Op).FileCount), s.Files, p.opts.MaxDelete) {
				g = MaxDelete
			}
		}
		if g != NoGuard {
			p.waits[i] = true
			p.hold(i, g)
		}
	}
}

// guardOf returns the guard that holds for all of a source, but for the limit
// of deletions. Too many changes comes first, as it holds back the most.
func (p *planner) guardOf(source int, s Source) Guard {
	updates := p.count(source, p.uploads, func(op *Op) int {
		if op.Kind == Update {
			return 1
		}
		return 0
	})
	switch {
	case !p.opts.Allow && over(updates, s.Files, p.opts.MaxModify):
		return MaxModify
	case s.Guard != NoGuard:
		return s.Guard
	case s.Failed:
		return Unread
	}
	return NoGuard
}

// count adds up what each counts of a source's operations.
func (p *planner) count(source int, ops []*Op, each func(*Op) int) (n int) {
	for _, op := range ops {
		if op.Sources[0] == source {
			n += each(op)
		}
	}
	return n
}

// hold takes out what a guard holds back in a source.
func (p *planner) hold(source int, g Guard) {
	h := Held{Source: source, Guard: g}
	if g == MaxModify {
		p.uploads = h.take(p.uploads, func(op *Op) bool { return op.Kind == Update })
	}
	p.trash = h.take(p.trash, func(op *Op) bool { return g != Rebuilt || op.unmet() })
	if len(h.Ops) > 0 {
		p.Held = append(p.Held, h)
	}
}

// unmet reports whether what is trashed was never met on this disk.
func (op *Op) unmet() bool {
	if op.Dir != nil {
		return op.Dir.Old.Flags.Has(manifest.Unmet)
	}
	return op.File.Old.Flags.Has(manifest.Unmet)
}

// over reports whether n of total files is above a limit.
func over(n int, total int64, share float64) bool {
	return share < 1 && n > AtLeast && float64(n) > share*float64(total)
}

// take moves the held source's operations that which picks from ops to h.
func (h *Held) take(ops []*Op, which func(*Op) bool) []*Op {
	var rest []*Op
	for _, op := range ops {
		if op.Sources[0] == h.Source && which(op) {
			h.Ops = append(h.Ops, op)
		} else {
			rest = append(rest, op)
		}
	}
	return rest
}

var guardWords = [...]string{
	"", "the source is missing", "the source is empty", "the source is on another file system",
	"something in the source could not be saved", "the manifest is damaged", "too many deletions", "too many changes",
	"on Drive, and not on this disk since the manifest was rebuilt",
}

// String says what the guard saw.
func (g Guard) String() string { return guardWords[g] }

// Lifts reports whether --allow-deletes lifts the guard.
func (g Guard) Lifts() bool { return g == MaxDelete || g == MaxModify || g == Rebuilt }

// FileCount returns how many files the operation concerns: none for folder
// operations, except those that a TrashFolder takes along.
func (op *Op) FileCount() int {
	if op.Folder != 0 {
		return op.Files
	}
	return 1
}

// String renders the operation in one line, as a dry run shows it.
func (op *Op) String() string {
	var b strings.Builder
	b.WriteString(op.Kind.String())
	b.WriteByte(' ')
	if op.From != "" {
		b.WriteString(string(op.From) + " -> ")
	}
	b.WriteString(string(op.Path))
	return b.String()
}
