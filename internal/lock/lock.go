// Package lock lets one acb at a time use a state folder.
//
// The operating system holds the lock for the process and drops it when the
// process ends, however it ends. So there is no stale lock, no file to delete
// by hand, and nothing is ever concluded from a process ID: what is noted about
// the holder is for the message to the second one alone.
package lock

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// The lock and the note about its holder are two files. Windows enforces a
// lock against readers as well, and flock locks the first byte: a note in the
// same file could not be read by the one for whom it was written. Neither file
// is the lock; its existence says nothing.
const (
	lockName = "lock"
	noteName = "lock.json"
)

// A Holder is who holds a lock, by its own account.
type Holder struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Since   time.Time `json:"since"`
	Command string    `json:"command"` // as in "acb run", without arguments
}

// HeldError is returned by Acquire if another process holds the lock.
type HeldError struct {
	Dir    string  // the state folder
	Holder *Holder // nil if the holder's note cannot be read

	here string    // this machine's name
	now  time.Time // when it was met
}

// Error names the holder as far as it is known, and says what to do.
func (e *HeldError) Error() string {
	return fmt.Sprintf("another acb%s is using the state folder %s; wait for it to finish, or stop it first", e.Holder.describe(e.here, e.now), e.Dir)
}

// describe is like " (pid 4711, since 14:03, `acb run`)", with the date if that
// is not today and the host if that is not here.
func (h *Holder) describe(here string, now time.Time) string {
	if h == nil {
		return ""
	}
	since, layout := h.Since.In(now.Location()), "15:04"
	if since.Format(time.DateOnly) != now.Format(time.DateOnly) {
		layout = "2006-01-02 15:04"
	}
	parts := []string{fmt.Sprintf("pid %d", h.PID)}
	if h.Host != here {
		parts = append(parts, "on "+h.Host)
	}
	parts = append(parts, "since "+since.Format(layout), "`"+h.Command+"`")
	return " (" + strings.Join(parts, ", ") + ")"
}

// A Lock is held until Release, or until the process ends.
type Lock struct {
	lock *flock.Flock
	note string
}

// Acquire takes the lock of the state folder dir, which it creates if need be,
// and notes command and now for others to see. It does not wait: if another
// process holds the lock, or this one does already, the error is a *HeldError.
func Acquire(dir, command string, now time.Time) (*Lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create state folder: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("lock state folder %s: %w", dir, err)
	}
	l := &Lock{lock: flock.New(filepath.Join(dir, lockName)), note: filepath.Join(dir, noteName)}
	ok, err := l.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock state folder %s: %w; it must be on a local disk and yours to write", dir, err)
	}
	if !ok {
		return nil, &HeldError{Dir: dir, Holder: readNote(l.note), here: host, now: now}
	}
	if err := l.writeNote(Holder{PID: os.Getpid(), Host: host, Since: now.Round(0), Command: command}); err != nil {
		return nil, errors.Join(fmt.Errorf("lock state folder %s: %w; it must be yours to write and have room", dir, err), l.lock.Unlock())
	}
	return l, nil
}

// Release gives the lock back. Its file stays: whoever removed it could take
// it from under a process that has just opened it.
func (l *Lock) Release() error {
	err := os.Remove(l.note)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if err = errors.Join(err, l.lock.Unlock()); err != nil {
		return fmt.Errorf("release lock: %w", err)
	}
	return nil
}

// writeNote overwrites in place: a reader that comes in between finds half a
// note and has a holder without a name, which is as good as no note yet.
func (l *Lock) writeNote(h Holder) error {
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return os.WriteFile(l.note, append(data, '\n'), 0o600)
}

// readNote returns nil if there is no whole note. For the moment in which a
// new holder has the lock but not yet written its note, that of one who was
// killed may be read: nothing but a message depends on it.
func readNote(path string) *Holder {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var h Holder
	if json.Unmarshal(data, &h) != nil || h.PID == 0 {
		return nil
	}
	return &h
}
