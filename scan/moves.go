package scan

import (
	"errors"

	"github.com/autocloudbackup/acb/manifest"
)

// byInode returns the known folder that a folder is by its inode and birth
// time, or nil. The worker's listing holds the folder's names.
func (k *worker) byInode(n *node, st *info) (*manifest.Row, error) {
	if st.Inode == 0 || n.fs.id == 0 {
		return nil, nil
	}
	rows, err := k.r.ByInode(n.fs.id, st.Inode)
	if err != nil {
		return nil, onlyDamaged(err)
	}
	for i := range rows {
		row := &rows[i]
		if row.ID == manifest.Root || row.Flags.Has(manifest.Prefix) {
			continue
		}
		alike := row.Birth == st.birth
		if row.Birth == 0 || st.birth == 0 {
			if alike, err = k.halfAlike(n, row); err != nil {
				return nil, err
			}
		}
		if alike {
			return row, nil
		}
	}
	return nil, nil
}

// halfAlike reports whether at least half of what is known in a folder is in
// this one, by name and inode. It stands in for the birth time where the file
// system has none, since inode numbers are used again at once.
func (k *worker) halfAlike(n *node, row *manifest.Row) (bool, error) {
	known := make(map[string]uint64, row.Files.Len())
	c, err := row.Files.Cursor()
	for err == nil && c.Next() {
		known[string(c.Name)] = c.Stat.Inode
	}
	if err != nil {
		return false, onlyDamaged(err)
	}
	subs, err := k.r.Children(row.ID)
	if err != nil {
		return false, onlyDamaged(err)
	}
	for i := range subs {
		known[subs[i].Name] = subs[i].Inode
	}
	found := 0
	for _, r := range k.l.names {
		if inode, ok := known[string(k.l.name(r))]; ok {
			var st info
			if n.d.lstat(k.l.cname(r), &st) == nil && st.Inode == inode {
				found++
			}
		}
	}
	return len(known) > 0 && 2*found >= len(known), nil
}

// onlyDamaged passes on any error but damage in the manifest, which only means
// that a folder's past is not known.
func onlyDamaged(err error) error {
	var damaged *manifest.DamagedError
	if errors.As(err, &damaged) {
		return nil
	}
	return err
}

// claim begins a branch for a job's folder as the known folder id, unless
// another one was met as that before.
func (w *walk) claim(j *job, id manifest.FolderID) *branch {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.claims[id] != nil || w.refuted[id] {
		return nil
	}
	b := j.branch.sub(*j, id, true)
	w.claims[id] = b
	return b
}

// isElsewhere reports whether a known folder was met by its inode, so that
// what is at its path is another one.
func (w *walk) isElsewhere(id manifest.FolderID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.elsewhere[id]
}

// placeOf returns where the manifest has a known folder.
func (w *walk) placeOf(r *manifest.Reader, id manifest.FolderID) (*manifest.Place, error) {
	var names []string
	for at := id; at != manifest.Root && at != 0; {
		row, ok, err := r.Row(at)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, &manifest.DamagedError{Folder: at, What: "it is missing, although something is in it"}
		}
		names = append(names, row.Name)
		at = row.Parent
	}
	var p manifest.Path
	for i := len(names) - 1; i >= 0; i-- {
		p = p.Join(names[i])
	}
	return &manifest.Place{ID: id, Path: p, Source: w.sourceOf(p)}, nil
}

// holding is which branches hold, as far as is known.
type holding struct {
	*worker
	dropped map[*branch]bool
	stays   map[manifest.FolderID]bool    // known folders that are absent: whether something in them is to stay
	missed  map[manifest.FolderID]gone    // known folders that are not at their place
	met     map[manifest.FolderID]*branch // known folders met by inode
	atPath  map[manifest.FolderID]*branch // known folders taken for what is at their path
}

// settle decides which branches hold and queues again what does not, as what
// it is then; again tells whether there is any.
//
// At first all are taken to hold, and then, over and over, those are dropped
// that the others speak against: evidence may lie inside a branch, as when a
// folder was moved into what used to be below it. It ends because each round
// adds to walk.refuted or walk.elsewhere, which decide when it is walked again.
func (k *worker) settle() (h *holding, again bool, err error) {
	h = &holding{worker: k, dropped: map[*branch]bool{}, stays: map[manifest.FolderID]bool{}}
	for more := true; more; {
		if more, err = h.drop(); err != nil {
			return nil, false, err
		}
	}
	for _, t := range k.w.tops {
		if t.branch != nil && h.requeue(t.branch) {
			again = true
		}
	}
	return h, again, nil
}

