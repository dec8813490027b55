package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// A death is a command that is killed between its writes, again and again in
// one life.
type death struct {
	name string
	// stage makes what the command meets, and returns its arguments and what
	// must be right once it has been killed.
	stage func(l *life, n int) (args []string, mended func())
	least int // the fewest writes that it makes
	every int // CI kills it at every so many of them, an odd number; make soak at each
}

var deaths = []death{
	{"scan", (*life).scanDeath, 100, 13},
	{"restore", (*life).restoreDeath, 100, 13},
	{"restore in place", (*life).inPlaceDeath, 50, 9},
	{"rebuild", (*life).rebuildDeath, 50, 13},
	{"undo", (*life).undoDeath, 50, 13},
	{"verify", (*life).verifyDeath, 50, 31},
	{"purge", (*life).purgeDeath, 50, 9},
	{"purge for good", (*life).forGoodDeath, 20, 7},
	{"manifest backup", (*life).copyDeath, 10, 5},
	{"manifest restore", (*life).goBackDeath, 10, 5},
	{"adopt", (*life).adoptDeath, 10, 5},
}

// TestKilledAtEveryWrite kills each command that writes right before or right
// behind each change that it makes to a file system: to the manifest, most of
// them within a transaction, to its log, or to what it restores. The same
// command once more ends right, and so do the scans behind it.
func TestKilledAtEveryWrite(t *testing.T) {
	for _, d := range deaths {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			every := d.every * step()
			if os.Getenv("ACB_SEEDS") != "" {
				every = 1
			}
			for n := 0; ; n += every {
				args, mended := d.stage(l, n)
				end := killedAtChange(t, &os.ProcAttr{Dir: l.dir, Env: l.env()}, l.argv("acb-traced", args), n)
				if end.at == "" {
					if end.code != 0 {
						t.Fatalf("acb %q: exit code %d\n%s", args, end.code, end.out)
					}
					if n < d.least {
						t.Errorf("only %d writes", n)
					}
					t.Logf("at most %d writes", n)
					mended()
					return
				}
				mended()
				if t.Failed() {
					t.Fatalf("acb %q was killed at write %d, %s\n%s", args, n, end.at, end.out)
				}
			}
		})
	}
}

// sometimes reports whether a costly look is due at n: at about each third
// that is tried.
func sometimes(n int) bool { return n%3 == 0 }

func (l *life) scanDeath(n int) ([]string, func()) {
	l.edit()
	return []string{"scan"}, func() {
		l.saved()
		if sometimes(n) {
			l.quiet()
		}
	}
}

// fillToRestore makes a source with something of each kind of which a restore
// takes its own way.
func (l *life) fillToRestore() {
	if l.round > 0 {
		return
	}
	l.round = 1
	l.write("parts", strings.Repeat("larger than one part; ", 1<<20))
	l.must(os.Chmod(l.path("parts"), 0o640))
	l.write("odd?", "a name that not all file systems hold")
	l.write("odd\xff", "another one")
	l.write("shut/file", "in a folder that takes nothing")
	l.must(os.Chmod(l.path("shut"), 0o555))
	l.ok("scan")
}

func (l *life) restoreDeath(n int) ([]string, func()) {
	l.fillToRestore()
	want := exactly(l.t, l.path(""))
	target := filepath.Join(l.dir, "target")
	args := []string{"restore", l.path(""), "--to", target}
	return args, func() {
		for p, line := range exactly(l.t, filepath.Join(target, "src")) {
			if !strings.HasPrefix(line, "d") && !strings.HasPrefix(path.Base(p), ".acb-restore.") && line != want[p] {
				l.t.Errorf("killed, %s is %s, and should be %s", p, line, want[p])
			}
		}
		l.ok(args...)
		got := exactly(l.t, target)
		maps.DeleteFunc(got, func(p, _ string) bool { return p == "" })
		for p, line := range want {
			if got["/src"+p] != line {
				l.t.Errorf("restored, %s is %s, and should be %s", p, got["/src"+p], line)
			}
			delete(got, "/src"+p)
		}
		if len(got) > 0 {
			l.t.Errorf("left over: %v", got)
		}
		l.must(os.Chmod(filepath.Join(target, "src", "shut"), 0o755))
		l.must(os.RemoveAll(target))
	}
}

