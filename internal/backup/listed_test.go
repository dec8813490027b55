package backup_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// stray makes an item on Drive that bears this installation's name and is in no
// manifest. Kind is "f" or "d", as appProperties have it.
func (w *world) stray(parent, name, kind string) {
	w.t.Helper()
	mime := map[string]string{"f": "text/plain", "d": "application/vnd.google-apps.folder"}[kind]
	body := fmt.Sprintf(`{"name":%q,"parents":[%q],"mimeType":%q,"appProperties":{"acb.i":%q,"acb.k":%q}}`, name, parent, mime, installation, kind)
	resp, err := w.srv.Client().Post(w.srv.URL+"/drive/v3/files", "application/json", strings.NewReader(body))
	w.must(err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("make %s: %s", name, resp.Status)
	}
}

// drifts compares all that Drive lists with the manifest.
func (w *world) drifts() []backup.Drift {
	w.t.Helper()
	store, err := manifest.Open(w.manifest)
	w.must(err)
	defer store.Close()
	known, err := store.Reader()
	w.must(err)
	defer known.Close()
	top, err1 := known.Meta("layout_top")
	host, err2 := known.Meta("layout_host")
	w.must(firstOf(err1, err2))
	lay := remote.Layout{Top: manifest.FileID(top), Host: manifest.FileID(host)}
	list, _, _, err := backup.Listed(w.t.Context(), w.open(store).Drive, installation, known, lay, nil)
	w.must(err)
	return list
}

// listed returns what drifts found by path below the world, and how many
// requests that took.
func (w *world) listed() (found map[string]string, requests int) {
	w.t.Helper()
	before := w.srv.Stats().Total()
	found = map[string]string{}
	for _, d := range w.drifts() {
		at, ok := strings.CutPrefix(string(d.Path), drivePath(w.dir)+"/")
		if !ok {
			at = "/" + string(d.Path)
		}
		if was := found[at]; was != "" {
			w.t.Errorf("%s twice: %s, %s", at, was, d.What)
		}
		found[at] = d.What.String()
	}
	return found, w.srv.Stats().Total() - before
}

// TestListed: what a listing tells, also one that lags.
func TestListed(t *testing.T) {
	cases := []struct {
		name string
		do   func(w *world) error
		want map[string]string
	}{
		{"nothing", func(w *world) error { return nil }, nil},
		{"deleted", func(w *world) error { return w.srv.Delete(w.node("docs/d/f").ID) }, map[string]string{"docs/d/f": "deleted"}},
		{"folder deleted", func(w *world) error { return w.srv.Delete(w.node("docs/d").ID) },
			map[string]string{"docs/d": "deleted", "docs/d/f": "deleted", "docs/d/g": "deleted"}},
		{"trashed", func(w *world) error { return w.srv.Trash(w.node("docs/d").ID) }, map[string]string{"docs/d": "put into the trash"}},
		{"trash emptied", func(w *world) error {
			err := w.srv.Trash(w.node("docs/d/f").ID)
			w.srv.EmptyTrash()
			return err
		}, map[string]string{"docs/d/f": "deleted"}},
		{"moved and renamed", func(w *world) error {
			return firstOf(w.srv.Move(w.node("docs/d/f").ID, w.node("docs/e").ID), w.srv.Rename(w.node("docs/e/f").ID, "x"))
		}, map[string]string{"docs/d/f": "moved and renamed"}},
		{"overwritten", func(w *world) error { return w.srv.SetContent(w.node("docs/d/f").ID, []byte("theirs")) },
			map[string]string{"docs/d/f": "overwritten"}},
		{"host folder trashed", func(w *world) error { return w.srv.Trash(w.host().ID) }, map[string]string{"/": "put into the trash"}},
		{"all trashed and a file in it too", func(w *world) error {
			return firstOf(w.srv.Trash(w.node("docs/d/f").ID), w.srv.Trash(w.top().ID))
		}, map[string]string{"/": "put into the trash", "docs/d/f": "put into the trash"}},
		{"stray file", func(w *world) error { w.stray(w.node("docs/d").ID, "x", "f"); return nil }, map[string]string{"docs/d/x": "not known"}},
		{"stray folder with something in it", func(w *world) error {
			w.stray(w.node("docs").ID, "x", "d")
			w.stray(w.node("docs/x").ID, "y", "d")
			w.stray(w.node("docs/x/y").ID, "z", "f")
			return w.srv.Move(w.node("docs/d/g").ID, w.node("docs/x/y").ID)
		}, map[string]string{"docs/x": "not known", "docs/d/g": "moved"}},
		{"twin file", func(w *world) error { w.stray(w.node("docs/d").ID, "f", "f"); return nil }, map[string]string{"docs/d/f": "there twice"}},
		{"twin folder", func(w *world) error { w.stray(w.node("docs").ID, "d", "d"); return nil }, map[string]string{"docs/d": "there twice"}},
		{"twin host folder", func(w *world) error { w.stray(w.top().ID, hostName, "d"); return nil }, map[string]string{"/" + hostName: "there twice"}},
		{"stray outside", func(w *world) error { w.stray("root", "x", "f"); w.stray(w.top().ID, "x", "d"); return nil }, nil},
		{"stray in the trash", func(w *world) error {
			w.stray(w.node("docs/d").ID, "x", "f")
			return w.srv.Trash(w.node("docs/d/x").ID)
		}, nil},
		{"somebody's file", func(w *world) error { _, err := w.srv.AddFile(w.node("docs/d").ID, "x", []byte("x")); return err }, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, drivetest.Options{}, "docs")
			w.write("docs/d/f", "the file")
			w.write("docs/d/g", "its neighbour")
			w.write("docs/d/gone", "to be deleted")
			w.write("docs/e/h", "elsewhere")
			w.ok()
			w.remove("docs/d/gone")
			w.ok()
			w.must(c.do(w))
			for _, lag := range []time.Duration{0, time.Hour} {
				w.srv.SetListLag(lag, 0)
				got, _ := w.listed()
				if want := fmt.Sprint(c.want); fmt.Sprint(got) != want && !(lag > 0 && fewer(got, c.want)) {
					t.Errorf("lag %v: found %v, should be %v", lag, got, want)
				}
			}
		})
	}
}

