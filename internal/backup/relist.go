package backup

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// A Left is an item of the backup's that a manifest which is made anew has no
// place for. It is listed and not touched.
type Left struct {
	Path string // its place on Drive as far as that is known, else its name
	Item manifest.FileID
	Why  string
}

// A base is what another manifest knew of the same backup.
type base struct {
	folders map[manifest.FileID]manifest.Folder
	files   map[manifest.FileID]baseFile
}

type baseFile struct {
	in manifest.FolderID
	manifest.Entry
}

// readBase reads a whole manifest. Its history stays where it is.
func readBase(known *manifest.Reader) (base, error) {
	b := base{map[manifest.FileID]manifest.Folder{}, map[manifest.FileID]baseFile{}}
	err := known.Walk(manifest.Root, func(_ manifest.Path, row manifest.Row, files []manifest.Entry) error {
		if row.ID != manifest.Root {
			b.folders[row.FileID] = row.Folder
		}
		for _, e := range files {
			b.files[e.FileID] = baseFile{row.ID, e}
		}
		return nil
	})
	return b, err
}

// A relisting puts what Drive lists of one installation into the places of a
// tree, and says which steps lead there from a base. What Drive has is right;
// the base tells only what Drive does not: history, flags, BLAKE3 of contents
// that are the same still. Every file is Racy, and carries nothing that a
// disk has told: the scan compares it with the disk by Drive's MD5. All is
// Unmet.
type relisting struct {
	host    manifest.FileID
	states  States // all of them, by id; absent ones, too
	base    base
	sources []manifest.Path
	next    func() manifest.FolderID
	put     func(manifest.Step) error

	in     map[manifest.FileID][]manifest.FileID // what is in which folder
	placed map[manifest.FileID]bool
	left   []Left

	Relisted
}

// Relisted counts what a manifest that is made anew holds, and how its base
// differed from Drive.
type Relisted struct {
	Files, Folders, Bytes int64
	Added                 int64 // files that only Drive knew of
	Dropped               int64 // files that only the base knew of
	Changed               int64 // files that have another content
	Moved                 int64 // files and folders that are elsewhere
}

func (l *relisting) run() error {
	l.in, l.placed = map[manifest.FileID][]manifest.FileID{}, map[manifest.FileID]bool{l.host: true}
	for id, s := range l.states {
		if !s.Absent && !s.Trashed && id != l.host {
			l.in[s.Parent] = append(l.in[s.Parent], id)
		}
	}
	type folder struct {
		id   manifest.FileID
		at   manifest.FolderID
		path manifest.Path
	}
	for queue := []folder{{l.host, manifest.Root, ""}}; len(queue) > 0; queue = queue[1:] {
		f := queue[0]
		for _, id := range l.taken(f.id, f.path) {
			s := l.states[id]
			path := f.path.Join(s.Name)
			l.placed[id] = true
			if s.Kind != manifest.Dir {
				if err := l.putFile(id, s, f.at); err != nil {
					return err
				}
				continue
			}
			at, err := l.putFolder(id, s, f.at, path)
			if err != nil {
				return err
			}
			queue = append(queue, folder{id, at, path})
		}
	}
	l.leave()
	return l.drop()
}

// taken returns what has a place in a folder: of several items of one name,
// the one that was saved last.
func (l *relisting) taken(folder manifest.FileID, path manifest.Path) []manifest.FileID {
	list := l.in[folder]
	slices.SortFunc(list, func(a, b manifest.FileID) int {
		s, t := l.states[a], l.states[b]
		return cmp.Or(strings.Compare(s.Name, t.Name), cmp.Compare(t.ModTime, s.ModTime), l.older(b, a), strings.Compare(string(a), string(b)))
	})
	var taken []manifest.FileID
	name := ""
	for _, id := range list {
		s := l.states[id]
		where := string(path.Join(s.Name))
		switch {
		case s.Name == "" || s.Name == "." || s.Name == ".." || strings.ContainsAny(s.Name, "/\x00"):
			l.left = append(l.left, Left{where, id, "no file on disk can have that name"})
		case s.Kind == manifest.File && s.MD5.IsZero():
			l.left = append(l.left, Left{where, id, "it is no plain file any more"})
		case s.Name == name:
			l.left = append(l.left, Left{where, id, fmt.Sprintf("another one has its place: %s, saved last", taken[len(taken)-1])})
		default:
			name = s.Name
			taken = append(taken, id)
			continue
		}
		l.under(id)
	}
	return taken
}

