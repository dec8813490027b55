package drivetest

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// blobs is where content lies: files below Dir/content, or memory, or nowhere.
type blobs struct {
	dir     string // "" for memory
	discard bool
	noSHA   bool

	mu  sync.Mutex
	mem map[string][]byte
}

// blockSize is the unit in which an interrupted upload keeps bytes, and of
// which each chunk but the last must be a multiple. Source: upload guide.
const blockSize = 262_144

var errDiscarded = errors.New("content was discarded, as the options say")

func openBlobs(o Options) (*blobs, error) {
	b := &blobs{dir: o.Dir, discard: o.Discard, noSHA: o.NoSHA, mem: map[string][]byte{}}
	if b.dir == "" {
		return b, nil
	}
	if err := os.MkdirAll(filepath.Join(b.dir, "content"), 0o700); err != nil {
		return nil, err
	}
	return b, os.MkdirAll(filepath.Join(b.dir, "incoming"), 0o700)
}

// place is the file of a key; keys are spread over 256 folders, which are made
// by put when they are needed.
func (b *blobs) place(key string) string {
	sum := md5.Sum([]byte(key))
	return filepath.Join(b.dir, "content", hex.EncodeToString(sum[:1]), key)
}

func (b *blobs) incoming(key string) string { return filepath.Join(b.dir, "incoming", key) }

// writer takes the bytes of one upload and hashes them as they come.
type writer struct {
	b      *blobs
	key    string
	file   *os.File // on disk
	mem    []byte   // in memory
	size   int64
	hashes []hash.Hash // MD5, SHA-1, SHA-256
	flip   bool        // spoil the next byte, a fault
	err    error
}

func (b *blobs) newHashes() []hash.Hash {
	if b.noSHA {
		return []hash.Hash{md5.New()}
	}
	return []hash.Hash{md5.New(), sha1.New(), sha256.New()}
}

// newWriter begins the content of a key, for an upload of one request: up to a
// block stays in memory until it is committed, which saves a renaming.
func (b *blobs) newWriter(key string) *writer {
	return &writer{b: b, key: key, hashes: b.newHashes()}
}

// newSession begins the content of a key, for an upload of many requests.
// What is not committed is found again by resume, also in a later process.
func (b *blobs) newSession(key string) *writer {
	w := b.newWriter(key)
	if b.dir != "" && !b.discard {
		w.spill()
	}
	return w
}

