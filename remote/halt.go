package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/autocloudbackup/acb/internal/plan"
)

const (
	// uploadPause is how long Drive takes no content after the volume of a day.
	// Source: Drive API guide, usage limits: 750 GB, then 24 hours.
	uploadPause = 24 * time.Hour
	// askAgain is how long after such a refusal one content tries whether it
	// is over: its words are those of a passing refusal nearly to the letter,
	// and another program may have used the volume up hours before.
	askAgain = time.Hour
)

// A Halt is why contents are not sent, from one run to the next.
type Halt struct {
	Class Class     `json:"class"`          // StorageFull, ItemsFull or DailyCap
	Words string    `json:"words"`          // the refusal, and what can be done
	Asked time.Time `json:"asked"`          // when Drive last refused
	Until time.Time `json:"until,omitzero"` // when Drive takes contents again; zero: when somebody has made room
}

// halts reports whether a refusal of class c stands for all operations of
// kind k. What a copy makes counts as uploaded.
func (c Class) halts(k plan.OpKind) bool {
	switch c {
	case StorageFull, DailyCap:
		return k.Sends() || k.Creates() && k != plan.CreateFolder
	case ItemsFull:
		return k.Creates()
	}
	return false
}

// halted returns why an operation need not be tried: Drive has refused its
// like.
func (r *run) halted(op *plan.Op) *Error {
	e, told := r.room.refuses(op)
	if e != nil {
		return e
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.crowded[op.Parent]; e != nil && op.Kind.Creates() {
		return e.again()
	}
	e = r.result.Stopped
	if e == nil || !e.Class.halts(op.Kind) || e.Class == StorageFull && told {
		return nil
	}
	return e.again()
}

// sift returns those of ops that may be tried; the others fail.
func (r *run) sift(ops []*plan.Op) []*plan.Op {
	return slices.DeleteFunc(ops, func(op *plan.Op) bool {
		e := r.halted(op)
		if e != nil {
			r.fail(op, e)
		}
		return e != nil
	})
}

// refused takes an operation off the run that Drive refused; counted says that
// it should have fitted.
func (r *run) refused(ctx context.Context, op *plan.Op, err error, counted bool) {
	var e *Error
	if errors.As(err, &e) && e.Class == StorageFull && e.Status != 0 {
		r.room.full(ctx, r.d, op, counted)
	}
	r.fail(op, err)
}

// halt takes in a refusal that stands for more than its own operation. r.mu
// is held.
func (r *run) halt(e *Error) {
	now, h := r.d.opt.Now(), r.env.Halt
	if e.Status != 0 {
		r.asked = now
	}
	if e.Class == DailyCap && e.Until.IsZero() {
		switch first := r.result.Stopped; {
		case first != nil && first.Class == DailyCap:
			e.Until = first.Until
		case e.RetryAfter > 0:
			e.Until = now.Add(e.RetryAfter)
		case h != nil && h.Class == DailyCap && now.Before(h.Until):
			e.Until = h.Until
		default:
			e.Until = now.Add(uploadPause)
		}
	}
	if r.result.Stopped == nil {
		r.result.Stopped = e.again()
	}
}

// halting returns what the next run has to know. r.mu is held.
func (r *run) halting() *Halt {
	e, h := r.result.Stopped, r.env.Halt
	switch {
	case e == nil && r.delivered:
		return nil
	case r.asked.IsZero():
		return h
	}
	return &Halt{Class: e.Class, Words: e.Error(), Asked: r.asked, Until: e.Until}
}

// recall takes in what an earlier run was refused, before the first stage that
// it concerns.
func (r *run) recall(ctx context.Context, ops []*plan.Op) {
	h := r.env.Halt
	if h == nil || r.recalled || !slices.ContainsFunc(ops, func(op *plan.Op) bool { return h.Class.halts(op.Kind) }) {
		return
	}
	r.recalled = true
	now := r.d.opt.Now()
	switch {
	case h.Class == StorageFull:
		r.probing = !r.room.ask(ctx, r.d)
	case h.Class == DailyCap && now.Before(h.Until) && now.Before(h.Asked.Add(askAgain)):
		r.mu.Lock()
		defer r.mu.Unlock()
		r.halt(&Error{Class: DailyCap, Until: h.Until, Err: errors.New("not tried again so soon after Drive's refusal")})
	default:
		r.probing = true
	}
}

// probe sends the smallest content alone if it is in doubt whether Drive takes
// any. It returns the others.
func (r *run) probe(ctx context.Context, ops []*plan.Op) []*plan.Op {
	var least *plan.Op
	for _, op := range ops {
		if r.env.Halt.Class.halts(op.Kind) && (least == nil || op.Stat.Size < least.Stat.Size) {
			least = op
		}
	}
	if least == nil || r.halted(least) != nil {
		return ops
	}
	if err := r.begin(ctx, []*plan.Op{least}); err != nil {
		r.fail(least, err)
	} else {
		r.content(ctx, least)
	}
	r.probing = false
	return slices.DeleteFunc(ops, func(op *plan.Op) bool { return op == least })
}

// tries is the retry policy for what brings a content. What probes gives in at
// once.
func (r *run) tries() tries {
	if r.probing {
		return tries{cap: 1}
	}
	return tries{cap: 1 + retriesCap}
}

// room is what the account has left for contents, once Drive has refused one.
type room struct {
	turn  chan struct{} // holds the rest; a channel, for who holds it waits for Drive
	known bool
	bytes int64
}

// need is how much an operation takes of it.
func need(op *plan.Op) int64 {
	if op.Kind == plan.Update && op.File != nil && op.File.Old != nil {
		return max(op.Stat.Size-op.File.Old.Size, 0)
	}
	return op.Stat.Size
}

// refuses returns an error if an operation does not fit, and whether it is
// known what does.
func (m *room) refuses(op *plan.Op) (e *Error, known bool) {
	if !StorageFull.halts(op.Kind) {
		return nil, false
	}
	m.turn <- struct{}{}
	defer func() { <-m.turn }()
	if n := need(op); m.known && n > m.bytes {
		e = &Error{Class: StorageFull, Err: fmt.Errorf("it takes %d bytes, and there is room for %d", n, m.bytes)}
	}
	return e, m.known
}

// take counts an operation as if it were on Drive, if it is known what fits.
func (m *room) take(op *plan.Op) (counted bool) {
	m.turn <- struct{}{}
	defer func() { <-m.turn }()
	if m.known {
		m.bytes -= need(op)
	}
	return m.known
}

// full takes in that Drive has refused an operation: what is smaller may fit,
// and Drive is asked. If it was counted and refused all the same, nothing fits.
func (m *room) full(ctx context.Context, d *Drive, op *plan.Op, counted bool) {
	m.turn <- struct{}{}
	defer func() { <-m.turn }()
	if m.known && !counted {
		return // it was on its way when another was refused
	}
	asked := m.known
	m.known, m.bytes = true, 0
	if asked {
		return
	}
	if left, ok := d.left(ctx); ok && left < need(op) {
		m.bytes = left
	}
}

// ask learns from Drive how much is left, and reports whether it knows.
func (m *room) ask(ctx context.Context, d *Drive) bool {
	m.turn <- struct{}{}
	defer func() { <-m.turn }()
	m.bytes, m.known = d.left(ctx)
	return m.known
}
