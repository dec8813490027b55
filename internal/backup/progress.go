package backup

import (
	"sync"
	"time"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/scan"
)

// A Progress is how far a run is. A display asks for it when it draws.
type Progress struct {
	Phase   string // "scanning", "planning", "backing up", "finishing"; "" before the first run
	Started time.Time
	Scan    scan.Progress

	Ops, OpsDone     int64 // operations on Drive
	Bytes, BytesSent int64 // content
	Applying         time.Time
	Proved, Received int64 // files that a verify has downloaded and compared, and their bytes
	Requests         int64
	Unheard          int64 // of these, without an answer since the last that had one
}

// Progress returns how far the run is; it may be asked from any goroutine.
func (b *Backup) Progress() Progress {
	b.progress.mu.Lock()
	p := b.progress.now
	b.progress.mu.Unlock()
	if b.Drive != nil {
		st := b.Drive.Stats()
		p.Requests, p.Unheard = st.Requests, st.Unheard
	}
	return p
}

type progress struct {
	mu  sync.Mutex // guards the rest
	now Progress
}

func (p *progress) set(f func(*Progress)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.now)
}

func (p *progress) reset(at time.Time)      { p.set(func(n *Progress) { *n = Progress{Started: at} }) }
func (p *progress) phase(name string)       { p.set(func(n *Progress) { n.Phase = name }) }
func (p *progress) scanned(s scan.Progress) { p.set(func(n *Progress) { n.Scan = s }) }
func (p *progress) sent(bytes int64)        { p.set(func(n *Progress) { n.BytesSent += bytes }) }

// applying begins a plan, of which so many bytes were sent before.
func (p *progress) applying(todo *plan.Plan, sent int64, at time.Time) {
	p.set(func(n *Progress) {
		n.Phase, n.Applying = "backing up", at
		n.Bytes -= sent
		for _, stage := range todo.Stages {
			n.Ops += int64(len(stage))
			for _, op := range stage {
				if op.Kind.Sends() {
					n.Bytes += op.Stat.Size
				}
			}
		}
	})
}

func (p *progress) proved(bytes int64) {
	p.set(func(n *Progress) { n.Proved, n.Received = n.Proved+1, n.Received+bytes })
}
func (p *progress) done() { p.set(func(n *Progress) { n.OpsDone++ }) }
