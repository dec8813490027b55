// Command acb backs folders up to Google Drive: on a cron schedule or by
// hand, as plain files in plain folders, sending only what changed.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"time"

	"github.com/autocloudbackup/acb/internal/machine"
)

// version is set by the Makefile.
var version = "unknown"

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	os.Exit(Main())
}

// gcPercent is how much garbage may pile up beside what is in use, in per cent
// of that. A first run holds half a kilobyte for each file that is to be sent,
// and runs beside whatever its user does: memory is worth more than the
// few per cent of its processor time that this costs against Go's default of 100.
const gcPercent = 30

// tellingGC is gcPercent for commands that only read the manifest and tell:
// hardly anything of theirs is in use at a time, and a million lines pass by.
const tellingGC = 200

// Main is main as a function that returns the exit code, for the script tests.
func Main() int { return start(time.Now, machine.ID) }

// start is Main with a clock, on a machine.
func start(now func() time.Time, machine func(purpose string) string) int {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, stopSignals...)
	defer signal.Stop(signals)
	quit := func() { os.Exit(exitInterrupted) }
	ctx, stop := interruptible(context.Background(), signals, quit)
	defer stop()
	return acb(ctx, &app{
		args: os.Args[1:], in: os.Stdin, out: os.Stdout, err: os.Stderr, now: now, machine: machine, quit: quit,
	})
}

// An app is what one invocation has to do with the world.
type app struct {
	args     []string
	in       io.Reader
	out, err io.Writer
	now      func() time.Time
	machine  func(purpose string) string // tells machines apart, see machine.ID
	quit     func()                      // ends the process as interrupted

	configFile string
	bwlimit    bwlimitFlag
	verbose    int
	quiet      bool
}

// lastPatience is how long an interrupted acb may take to end by itself. Answers
// on their way are awaited for less than that; what is left is to write down
// what they said. Source: design §6.
const lastPatience = 10 * time.Second

// interruptible returns a context that the first signal (SIGINT, SIGTERM, the
// closing of the console) ends, so that what is in flight is finished and
// committed. A second one calls now, and so does the end of the patience, as
// when a disk that went away holds a read. Nothing is lost by it.
func interruptible(parent context.Context, signals <-chan os.Signal, now func()) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	ended := make(chan struct{})
	go func() {
		select {
		case <-signals:
		case <-ended:
			return
		}
		cancel()
		patience := time.NewTimer(lastPatience)
		defer patience.Stop()
		select {
		case <-signals:
		case <-patience.C:
		case <-ended:
			return
		}
		now()
	}()
	return ctx, func() {
		close(ended)
		cancel()
	}
}
