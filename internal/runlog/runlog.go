// Package runlog writes what a run does as JSON lines, one file a run, named
// by the run's ID, in a folder only its owner can read.
//
// One file a run, instead of one that is rotated, because two processes then
// never rename each other's file, which Windows forbids.
//
// Callers log through the slog.Logger that Open returns, with the keys path,
// id, bytes, seconds and error for one operation. Whatever they pass, no
// secret reaches the file (redact.go), and names that are not valid UTF-8
// stay apart (quote.go). Lengths of time are written in seconds.
package runlog

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// An ID names a run: the UTC time at which it began, to the millisecond, and
// six random digits against two runs at one time. IDs sort by time, need no
// quoting in a shell and are file names on every system.
type ID string

const (
	idTime = "20060102T150405.000Z"
	suffix = ".jsonl"
)

var idForm = regexp.MustCompile(`^(\d{8}T\d{6}\.\d{3}Z)-[0-9a-f]{6}$`)

// NewID makes the ID of a run that begins now.
func NewID(now time.Time) ID {
	var tail [3]byte
	rand.Read(tail[:]) // never fails
	return ID(now.UTC().Format(idTime) + "-" + hex.EncodeToString(tail[:]))
}

// Time is when the run began, in UTC; ok is false if id is not the ID of a run.
func (id ID) Time() (t time.Time, ok bool) {
	m := idForm.FindStringSubmatch(string(id))
	if m == nil {
		return time.Time{}, false
	}
	t, err := time.Parse(idTime, m[1])
	return t, err == nil
}

// Options tunes a log; the zero value is the default.
type Options struct {
	Level slog.Leveler // what is less important is left out; nil means slog.LevelInfo

	// OnError is told the first time that a line cannot be written, as on a
	// full disk. The run goes on without its log. It may be called from any
	// goroutine that logs, and must not log to the same Log.
	OnError func(error)
}

// A Log is the open log of one run. It is safe for concurrent use.
type Log struct {
	*slog.Logger
	id   ID
	file *file
}

// Open begins the log of the run id in dir, which it creates if need be.
func Open(dir string, id ID, o Options) (*Log, error) {
	if _, ok := id.Time(); !ok {
		return nil, fmt.Errorf("open run log: %q is not the ID of a run", id)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create log folder: %w", err)
	}
	f, err := os.OpenFile(Path(dir, id), os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create run log: %w", err)
	}
	out := &file{f: f, onError: o.OnError}
	return &Log{Logger: slog.New(handler(out, o.Level)), id: id, file: out}, nil
}

// Path is the file in dir that holds the log of the run id.
func Path(dir string, id ID) string { return filepath.Join(dir, string(id)+suffix) }

// ID is the run's.
func (l *Log) ID() ID { return l.id }

// Close ends the log; what is logged afterwards is lost. There is nothing to
// flush: each line was handed to the system when it was logged, so that the
// log of a run that was killed is whole.
func (l *Log) Close() error {
	l.file.mu.Lock()
	defer l.file.mu.Unlock()
	if err := l.file.f.Close(); err != nil {
		return fmt.Errorf("close run log: %w", err)
	}
	return nil
}

// A file takes one line per Write and never fails, as a backup matters more
// than its log.
type file struct {
	mu struct { // guards what follows
		sync.Mutex
		torn     bool // a part of a line was written last
		reported bool
	}
	f interface {
		Write([]byte) (int, error)
		Close() error
	}
	onError func(error)
}

// Write writes line. After an error it goes on trying with the next line, as
// space may be freed, and keeps half a line from spoiling the one after it.
func (w *file) Write(line []byte) (int, error) {
	w.mu.Lock()
	first := w.write(line)
	w.mu.Unlock()
	if first != nil && w.onError != nil {
		w.onError(fmt.Errorf("write run log: %w; the run goes on without it", first))
	}
	return len(line), nil
}

// write returns an error the first time only.
func (w *file) write(line []byte) error {
	if w.mu.torn {
		line = append([]byte{'\n'}, line...)
	}
	n, err := w.f.Write(line)
	if n > 0 {
		w.mu.torn = n < len(line)
	}
	if err == nil || w.mu.reported {
		return nil
	}
	w.mu.reported = true
	return err
}
