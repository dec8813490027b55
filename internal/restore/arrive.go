package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Files that have arrived get their names in batches, each when all of it is
// durable: a power cut would otherwise leave names without their content, which
// the next restore had to keep as files of the user's. To wait for each file by
// itself takes a disk longer than to wait for all. A batch is this many files
// or bytes, or what has arrived within this time.
const (
	batchFiles = 256
	batchBytes = 64 << 20
	batchTime  = time.Second
)

// placeAll gives the files that arrive their names, until no more do.
func (r *run) placeAll(ctx context.Context) {
	for t := range r.arrived {
		batch := r.gather(t)
		err := r.disks.sync()
		for _, t := range batch {
			how, err := r.putInPlace(t, err)
			if err == nil {
				r.note(t, Restored, t.want.Size, nil)
			} else {
				r.fail(ctx, t, how, err)
			}
			t.release(r)
		}
	}
}

// gather waits for the rest of a batch.
func (r *run) gather(first *task) []*task {
	batch, bytes := []*task{first}, first.want.Size
	late := time.NewTimer(batchTime)
	defer late.Stop()
	for len(batch) < batchFiles && bytes < batchBytes {
		select {
		case t, ok := <-r.arrived:
			if !ok {
				return batch
			}
			batch, bytes = append(batch, t), bytes+t.want.Size
		case <-late.C:
			return batch
		}
	}
	return batch
}

// putInPlace gives a file its name, unless it could not be made durable. The
// outcome is for when there is an error.
func (r *run) putInPlace(t *task, unsynced error) (Outcome, error) {
	temp := t.temp()
	if unsynced != nil { // what was read back would not tell what the disk has
		return Failed, errors.Join(fmt.Errorf("write to disk: %w", unsynced), t.dir.root.Remove(temp))
	}
	if t.inTheWay {
		if err := t.dir.setAside(r, t.path, t.name); err != nil && !errors.Is(err, fs.ErrNotExist) { // it may have left by itself
			return Failed, errors.Join(err, t.dir.root.Remove(temp))
		}
	}
	if err := t.dir.place(temp, t.name); errors.Is(err, fs.ErrExist) {
		return Kept, errors.Join(errors.New("something came there meanwhile, which was kept"), t.dir.root.Remove(temp))
	} else if err != nil {
		return Failed, err
	}
	return 0, nil
}

// arrivedBefore reports whether an earlier run has fetched the content and did
// not get to give it its name.
func (t *task) arrivedBefore(ctx context.Context, temp string) (bool, error) {
	st, same, err := t.look(ctx, temp)
	if err != nil || !same {
		return false, context.Cause(ctx) // what cannot be read is fetched anew
	}
	return true, t.restat(temp, st)
}
