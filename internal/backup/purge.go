package backup

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/scan"
)

// A Purge is what to take off Drive although nothing is gone on disk: what
// today's rules hide, and what was backed up by name. Only a purge does that.
type Purge struct {
	Paths  []manifest.Path // what lies at or below them; none means everywhere
	Before time.Time       // only what was last saved by a run before; zero means any
}

// PlanPurge says what a purge would put into Drive's trash.
func (b *Backup) PlanPurge(p Purge) (*plan.Plan, *Summary, error) { return b.preview(b.purge(p)) }

// CarryOutPurge puts what a purge means into Drive's trash.
func (b *Backup) CarryOutPurge(ctx context.Context, p Purge) (*Summary, error) {
	return b.carryOut(ctx, b.purge(p))
}

func (b *Backup) purge(p Purge) edit {
	return edit{kind: "purge", reason: manifest.EndPurged, changes: func(known *manifest.Reader) (manifest.Changes, error) {
		return p.changes(known, b.Sources)
	}}
}

// A hidden is a folder on the way to what is purged.
type hidden struct {
	at       *manifest.Place
	folder   manifest.Folder
	retired  bool // it, or one above it
	pinned   bool // likewise
	stays    bool // something in it does, or it is needed itself
	purged   bool // something in it is
	children []*hidden
	files    []manifest.Entry // that are purged
}

// changes names what is retired or pinned as deleted; and the folders that
// hold nothing else.
func (p Purge) changes(known *manifest.Reader, sources []scan.Source) (manifest.Changes, error) {
	last, err := p.lastRun(known)
	if err != nil {
		return manifest.Changes{}, err
	}
	all := map[manifest.FolderID]*hidden{}
	var top *hidden
	err = known.Walk(manifest.Root, func(path manifest.Path, row manifest.Row, files []manifest.Entry) error {
		h := &hidden{
			at: &manifest.Place{ID: row.ID, Path: path}, folder: row.Folder,
			retired: row.Flags.Has(manifest.Retired), pinned: row.Flags.Has(manifest.Pinned),
		}
		// What was pinned as a whole may have become the way to a source since.
		own := row.Flags.Has(manifest.Prefix) || slices.ContainsFunc(sources, func(s scan.Source) bool { return s.Path == path })
		if up := all[row.Parent]; up != nil {
			h.retired = h.retired || up.retired
			h.pinned = h.pinned || up.pinned && !own
			up.children = append(up.children, h)
		} else {
			top = h
		}
		all[row.ID] = h
		for _, e := range files {
			if (h.retired || h.pinned || e.Flags.Has(manifest.Retired) || e.Flags.Has(manifest.Pinned)) && e.Since <= int64(last) && p.names(path.Join(e.Name)) {
				h.files = append(h.files, e)
			} else {
				h.stays = true
			}
		}
		return nil
	})
	if err != nil {
		return manifest.Changes{}, fmt.Errorf("read what is retired: %w", err)
	}
	var c manifest.Changes
	top.settle(&p)
	top.collect(&c)
	return c, nil
}

// lastRun is the last run whose files may be purged.
func (p Purge) lastRun(known *manifest.Reader) (manifest.RunID, error) {
	if p.Before.IsZero() {
		return manifest.Now, nil
	}
	run, _, err := known.RunAt(p.Before)
	return run.ID, err // 0, and so nothing, if there was none
}

// names reports whether a path is meant.
func (p *Purge) names(path manifest.Path) bool {
	for _, q := range p.Paths {
		if path.Within(q) {
			return true
		}
	}
	return len(p.Paths) == 0
}

// settle finds out which folders go as a whole: those that are retired, or
// only led to what is purged, and in which nothing stays.
func (h *hidden) settle(p *Purge) {
	h.purged = len(h.files) > 0 || (h.retired || h.pinned) && p.names(h.at.Path)
	for _, child := range h.children {
		child.settle(p)
		h.purged = h.purged || child.purged
		h.stays = h.stays || child.stays
	}
	leads := h.retired || h.pinned || h.folder.Flags.Has(manifest.Prefix)
	if !h.purged || !leads || h.at.ID == manifest.Root {
		h.stays = true
	}
}

// collect lists what goes, folders before what is in them.
func (h *hidden) collect(c *manifest.Changes) {
	if !h.stays {
		up, _ := h.at.Path.Split()
		c.Folders = append(c.Folders, manifest.FolderChange{Kind: manifest.Deleted, Old: &manifest.FolderAt{
			In: &manifest.Place{ID: h.folder.Parent, Path: up}, Folder: h.folder,
		}})
	}
	for _, e := range h.files {
		c.Files = append(c.Files, manifest.FileChange{Kind: manifest.Deleted, Old: &manifest.FileAt{In: h.at, Entry: e}})
	}
	for _, child := range h.children {
		child.collect(c)
	}
}
