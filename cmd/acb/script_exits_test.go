package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a command may take before the test calls it stuck.
const patience = 30 * time.Second

// exitsCommand runs a command that must end with an exit code.
func exitsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE [-int REGEXP | -open] COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	args = args[1:]
	var line func(*exec.Cmd, string)
	switch args[0] {
	case "-int":
		at := regexp.MustCompile(args[1])
		line = func(cmd *exec.Cmd, text string) {
			if at.MatchString(text) {
				cmd.Process.Signal(os.Interrupt) // an end before this shows in the exit code
			}
		}
		args = args[2:]
	case "-open":
		line = func(_ *exec.Cmd, text string) {
			if strings.HasPrefix(text, "http") {
				openLink(text) // what comes of it is seen in the command's output
			}
		}
		args = args[1:]
	}
	got, err := runWatched(ts, args, line)
	ts.Check(err)
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// passed names the variables that a command run by exits sees, as the script
// has them: testscript tells no list of its own.
var passed = []string{"WORK", "HOME", "USERPROFILE", "LOCALAPPDATA", "PATH", "TMPDIR", "TMP", "ACB_CONFIG", "ACB_BWLIMIT", "ACB_DRY_RUN", "ACB_JSON", "DISPLAY", "TZ", "LANG",
	"NO_COLOR", "SYSTEMROOT", "GOCOVERDIR", "SECRETS", "XDG_CONFIG_HOME", "XDG_STATE_HOME"}

// runWatched runs a command and hands on each line of its output.
func runWatched(ts *testscript.TestScript, args []string, line func(*exec.Cmd, string)) (code int, err error) {
	var env []string
	path := ts.Getenv("PATH")
	for _, k := range passed {
		if v := ts.Getenv(k); v != "" {
			env = append(env, k+"="+v)
		}
	}
	program, err := lookPath(args[0], path)
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(program, args[1:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), env
	var mu sync.Mutex // the two streams come from a goroutine each
	watch := func(to io.Writer) io.Writer {
		return &lineWriter{to: to, mu: &mu, line: func(text string) {
			if line != nil {
				go line(cmd, text) // the command must not wait for what the hook does
			}
		}}
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = watch(&stdout), watch(&stderr)
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	stuck := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	err = cmd.Wait()
	inTime := stuck.Stop()
	io.Copy(ts.Stdout(), &stdout)
	io.Copy(ts.Stderr(), &stderr)
	var exit *exec.ExitError
	switch {
	case !inTime:
		return 0, fmt.Errorf("%s did not end within %v", strings.Join(args, " "), patience)
	case errors.As(err, &exit):
		return exit.ExitCode(), nil
	}
	return 0, err
}

// lookPath finds a program on the script's path.
func lookPath(name, path string) (string, error) {
	for _, dir := range strings.Split(path, string(os.PathListSeparator)) {
		for _, suffix := range []string{"", ".exe"} {
			file := dir + string(os.PathSeparator) + name + suffix
			if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
				return file, nil
			}
		}
	}
	return "", fmt.Errorf("no program %s on the path", name)
}

// A lineWriter writes on, and tells each line.
type lineWriter struct {
	mu   *sync.Mutex
	to   io.Writer
	line func(string)
	rest []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest = append(w.rest, p...)
	for {
		i := bytes.IndexByte(w.rest, '\n')
		if i < 0 {
			return w.to.Write(p)
		}
		w.line(string(w.rest[:i]))
		w.rest = w.rest[i+1:]
	}
}

// openLink is the browser of a person who agrees to what is asked.
func openLink(link string) int {
	resp, err := http.Get(link)
	if err != nil {
		return 1
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return 0
}
