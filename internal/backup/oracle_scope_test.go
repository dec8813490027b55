package backup_test

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// A frame is what is on disk and on Drive between two runs, and what the
// configuration says of it. Paths are those below the host folder.
type frame struct {
	sources []string
	rules   []string
	blind   string // in it a run sees nothing
	disk    map[string]thing
	items   map[string]onDriveItem
	ids     map[string]string // of folders, by path
}

// An onDriveItem is something below the host folder.
type onDriveItem struct {
	at   string
	up   string // id of the folder that it is in, "" for the host folder
	dir  bool
	md5  string
	live bool // not in the trash
	node drivetest.Node
}

func (s *scope) frame() *frame {
	s.t.Helper()
	f := &frame{rules: slices.Clone(s.rules), blind: s.blind, items: map[string]onDriveItem{}, ids: map[string]string{}}
	for _, dir := range s.sources {
		f.sources = append(f.sources, drivePath(dir))
	}
	sources := s.sources
	s.sources = []string{s.dir}
	f.disk = s.onDisk()
	s.sources = sources
	tree := s.onHost()
	if s.host().ID == "" {
		tree = nil
	}
	var locate func(key string) string
	locate = func(key string) string {
		n, ok := tree[key]
		if !ok {
			return ""
		}
		name := n.Name
		if n.AppProps["acb.k"] == "l" {
			name = strings.TrimSuffix(name, ".rclonelink")
		}
		return path.Join(locate(path.Dir(key)), strings.ReplaceAll(unquoted(name), "/", "\u2215"))
	}
	for key, n := range tree {
		if n.Kind == "folder" && !n.Trashed {
			f.ids[locate(key)] = n.ID
		}
		f.items[n.ID] = onDriveItem{at: locate(key), up: tree[path.Dir(key)].ID, dir: n.Kind == "folder", md5: n.MD5, live: !n.Trashed, node: n}
	}
	return f
}

func (f *frame) in(id string) string { return f.items[id].up }

// there reports whether an item's place on disk holds a thing of its kind.
func (f *frame) there(it onDriveItem) bool {
	d, ok := f.disk[it.at]
	return ok && (d.kind == "d") == it.dir
}

// inSource reports whether a path is that of a source or in one.
func (f *frame) inSource(at string) bool {
	return slices.ContainsFunc(f.sources, func(s string) bool { return within(at, s) })
}

// above reports whether a path is that of a folder above a source.
func (f *frame) above(at string) bool {
	return slices.ContainsFunc(f.sources, func(s string) bool { return s != at && within(s, at) })
}

// hides reports whether a run sees nothing at a path.
func (f *frame) hides(at string, dir bool) bool {
	if f.blind != "" && within(at, f.blind) {
		return true
	}
	for _, s := range f.sources {
		if within(at, s) {
			return f.ruled(strings.TrimPrefix(strings.TrimPrefix(at, s), "/"), dir)
		}
	}
	return true
}

// ruled reports whether a rule is about a path, or a folder above it, seen
// from where rules begin.
func (f *frame) ruled(rel string, dir bool) bool {
	names := strings.Split(rel, "/")
	for i, name := range names {
		for _, r := range f.rules {
			glob, dirs := strings.CutSuffix(r, "/")
			if ok, _ := path.Match(glob, name); ok && name != "" && (!dirs || dir || i < len(names)-1) {
				return true
			}
		}
	}
	return false
}

// stays reports whether Drive may hold an item although nothing is to be
// saved there: it is hidden, or it or what it is in is kept.
func (f *frame) stays(id string, keep map[string]keep) bool {
	it := f.items[id]
	if f.hides(it.at, it.dir) {
		return true
	}
	for ; id != ""; id = f.in(id) {
		if keep[id] > no {
			return true
		}
	}
	return false
}

// compareScope demands that Drive holds what is to be saved, as it is on disk,
// and beside it only what is kept, which may be called as something on disk is;
// and that the manifest tells the same.
func (s *scope) compareScope() {
	s.t.Helper()
	f := s.frame()
	disk := f.visible()
	covers, items := map[string]bool{}, map[string]located{}
	for id, it := range f.items {
		if it.live && f.stays(id, s.keep) {
			for up := f.in(id); up != ""; up = f.in(up) {
				covers[up] = true
			}
		}
	}
	var wrong []string
	saved := map[string]bool{}
	for id, it := range f.items {
		if !it.live {
			continue
		}
		t := s.thing(it.at, it.node)
		items[id] = located{it.at, t}
		switch {
		case disk[it.at] == t && !saved[it.at]:
			saved[it.at] = true
		case !covers[id] && !f.stays(id, s.keep):
			wrong = append(wrong, fmt.Sprintf("%q: on Drive %+v (%s), on disk %+v", it.at, t, id, disk[it.at]))
		}
	}
	for at, d := range disk {
		if !saved[at] {
			wrong = append(wrong, fmt.Sprintf("not on Drive: %q %+v", at, d))
		}
	}
	differ, _ := s.compareManifest(items)
	s.differences(append(wrong, differ...))
}

// visible is what Drive should hold of what is on disk.
func (f *frame) visible() map[string]thing {
	out := map[string]thing{}
	for _, s := range f.sources {
		for dir := path.Dir(s); dir != "."; dir = path.Dir(dir) {
			out[dir] = thing{kind: "d"}
		}
	}
	for at, d := range f.disk {
		if !f.hides(at, d.kind == "d") {
			out[at] = d
		}
	}
	return out
}
