package lock

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// With this in the environment the test binary is a child process.
const childEnv = "ACB_LOCK_TEST_CHILD"

var noon = time.Date(2026, time.November, 22, 14, 3, 0, 0, time.UTC)

func TestMain(m *testing.M) {
	mode, dir, _ := strings.Cut(os.Getenv(childEnv), " ")
	switch mode {
	case "":
		os.Exit(m.Run())
	case "hold": // take the lock and keep it until stdin ends
		if _, err := Acquire(dir, "acb run", noon); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("held")
	case "parent": // the same, with a child of its own that outlives it
		if _, err := Acquire(dir, "acb run", noon); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		heir := exec.Command(os.Args[0])
		heir.Env = append(os.Environ(), childEnv+"=heir")
		heir.Stdin = os.Stdin
		if err := heir.Start(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("held")
	}
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
}

// child starts a process that holds the lock of dir. Its stdin is the pipe's
// end that stops it.
func child(t *testing.T, mode, dir string) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), childEnv+"="+mode+" "+dir)
	c.Stderr = os.Stderr
	// A file on both ends: with a pipe made by exec, Wait would close it.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stdin = r
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.Close()
		r.Close()
		_ = c.Wait() // an error, if it was killed or waited for already
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); strings.TrimSpace(line) != "held" {
		t.Fatalf("child says %q, %v", line, err)
	}
	return c
}

// kill ends c as kill -9 does, with no chance to tidy up.
func kill(t *testing.T, c *exec.Cmd) {
	t.Helper()
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
}

// acquire waits for what a killed process held: Windows says that it frees
// locks "depending upon available system resources".
func acquire(t *testing.T, dir string) *Lock {
	t.Helper()
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		l, err := Acquire(dir, "acb scan", noon)
		if err == nil {
			return l
		}
		if time.Since(start) > 5*time.Second {
			t.Fatal(err)
		}
	}
}

func TestSecondProcessLearnsWhoHoldsIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "state")
	c := child(t, "hold", dir)
	_, err := Acquire(dir, "acb scan", noon.Add(2*time.Hour))
	var held *HeldError
	if !errors.As(err, &held) || held.Holder == nil {
		t.Fatalf("Acquire = %v, want a HeldError with its holder", err)
	}
	host, _ := os.Hostname()
	if want := (Holder{PID: c.Process.Pid, Host: host, Since: noon, Command: "acb run"}); *held.Holder != want {
		t.Errorf("holder %+v, want %+v", *held.Holder, want)
	}
	want := fmt.Sprintf("another acb (pid %d, since 14:03, `acb run`) is using the state folder %s; wait for it to finish, or stop it first", c.Process.Pid, dir)
	if err.Error() != want {
		t.Errorf("message %q\nwant    %q", err, want)
	}
}

func TestKilledHolderLosesIt(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		kill(t, child(t, "hold", dir))
		if readNote(filepath.Join(dir, noteName)) == nil {
			t.Fatal("the killed holder left no note: the test shows nothing")
		}
		if err := acquire(t, dir).Release(); err != nil {
			t.Fatal(err)
		}
	}
}

// A browser that acb started, say, must not keep the lock after acb's end.
func TestLockIsNotInherited(t *testing.T) {
	dir := t.TempDir()
	kill(t, child(t, "parent", dir))
	if err := acquire(t, dir).Release(); err != nil {
		t.Fatal(err)
	}
}

// A note with the ID of a living process holds nothing.
func TestPIDIsNotJudged(t *testing.T) {
	dir := t.TempDir()
	old := &Lock{note: filepath.Join(dir, noteName)}
	if err := old.writeNote(Holder{PID: os.Getppid(), Host: "h", Since: noon, Command: "acb run"}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, lockName), []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Acquire(dir, "acb scan", noon)
	if err != nil {
		t.Fatal(err)
	}
	if got := readNote(old.note); got == nil || got.PID != os.Getpid() {
		t.Errorf("note says %+v", got)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestSameProcess(t *testing.T) {
	dir := t.TempDir()
	l, err := Acquire(dir, "acb scan", noon)
	if err != nil {
		t.Fatal(err)
	}
	var held *HeldError
	if _, err := Acquire(dir, "acb scan", noon); !errors.As(err, &held) {
		t.Errorf("second Acquire = %v", err)
	}
	if runtime.GOOS != "windows" { // modes say nothing there
		for _, name := range []string{lockName, noteName} {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != 0o600 {
				t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
			}
		}
	}
	if err := os.WriteFile(l.note, []byte(`{"pid":`), 0o600); err != nil { // half written
		t.Fatal(err)
	}
	if _, err := Acquire(dir, "acb scan", noon); !errors.As(err, &held) || held.Holder != nil || !strings.HasPrefix(err.Error(), "another acb is using") {
		t.Errorf("Acquire beside half a note = %v", err)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(l.note); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the note outlives the lock: %v", err)
	}
	if err := acquire(t, dir).Release(); err != nil {
		t.Fatal(err)
	}
}

func TestDescribe(t *testing.T) {
	h := &Holder{PID: 4711, Host: "laptop", Since: noon, Command: "acb run"}
	east := time.FixedZone("", 9*3600)
	for _, c := range []struct {
		here string
		now  time.Time
		want string
	}{
		{"laptop", noon, " (pid 4711, since 14:03, `acb run`)"},
		{"laptop", noon.AddDate(0, 0, 1), " (pid 4711, since 2026-11-22 14:03, `acb run`)"},
		{"laptop", noon.In(east), " (pid 4711, since 23:03, `acb run`)"},
		{"nas", noon, " (pid 4711, on laptop, since 14:03, `acb run`)"},
	} {
		if got := h.describe(c.here, c.now); got != c.want {
			t.Errorf("describe = %q, want %q", got, c.want)
		}
	}
}

func TestFolderThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Acquire(filepath.Join(file, "state"), "acb scan", noon); err == nil || !strings.Contains(err.Error(), "create state folder") {
		t.Errorf("Acquire below a file = %v", err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, lockName), 0o700); err != nil {
		t.Fatal(err)
	}
	var held *HeldError
	if l, err := Acquire(dir, "acb scan", noon); err == nil || errors.As(err, &held) {
		t.Errorf("Acquire with a folder for a lock = %v, %v", l, err)
	}
}
