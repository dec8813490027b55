package scan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/autocloudbackup/acb/manifest"
)

// Causes of a skip that the system has no error for.
var (
	errNotRegular = errors.New("not a regular file")
	errTorn       = errors.New("the system returned a torn listing")
	errSwapped    = errors.New("another folder is there now")
)

// A walk is one scan while it is on.
type walk struct {
	ctx     context.Context
	opts    Options
	store   *manifest.Store
	sources []Source
	named   bool // only what was named one by one is walked
	tops    []*top
	outside *top
	today   int32 // days since 1970
	own     ownFiles

	mu      sync.Mutex // guards all below, and the handles of all nodes
	wake    sync.Cond
	stack   []job
	busy    int // workers that have a job
	waiting int
	idle    []*node // open for subfolders to come, oldest first
	err     error   // what ended the walk
	devices map[uint64]*device
	claims  map[manifest.FolderID]*branch // known folders that were met by inode
	refuted map[manifest.FolderID]bool    // known folders that are still where they were

	elsewhere map[manifest.FolderID]bool // known folders that left their place to another folder

	displaced map[manifest.FolderID][]manifest.Entry // by the folder that holds them; read only

	folders, files atomic.Int64 // for Progress
	telling        sync.Mutex
}

// A top is a source that is being walked.
type top struct {
	walk  *walk
	index int // of the source in the configuration; -1 outside of all
	src   *Source
	root  string // what is opened: Source.Root, resolved if it is a file
	res   SourceResult
	in    *manifest.Place // the folder that holds it; what is in it counts as of the source
	rel   string          // of a target, its path in its source
	flags manifest.Flags  // of a target
	link  bool            // a target that is a symlink, which is kept as one

	// noAbsent: on another file system than last time, so that what is not
	// there says nothing. wasFS and isFS are the two.
	noAbsent    bool
	wasFS, isFS manifest.FS
	branch      *branch
	uncertain   atomic.Bool // see SourceResult.Doubt
	partly      atomic.Bool // see SourceResult.Partly
}

// doubt notes that a name could not be looked at because of err. look looks
// once more at what is said to be gone. What is not known and is said never to
// be readable is in no doubt: it would hold back for good whatever is to be
// trashed.
func (t *top) doubt(err error, known, never bool, look func() error) {
	switch {
	case classOf(err) == Vanished && look() != nil:
	case errors.Is(err, fs.ErrPermission) && !known && never:
	default:
		t.uncertain.Store(true)
	}
}

// A device is a file system that the scan has met.
type device struct {
	fileSystem
	id manifest.FS
}

// device returns what is known of the file system that d is on.
func (w *walk) device(d dir, dev uint64) (*device, error) {
	w.mu.Lock()
	known := w.devices[dev]
	w.mu.Unlock()
	if known != nil {
		return known, nil
	}
	fs := &device{fileSystem: w.opts.system.fileSystem(d)}
	if fs.identity != "" {
		id, err := w.store.FS(fs.identity)
		if err != nil {
			return nil, err
		}
		fs.id = id
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if known := w.devices[dev]; known != nil {
		return known, nil
	}
	w.devices[dev] = fs
	return fs, nil
}

// sourceOf returns the source that a path belongs to, or -1.
func (w *walk) sourceOf(p manifest.Path) int {
	for i := range w.sources {
		if p.Within(w.sources[i].Path) {
			return i
		}
	}
	return -1
}

// run walks all that is queued, and returns when no worker is left.
func (w *walk) run() error {
	var workers []*worker
	var wg sync.WaitGroup
	for range w.opts.Walkers {
		k := &worker{w: w}
		workers = append(workers, k)
		wg.Go(func() {
			for {
				j, ok := w.pop()
				if !ok {
					return
				}
				err := w.ctx.Err()
				if err == nil {
					err = k.visit(&j)
				}
				w.done(err)
			}
		})
	}
	wg.Wait()
	w.closeAll()
	for _, k := range workers {
		if k.r != nil {
			k.r.Close()
		}
	}
	if w.err != nil {
		return fmt.Errorf("scan: %w", w.err)
	}
	return nil
}

// closeAll closes what a walk that failed has left open.
func (w *walk) closeAll() {
	for _, n := range w.idle {
		if n.d != nil {
			n.d.close()
			n.d = nil
		}
	}
	w.idle, w.stack = nil, nil
}

// tell reports the progress, now and then.
func (w *walk) tell(folders, files int64) {
	f := w.folders.Add(folders)
	n := w.files.Add(files)
	if w.opts.Progress == nil || f%256 != 0 || !w.telling.TryLock() {
		return
	}
	defer w.telling.Unlock()
	w.opts.Progress(Progress{Folders: int(f), Files: int(n)})
}
