package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/dustin/go-humanize"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

const (
	drawEvery = 150 * time.Millisecond // on a terminal
	lineEvery = 30 * time.Second       // elsewhere, one plain line
)

func terminal(fd int) bool { return term.IsTerminal(fd) }

// A display shows how a run goes on: a line that is redrawn on a terminal,
// a plain line now and then elsewhere, nothing when quiet.
type display struct {
	// out takes whole lines for stdout while the display is there.
	out  io.Writer
	quit chan struct{}
	done sync.WaitGroup
}

// newDisplay shows what line returns, which says how far a command is.
func (a *app) newDisplay(line func(now time.Time) string, asJSON bool) *display {
	d := &display{out: a.out, quit: make(chan struct{})}
	switch {
	case a.quiet || asJSON:
	case isTerminal(a.err):
		p := mpb.New(mpb.WithOutput(a.err), mpb.WithAutoRefresh(), mpb.WithRefreshRate(drawEvery))
		if isTerminal(a.out) {
			d.out = p // above the line, or the two would write over each other
		}
		d.done.Go(func() {
			d.draw(p, line, a.now)
			fmt.Fprint(a.err, "\r  \r")
		})
	default:
		d.done.Go(func() { d.lines(a.err, line, a.now) })
	}
	return d
}

// stop takes the display away before the report is written.
func (d *display) stop() {
	close(d.quit)
	d.done.Wait()
}

// draw redraws one line on a terminal. What a person types meanwhile, such as
// ^C, moves the cursor to the right, and mpb goes on from there: hence the
// returns, here and after the last line.
func (d *display) draw(p *mpb.Progress, text func(time.Time) string, now func() time.Time) {
	line := decor.Any(func(decor.Statistics) string { return "\r" + text(now()) })
	bar := p.MustAdd(0, nil, mpb.PrependDecorators(line))
	<-d.quit
	bar.Abort(true)
	p.Wait()
}

// lines writes a plain line now and then.
func (d *display) lines(w io.Writer, text func(time.Time) string, now func() time.Time) {
	t := time.NewTicker(lineEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			fmt.Fprintln(w, "acb: "+text(now()))
		case <-d.quit:
			return
		}
	}
}

// silence says that Drive does not answer, so that a person need not wait for
// the end of all tries to look after the line. One lost answer is no news.
func silence(unheard int64) string {
	if unheard < 2 {
		return ""
	}
	return "Drive does not answer, trying again: "
}

// progressLine says what is being done, how far it is, and how long it will
// take: by the scarcer of bytes and operations.
func progressLine(p backup.Progress, now time.Time) string {
	if p.Applying.IsZero() && p.Proved > 0 {
		return fmt.Sprintf("%s: %s, %s", p.Phase, count(p.Proved, "file", "files"), humanize.IBytes(uint64(p.Received)))
	}
	if p.Applying.IsZero() {
		line := fmt.Sprintf("%s: %s files in %s folders", p.Phase, humanize.Comma(int64(p.Scan.Files)), humanize.Comma(int64(p.Scan.Folders)))
		if p.Scan.ToHash > 0 {
			line += fmt.Sprintf(", read %s of %s", humanize.IBytes(uint64(p.Scan.Hashed)), humanize.IBytes(uint64(p.Scan.ToHash)))
		}
		return line
	}
	// What matters most comes first: a narrow terminal cuts the end off.
	spent := now.Sub(p.Applying)
	line := fmt.Sprintf("%s: %s/%s operations, %s/%s", p.Phase,
		humanize.Comma(p.OpsDone), humanize.Comma(p.Ops),
		humanize.IBytes(uint64(p.BytesSent)), humanize.IBytes(uint64(p.Bytes)))
	if left, ok := remaining(p, spent); ok {
		line += ", " + left.Round(time.Second).String() + " left"
	}
	if s := spent.Seconds(); s >= 1 {
		line += fmt.Sprintf(", %s/s", humanize.IBytes(uint64(float64(p.BytesSent)/s)))
	}
	return line + ", " + count(p.Requests, "request", "requests")
}

// remaining extrapolates what is left from what is done, once something is.
func remaining(p backup.Progress, spent time.Duration) (time.Duration, bool) {
	if p.OpsDone == 0 || spent < 2*time.Second {
		return 0, false
	}
	by := func(done, all int64) time.Duration {
		if done == 0 || done >= all {
			return 0
		}
		return time.Duration(float64(spent) * float64(all-done) / float64(done))
	}
	return max(by(p.OpsDone, p.Ops), by(p.BytesSent, p.Bytes)), true
}

// colour reports whether w should be given colour: a terminal whose user did
// not ask for none. Source: no-color.org
func colour(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("NO_COLOR") == ""
}
