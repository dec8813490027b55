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

// Main is main as a function that returns the exit code, for the script tests.
func Main() int { return start(time.Now) }

// start is Main with a clock.
func start(now func() time.Time) int {
	ctx, stop := interruptible(context.Background(), func() { os.Exit(exitInterrupted) })
	defer stop()
	return acb(ctx, &app{
		args: os.Args[1:], in: os.Stdin, out: os.Stdout, err: os.Stderr, now: now,
	})
}

// An app is what one invocation has to do with the world.
type app struct {
	args     []string
	in       io.Reader
	out, err io.Writer
	now      func() time.Time

	configFile string
	bwlimit    bwlimitFlag
	verbose    int
	quiet      bool
}

// interruptible returns a context that the first SIGINT, SIGTERM or closing
// of the console ends, so that what is in flight is finished and committed;
// a second one calls now.
func interruptible(parent context.Context, now func()) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, stopSignals...)
	go func() {
		select {
		case <-signals:
		case <-ctx.Done():
			return
		}
		cancel()
		<-signals
		now()
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
	}
}
