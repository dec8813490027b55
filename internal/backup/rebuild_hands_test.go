package backup_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// TestRebuildHands: what somebody else did on Drive is taken as it is, sent
// again where the disk has something else, and never touched where it is in
// nobody's way.
func TestRebuildHands(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(w *world) error
		left string // a part of what is said of what is left
		sent int64  // bytes that the next scan has to send
		hash int64  // of those, what it need not send where a copy knows the BLAKE3
	}{
		{"nothing", func(w *world) error { return nil }, "", 0, 0},
		{"content replaced", func(w *world) error { return w.srv.SetContent(w.node("docs/d/f").ID, []byte("theirs..")) }, "", 8, 0},
		{"content of another size", func(w *world) error { return w.srv.SetContent(w.node("docs/d/f").ID, []byte("theirs")) }, "", 8, 0},
		{"file renamed", func(w *world) error { return w.srv.Rename(w.node("docs/d/f").ID, "other name") }, "", 8, 8},
		{"impossible name", func(w *world) error { return w.srv.Rename(w.node("docs/d/f").ID, "a/b") }, "no file on disk", 8, 0},
		{"folder moved", func(w *world) error { return w.srv.Move(w.node("docs/d").ID, w.node("docs/e").ID) }, "", 21, 21},
		{"folder moved out", func(w *world) error { return w.srv.Move(w.node("docs/d").ID, "root") }, "in no folder of the backup", 21, 0},
		{"file deleted", func(w *world) error { return w.srv.Delete(w.node("docs/d/f").ID) }, "", 8, 0},
		{"folder trashed", func(w *world) error { return w.srv.Trash(w.node("docs/d").ID) }, "", 21, 0},
	} {
		for _, copied := range []bool{false, true} {
			t.Run(fmt.Sprint(c.name, copied), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, drivetest.Options{}, "docs")
				w.named()
				w.write("docs/d/f", "the file")
				w.write("docs/d/g", "its neighbour")
				w.write("docs/e/h", "elsewhere")
				w.ok()
				w.forget(copied)
				w.must(c.do(w))
				before := w.items()
				made, err := w.rebuild()
				w.must(err)
				if (len(made.Left) > 0) != (c.left != "") || c.left != "" && !strings.Contains(made.Left[0].Why, c.left) {
					t.Errorf("left %+v", made.Left)
				}
				w.limits.Allow = true // nothing was lost on this disk
				sent := w.srv.Stats().ContentIn
				w.ok()
				want := c.sent
				if copied {
					want -= c.hash
				}
				if n := w.srv.Stats().ContentIn - sent; n != want {
					t.Errorf("%d bytes sent, should be %d", n, want)
				}
				for id := range before {
					if s := w.srv.TreeWithTrash("root"); len(made.Left) > 0 && string(made.Left[0].Item) == id && !listed(s, id) {
						t.Errorf("what was left is gone")
					}
				}
				if c.left == "" {
					w.compare()
				}
				w.quiet()
			})
		}
	}
}

func listed(tree map[string]drivetest.Node, id string) bool {
	for _, n := range tree {
		if n.ID == id && !n.Trashed {
			return true
		}
	}
	return false
}

// TestRebuildTwins: of two items of one name, the one that was saved last has
// the place; the other is listed, and stays.
func TestRebuildTwins(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/a", "new")
	w.write("docs/b", "old")
	w.must(os.Chtimes(w.path("docs/b"), time.Unix(1e9, 0), time.Unix(1e9, 0)))
	w.ok()
	w.forget(false)
	old := w.node("docs/b").ID
	w.must(w.srv.Rename(old, "a"))
	w.remove("docs/b")
	made, err := w.rebuild()
	w.must(err)
	if len(made.Left) != 1 || string(made.Left[0].Item) != old || !strings.Contains(made.Left[0].Why, "saved last") || made.Files != 1 {
		t.Errorf("%+v", made)
	}
	w.ok()
	w.quiet()
	if !listed(w.srv.TreeWithTrash("root"), old) {
		t.Error("the other one was touched")
	}
}
