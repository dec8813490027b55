package restore_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/autocloudbackup/acb/internal/restore"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// TestInTheWay: what is at the target is kept, or moved aside when asked.
func TestInTheWay(t *testing.T) {
	w := newWorld(t, drivetest.Options{})
	w.write("file", "saved")
	w.write("d/in", "saved")
	w.must(os.Symlink("saved", filepath.Join(w.src, "link")))
	w.backup()
	put := func() {
		w.must(os.RemoveAll(w.target))
		w.must(os.MkdirAll(filepath.Join(w.target, "src/link"), 0o755))
		w.must(os.WriteFile(filepath.Join(w.target, "src/file"), []byte("newer"), 0o600))
		w.must(os.Symlink("/etc", filepath.Join(w.target, "src/d")))
	}
	put()
	before := tree(t, w.target)
	sum, err := w.restore(t.Context(), manifest.Now, "")
	if err != nil || sum.Files[restore.Kept] != 3 || len(sum.Problems) != 3 || sum.Requests != 0 {
		t.Errorf("%v, %+v", err, sum)
	}
	if d := cmp.Diff(before, tree(t, w.target)); d != "" {
		t.Errorf("what was there was touched: %s", d)
	}
	w.overwrite = true
	sum = w.ok(manifest.Now, "")
	if len(sum.SetAside) != 3 {
		t.Errorf("%+v", sum)
	}
	got := tree(t, filepath.Join(w.target, "src"))
	for name, content := range map[string]string{"file": " saved", "d/in": " saved", "link": "-> saved"} {
		if !strings.HasSuffix(got[name], content) {
			t.Errorf("%s is %s", name, got[name])
		}
	}
	for _, aside := range sum.SetAside {
		if got[aside.As] == "" {
			t.Errorf("%s is lost: %q", aside.As, got)
		}
	}
}

// TestLeftTheWay: what was to be moved aside, and has gone while the file was
// on its way, is in nobody's way any more.
func TestLeftTheWay(t *testing.T) {
	w := newWorld(t, drivetest.Options{})
	w.write("file", "saved")
	w.backup()
	want := tree(t, w.src)
	there := filepath.Join(w.target, "src/file")
	w.must(os.MkdirAll(filepath.Dir(there), 0o755))
	w.must(os.WriteFile(there, []byte("newer"), 0o600))
	w.overwrite = true
	w.srv.OnRequest(func(int, drivetest.Info) { os.Remove(there) })
	if sum := w.ok(manifest.Now, ""); len(sum.SetAside) != 0 {
		t.Errorf("set aside: %v", sum.SetAside)
	}
	w.same(want)
}

// TestContested: a file and a folder of one name, as a run leaves them whose
// trashes are held back, both come; what is older gets another name.
func TestContested(t *testing.T) {
	for _, folderYounger := range []bool{true, false} {
		w := newWorld(t, drivetest.Options{})
		w.write("x", "a file")
		if !folderYounger {
			w.must(os.Rename(filepath.Join(w.src, "x"), filepath.Join(w.src, "moves")))
		}
		w.write("d/in", "in a folder")
		w.backup()
		store, err := manifest.Open(w.manifest)
		w.must(err)
		store.BeginRun("scan", w.Now())
		r, err := store.Reader()
		w.must(err)
		dir, _, _, err := r.Lookup(w.path("d"))
		w.must(err)
		step := manifest.Step{Kind: manifest.PutFolder, Dir: dir.Folder, Reason: manifest.EndMoved}
		step.Dir.Name = "x"
		if !folderYounger {
			w.must(store.Ack([]manifest.Step{step}))
			w.must(store.Fold())
			w.must(store.EndRun(2, w.Now(), manifest.RunSummary{}))
			store.BeginRun("scan", w.Now())
			in, e, _, err := r.Lookup(w.path("moves"))
			w.must(err)
			step = manifest.Step{Kind: manifest.Move, Folder: in.ID, Entry: *e, OldFolder: in.ID, OldName: "moves", Reason: manifest.EndMoved}
			step.Entry.Name = "x"
		}
		w.must(r.Close())
		w.must(store.Ack([]manifest.Step{step}))
		w.must(store.Fold())
		w.must(store.Close())

		file, folder := "x~2", "x"
		if !folderYounger {
			file, folder = "x", "x~2"
		}
		for _, how := range []restore.Outcome{restore.Restored, restore.Present} {
			sum := w.ok(manifest.Now, "")
			got := tree(t, filepath.Join(w.target, "src"))
			if sum.Files[how] != 2 || len(sum.Renamed) != 1 || !strings.HasSuffix(got[file], "a file") || !strings.HasSuffix(got[folder+"/in"], "in a folder") {
				t.Errorf("folder younger %v: %+v\n%q", folderYounger, sum, got)
			}
		}
	}
}

// TestEscape: neither a crafted name nor a link leads out of the target.
func TestEscape(t *testing.T) {
	w := newWorld(t, drivetest.Options{})
	store, err := manifest.Open(w.manifest)
	w.must(err)
	store.BeginRun("scan", w.Now())
	host, err := w.srv.AddFolder("root", "host")
	w.must(err)
	dir := store.NextFolderID()
	steps := []manifest.Step{{Kind: manifest.PutFolder, Dir: manifest.Folder{ID: dir, Parent: manifest.Root, Name: "..", FileID: manifest.FileID(host)}}}
	for _, name := range []string{"..", "../up", "/abs", "a/../../up", "."} {
		id, err := w.srv.AddFile(host, "x", []byte("x"))
		w.must(err)
		w.must(w.srv.Grant(id, w.srv.OAuthClient().ID))
		e := manifest.Entry{Name: name, Stat: manifest.Stat{Kind: manifest.File, Size: 1, Mode: 0o600}}
		e.FileID = manifest.FileID(id)
		e.MD5 = [16]byte{0x9d, 0xd4, 0xe4, 0x61, 0x26, 0x8c, 0x80, 0x34, 0xf5, 0xc8, 0x56, 0x4e, 0x15, 0x5c, 0x67, 0xa6}
		steps = append(steps, manifest.Step{Kind: manifest.Put, Folder: dir, Entry: e})
	}
	w.must(errors.Join(store.Ack(steps), store.Fold(), store.Close()))
	known, err := manifest.OpenReader(w.manifest)
	w.must(err)
	defer known.Close()
	r := &restore.Restore{View: known.At(manifest.Now), Drive: w.drive(), Log: discard, Now: w.Now}
	sum, err := r.Run(t.Context(), []restore.Selection{{Into: w.target}})
	if err != nil || !sum.Complete() || sum.Files[restore.Restored] != 5 || len(sum.Renamed) != 6 {
		t.Fatalf("%v, %+v", err, sum)
	}
	if got := tree(t, w.target); len(got) != 6 {
		t.Errorf("%q", got)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(w.target), "up")); err == nil {
		t.Error("a name led out of the target")
	}
}