// older prefers, of two that look alike, the one that the base knew.
func (l *relisting) older(a, b manifest.FileID) int {
	rank := func(id manifest.FileID) int {
		_, file := l.base.files[id]
		_, folder := l.base.folders[id]
		if file || folder {
			return 1
		}
		return 0
	}
	return rank(a) - rank(b)
}

// under takes all that is below something that is left out of what is listed
// by itself.
func (l *relisting) under(id manifest.FileID) {
	for _, child := range l.in[id] {
		l.under(child)
	}
	delete(l.in, id)
	delete(l.states, id)
}

// leave lists what is in no folder of the backup.
func (l *relisting) leave() {
	for _, id := range slices.Sorted(maps.Keys(l.states)) {
		s := l.states[id]
		if s.Absent || s.Trashed || l.placed[id] {
			continue
		}
		if above, ours := l.states[s.Parent]; ours && !above.Absent && !above.Trashed && !l.placed[s.Parent] {
			continue // that one is listed
		}
		l.left = append(l.left, Left{s.Name, id, "it is in no folder of the backup"})
	}
}

func (l *relisting) putFolder(id manifest.FileID, s remote.State, in manifest.FolderID, path manifest.Path) (manifest.FolderID, error) {
	l.Folders++
	dir := manifest.Folder{Parent: in, Name: s.Name, FileID: id, Flags: manifest.Unmet, Mode: s.Mode, ModTime: s.ModTime}
	if slices.ContainsFunc(l.sources, func(src manifest.Path) bool { return src != path && src.Within(path) }) {
		dir.Flags = manifest.Prefix
	}
	was, known := l.base.folders[id]
	if known {
		dir.ID = was.ID
		dir.Flags |= was.Flags &^ manifest.Lost
		if was.Parent != in || was.Name != s.Name {
			l.Moved++
		}
	} else {
		dir.ID = l.next()
	}
	if dir == was {
		return dir.ID, nil
	}
	return dir.ID, l.put(manifest.Step{Kind: manifest.PutFolder, Dir: dir, Reason: manifest.EndMoved})
}

func (l *relisting) putFile(id manifest.FileID, s remote.State, in manifest.FolderID) error {
	l.Files++
	l.Bytes += s.Size
	e := manifest.Entry{
		Name: s.Name, Flags: manifest.Racy | manifest.Unmet,
		Stat:    manifest.Stat{Kind: s.Kind, Mode: s.Mode, Size: s.Size, ModTime: s.ModTime},
		Content: manifest.Content{FileID: id, HeadRevision: s.HeadRevision, MD5: s.MD5},
	}
	was, known := l.base.files[id]
	step := manifest.Step{Kind: manifest.Put, Folder: in, Entry: e, Reason: manifest.EndOverwritten}
	switch {
	case !known:
		l.Added++
		return l.put(step)
	case was.MD5 == s.MD5 && was.Size == s.Size && was.Kind == s.Kind:
		step.Entry.Hash, step.Entry.Day = was.Hash, was.Day
	default:
		l.Changed++
	}
	step.Entry.Kept = was.Kept && was.HeadRevision == s.HeadRevision
	step.Entry.Flags |= was.Flags & (manifest.Retired | manifest.Pinned)
	if was.in != in || was.Name != s.Name {
		l.Moved++
		step.Kind, step.OldFolder, step.OldName, step.Reason = manifest.Move, was.in, was.Name, manifest.EndMoved
	}
	return l.put(step)
}

// drop takes out of the base what Drive has no more: of what is in its trash
// the history says that it was deleted.
func (l *relisting) drop() error {
	reason := func(id manifest.FileID) manifest.EndReason {
		if l.states[id].Trashed {
			return manifest.EndDeleted
		}
		return manifest.EndLost
	}
	gone := map[manifest.FolderID]bool{}
	for id, dir := range l.base.folders {
		gone[dir.ID] = !l.placed[id]
	}
	for _, id := range slices.Sorted(maps.Keys(l.base.files)) {
		f := l.base.files[id]
		if l.placed[id] {
			continue
		}
		l.Dropped++
		step := manifest.Step{Kind: manifest.Drop, Folder: f.in, Entry: f.Entry, Reason: reason(id)}
		if err := l.put(step); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(l.base.folders)) {
		dir := l.base.folders[id]
		if !gone[dir.ID] || gone[dir.Parent] {
			continue // it stays, or goes with the one above it
		}
		if err := l.put(manifest.Step{Kind: manifest.DropFolder, Dir: dir, Reason: reason(id)}); err != nil {
			return err
		}
	}
	return nil
}
