package scan

import "github.com/autocloudbackup/acb/manifest"

// What an interrupted run has left beside the tree: an entry whose place
// another one took was seen to have left its path then. It is listed with the
// folder that holds it on Drive, as absent, so that its content can be found
// where it went. Where that folder is not looked at, it waits.

// readDisplaced reads all of it.
func (w *walk) readDisplaced(r *manifest.Reader) error {
	list, err := r.Displaced()
	if err != nil || len(list) == 0 {
		return err
	}
	w.displaced = make(map[manifest.FolderID][]manifest.Entry)
	for _, e := range list {
		w.displaced[e.Folder] = append(w.displaced[e.Folder], e.Entry)
	}
	return nil
}

// displaced lists what belongs to a folder that was compared. What today's
// rules hide waits as well: it is kept.
func (k *worker) displaced(n *node) {
	if n.row == nil || n.top.noAbsent {
		return
	}
	for _, e := range k.w.displaced[n.row.ID] {
		if n.judge([]byte(e.Name), false) == visible {
			k.leftBehind(n.old(), n.top, e)
		}
	}
}

// leftBehind lists one displaced entry.
func (k *worker) leftBehind(in *manifest.Place, top *top, e manifest.Entry) {
	k.f.files = append(k.f.files, fileSeen{FileDiff: manifest.FileDiff{Old: &manifest.FileAt{In: in, Entry: e}}, top: top})
}