// spill moves what is in memory to a file, and the rest will follow. What is
// not committed is swept away at the next start, if no session goes on with it.
func (w *writer) spill() {
	w.file, w.err = os.OpenFile(w.b.incoming(w.key), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if w.err == nil {
		_, w.err = w.file.Write(w.mem)
	}
	w.mem = nil
}

// resume takes up what an earlier process had stored of a key, whole blocks only.
func (b *blobs) resume(key string) *writer {
	w := &writer{b: b, key: key, hashes: b.newHashes()}
	w.file, w.err = os.OpenFile(b.incoming(key), os.O_RDWR|os.O_CREATE, 0o600)
	if w.err != nil {
		return w
	}
	info, err := w.file.Stat()
	if err != nil {
		w.err = err
		return w
	}
	whole := info.Size() / blockSize * blockSize
	if w.err = w.file.Truncate(whole); w.err != nil {
		return w
	}
	w.size, w.err = io.Copy(w.sums(), w.file)
	return w
}

func (w *writer) sums() io.Writer {
	all := make([]io.Writer, len(w.hashes))
	for i, h := range w.hashes {
		all[i] = h
	}
	return io.MultiWriter(all...)
}

// Write stores p; an error stays.
func (w *writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if w.flip && len(p) > 0 {
		w.flip = false
		p = append([]byte{p[0] ^ 1}, p[1:]...)
	}
	for _, h := range w.hashes {
		h.Write(p)
	}
	if w.file == nil && w.b.dir != "" && !w.b.discard && len(w.mem)+len(p) > blockSize {
		w.spill()
	}
	switch {
	case w.err != nil:
	case w.file != nil:
		_, w.err = w.file.Write(p)
	case !w.b.discard:
		w.mem = append(w.mem, p...)
	}
	w.size += int64(len(p))
	return len(p), w.err
}

// mark is a place to go back to.
type mark struct {
	size   int64
	hashes []hash.Hash
}

func (w *writer) mark() mark {
	m := mark{size: w.size}
	for _, h := range w.hashes {
		c, err := h.(hash.Cloner).Clone()
		if err != nil {
			w.err = err
			return m
		}
		m.hashes = append(m.hashes, c)
	}
	return m
}

// back forgets everything after m.
func (w *writer) back(m mark) {
	if w.err != nil {
		return
	}
	w.size, w.hashes = m.size, m.hashes
	if w.file != nil {
		if w.err = w.file.Truncate(m.size); w.err == nil {
			_, w.err = w.file.Seek(m.size, io.SeekStart)
		}
		return
	}
	if !w.b.discard {
		w.mem = w.mem[:m.size]
	}
}

// commit makes the content readable under its key and gives its facts.
func (w *writer) commit() (*revision, error) {
	if w.err != nil {
		w.drop()
		return nil, w.err
	}
	r := &revision{Size: w.size, Blob: w.key, MD5: hex.EncodeToString(w.hashes[0].Sum(nil))}
	if len(w.hashes) > 1 {
		r.SHA1 = hex.EncodeToString(w.hashes[1].Sum(nil))
		r.SHA256 = hex.EncodeToString(w.hashes[2].Sum(nil))
	}
	if w.b.discard {
		return r, nil
	}
	if w.file == nil && w.b.dir != "" {
		return r, put(w.b.place(w.key), func(to string) error { return os.WriteFile(to, w.mem, 0o600) })
	}
	if w.file == nil {
		w.b.mu.Lock()
		defer w.b.mu.Unlock()
		w.b.mem[w.key] = w.mem
		return r, nil
	}
	name := w.file.Name()
	if err := w.file.Close(); err != nil {
		return nil, err
	}
	w.file = nil
	return r, put(w.b.place(w.key), func(to string) error { return os.Rename(name, to) })
}

// put makes a file by means of f, and its folder first if that is missing.
func put(to string, f func(to string) error) error {
	err := f(to)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return f(to)
}

// drop throws the upload away.
func (w *writer) drop() {
	if w.file != nil {
		w.file.Close()
		os.Remove(w.file.Name())
		w.file = nil
	}
	w.mem = nil
	if w.err == nil {
		w.err = errors.New("upload was dropped")
	}
}

// copy gives the content of one key to another as well.
func (b *blobs) copy(from, to string) error {
	if b.discard {
		return nil
	}
	if b.dir != "" {
		if put(b.place(to), func(to string) error { return os.Link(b.place(from), to) }) == nil {
			return nil
		}
		p, err := os.ReadFile(b.place(from)) // a file system without hard links
		if err != nil {
			return err
		}
		return os.WriteFile(b.place(to), p, 0o600)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mem[to] = b.mem[from]
	return nil
}

// open reads the content of a key.
func (b *blobs) open(key string) (io.ReadSeekCloser, error) {
	if b.discard {
		return nil, errDiscarded
	}
	if b.dir != "" {
		return os.Open(b.place(key))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	p, ok := b.mem[key]
	if !ok {
		return nil, fmt.Errorf("content %s: %w", key, os.ErrNotExist)
	}
	return readSeekNop{bytes.NewReader(p)}, nil
}

func (b *blobs) remove(key string) {
	if key == "" || b.discard {
		return
	}
	if b.dir != "" {
		os.Remove(b.place(key))
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.mem, key)
}

type readSeekNop struct{ *bytes.Reader }

func (readSeekNop) Close() error { return nil }

// sweep removes unfinished uploads that no session will go on with.
func (b *blobs) sweep(keep func(key string) bool) {
	list, err := os.ReadDir(filepath.Join(b.dir, "incoming"))
	if err != nil {
		return // nothing can be swept; the next start tries again
	}
	for _, e := range list {
		if !keep(e.Name()) {
			os.Remove(b.incoming(e.Name()))
		}
	}
}
