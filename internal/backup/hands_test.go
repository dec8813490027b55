package backup_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// node returns what Drive has at a path below the world.
func (w *world) node(rel string) drivetest.Node {
	w.t.Helper()
	at := topName + "/" + hostName + "/" + drivePath(w.path(rel))
	n, ok := w.srv.Tree("root")[at]
	if !ok {
		w.t.Fatalf("Drive has no %s", at)
	}
	return n
}

func (w *world) top() drivetest.Node  { return w.srv.Tree("root")[topName] }
func (w *world) host() drivetest.Node { return w.srv.Tree("root")[topName+"/"+hostName] }

// hands are what somebody else may do to docs, which holds d/f, d/g and e/h.
var hands = []struct {
	name string
	do   func(w *world) error
}{
	{"file trashed", func(w *world) error { return w.srv.Trash(w.node("docs/d/f").ID) }},
	{"folder trashed", func(w *world) error { return w.srv.Trash(w.node("docs/d").ID) }},
	{"folder above trashed", func(w *world) error { return w.srv.Trash(w.node("docs").ID) }},
	{"file and folder trashed", func(w *world) error {
		if err := w.srv.Trash(w.node("docs/d/f").ID); err != nil {
			return err
		}
		return w.srv.Trash(w.node("docs/d").ID)
	}},
	{"file deleted", func(w *world) error { return w.srv.Delete(w.node("docs/d/f").ID) }},
	{"folder deleted", func(w *world) error { return w.srv.Delete(w.node("docs/d").ID) }},
	{"source's folder deleted", func(w *world) error { return w.srv.Delete(w.node("docs").ID) }},
	{"file moved", func(w *world) error { return w.srv.Move(w.node("docs/d/f").ID, w.node("docs/e").ID) }},
	{"file moved out", func(w *world) error { return w.srv.Move(w.node("docs/d/f").ID, "root") }},
	{"folder moved", func(w *world) error { return w.srv.Move(w.node("docs/d").ID, w.node("docs/e").ID) }},
	{"file renamed", func(w *world) error { return w.srv.Rename(w.node("docs/d/f").ID, "other name") }},
	{"content replaced", func(w *world) error { return w.srv.SetContent(w.node("docs/d/f").ID, []byte("theirs")) }},
	{"host folder trashed", func(w *world) error { return w.srv.Trash(w.host().ID) }},
	{"host folder deleted", func(w *world) error { return w.srv.Delete(w.host().ID) }},
	{"top folder trashed", func(w *world) error { return w.srv.Trash(w.top().ID) }},
	{"top folder deleted", func(w *world) error { return w.srv.Delete(w.top().ID) }},
}

// TestOtherHands lets somebody else change on Drive what acb made there, and
// then the disk changes so that acb touches it. The run puts it right: what
// was trashed or moved comes back, what is gone is made anew, and nothing is
// there twice.
func TestOtherHands(t *testing.T) {
	edits := []struct {
		name string
		do   func(w *world)
	}{
		{"file edited", func(w *world) { w.write("docs/d/f", "edited here") }},
		{"file created beside", func(w *world) { w.write("docs/d/new", "new") }},
		{"file moved", func(w *world) { w.rename("docs/d/f", "docs/e/f2") }},
		{"folder moved", func(w *world) { w.rename("docs/d", "docs/d2") }},
		{"folder created in it", func(w *world) { w.write("docs/d/sub/sub/new", "new") }},
		{"file deleted", func(w *world) { w.remove("docs/d/f") }},
		{"folder deleted", func(w *world) { w.remove("docs/d") }},
	}
	for i, h := range hands {
		for j, e := range edits {
			if (i+j)%stride(5) > 0 {
				continue
			}
			t.Run(h.name+", "+e.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, drivetest.Options{Unsettled: unsettled(uint64(i*100+j+1) * 0x9e3779b97f4a7c15)}, "docs")
				w.write("docs/d/f", "the file")
				w.write("docs/d/g", "its neighbour")
				w.write("docs/e/h", "elsewhere")
				w.ok()
				w.must(h.do(w))
				e.do(w)
				w.ok()
				w.touched(h.name, e.name)
				w.quiet()
			})
		}
	}
}

// touched compares what the run could see: items that neither it nor a folder
// that it lost led to stay as the other hand left them, for acb asks Drive
// about nothing that did not change.
func (w *world) touched(hand, edit string) {
	w.t.Helper()
	tree := w.srv.Tree("root")
	seen := make(map[string]string)
	for at, n := range tree {
		if strings.Contains(path.Base(at), "#") {
			w.t.Errorf("twice on Drive: %s", at)
		}
		if n.Kind == "file" {
			if other, twice := seen[n.MD5]; twice {
				w.t.Errorf("%s and %s hold the same", other, at)
			}
			seen[n.MD5] = at
		}
	}
	disk := w.onDisk()
	prefix := drivePath(w.path("docs"))
	changed := map[string]string{
		"file edited": "d/f", "file created beside": "d/new", "file moved": "e/f2", "folder moved": "d2", "folder created in it": "d/sub/sub/new",
	}[edit]
	if changed != "" {
		within := prefix
		if hand == "folder moved" && edit != "folder moved" {
			within += "/e" // nothing led acb to look where the folder is
		}
		if edit == "file moved" {
			within = prefix
		}
		at := path.Join(topName, hostName, within, changed)
		n, ok := tree[at]
		if d := disk[path.Join(prefix, changed)]; !ok || (n.Kind == "file" && n.MD5 != d.md5) {
			w.t.Errorf("%s is not as on disk: %+v", at, n)
		}
	}
	for at := range tree {
		rel, ok := strings.CutPrefix(at, topName+"/"+hostName+"/"+prefix+"/")
		if ok && (edit == "file deleted" && rel == "d/f" || edit == "folder deleted" && rel == "d") {
			w.t.Errorf("%s is still there", at)
		}
	}
	if strings.Contains(hand, "deleted") && hand != "file deleted" && !strings.Contains(edit, "deleted") {
		w.compare() // a lost folder leads to all that was in it
	}
}