// inPlaceDeath has a restore bring back the source over newer work in it.
func (l *life) inPlaceDeath(n int) ([]string, func()) {
	want := exactly(l.t, l.path(""))
	l.write("one", fmt.Sprint("newer work of round ", n))
	l.remove("two")
	l.remove("turns")
	l.write("turns/inside", fmt.Sprint("newer work in a folder of round ", n))
	l.remove("link")
	l.must(os.Symlink(fmt.Sprint("newer target of round ", n), l.path("link")))
	l.remove("even/folder")
	l.must(os.Chmod(l.path("renamed-0"), 0o600))
	l.must(os.Chtimes(l.path("even/moves"), time.Time{}, time.Unix(1_600_000_000, 5)))
	l.write("mine", fmt.Sprint("never backed up, of round ", n))
	spoiled := exactly(l.t, l.path(""))
	args := []string{"restore", l.path(""), "--in-place", "--overwrite"}
	return args, func() {
		l.ok(args...)
		got := exactly(l.t, l.path(""))
		for p, line := range want {
			if kind(got[p]) != kind(line) {
				l.t.Errorf("restored, %s is %s, and should be %s", p, got[p], line)
			}
			delete(got, p)
		}
		// What stood in the way is beside it, once.
		aside := map[string]string{}
		for p, line := range got {
			at, _, _ := strings.Cut(p, ".acb-kept-")
			if strings.Contains(p, "/inside") {
				at += "/inside"
			}
			if aside[at] != "" {
				l.t.Errorf("%s was set aside twice", at)
			}
			aside[at] = kind(line)
			l.must(os.RemoveAll(l.path(p[1:])))
		}
		kept := map[string]string{}
		for _, p := range []string{"/one", "/turns", "/turns/inside", "/link", "/mine"} {
			kept[p] = kind(spoiled[p])
		}
		if d := cmp.Diff(kept, aside); d != "" {
			l.t.Errorf("set aside: -want +got:\n%s", d)
		}
		l.saved()
		if sometimes(n) {
			l.quiet()
		}
	}
}

// kind leaves of a folder's line its mode only: what is put into a folder that
// is there is news to it.
func kind(line string) string {
	if mode, _, _ := strings.Cut(line, " "); strings.HasPrefix(mode, "d") {
		return mode
	}
	return line
}

// nothingSent makes a run that sends no content and makes and moves nothing.
func (l *life) nothingSent() {
	l.t.Helper()
	drive, sent := l.srv.TreeWithTrash("root"), l.srv.Stats().ContentIn
	l.saved()
	if now := l.srv.Stats().ContentIn; now != sent {
		l.t.Errorf("%d bytes were sent of what is on Drive", now-sent)
	}
	if d := cmp.Diff(places(drive), places(l.srv.TreeWithTrash("root"))); d != "" {
		l.t.Errorf("Drive was changed:\n%s", d)
	}
}

// places says which file is where.
func places(tree map[string]drivetest.Node) map[string]string {
	all := map[string]string{}
	for p, n := range tree {
		all[p] = fmt.Sprint(n.ID, " ", n.Head, " ", n.ModTime, " ", n.Trashed)
	}
	return all
}

// tidy demands that nothing unfinished is in the state folder, or where
// temporary files go.
func (l *life) tidy() {
	l.t.Helper()
	for _, dir := range []string{"state", "home"} {
		entries, err := os.ReadDir(filepath.Join(l.dir, dir))
		l.must(err)
		for _, e := range entries {
			switch name := e.Name(); {
			case slices.Contains([]string{"manifest.db", "manifest.db-wal", "manifest.db-shm", "manifest-copy.db", "logs", "lock", "token.json", "token.json.lock"}, name):
			case strings.HasPrefix(name, "manifest.db.before-rebuild-") || strings.HasPrefix(name, "manifest.db.until-"):
				l.must(os.Remove(filepath.Join(l.dir, dir, name))) // there would be many
			default:
				l.t.Errorf("left over: %s/%s", dir, name)
			}
		}
	}
}

func (l *life) rebuildDeath(n int) ([]string, func()) {
	if n%3 == 1 { // the state folder was lost
		old, err := filepath.Glob(filepath.Join(l.dir, "state", "manifest*"))
		l.must(err)
		for _, file := range old {
			l.must(os.Remove(file))
		}
	}
	args := []string{"manifest", "rebuild", "--yes"}
	return args, func() {
		l.ok(args...)
		l.tidy()
		l.nothingSent()
		if sometimes(n) {
			l.quiet()
		}
	}
}

// undoDeath has an undo take back a run that did something of every kind.
func (l *life) undoDeath(n int) ([]string, func()) {
	then := l.lookOfDrive()
	l.edit()
	args := []string{"undo", l.scanned(), "--yes"}
	return args, func() {
		l.ok(args...)
		if d := cmp.Diff(then, l.lookOfDrive()); d != "" {
			l.t.Errorf("undone: -before the run +now:\n%s", d)
		}
		l.saved()
		l.tidy()
		if sometimes(n) {
			l.quiet()
		}
	}
}

// scanned makes a run, and returns its number.
func (l *life) scanned() string {
	l.t.Helper()
	lines := strings.Split(strings.TrimSpace(l.ok("scan", "--json")), "\n")
	var sum struct{ Run json.Number }
	l.must(json.Unmarshal([]byte(lines[len(lines)-1]), &sum))
	return sum.Run.String()
}

// lookOfDrive is what a person would see there.
func (l *life) lookOfDrive() map[string]string {
	all := map[string]string{}
	for p, n := range l.srv.Tree("root") {
		all[p] = fmt.Sprint(n.Kind, " ", n.Size, " ", n.MD5)
		if n.Kind != "folder" {
			all[p] += fmt.Sprint(" ", n.ModTime, " ", n.AppProps["acb.m"])
		}
	}
	return all
}

