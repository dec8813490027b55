package restore

import (
	"cmp"
	"sync"
	"time"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// An Outcome is how it went with one file.
type Outcome uint8

// The outcomes. In a dry run, Restored is what would be.
const (
	Restored Outcome = iota // it is in place, and its sum is right
	Present                 // it was there already, with this content
	Kept                    // something else is there, and was kept
	Damaged                 // what Drive sent is not what was saved; it lies beside
	Gone                    // Drive no longer has it
	Failed                  // it could not be fetched or written
)

// String returns the outcome's name.
func (o Outcome) String() string {
	return [...]string{"restored", "present", "kept", "damaged", "gone", "failed"}[o]
}

// A Result is one file's outcome.
type Result struct {
	Path    manifest.Path
	Outcome Outcome
	Bytes   int64 // content restored
	Err     error // why not; nil if Restored or Present
}

// Renamed is a file or folder whose name the target cannot hold.
type Renamed struct {
	Path manifest.Path
	As   string // its name there
}

// A Summary is what a Run did.
type Summary struct {
	Files         [Failed + 1]int64 // by Outcome
	Folders       int64             // made
	Bytes         int64             // of the files restored
	BytesReceived int64             // content on the wire, repeats included
	Requests      int64
	Took          time.Duration
	Problems      []Result // all that are neither Restored nor Present
	Renamed       []Renamed
	SetAside      []Renamed // what was in the way
	Pinned        []Pinned
	Plain         bool // a target keeps no modes
}

// A Pinned is an old content that Drive keeps for good from now on, because
// only so it could be fetched. It counts against the storage.
type Pinned struct {
	remote.Blob
	Restored bool // wherever it was wanted
}

func compareBlobs(a, b remote.Blob) int {
	return cmp.Or(cmp.Compare(a.FileID, b.FileID), cmp.Compare(a.Revision, b.Revision))
}

// Complete reports whether all that was asked for is in place.
func (s *Summary) Complete() bool { return len(s.Problems) == 0 }

func (s *Summary) add(r Result) {
	s.Files[r.Outcome]++
	s.Bytes += r.Bytes
	if r.Err != nil {
		s.Problems = append(s.Problems, r)
	}
}

func (r *run) made() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum.Folders++
}

func (r *run) renamed(p manifest.Path, as string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum.Renamed = append(r.sum.Renamed, Renamed{p, as})
}

// A Progress is how far a Run is.
type Progress struct {
	Files, FilesDone int64 // found so far, and ended
	Bytes, BytesDone int64 // likewise, whether fetched or not
	Received         int64 // bytes fetched
}

// Progress returns how far the run is; it may be asked from any goroutine.
func (r *Restore) Progress() Progress {
	r.progress.mu.Lock()
	defer r.progress.mu.Unlock()
	return r.progress.now
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

func (p *progress) begin() { p.set(func(n *Progress) { *n = Progress{} }) }
func (p *progress) found(size int64) {
	p.set(func(n *Progress) { n.Files, n.Bytes = n.Files+1, n.Bytes+size })
}
func (p *progress) ended(size int64) {
	p.set(func(n *Progress) { n.FilesDone, n.BytesDone = n.FilesDone+1, n.BytesDone+size })
}
func (p *progress) received(n int) { p.set(func(now *Progress) { now.Received += int64(n) }) }