// drop adds to dropped what does not hold, and reports whether there was any.
func (h *holding) drop() (bool, error) {
	h.missed = map[manifest.FolderID]gone{}
	h.met, h.atPath = map[manifest.FolderID]*branch{}, map[manifest.FolderID]*branch{}
	for _, t := range h.w.tops {
		if t.branch != nil {
			h.collect(t.branch)
		}
	}
	before := len(h.dropped)
	for id, b := range h.met {
		absent, err := h.absent(id)
		if err != nil {
			return false, err
		}
		taken := false
		if absent {
			if taken, err = h.taken(b); err != nil {
				return false, err
			}
		}
		if !absent || taken {
			h.dropped[b] = true
			h.w.refuted[id] = true
		}
	}
	if len(h.dropped) > before {
		return true, nil
	}
	for id, b := range h.atPath {
		if h.met[id] != nil { // perhaps inside b, and so only now
			h.dropped[b] = true
			h.w.elsewhere[id] = true
		}
	}
	return len(h.dropped) > before, nil
}

// collect gathers what the branches that hold have to say.
func (h *holding) collect(b *branch) {
	for _, g := range b.out.gone {
		h.missed[g.row.ID] = g
	}
	for _, s := range b.subs {
		if h.dropped[s] {
			continue
		}
		if s.moved {
			h.met[s.id] = s
		} else {
			h.atPath[s.id] = s
		}
		h.collect(s)
	}
}

// taken reports whether a moved folder cannot have its place, because the known
// one that was there before is gone but for what is to stay: a folder may have
// no twin. It is taken for that one, then.
func (h *holding) taken(b *branch) (bool, error) {
	before := b.job.row
	if before == nil || h.met[before.ID] != nil || h.atPath[before.ID] != nil {
		return false, nil
	}
	g, missed := h.missed[before.ID]
	if !missed {
		return false, nil
	}
	stays, known := h.stays[before.ID]
	if known {
		return stays, nil
	}
	a := &absences{worker: &worker{w: h.w, r: h.r}, h: h, top: g.top}
	if err := a.folder(g.in, g.row, g.rules, g.rel, 0); err != nil {
		return false, err
	}
	stays = len(a.f.unknown) > 0
	const kept = manifest.Retired | manifest.Pinned
	for _, f := range a.f.files {
		stays = stays || f.Old.Flags&kept != 0
	}
	for _, f := range a.f.folders {
		stays = stays || f.Old.Flags&kept != 0
	}
	h.stays[before.ID] = stays
	return stays, nil
}

// absent reports whether a known folder was seen not to be where the manifest
// has it: missed in the folder above, or below one that is missed and was met
// nowhere.
func (h *holding) absent(id manifest.FolderID) (bool, error) {
	if _, ok := h.missed[id]; ok {
		return true, nil
	}
	for {
		row, ok, err := h.r.Row(id)
		if err != nil || !ok {
			return false, onlyDamaged(err)
		}
		id = row.Parent
		switch {
		case id == manifest.Root || id == 0:
			return false, nil
		case h.met[id] != nil || h.atPath[id] != nil:
			return false, nil // what is in it was looked for there, and was not missed
		}
		if _, ok := h.missed[id]; ok {
			return true, nil
		}
	}
}

// requeue takes what was dropped out of a branch and queues it again.
func (h *holding) requeue(b *branch) (again bool) {
	subs := b.subs
	b.subs = nil
	for _, s := range subs {
		if !h.dropped[s] {
			b.subs = append(b.subs, s)
			again = h.requeue(s) || again
			continue
		}
		h.forget(s)
		h.w.queueAgain(s.job)
		again = true
	}
	return again
}

// forget frees what a dropped branch has claimed.
func (h *holding) forget(b *branch) {
	if b.moved {
		delete(h.w.claims, b.id)
	}
	for _, s := range b.subs {
		h.forget(s)
	}
}