// TestHandsBeforeAMove lets somebody else take a file out of its folder and
// delete that, and then the user moves the file: the run that finds out makes
// the folder anew for what else is in it, and the file is where the user has it.
func TestHandsBeforeAMove(t *testing.T) {
	for _, moved := range []string{"docs/d/f", "docs/d/sub"} {
		w := newWorld(t, drivetest.Options{}, "docs")
		w.write("docs/d/f", "the file")
		w.write("docs/d/g", "its neighbour")
		w.write("docs/d/sub/in", "below")
		w.write("docs/e/h", "elsewhere")
		w.ok()
		w.must(firstOf(w.srv.Move(w.node(moved).ID, "root"), w.srv.Delete(w.node("docs/d").ID)))
		w.rename(moved, "docs/e/moved")
		w.ok(w.due)
		w.compare()
		w.atMost1(func() { w.ok(w.due) })
	}
}

// TestHandsAfterAKill kills a run that moves a file and trashes the folder that
// it was in, and then somebody else trashes what both are in. Drive does not
// tell that the file was moved, then, and it must not be forgotten with the
// folder.
func TestHandsAfterAKill(t *testing.T) {
	for n, hit := 0, true; hit && !t.Failed(); n++ {
		w := newWorld(t, drivetest.Options{}, "docs")
		w.write("docs/d/f", "the file")
		w.write("docs/e/h", "elsewhere")
		w.ok()
		w.rename("docs/d/f", "docs/e/f")
		w.remove("docs/d")
		hit = w.killAfter(n)
		w.must(w.srv.Trash(w.node("docs").ID))
		w.ok(w.due)
		w.compare()
		w.quiet()
		if t.Failed() {
			t.Errorf("killed at request %d", n)
		}
		w.srv.Close()
	}
}

// otherHands lets somebody else act at random on what acb has made, and do
// anything at all if they may. Else what they do is seen by whoever looks at each file once
// more: folders that nothing leads acb to stay as the other hand left them, so
// that hands do not move those or rename them.
func (tr *trial) otherHands(anything bool) {
	tr.t.Helper()
	for range 1 + tr.rng.IntN(4) {
		tree := tr.srv.Tree(tr.host().ID)
		paths := slices.Sorted(maps.Keys(tree))
		if len(paths) == 0 {
			break // all of it is in the bin
		}
		at := paths[tr.rng.IntN(len(paths))]
		n := tree[at]
		if !anything && n.Kind == "folder" && !holds(tr.onDisk(), at) {
			continue // nothing would lead acb to it
		}
		within := tree[paths[tr.rng.IntN(len(paths))]]
		switch act := tr.rng.IntN(6); {
		case act == 0:
			tr.hand.say("-- other hands trash %s", at)
			tr.must(tr.srv.Trash(n.ID))
		case act == 1:
			tr.hand.say("-- other hands delete %s", at)
			tr.must(tr.srv.Delete(n.ID))
		case act == 2 && anything:
			tr.hand.say("-- other hands empty the bin")
			tr.srv.EmptyTrash()
		case n.Kind != "file" && !anything:
		case act == 3 && within.Kind == "folder":
			if err := tr.srv.Move(n.ID, within.ID); err == nil { // not into what is in it
				tr.hand.say("-- other hands move %s into %s", at, within.Name)
			}
		case act == 4:
			name := "theirs " + n.ID
			if anything && tr.rng.IntN(2) == 0 {
				name = within.Name
			}
			tr.hand.say("-- other hands rename %s to %q", at, name)
			tr.must(tr.srv.Rename(n.ID, name))
		case act == 5 && n.Kind == "file":
			tr.hand.say("-- other hands write into %s", at)
			theirs := "theirs " + at
			if tr.rng.IntN(2) == 0 {
				theirs = strings.Repeat("t", int(n.Size))
			}
			tr.must(tr.srv.SetContent(n.ID, []byte(theirs)))
		}
	}
}

// holds reports whether there is a file on disk in a folder on Drive.
func holds(disk map[string]thing, folder string) bool {
	for path, d := range disk {
		if d.kind == "f" && strings.HasPrefix(path, folder+"/") {
			return true
		}
	}
	return false
}

// touchAll gives each file another time and makes each symlink anew.
func (tr *trial) touchAll() {
	tr.t.Helper()
	for _, path := range tr.hand.list(func(m fs.FileMode) bool { return !m.IsDir() }) {
		if target, err := os.Readlink(path); err == nil {
			tr.must(errors.Join(os.Remove(path), os.Symlink(target, path)))
			continue
		}
		tr.must(os.Chtimes(path, time.Time{}, time.Unix(1_700_000_000+tr.rng.Int64N(1e6), 7)))
	}
}
