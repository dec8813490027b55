package backup_test

import (
	"fmt"
	"os"
	"path"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// A trash whose answer is lost leaves it open whether Drive has done it. If
// the file is there again when it would be sent once more, it is not sent, and
// the next run finds out what became of the first.
func TestTrashUnheardAndFileBack(t *testing.T) {
	for _, effect := range []drivetest.Effect{drivetest.Lost, drivetest.Unavailable, drivetest.LostAs(503), drivetest.Torn} {
		t.Run(effect.String(), func(t *testing.T) {
			w := newWorld(t, drivetest.Options{}, "docs")
			w.write("docs/f", "a file")
			w.write("docs/g", "another")
			w.ok()
			w.rename("docs/f", "../f")
			batches := 0 // the first reads the generation, the second trashes
			w.srv.OnRequest(func(_ int, r drivetest.Info) {
				if r.Kind == drivetest.Batch {
					if batches++; batches == 2 {
						w.keep(os.Rename(w.path("../f"), w.path("docs/f")))
					}
				}
			})
			w.srv.Inject(drivetest.Only(drivetest.At(1, effect), drivetest.Batch))
			sum, err := w.run(t.Context())
			hits := w.srv.Hits()
			w.srv.OnRequest(nil)
			w.srv.Inject(nil)
			if err != nil || hits != 1 {
				t.Fatalf("%v, %d hits, %v", err, hits, sum.Conditions)
			}
			w.ok()
			w.compare()
			w.quiet()
		})
	}
}

// A move whose answer is lost leaves it open as well. If somebody replaces the
// content meanwhile, that it is not the disk's is seen, although the BLAKE3 that
// goes with it on Drive still says so.
func TestMoveUnheardAndReplaced(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/f", "a file")
	w.ok()
	id := w.node("docs/f").ID
	w.rename("docs/f", "docs/g")
	w.srv.OnRequest(func(_ int, r drivetest.Info) {
		if n, ok := w.srv.Tree("root")[topName+"/"+hostName+"/"+drivePath(w.path("docs/g"))]; ok && n.ID == id {
			w.keep(w.srv.SetContent(id, []byte("theirs")))
			w.srv.OnRequest(nil)
		}
	})
	w.srv.Inject(drivetest.Only(drivetest.From(1, drivetest.Lost), drivetest.Batch))
	sum, err := w.run(t.Context())
	w.srv.OnRequest(nil)
	w.srv.Inject(nil)
	if err == nil && len(sum.Conditions) == 0 {
		t.Fatal("nothing was lost")
	}
	w.keep(w.srv.SetContent(id, []byte("theirs")))
	w.ok()
	w.compare()
	w.quiet()
}

// TestMadeUnheardThenTrashed has a run die whose last request is carried out,
// and somebody trash or delete a folder before the next one. What was made in
// it comes back with it or is made anew, and is there once.
func TestMadeUnheardThenTrashed(t *testing.T) {
	for _, dir := range []string{"docs/d", "docs/d/new", "docs/d/new/sub"} {
		for name, act := range map[string]func(*drivetest.Server, string) error{"trashed": (*drivetest.Server).Trash, "deleted": (*drivetest.Server).Delete} {
			t.Run(dir+" "+name, func(t *testing.T) {
				t.Parallel()
				for n, hit := 0, true; hit && !t.Failed(); n++ {
					w := newWorld(t, drivetest.Options{Unsettled: unsettled(uint64(n) * 0x9e3779b97f4a7c15)}, "docs")
					w.write("docs/d/old", "old")
					w.ok()
					w.write("docs/d/new/sub/file", "a file")
					w.write("docs/d/new/file", "another file")
					hit = w.killAfter(n)
					if at, ok := w.srv.Tree("root")[topName+"/"+hostName+"/"+drivePath(w.path(dir))]; ok {
						w.must(act(w.srv, at.ID))
					}
					w.checkDrive = 1 // always
					w.ok()
					w.compare()
					w.checkDrive = 0
					w.quiet()
					if t.Failed() {
						t.Errorf("killed at request %d", n)
					}
					w.srv.Close()
				}
			})
		}
	}
}

// TestMadeUnheardThenMovedOut has a run die whose last request is carried out,
// and somebody move all there is in a folder into another one, and trash or
// delete the folder. Drive has what was moved, and it goes back to where it
// belongs, once, with nothing of it sent again.
func TestMadeUnheardThenMovedOut(t *testing.T) {
	for _, dir := range []string{"..", "", "docs", "docs/d", "docs/d/new", "docs/d/new/sub"} {
		for name, act := range map[string]func(*drivetest.Server, string) error{"trashed": (*drivetest.Server).Trash, "deleted": (*drivetest.Server).Delete} {
			t.Run(dir+" "+name, func(t *testing.T) {
				t.Parallel()
				for n, hit := 0, true; hit && !t.Failed(); n++ {
					w := newWorld(t, drivetest.Options{Unsettled: unsettled(uint64(n) * 0x9e3779b97f4a7c15)}, "docs")
					w.write("docs/d/new/sub/file", "a file")
					w.write("docs/d/new/file", "another file")
					hit = w.killAfter(n)
					w.moveOut(dir, act)
					sent := w.srv.Stats().ContentIn
					have := 0
					for _, node := range w.srv.Tree("root") {
						have += int(node.Size)
					}
					w.checkDrive = 1 // always
					w.ok()
					w.compare()
					if sent = w.srv.Stats().ContentIn - sent; int(sent)+have > len("a file")+len("another file") {
						t.Errorf("%d bytes were sent, and Drive had %d", sent, have)
					}
					w.checkDrive = 0
					w.quiet()
					if t.Failed() {
						t.Errorf("killed at request %d", n)
					}
					w.srv.Close()
				}
			})
		}
	}
}

// moveOut moves what is in a folder on Drive into the host folder, and then
// does something to the folder; if there is one.
func (w *world) moveOut(dir string, act func(*drivetest.Server, string) error) {
	w.t.Helper()
	tree := w.srv.Tree("root")
	at := topName + "/" + hostName + "/" + drivePath(w.path(dir))
	folder, ok := tree[at]
	if !ok {
		return
	}
	for p, n := range tree {
		if path.Dir(p) == at {
			w.must(w.srv.Move(n.ID, w.host().ID))
		}
	}
	w.must(act(w.srv, folder.ID))
}

// TestMadeUnheardThenSavedAgain has somebody save the same content once more in
// what a run has made that died before it heard of it: the time that Drive
// shows becomes that of the file again, and nothing is sent.
func TestMadeUnheardThenSavedAgain(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.ok()
	w.write("docs/f", "a file")
	w.must(os.Chtimes(w.path("docs/f"), time.Time{}, time.Unix(1, 0)))
	for n := 0; ; n++ {
		if !w.killAfter(n) {
			t.Fatal("nothing was made")
		}
		if _, ok := w.srv.Tree(w.host().ID)[drivePath(w.path("docs/f"))]; ok {
			break
		}
	}
	w.must(w.srv.SetContent(w.node("docs/f").ID, []byte("a file")))
	sent := w.srv.Stats().ContentIn
	w.ok()
	w.compare()
	w.quiet()
	if n := w.srv.Stats().ContentIn - sent; n > 0 {
		t.Errorf("%d bytes were sent", n)
	}
}

// TestTrashUnheardAndFolderTrashed has a trash not be carried out, and somebody
// trash the folder above. The folder comes back, and the file does not.
func TestTrashUnheardAndFolderTrashed(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/d/f", "a file")
	w.write("docs/d/g", "another")
	w.ok()
	w.remove("docs/d/f")
	w.killBefore(1)
	w.must(w.srv.Trash(w.node("docs/d").ID))
	w.ok(w.due)
	w.compare()
	w.quiet()
}

// TestMadeUnheardThenDeleted has something be made whose answer is lost, and
// somebody delete it for good before the next run. Its id cannot be used again,
// and so it is made under another one.
func TestMadeUnheardThenDeleted(t *testing.T) {
	once := func(w *world, _ int) bool { return !w.killIn(w.chunk(2)) }
	for _, c := range []struct {
		name, content string
		kill          func(w *world, n int) (more bool)
	}{
		{"small", "a file", (*world).killAfter}, {"copy", sameText, (*world).killAfter}, {"large", aboveText("large"), once},
	} {
		for _, o := range []drivetest.Unsettled{{}, {ConflictAtEnd: true}, {DeletedIDUnusable: true}} {
			t.Run(fmt.Sprintf("%s %v %v", c.name, o.ConflictAtEnd, o.DeletedIDUnusable), func(t *testing.T) {
				t.Parallel()
				deleted := 0
				for n, more := 0, true; more && !t.Failed(); n++ {
					w := newWorld(t, drivetest.Options{Unsettled: o}, "docs")
					w.write("docs/same", sameText)
					w.ok()
					ids := w.items()
					w.write("docs/file", c.content)
					more = c.kill(w, n)
					for _, made := range w.srv.Tree("root") {
						if !ids[made.ID] && made.Kind == "file" {
							deleted++
							w.must(w.srv.Delete(made.ID))
						}
					}
					w.checkDrive = 1 // always
					w.ok()
					w.compare()
					w.checkDrive = 0
					w.quiet()
					if t.Failed() {
						t.Errorf("killed at request %d", n)
					}
					w.srv.Close()
				}
				if deleted == 0 {
					t.Error("nothing was deleted")
				}
			})
		}
	}
}