// node is what is on Drive of a path in the source.
func (l *life) node(rel string) drivetest.Node {
	l.t.Helper()
	at := path.Join(host, filepath.ToSlash(l.dir), "src", rel)
	n, ok := l.srv.Tree("root")[at]
	if !ok {
		l.t.Fatalf("there is no %s on Drive", at)
	}
	return n
}

// verifyDeath has a verify put right what other hands have done.
func (l *life) verifyDeath(n int) ([]string, func()) {
	l.must(l.srv.Trash(l.node("even/folder").ID))
	l.must(l.srv.Delete(l.node("one").ID))
	l.must(l.srv.SetContent(l.node("two").ID, []byte("theirs")))
	l.must(l.srv.Rename(l.node("renamed-0").ID, "their name"))
	l.must(l.srv.Move(l.node("new-0/level").ID, l.node("odd").ID))
	args := []string{"verify", "--full", "--repair"}
	return args, func() {
		l.ok(args...)
		l.ok("verify", "--full")
		l.nothingSent()
		if sometimes(n) {
			l.quiet()
		}
	}
}

// hide makes files and folders that rules hide, and backs them up by name.
func (l *life) purgeDeath(n int) ([]string, func()) {
	if l.round == 0 {
		l.round = 1
		l.must(os.WriteFile(l.path(".acbignore"), []byte("hidden*\n"), 0o600))
	}
	l.write("hidden/a", fmt.Sprint("hidden of round ", n))
	l.write("hidden/deep/b", fmt.Sprint("hidden deep of round ", n))
	l.write("even/hidden-too", fmt.Sprint("hidden, too, of round ", n))
	l.ok("scan")
	l.ok("scan", "--path", l.path("hidden"), "--path", l.path("even/hidden-too"))
	l.node("hidden/deep/b")
	l.remove("hidden")
	l.remove("even/hidden-too")
	args := []string{"purge", "--yes"}
	return args, func() {
		l.ok(args...)
		l.saved()
		if sometimes(n) {
			l.quiet()
		}
	}
}

// forGoodDeath has a purge remove for good what a run has put into the trash.
func (l *life) forGoodDeath(n int) ([]string, func()) {
	l.write("gone/a", fmt.Sprint("gone in round ", n))
	l.write("gone-too", fmt.Sprint("gone, too, in round ", n))
	l.saved()
	gone := []string{l.node("gone/a").ID, l.node("gone-too").ID}
	l.remove("gone")
	l.remove("gone-too")
	l.saved()
	args := []string{"purge", "--trash", "--yes"}
	return args, func() {
		l.ok(args...)
		for _, node := range l.srv.TreeWithTrash("root") {
			if slices.Contains(gone, node.ID) {
				l.t.Errorf("%s is still there", node.Name)
			}
		}
		l.saved()
		if sometimes(n) {
			l.quiet()
		}
	}
}

func (l *life) copyDeath(n int) ([]string, func()) {
	args := []string{"manifest", "backup"}
	return args, func() {
		l.ok(args...)
		l.tidy()
		l.quiet()
	}
}

func (l *life) goBackDeath(n int) ([]string, func()) {
	l.ok("manifest", "backup")
	args := []string{"manifest", "restore"}
	return args, func() {
		l.ok(args...)
		l.ok("manifest", "check")
		l.tidy()
		l.ok("manifest", "rebuild", "--yes")
		l.nothingSent()
	}
}

// adoptDeath has an adoption take back what another machine has adopted.
func (l *life) adoptDeath(n int) ([]string, func()) {
	there, out := l.acb("manifest", "adopt")
	there.Args[0] = "acb-elsewhere"
	if err := there.Run(); err != nil {
		l.t.Fatalf("%v\n%s", err, out)
	}
	args := []string{"manifest", "adopt"}
	return args, func() {
		l.ok(args...)
		l.tidy()
		l.nothingSent()
		if sometimes(n) {
			l.quiet()
		}
	}
}

// TestRestoreDurable: a restored file gets its name only after all that was
// written to it is durable, or a power cut could leave the name of a file that
// is none, which the next restore would take for the user's.
func TestRestoreDurable(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.fillToRestore()
	args := []string{"restore", l.path(""), "--to", filepath.Join(l.dir, "target")}
	end := killedAtChange(t, &os.ProcAttr{Dir: l.dir, Env: l.env()}, l.argv("acb-traced", args), -1)
	if end.code != 0 {
		t.Fatalf("exit code %d\n%s", end.code, end.out)
	}
	durable, named := map[string]bool{}, 0
	for _, call := range end.seen {
		words := strings.Fields(call)
		switch {
		case words[0] == "syncfs":
			for name := range durable {
				durable[name] = true
			}
		case words[0] == "linkat":
			if named++; !durable[words[1]] {
				t.Errorf("not durable yet: %s", call)
			}
		case words[0] == "symlinkat":
			durable[words[len(words)-1]] = false
		case words[0] != "unlinkat" && strings.HasPrefix(words[1], ".acb-restore."):
			durable[words[1]] = false
		}
	}
	if files := strings.Count(fmt.Sprint(slices.Collect(maps.Values(exactly(t, l.path(""))))), "-rw"); named < files {
		t.Errorf("%d names were given to %d files", named, files)
	}
}
