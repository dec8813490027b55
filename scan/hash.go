package scan

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/zeebo/blake3"
)

const (
	// hashBuffer is what a hasher reads at once, in bytes: large enough for
	// BLAKE3 to use its widest instructions, small enough for a second-level cache.
	hashBuffer = 512 << 10
	// hashTries is how often a file is read that changes meanwhile.
	hashTries = 3
)

var errChanging = errors.New("it changed while it was being read, three times in a row")

// A hashPool reads contents.
type hashPool struct {
	files *Files
	opts  *Options
	racy  func(*manifest.Stat) manifest.Flags

	read    atomic.Int64
	toRead  int64
	telling sync.Mutex
}

// A hasher is one worker of the pool.
type hasher struct {
	*hashPool
	blake *blake3.Hasher
	buf   []byte
}

// hash reads the contents of the files, several at a time, and fills in
// New.Hash and the stat that goes with it. failed holds what could not be
// read, at the place of its file.
func (p *hashPool) hash(ctx context.Context, files []*fileSeen) (failed []error) {
	for _, f := range files {
		p.toRead += f.New.Size
	}
	return p.each(ctx, len(files), func(h *hasher, i int) error { return h.file(ctx, files[i]) })
}

// each has do called for each of n, several at a time, and returns what it
// returned.
func (p *hashPool) each(ctx context.Context, n int, do func(h *hasher, i int) error) (failed []error) {
	failed = make([]error, n)
	workers := p.opts.Hashers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			h := hasher{hashPool: p, blake: blake3.New(), buf: make([]byte, hashBuffer)}
			for {
				i := int(next.Add(1)) - 1
				if i >= n || ctx.Err() != nil {
					return
				}
				failed[i] = do(&h, i)
				p.tell()
			}
		})
	}
	wg.Wait()
	return failed
}

// file reads one content, again if it changes meanwhile.
func (h *hasher) file(ctx context.Context, s *fileSeen) error {
	for range hashTries {
		ok, err := h.once(ctx, s)
		if ok || err != nil {
			return err
		}
	}
	return errChanging
}

// once reads one content, and reports whether it stayed the same meanwhile.
func (h *hasher) once(ctx context.Context, s *fileSeen) (bool, error) {
	f, err := h.files.Open(s.New.Path())
	if err != nil {
		return false, err
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return false, err
	}
	if before.Kind != s.New.Kind {
		return false, errSwapped
	}
	flags := h.racy(&before)
	h.blake.Reset()
	var to io.Writer = h.blake
	old := s.Old
	sum := md5.New()
	viaMD5 := old != nil && old.Hash.IsZero() && !old.MD5.IsZero() && old.Size == before.Size
	if viaMD5 {
		to = io.MultiWriter(h.blake, sum)
	}
	for {
		n, err := f.Read(h.buf)
		to.Write(h.buf[:n]) // hashes return no errors
		h.read.Add(int64(n))
		if err == io.EOF {
			break
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return false, fmt.Errorf("read: %w", err)
		}
	}
	after, err := f.Stat()
	if err != nil || after != before {
		return false, err
	}
	s.New.Stat, s.New.Flags = before, s.New.Flags&^manifest.Racy|flags
	h.blake.Sum(s.New.Hash[:0])
	if viaMD5 && manifest.MD5(sum.Sum(nil)) == old.MD5 {
		// The manifest was rebuilt from what Drive tells, which has no BLAKE3.
		old.Hash = s.New.Hash
	}
	return true, nil
}

func (p *hashPool) tell() {
	if p.opts.Progress == nil || !p.telling.TryLock() {
		return
	}
	defer p.telling.Unlock()
	p.opts.Progress(Progress{ToHash: p.toRead, Hashed: p.read.Load()})
}
