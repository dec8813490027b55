package scan

import (
	"errors"
	"slices"

	"github.com/autocloudbackup/acb/manifest"
)

// listDisplaced adds what an interrupted run has left beside the tree: an
// entry whose place another one took was seen to have left its path then. It
// counts as absent, so that its content can be found where it went.
//
// Where the folder could not be looked at it waits, for the content may have
// gone to a place that is unknown as well.
func (w *walk) listDisplaced(r *manifest.Reader) error {
	list, err := r.Displaced()
	if err != nil || len(list) == 0 {
		return err
	}
	unknown := w.unknownPaths()
	for _, e := range list {
		path, found, err := r.PathOf(e.Folder)
		var damaged *manifest.DamagedError
		if errors.As(err, &damaged) {
			continue
		}
		if err != nil {
			return err
		}
		i := w.sourceOf(path)
		if !found || i < 0 || w.tops[i].noAbsent || w.tops[i].res.State != OK {
			continue
		}
		if slices.ContainsFunc(unknown, path.Within) {
			continue
		}
		old := &manifest.FileAt{In: &manifest.Place{ID: e.Folder, Path: path, Source: i}, Entry: e.Entry}
		w.tops[i].branch.report(&findings{files: []fileSeen{{FileDiff: manifest.FileDiff{Old: old}, top: w.tops[i]}}})
	}
	return nil
}

// unknownPaths returns what the walk could not look at.
func (w *walk) unknownPaths() []manifest.Path {
	var all findings
	for _, t := range w.everywhere() {
		t.branch.gather(&all)
	}
	return all.unknown
}
