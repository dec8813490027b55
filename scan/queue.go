package scan

import (
	"slices"

	"github.com/autocloudbackup/acb/manifest"
)

// A job is a folder to be walked.
type job struct {
	top    *top
	up     *node // the folder that holds it; nil for a source's top
	branch *branch
	name   string
	row    *manifest.Row // what the manifest has at this place; nil if nothing
}

// maxIdle is how many handles are kept open for subfolders that are still to
// come. Deep and wide trees reopen some; every system allows at least 256 open
// files to a process.
const maxIdle = 100

// push queues jobs, of which the first is taken first and all of them before
// what was queued earlier: depth first, so that little waits at any time. n is
// the folder they are in, which the caller has acquired and which stays open
// for them.
func (w *walk) push(n *node, jobs []job) {
	w.mu.Lock()
	for i := len(jobs) - 1; i >= 0; i-- {
		w.stack = append(w.stack, jobs[i])
	}
	if len(jobs) > 0 && w.waiting > 0 {
		w.wake.Broadcast()
	}
	if n == nil {
		w.mu.Unlock()
		return
	}
	n.pending += len(jobs)
	if n.pending > 0 {
		w.idle = append(w.idle, n)
	}
	w.releaseLocked(n)
}

// queueAgain queues a job for another round of the walk.
func (w *walk) queueAgain(j job) {
	w.mu.Lock()
	if j.up != nil {
		j.up.pending++
	}
	w.stack = append(w.stack, j)
	w.mu.Unlock()
}

// pop takes the next job, waiting while others may still queue some. It
// returns false when all is walked or the walk has failed. Each job that was
// popped is ended by done.
func (w *walk) pop() (job, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.stack) == 0 && w.busy > 0 && w.err == nil {
		w.waiting++
		w.wake.Wait()
		w.waiting--
	}
	if len(w.stack) == 0 || w.err != nil {
		w.wake.Broadcast()
		return job{}, false
	}
	w.busy++
	last := len(w.stack) - 1
	j := w.stack[last]
	w.stack[last] = job{}
	w.stack = w.stack[:last]
	return j, true
}

func (w *walk) done(err error) {
	w.mu.Lock()
	w.busy--
	if w.err == nil {
		w.err = err
	}
	if (w.busy == 0 && len(w.stack) == 0) || w.err != nil {
		w.wake.Broadcast()
	}
	w.mu.Unlock()
}

// open opens the folder of a job, and with it lets go of the folder above.
func (w *walk) open(j *job) (dir, error) {
	if j.up == nil {
		return w.opts.system.open(j.top.root)
	}
	above, err := w.acquire(j.up)
	var d dir
	if err == nil {
		d, err = above.open(j.name)
	}
	w.mu.Lock()
	j.up.pending--
	if above == nil {
		w.mu.Unlock()
		return nil, err
	}
	w.releaseLocked(j.up)
	return d, err
}

// acquire returns the folder's handle and keeps it open until release.
func (w *walk) acquire(n *node) (dir, error) {
	w.mu.Lock()
	if n.d != nil {
		n.users++
		d := n.d
		w.mu.Unlock()
		return d, nil
	}
	w.mu.Unlock()
	d, err := w.reopen(n)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	spare := d
	if n.d == nil {
		n.d, spare = d, nil
		w.idle = append(w.idle, n)
	}
	n.users++
	d = n.d
	w.mu.Unlock()
	if spare != nil { // another worker was faster
		spare.close()
	}
	return d, nil
}

// reopen opens a folder again whose handle was given up: down from the nearest
// one above that is open, and only if it is still the same.
func (w *walk) reopen(n *node) (dir, error) {
	var names []string
	from := n
	w.mu.Lock()
	for from.up != nil && from.d == nil {
		names = append(names, from.name)
		from = from.up
	}
	d := from.d
	if d != nil {
		from.users++
	}
	w.mu.Unlock()
	held := d != nil
	var err error
	if !held {
		d, err = w.opts.system.open(from.top.root)
	}
	for _, name := range slices.Backward(names) {
		if err != nil {
			break
		}
		var below dir
		below, err = d.open(name)
		if held {
			w.release(from)
			held = false
		} else {
			d.close()
		}
		d = below
	}
	if held { // another worker has reopened n itself meanwhile
		defer w.release(from)
		if err == nil {
			d, err = d.open(".")
		}
	}
	if err != nil {
		return nil, err
	}
	var st info
	if err = d.self(&st); err == nil && (st.dev != n.dev || st.Inode != n.inode) {
		err = errSwapped
	}
	if err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func (w *walk) release(n *node) {
	w.mu.Lock()
	w.releaseLocked(n)
}

// releaseLocked gives back a handle, and closes it behind the last one that
// needs it. It unlocks w.mu.
func (w *walk) releaseLocked(n *node) {
	var stale [2]dir // closed outside the lock; more than two cannot come together
	n.users--
	if n.pending == 0 && n.users == 0 {
		stale[0], n.d = n.d, nil
	}
	// Depth first, what is closed is nearly always the last of the idle.
	for i := len(w.idle) - 1; i >= 0 && w.idle[i].d == nil; i-- {
		w.idle[i] = nil
		w.idle = w.idle[:i]
	}
	if len(w.idle) > maxIdle {
		// What waits longest is needed last.
		for i, o := range w.idle {
			if o.d == nil || o.users == 0 {
				stale[1], o.d = o.d, nil
				w.idle = slices.Delete(w.idle, i, i+1)
				break
			}
		}
	}
	w.mu.Unlock()
	for _, d := range stale {
		if d != nil {
			d.close()
		}
	}
}
