package main

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// A life is one installation of acb that is killed again and again: real
// processes, a real folder, and a look-alike that outlives them.
type life struct {
	t     *testing.T
	dir   string
	srv   *drivetest.Server
	round int
}

func newLife(t *testing.T) *life {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	l := &life{t: t, dir: dir, srv: drivetest.Start(drivetest.Options{NoSHA: true})}
	t.Cleanup(func() { l.srv.Close() })
	for _, d := range []string{"src", "state", "home"} {
		l.must(os.Mkdir(filepath.Join(dir, d), 0o700))
	}
	l.must(os.WriteFile(filepath.Join(dir, "credentials.json"), l.srv.Credentials(l.srv.URL, ""), 0o600))
	l.must(signIn(l.srv, dir))
	l.must(configs(dir, l.srv.URL))
	l.fill()
	l.saved()
	return l
}

func (l *life) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// acb makes a process of acb.
func (l *life) acb(args ...string) (*exec.Cmd, *bytes.Buffer) {
	l.t.Helper()
	self, err := os.Executable()
	l.must(err)
	var out bytes.Buffer
	return &exec.Cmd{Path: self, Args: l.argv("acb", args), Env: l.env(), Stdout: &out, Stderr: &out}, &out
}

// argv is a command line, with the name that TestMain knows acb by.
func (l *life) argv(name string, args []string) []string {
	return slices.Concat([]string{name}, args, []string{"--config", filepath.Join(l.dir, "acb.toml")})
}

func (l *life) env() []string {
	home := filepath.Join(l.dir, "home")
	return append(os.Environ(), "HOME="+home, "USERPROFILE="+home, "LOCALAPPDATA="+home, "TMPDIR="+home, "TMP="+home)
}

// ok runs a command that must end well, and returns what it says.
func (l *life) ok(args ...string) string {
	l.t.Helper()
	cmd, out := l.acb(args...)
	if err := cmd.Run(); err != nil {
		l.t.Fatalf("acb %q: %v\n%s", args, err, out)
	}
	return out.String()
}

// saved makes a run that must end well, and demands that Drive holds what is
// on disk, and nothing else.
func (l *life) saved() {
	l.t.Helper()
	l.ok("scan")
	disk, drive := l.onDisk(), l.onDrive()
	for _, p := range slices.Sorted(maps.Keys(disk)) {
		if drive[p] != disk[p] {
			l.t.Errorf("%s is %q on disk, %q on Drive", p, disk[p], drive[p])
		}
	}
	for _, p := range slices.Sorted(maps.Keys(drive)) {
		if _, ok := disk[p]; !ok {
			l.t.Errorf("%s is on Drive only", p)
		}
	}
}

// quiet makes a run that must not send a request.
func (l *life) quiet() {
	l.t.Helper()
	before := l.srv.Stats()
	l.saved()
	if now := l.srv.Stats(); now.Total() != before.Total() {
		l.t.Errorf("unchanged, yet %d requests", now.Total()-before.Total())
	}
}

// onDisk returns what is in the source: "folder", or size and MD5.
func (l *life) onDisk() map[string]string {
	l.t.Helper()
	src := filepath.Join(l.dir, "src")
	all := make(map[string]string)
	l.must(filepath.WalkDir(src, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == src {
			return err
		}
		rel := filepath.ToSlash(strings.TrimPrefix(p, src+string(filepath.Separator)))
		var content []byte
		switch {
		case d.IsDir():
			all[rel] = "folder"
			return nil
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			all[rel+".rclonelink"] = sum([]byte(target))
			return err
		}
		content, err = os.ReadFile(p)
		all[rel] = sum(content)
		return err
	}))
	return all
}

func sum(content []byte) string {
	h := md5.Sum(content)
	return fmt.Sprint(len(content), " ", hex.EncodeToString(h[:]))
}

// onDrive returns what Drive has of the source, and with their whole paths
// all items that are beside it and the folders above it.
func (l *life) onDrive() map[string]string {
	at := path.Join(host, filepath.ToSlash(l.dir), "src") + "/"
	all := make(map[string]string)
	for p, n := range l.srv.Tree("root") {
		rel, ok := strings.CutPrefix(p, at)
		switch {
		case !ok && strings.HasPrefix(at, p+"/"):
		case !ok:
			all["Drive:"+p] = n.Kind
		case n.Kind == "folder":
			all[rel] = n.Kind
		default:
			all[rel] = fmt.Sprint(n.Size, " ", n.MD5)
		}
	}
	return all
}

