package backup

import (
	"fmt"
	"slices"

	"github.com/autocloudbackup/acb/manifest"
)

// since says what a later run has done to what a run made.
func since(d manifest.Difference) string {
	var to manifest.RunID
	switch {
	case d.File.New != nil:
		to = d.File.New.To
	case d.Dir.New != nil:
		to = d.Dir.New.To
	default:
		return ""
	}
	if to == manifest.Now {
		return ""
	}
	return fmt.Sprintf("run %d has changed it again", to)
}

// standing returns what a run did and what is left of it: what is as it was
// before needs no step any more, and of what an undo that was interrupted has
// taken back in part, the rest is one.
func standing(known *manifest.Reader, run manifest.RunID) ([]UndoStep, error) {
	did, err := known.Between(run-1, run)
	if err != nil {
		return nil, err
	}
	left, err := known.Between(run-1, manifest.Now)
	if err != nil {
		return nil, err
	}
	today := map[item]manifest.Difference{}
	for _, d := range left {
		if !isBack(d) {
			today[itemOf(d)] = d
		}
	}
	var steps []UndoStep
	for _, d := range did {
		now, ok := today[itemOf(d)]
		if !ok {
			continue
		}
		s := UndoStep{Difference: d, Why: since(d)}
		if s.Why != "" && !d.IsDir() {
			half, err := onlyUndone(known, d.File.New)
			if err != nil {
				return nil, err
			}
			if half {
				s = UndoStep{Difference: now}
			}
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// onlyUndone reports whether nothing but an undo has changed a file since it
// was a version.
func onlyUndone(known *manifest.Reader, v *manifest.Version) (bool, error) {
	were, err := known.FileWas(v.FileID)
	if err != nil {
		return false, err
	}
	for _, w := range were {
		if w.To < v.To {
			continue
		}
		run, _, err := known.Run(w.To)
		if err != nil || run.Kind != undoKind {
			return false, err
		}
	}
	return true, nil
}

// An item is what a difference is about.
type item struct {
	file manifest.FileID
	dir  manifest.FolderID
}

func itemOf(d manifest.Difference) item {
	switch {
	case d.Dir.Old != nil:
		return item{dir: d.Dir.Old.ID}
	case d.Dir.New != nil:
		return item{dir: d.Dir.New.ID}
	case d.File.Old != nil:
		return item{file: d.File.Old.FileID}
	}
	return item{file: d.File.New.FileID}
}

// isBack reports whether something is as it was, although it was otherwise in
// the meantime.
func isBack(d manifest.Difference) bool {
	if d.IsDir() {
		was, is := d.Dir.Old, d.Dir.New
		return was != nil && is != nil && was.Parent == is.Parent && was.Name == is.Name
	}
	was, is := d.File.Old, d.File.New
	if was == nil || is == nil || was.Folder != is.Folder || was.Name != is.Name || was.ModTime != is.ModTime || was.Mode != is.Mode {
		return false
	}
	// What was taken over from an interrupted run has Drive's sum only.
	return was.Kind == is.Kind && was.Size == is.Size && (!was.MD5.IsZero() && was.MD5 == is.MD5 || !was.Hash.IsZero() && was.Hash == is.Hash)
}

// possible are the steps that can be taken.
func possible(steps []UndoStep) []UndoStep {
	return slices.DeleteFunc(slices.Clone(steps), func(s UndoStep) bool { return s.Why != "" })
}

// old is where a step puts something back to.
func (s *UndoStep) old() place {
	if s.IsDir() {
		return place{s.Dir.Old.Parent, s.Dir.Old.Name}
	}
	return place{s.File.Old.Folder, s.File.Old.Name}
}

// new is where what a step takes away is.
func (s *UndoStep) new() place {
	if s.IsDir() {
		return place{s.Dir.New.Parent, s.Dir.New.Name}
	}
	return place{s.File.New.Folder, s.File.New.Name}
}

// judge finds out which steps cannot be taken, as things are today: what came
// back already, a place that is taken by now or whose folder is gone, a folder
// to go that holds other things, and what stands where something should be that
// stays in the trash. What stays for one of these may be in the way of others.
func judge(known *manifest.Reader, steps []UndoStep, stays map[place]bool) error {
	u := newUndoing(known, steps)
	if err := u.cameBack(known); err != nil {
		return err
	}
	u.instead(stays)
	for again := true; again; {
		u.again = false
		if err := u.leave(); err != nil {
			return err
		}
		for i := range steps {
			if s := &steps[i]; s.Why == "" && (s.Kind == manifest.WasMoved || s.Kind == manifest.WasDeleted) {
				why, err := u.mayGo(s)
				if err != nil {
					return err
				}
				u.stop(s, why)
			}
		}
		again = u.again
	}
	return nil
}

// undoing works out what can be taken back.
type undoing struct {
	now   manifest.View
	steps []UndoStep
	in    map[manifest.FolderID]*occupants

	again bool // something was found to stay
	// What is at its place today only until the undo, and which folders come
	// out of the trash by it.
	files       map[manifest.FileID]bool
	dirs, backs map[manifest.FolderID]bool
}

func newUndoing(known *manifest.Reader, steps []UndoStep) *undoing {
	return &undoing{now: known.At(manifest.Now), steps: steps, in: map[manifest.FolderID]*occupants{}}
}

// The occupants are what a folder holds today.
type occupants struct {
	there bool // it is there itself
	files map[string]manifest.FileID
	dirs  map[string][]manifest.FolderID // those that swap places may share a name
}

func (u *undoing) stop(s *UndoStep, why string) {
	if why != "" {
		s.Why, u.again = why, true
	}
}

// cameBack finds what was deleted and is there again, wherever that is.
func (u *undoing) cameBack(known *manifest.Reader) error {
	const already = "it came back already"
	files := map[manifest.FileID]*UndoStep{}
	for i := range u.steps {
		s := &u.steps[i]
		if s.Kind != manifest.WasDeleted || s.Why != "" {
			continue
		}
		if !s.IsDir() {
			files[s.File.Old.FileID] = s
			continue
		}
		_, found, err := u.now.Folder(s.Dir.Old.ID)
		if err != nil {
			return err
		}
		if found {
			s.Why = already
		}
	}
	if len(files) == 0 {
		return nil
	}
	return known.Walk(manifest.Root, func(_ manifest.Path, _ manifest.Row, list []manifest.Entry) error {
		for i := range list {
			if s := files[list[i].FileID]; s != nil {
				s.Why = already
			}
		}
		return nil
	})
}

// instead keeps what stands, with all that is in it, where something should be
// that stays in the trash: what is on Drive of it is all there is.
func (u *undoing) instead(stays map[place]bool) {
	if len(stays) == 0 {
		return
	}
	kept := map[manifest.FolderID]bool{}
	for i := range u.steps {
		s := &u.steps[i]
		if s.Kind != manifest.WasCreated || s.Why != "" {
			continue
		}
		at := s.new()
		if !stays[at] && !kept[at.folder] {
			continue
		}
		s.Why = "what was in its place before cannot be brought back"
		if s.IsDir() {
			kept[s.Dir.New.ID] = true
		}
	}
}

// leave works out what leaves its place if all goes that seems possible.
func (u *undoing) leave() error {
	u.files, u.dirs, u.backs = map[manifest.FileID]bool{}, map[manifest.FolderID]bool{}, map[manifest.FolderID]bool{}
	for i := range u.steps {
		switch s := &u.steps[i]; {
		case s.Why != "":
		case s.Kind == manifest.WasDeleted && s.IsDir():
			u.backs[s.Dir.Old.ID] = true
		case s.Kind == manifest.WasMoved && s.IsDir():
			u.dirs[s.Dir.New.ID] = true
		case !s.IsDir() && (s.Kind == manifest.WasCreated || s.Kind == manifest.WasMoved):
			u.files[s.File.New.FileID] = true
		}
	}
	// From the innermost outwards: folders come in the order of their paths.
	for i := range slices.Backward(u.steps) {
		s := &u.steps[i]
		if s.Kind != manifest.WasCreated || !s.IsDir() || s.Why != "" {
			continue
		}
		h, err := u.occupants(s.Dir.New.ID)
		if err != nil {
			return err
		}
		if u.empties(h) {
			u.dirs[s.Dir.New.ID] = true
		} else {
			u.stop(s, "it holds other things by now")
		}
	}
	return nil
}

// empties reports whether all that is in a folder today leaves it.
func (u *undoing) empties(h *occupants) bool {
	for _, id := range h.files {
		if !u.files[id] {
			return false
		}
	}
	for _, ids := range h.dirs {
		if slices.ContainsFunc(ids, func(id manifest.FolderID) bool { return !u.dirs[id] }) {
			return false
		}
	}
	return true
}

// mayGo says why a step cannot put something back to where it was; "" if it can.
func (u *undoing) mayGo(s *UndoStep) (string, error) {
	to := s.old()
	h, err := u.occupants(to.folder)
	if err != nil {
		return "", err
	}
	if !h.there && !u.backs[to.folder] {
		return "its folder is not there", nil
	}
	id, taken := h.files[to.name]
	taken = taken && !u.files[id]
	taken = taken || slices.ContainsFunc(h.dirs[to.name], func(id manifest.FolderID) bool { return !u.dirs[id] })
	if taken {
		return "something else is in its place by now", nil
	}
	return "", nil
}

// occupants reads what a folder holds, once.
func (u *undoing) occupants(id manifest.FolderID) (*occupants, error) {
	if h := u.in[id]; h != nil {
		return h, nil
	}
	h := &occupants{files: map[string]manifest.FileID{}, dirs: map[string][]manifest.FolderID{}}
	_, found, err := u.now.Folder(id)
	if err != nil {
		return nil, err
	}
	if h.there = found; found {
		files, err := u.now.Files(id)
		if err != nil {
			return nil, err
		}
		for _, v := range files {
			h.files[v.Name] = v.FileID
		}
		dirs, err := u.now.Folders(id)
		if err != nil {
			return nil, err
		}
		for _, d := range dirs {
			h.dirs[d.Name] = append(h.dirs[d.Name], d.ID)
		}
	}
	u.in[id] = h
	return h, nil
}
