package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// TestTellingInterrupted: one Ctrl-C ends a command that only tells, even where
// nobody takes what it has to say.
func TestTellingInterrupted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows knows no signal to another process")
	}
	l := newLife(t)
	many := filepath.Join(l.dir, "src", "many")
	l.must(os.Mkdir(many, 0o700))
	for i := range 1500 { // their lines are more than a pipe and the command itself hold
		l.must(os.WriteFile(filepath.Join(many, fmt.Sprintf("%0200d", i)), nil, 0o600))
	}
	l.ok("scan")
	for _, args := range [][]string{{"ls", "-R"}, {"find", "0"}, {"diff", "0", "2"}, {"log", "2"}} {
		cmd, _ := l.acb(args...)
		out, in, err := os.Pipe()
		l.must(err)
		cmd.Stdout = in
		l.must(cmd.Start())
		in.Close()
		_, err = io.ReadFull(out, make([]byte, 1)) // it tells
		l.must(err)
		began := time.Now()
		l.must(cmd.Process.Signal(os.Interrupt))
		err = cmd.Wait()
		out.Close()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
			t.Errorf("acb %q ended with %v", args, err)
		}
		if took := time.Since(began); took > lastPatience/2 {
			t.Errorf("acb %q ended %v after the interrupt", args, took)
		}
	}
}
