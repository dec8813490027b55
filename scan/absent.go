package scan

import (
	"errors"

	"github.com/autocloudbackup/acb/internal/ignore"
	"github.com/autocloudbackup/acb/manifest"
)

// absences lists what is known of the folders that were missed, and of all
// below them but what was met elsewhere.
type absences struct {
	*worker
	h   *holding
	top *top
}

// list adds everything that is absent to the findings of its source.
func (a *absences) list() error {
	for id, g := range a.h.missed {
		if a.h.met[id] != nil || a.h.atPath[id] != nil {
			continue
		}
		a.f.reset()
		a.top = g.top
		if err := a.folder(g.in, g.row, g.rules, g.rel, 0); err != nil {
			return err
		}
		g.top.branch.report(&a.f)
	}
	return nil
}

// folder lists one absent folder. keep holds the flags of those above it that
// cover it. What today's rules hide is kept, too: it is flagged as if it had
// been retired before it went.
func (a *absences) folder(in *manifest.Place, row *manifest.Row, rules *ignore.Rules, rel string, keep manifest.Flags) error {
	if a.h.met[row.ID] != nil {
		return nil
	}
	at := &node{top: a.top, rules: rules, exclude: a.top.src.Exclude, rel: rel}
	switch at.judge([]byte(row.Name), true) {
	case excluded:
		return a.unknownBelow(a.top, in.Path.Join(row.Name), row)
	case hidden:
		keep |= manifest.Retired
	}
	keep |= row.Flags & (manifest.Retired | manifest.Pinned)
	place := &manifest.Place{ID: row.ID, Path: in.Path.Join(row.Name), Source: a.top.index}
	entries, err := a.r.Entries(*row)
	var subs []manifest.Row
	if err == nil && row.Subfolders > 0 {
		subs, err = a.r.Children(row.ID)
	}
	var damaged *manifest.DamagedError
	if errors.As(err, &damaged) {
		a.f.skips = append(a.f.skips, Skip{Path: place.Path, Source: place.Source, Class: Damaged, Reason: err.Error()})
		return a.unknownBelow(a.top, place.Path, row)
	}
	if err != nil {
		return err
	}
	old := &manifest.FolderAt{In: in, Folder: row.Folder}
	old.Flags |= keep
	a.f.folders = append(a.f.folders, manifest.FolderDiff{Old: old})
	inside := &node{top: a.top, rules: rules, exclude: at.exclude, rel: at.relOf(row.Name)}
	for i := range entries {
		a.file(inside, place, &entries[i], keep)
	}
	for _, e := range a.w.displaced[row.ID] {
		a.file(inside, place, &e, keep)
	}
	for i := range subs {
		if err := a.folder(place, &subs[i], rules, inside.rel, keep); err != nil {
			return err
		}
	}
	return nil
}

// file lists one file in an absent folder.
func (a *absences) file(inside *node, in *manifest.Place, e *manifest.Entry, keep manifest.Flags) {
	switch inside.judge([]byte(e.Name), false) {
	case excluded:
		a.f.unknown = append(a.f.unknown, in.Path.Join(e.Name))
		a.f.counts.Unknown++
		return
	case hidden:
		keep |= manifest.Retired
	}
	old := &manifest.FileAt{In: in, Entry: *e}
	old.Flags |= keep
	a.f.files = append(a.f.files, fileSeen{FileDiff: manifest.FileDiff{Old: old}, top: a.top})
}

// relOf returns the path of a name in the folder from the source's top.
func (n *node) relOf(name string) string {
	if n.rel == "" {
		return name
	}
	return n.rel + "/" + name
}
