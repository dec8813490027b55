package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// lookAlikeFlag makes this program the look-alike in a process of its own, so
// that its work is not counted as acb's. It drops content and keeps the rest
// in the folder that follows, or in memory if that is "". Each line on its stdin is answered by one of
// JSON; the end of stdin ends it.
const lookAlikeFlag = "-look-alike"

// A greeting is what the look-alike says first.
type greeting struct {
	URL         string
	Credentials []byte // for its own address
	Google      []byte // the same for Google's addresses, through the front
	Front       detour
	Token       drivetest.Token
}

func greet(s *drivetest.Server, front detour) greeting {
	return greeting{s.URL, s.Credentials(s.URL, ""), s.Credentials(googleBase, ""), front, s.Token(drivetest.Ask{})}
}

// googleBase is where programs expect Drive that are not told otherwise.
const googleBase = "https://www.googleapis.com"

// serveLookAlike is the other side of startLookAlike.
func serveLookAlike(dir string, in io.Reader, out io.Writer) error {
	// A long fill should not stop for a refresh in the middle. SHA sums and
	// frequent collections would only make the server slower, which Drive is
	// not, and take the cores that the measured program runs on.
	debug.SetGCPercent(400)
	d, err := drivetest.New(drivetest.Options{Dir: dir, Discard: true, NoSHA: true, TokenLife: 24 * time.Hour, LogSize: -1})
	if err != nil {
		return err
	}
	s, err := drivetest.Listen(d)
	if err != nil {
		return err
	}
	defer s.Close()
	front, stop, err := serveFront(d)
	if err != nil {
		return err
	}
	defer stop()
	enc := json.NewEncoder(out)
	if err := enc.Encode(greet(s, front)); err != nil {
		return err
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if err := enc.Encode(d.Stats()); err != nil {
			return err
		}
		d.ResetStats()
	}
	return nil
}

// A lookAlike is a Drive in another process.
type lookAlike struct {
	greeting
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

// startLookAlike starts one whose state is in dir, or in memory if that is "".
// Close ends it.
func startLookAlike(ctx context.Context, dir string) (*lookAlike, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	l := &lookAlike{cmd: exec.CommandContext(ctx, self, lookAlikeFlag, dir)}
	l.cmd.Stderr = os.Stderr
	if l.in, err = l.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	l.out = json.NewDecoder(out)
	if err := l.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start look-alike: %w", err)
	}
	if err := l.out.Decode(&l.greeting); err != nil {
		l.Close()
		return nil, fmt.Errorf("start look-alike: %w", err)
	}
	return l, nil
}

// stats returns what was asked since the last call.
func (l *lookAlike) stats() (drivetest.Stats, error) {
	var s drivetest.Stats
	if _, err := io.WriteString(l.in, "stats\n"); err != nil {
		return s, fmt.Errorf("ask look-alike: %w", err)
	}
	if err := l.out.Decode(&s); err != nil {
		return s, fmt.Errorf("ask look-alike: %w", err)
	}
	return s, nil
}

// Close ends the process and waits for it; what was acknowledged is in its folder.
func (l *lookAlike) Close() error {
	l.in.Close()
	return l.cmd.Wait()
}
