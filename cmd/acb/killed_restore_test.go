package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// TestRestoreStopped kills and interrupts restores at each of their requests:
// nothing half is left under its name, and the next one brings all.
func TestRestoreStopped(t *testing.T) {
	for name, signal := range map[string]os.Signal{"kill": os.Kill, "int": os.Interrupt} {
		t.Run(name, func(t *testing.T) {
			if name == "int" && runtime.GOOS == "windows" {
				t.Skip("SKIPPED: no process can be interrupted by another here")
			}
			t.Parallel()
			l := newLife(t)
			l.edit()
			l.write("parts", strings.Repeat("larger than one part; ", 1<<20))
			l.must(os.Chmod(l.path("parts"), 0o640))
			l.saved()
			want := exactly(t, l.path(""))
			for n := 0; ; n += 2 * step() {
				target := filepath.Join(l.dir, fmt.Sprint("target-", n))
				hit := l.restoreStopped(target, n, signal)
				for p, line := range exactly(t, filepath.Join(target, "src")) {
					if !strings.HasPrefix(line, "d") && !strings.HasPrefix(filepath.Base(p), ".acb-restore.") && line != want[p] {
						t.Errorf("stopped at request %d, %s is %s, and should be %s", n, p, line, want[p])
					}
				}
				cmd, out := l.restoring(target)
				if err := cmd.Run(); err != nil {
					t.Fatalf("restore after one that was stopped at request %d: %v\n%s", n, err, out)
				}
				if d := cmp.Diff(want, exactly(t, filepath.Join(target, "src"))); d != "" {
					t.Errorf("stopped at request %d: -want +got:\n%s", n, d)
				}
				l.must(os.RemoveAll(target))
				if !hit || t.Failed() {
					if n < 8 {
						t.Errorf("only %d requests", n)
					}
					return
				}
			}
		})
	}
}

func (l *life) restoring(target string) (*exec.Cmd, *bytes.Buffer) {
	return l.acb("restore", l.path(""), "--to", target)
}

// restoreStopped makes a restore that gets a signal at request n, and reports
// whether there was one.
func (l *life) restoreStopped(target string, n int, signal os.Signal) bool {
	l.t.Helper()
	cmd, out := l.restoring(target)
	var struck atomic.Bool
	first := l.srv.Stats().Total() + l.srv.Stats().TokenRequests()
	started := make(chan struct{})
	l.srv.OnRequest(func(i int, _ drivetest.Info) {
		if i-first == n {
			<-started
			struck.Store(true)
			cmd.Process.Signal(signal)
		}
	})
	if signal != os.Kill { // else it may be through before it hears of it
		l.srv.Inject(drivetest.From(n, drivetest.Hang))
	}
	l.must(cmd.Start())
	close(started)
	err := cmd.Wait()
	l.srv.OnRequest(nil)
	l.srv.Inject(nil)
	if signal == os.Kill {
		l.died(err, struck.Load(), out)
		return struck.Load()
	}
	code := 0
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		code = exit.ExitCode()
	}
	if want := map[bool]int{true: exitInterrupted}[struck.Load()]; code != want {
		l.t.Fatalf("request %d: exit code %d, want %d\n%s", n, code, want, out)
	}
	return struck.Load()
}

// exactly draws a folder: kind, mode, time and content of all in it.
func exactly(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && p == dir {
			return nil // not begun
		}
		if err != nil {
			return err
		}
		st, err := os.Lstat(p)
		if err != nil {
			return err
		}
		line := fmt.Sprint(st.Mode(), " ", st.ModTime().UnixNano(), " ")
		switch {
		case st.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(p)
			if err != nil {
				return err
			}
			line += to
		case st.Mode().IsRegular():
			content, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			line += sum(content)
		}
		all[strings.TrimPrefix(p, dir)] = line
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
