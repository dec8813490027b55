package remote

import "context"

// A turn is a lock that is held across requests: who waits for it gives up
// when the context ends, and waits on the same clock as the requests.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// take waits for the turn; the error is the context's.
func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) give() { <-t }
