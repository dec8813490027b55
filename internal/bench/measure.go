package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// A usage is what one process took, from its start to its end.
type usage struct {
	Wall    float64 // seconds
	CPU     float64 // seconds, user and system
	Peak    int64   // bytes resident at most; 0 where the system does not tell
	Code    int     // exit code
	Message string  // the end of what it wrote to stderr
}

// A command is a program to be measured.
type command struct {
	args []string
	env  []string // added to the harness's own
}

// measureFlag makes this program a launcher: it runs the command that follows
// and prints its usage. A process inherits, as far as its peak memory is
// concerned, that of the one that started it, so a small launcher stands
// between it and the harness.
const measureFlag = "-measure-child"

// run runs c and returns what it took.
func (c command) run(ctx context.Context) (usage, error) {
	self, err := os.Executable()
	if err != nil {
		return usage{}, err
	}
	launcher := exec.CommandContext(ctx, self, append([]string{measureFlag}, c.args...)...)
	launcher.Env = append(os.Environ(), c.env...)
	launcher.Stderr = os.Stderr
	out, err := launcher.Output()
	if err != nil {
		return usage{}, fmt.Errorf("run %s: %w", c, err)
	}
	var u usage
	if err := json.Unmarshal(out, &u); err != nil {
		return usage{}, fmt.Errorf("run %s: %w", c, err)
	}
	if u.Code != 0 {
		return usage{}, fmt.Errorf("run %s: exit code %d: %s", c, u.Code, u.Message)
	}
	return u, nil
}

func (c command) String() string { return strings.Join(c.args, " ") }

// measureChild is the launcher. Standard output of the child goes nowhere.
func measureChild(args []string, out io.Writer) error {
	cmd := exec.Command(args[0], args[1:]...)
	var tail bytes.Buffer
	cmd.Stderr = &tail
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	st := cmd.ProcessState
	return json.NewEncoder(out).Encode(usage{
		Wall: wall.Seconds(), CPU: (st.UserTime() + st.SystemTime()).Seconds(), Peak: peakMemory(st),
		Code: st.ExitCode(), Message: lastBytes(tail.String(), 600),
	})
}

// firstLine starts c and returns after how many seconds it has written its first
// line to stdout. Then it ends it.
func (c command) firstLine(ctx context.Context) (float64, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	cmd.Env = append(os.Environ(), c.env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	took := time.Since(start)
	stop()
	_ = cmd.Wait() // it was killed
	if err != nil {
		return 0, fmt.Errorf("run %s: its first line %q: %w", c, line, err)
	}
	return took.Seconds(), nil
}

func lastBytes(s string, n int) string { return strings.TrimSpace(s[max(0, len(s)-n):]) }

// A contest measures two programs in turn, A B A B.
type contest struct {
	floor, what []usage
}

// pairs runs both n times. before, if not nil, runs before each of them.
func pairs(ctx context.Context, n int, floor, what command, before func() error) (contest, error) {
	var c contest
	for range n {
		for _, side := range []struct {
			cmd command
			to  *[]usage
		}{{floor, &c.floor}, {what, &c.what}} {
			if before != nil {
				if err := before(); err != nil {
					return c, err
				}
			}
			u, err := side.cmd.run(ctx)
			if err != nil {
				return c, err
			}
			*side.to = append(*side.to, u)
		}
	}
	return c, nil
}

// pick returns one figure of each run.
func pick(us []usage, figure func(usage) float64) []float64 {
	xs := make([]float64, len(us))
	for i, u := range us {
		xs[i] = figure(u)
	}
	return xs
}

func wall(u usage) float64 { return u.Wall }
func cpu(u usage) float64  { return u.CPU }
func peak(u usage) float64 { return float64(u.Peak) }