// fill makes the source what it is before the first edit.
func (l *life) fill() {
	l.write("even/moves", "moves to and fro")
	l.write("even/folder/inner/a", "in a folder that moves")
	l.write("even/folder/inner/b", "in a folder that moves, too")
	l.mkdir("odd")
	l.write("one", "one of two")
	l.write("two", "the other of two")
	l.write("turns", "a file, then a folder")
	l.write("renamed-0", "changes its name")
	l.write("new-0/level/two/file", "a file of round 0")
	l.write("large", strings.Repeat("large, round 0; ", 5<<20/16+1))
	l.must(os.Symlink("target 0", l.path("link")))
}

// edit makes the next twenty changes, of all kinds.
func (l *life) edit() {
	old := l.round
	l.round++
	here, there := "even", "odd"
	if l.round%2 == 0 {
		here, there = there, here
	}
	name := func(stem string, round int) string { return fmt.Sprint(stem, "-", round) }
	l.rename(here+"/moves", there+"/moves")
	l.rename(here+"/folder", there+"/folder")
	l.rename(name("renamed", old), name("renamed", l.round))
	l.rename("one", "tmp")
	l.rename("two", "one")
	l.rename("tmp", "two")
	l.remove(name("new", old))
	l.write(name("new", l.round)+"/level/two/file", name("a file of round", l.round))
	l.write(name("new", l.round)+"/level/empty", "")
	l.write(name("new", l.round)+"/beside", name("beside it in round", l.round))
	l.mkdir(name("new", l.round) + "/nothing in it")
	l.write(there+"/folder/inner/a", name("changed in round", l.round))
	l.must(os.Chtimes(l.path(there+"/folder/inner/b"), time.Time{}, time.Unix(1_600_000_000+int64(l.round), 5)))
	l.remove("turns")
	if l.round%2 == 0 {
		l.write("turns", name("a file in round", l.round))
	} else {
		l.write("turns/folder", name("a folder in round", l.round))
	}
	l.remove("link")
	l.must(os.Symlink(name("target", l.round), l.path("link")))
	if l.round%4 == 0 {
		l.write("large", strings.Repeat(fmt.Sprintf("large, round%3d;", l.round%1000), 5<<20/16+1))
	}
}

func (l *life) path(rel string) string { return filepath.Join(l.dir, "src", filepath.FromSlash(rel)) }

func (l *life) mkdir(rel string) {
	l.t.Helper()
	l.must(os.MkdirAll(l.path(rel), 0o755))
}

func (l *life) write(rel, content string) {
	l.t.Helper()
	l.mkdir(path.Dir(rel))
	l.must(os.WriteFile(l.path(rel), []byte(content), 0o644))
}

func (l *life) rename(from, to string) {
	l.t.Helper()
	l.must(os.Rename(l.path(from), l.path(to)))
}

func (l *life) remove(rel string) {
	l.t.Helper()
	l.must(os.RemoveAll(l.path(rel)))
}

// step is 1, and longer under -short, where the race detector makes every
// process slow.
func step() int {
	if testing.Short() {
		return 5
	}
	return 1
}

// TestKilledAtEveryRequest kills acb when a request is on its way, before
// Drive does anything and after, at each of those that a run makes. The next
// run puts it right, and goes on to the next death.
func TestKilledAtEveryRequest(t *testing.T) {
	for _, does := range []bool{false, true} {
		t.Run(fmt.Sprint("done=", does), func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			for n := 0; ; n += step() {
				l.edit()
				if !l.killedAtRequest(n, does) {
					if n < 12 {
						t.Errorf("only %d requests", n)
					}
					break
				}
				l.saved()
				if n%8 == 0 {
					l.quiet()
				}
				if t.Failed() {
					t.Fatalf("killed at request %d of round %d", n, l.round)
				}
			}
		})
	}
}

// killedAtRequest makes a run that is killed at request n, and reports
// whether there was one.
func (l *life) killedAtRequest(n int, does bool) (hit bool) {
	l.t.Helper()
	cmd, out := l.acb("scan")
	var struck atomic.Bool
	first := l.srv.Stats().Total() + l.srv.Stats().TokenRequests()
	started := make(chan struct{})
	l.srv.OnRequest(func(i int, _ drivetest.Info) {
		if i-first == n {
			<-started
			struck.Store(true)
			cmd.Process.Kill()
		}
	})
	if !does {
		l.srv.Inject(drivetest.From(n, drivetest.Cut))
	}
	l.must(cmd.Start())
	close(started)
	err := cmd.Wait()
	l.srv.OnRequest(nil)
	l.srv.Inject(nil)
	l.died(err, struck.Load(), out)
	return struck.Load()
}

// died demands that a process was killed if it should have been, and ended
// well if not.
func (l *life) died(err error, should bool, out *bytes.Buffer) {
	l.t.Helper()
	var exit *exec.ExitError
	if killed := errors.As(err, &exit) && !exit.Exited(); err != nil && !errors.As(err, &exit) || killed != should || err != nil && !killed {
		l.t.Fatalf("killed should be %v: %v\n%s", should, err, out)
	}
}