// fewer reports whether got holds nothing that want has not: what is listed
// late may be missed.
func fewer(got, want map[string]string) bool {
	for at, what := range got {
		if want[at] != what {
			return false
		}
	}
	return true
}

// TestListedWhatAcbDid: nothing is found of what acb did itself a moment ago,
// also while listings show none of it.
func TestListedWhatAcbDid(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.fill("docs/d", 20)
	w.fill("docs/e", 3)
	w.ok()
	w.srv.SetListLag(time.Hour, 0)
	for i := range 5 {
		w.write(fmt.Sprintf("docs/d/f%03d", i), "changed")
		w.write(fmt.Sprintf("docs/d/new%03d", i), "new")
		w.remove(fmt.Sprintf("docs/d/f%03d", i+5))
		w.rename(fmt.Sprintf("docs/d/f%03d", i+10), fmt.Sprintf("docs/d/moved%03d", i))
	}
	w.rename("docs/e", "docs/d/e")
	w.ok()
	if found, _ := w.listed(); len(found) > 0 {
		t.Error(found)
	}
}

// TestListedRequests: ⌈(N+D)/1000⌉ + ⌈suspects/100⌉, where the two folders
// above all are always looked up; also when pages repeat items.
func TestListedRequests(t *testing.T) {
	w := newWorld(t, drivetest.Options{Unsettled: drivetest.Unsettled{RepeatAcrossPages: true}}, "docs")
	for d := range 4 {
		w.fill(fmt.Sprintf("docs/%d", d), 300)
	}
	w.ok()
	items := 1200 + 4 + len(strings.Split(drivePath(w.path("docs")), "/")) + 2
	count := func(suspects int) {
		t.Helper()
		found, n := w.listed()
		if want := (items+999)/1000 + (suspects+2+99)/100; n != want {
			t.Errorf("%d suspects: %d requests, should be %d", suspects, n, want)
		}
		if len(found) != suspects {
			t.Errorf("%d found, should be %d", len(found), suspects)
		}
	}
	count(0)
	tree, at := w.srv.Tree("root"), topName+"/"+hostName+"/"+drivePath(w.path("docs/0"))
	for i := range 150 {
		id := tree[fmt.Sprintf("%s/f%03d", at, i)].ID
		w.must([]func() error{
			func() error { return w.srv.Trash(id) }, func() error { return w.srv.Rename(id, "x") }, func() error { return w.srv.SetContent(id, []byte("x")) },
		}[i%3]())
	}
	count(150)
	w.must(w.srv.Trash(w.top().ID)) // what is below is no suspect for that
	count(151)
}

// TestListedDamage: where the manifest is damaged, nothing is called extra.
func TestListedDamage(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.fill("docs/d", 3)
	w.fill("docs/e", 3)
	w.ok()
	w.sql("UPDATE content SET record = x'00' WHERE id = (SELECT id FROM folder WHERE name = 'd')")
	if found, _ := w.listed(); len(found) > 0 {
		t.Error(found)
	}
	w.must(w.srv.Delete(w.node("docs/e/f001").ID))
	if found, _ := w.listed(); fmt.Sprint(found) != "map[docs/e/f001:deleted]" {
		t.Error(found)
	}
}
