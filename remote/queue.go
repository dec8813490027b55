package remote

import (
	"context"
	"sync"

	"github.com/autocloudbackup/acb/internal/plan"
)

// contents sends the contents of ops, Options.Transfers at a time. Ids are
// reserved and journaled block by block.
func (r *run) contents(ctx context.Context, ops []*plan.Op) {
	if r.probing {
		ops = r.probe(ctx, ops)
	}
	q := newQueue(r, ops)
	var wg sync.WaitGroup
	for range min(r.d.opt.Transfers, len(ops)) {
		wg.Go(func() {
			for {
				op, large := q.next(ctx)
				if op == nil {
					return
				}
				r.content(ctx, op)
				if large {
					q.ended()
				}
			}
		})
	}
	wg.Wait()
}

// A queue hands out contents so that neither the line nor the account's writes
// lie idle while there is work for both. Small contents cost a write each and
// hardly any bytes, large ones a write and then only bytes. So there is a
// worker for each sort at all times, and the others go where writes are at
// hand, or are not.
type queue struct {
	r     *run
	lanes int           // most workers with large contents while there are small ones
	turn  chan struct{} // holds what follows; a channel, for begin waits for Drive

	small, large block
	sending      int // workers with large contents
}

// A block is contents of one sort, in order.
type block struct {
	begun []*plan.Op // have their ids, and are in the journal
	ops   []*plan.Op // come after them
}

func (b *block) left() int { return len(b.begun) + len(b.ops) }

func newQueue(r *run, ops []*plan.Op) *queue {
	q := &queue{r: r, lanes: max(r.d.opt.Transfers-1, 1), turn: make(chan struct{}, 1)}
	for i, op := range ops {
		if op.Stat.Size > r.d.small {
			q.large.ops = append(q.large.ops, op)
		} else {
			q.small.ops = append(q.small.ops, op)
		}
		ops[i] = nil // whoever works on it lets go of it at its end
	}
	return q
}

// next returns the content to send next and whether it is a large one; nil
// when there is none.
func (q *queue) next(ctx context.Context) (op *plan.Op, large bool) {
	q.turn <- struct{}{}
	defer func() { <-q.turn }()
	for q.small.left()+q.large.left() > 0 {
		b := q.pick()
		if len(b.begun) == 0 {
			q.begin(ctx, b)
			continue
		}
		op = b.begun[0]
		b.begun[0] = nil
		b.begun = b.begun[1:]
		if large = b == &q.large; large {
			q.sending++
		}
		return op, large
	}
	return nil, false
}

// ended lets another worker take a large content.
func (q *queue) ended() {
	q.turn <- struct{}{}
	q.sending--
	<-q.turn
}

// pick chooses the sort.
func (q *queue) pick() *block {
	switch {
	case q.large.left() == 0:
		return &q.small
	case q.small.left() == 0:
		return &q.large
	case q.sending == 0 && q.r.d.opt.Transfers > 1:
		return &q.large
	case q.sending < q.lanes && !q.r.d.pace.idle():
		return &q.large
	}
	return &q.small
}

// begin reserves ids for the next operations of b and journals them. What
// cannot be begun fails.
func (q *queue) begin(ctx context.Context, b *block) {
	n := min(len(b.ops), maxIDs)
	b.begun = q.r.sift(b.ops[:n:n])
	b.ops = b.ops[n:]
	if ctx.Err() != nil {
		return // each of them will find out
	}
	if err := q.r.begin(ctx, b.begun); err != nil {
		for _, op := range b.begun {
			q.r.fail(op, err)
		}
		b.begun = nil
	}
}
