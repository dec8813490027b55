package backup_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"

	"github.com/autocloudbackup/acb/manifest"
)

func (e *editor) createMedium() error {
	_, err := e.createLarge()
	return err
}

func (e *editor) createLarge() (path string, err error) {
	path = e.free(e.within())
	e.say("create %s, large", path)
	e.n++
	return path, os.WriteFile(path, bytes.Repeat([]byte(fmt.Sprintf("%08d", e.n)), 40_000), 0o600)
}

// copyLarge copies a file that is large enough to be copied on Drive, and now
// and then edits, moves or removes what it copied.
func (e *editor) copyLarge() error {
	var large []string
	for _, path := range e.list(fs.FileMode.IsRegular) {
		if info, err := os.Lstat(path); err == nil && info.Size() >= manifest.Large {
			large = append(large, path)
		}
	}
	if len(large) == 0 {
		return e.createMedium()
	}
	if len(large) > 10 {
		return errNothing
	}
	path, to := large[e.IntN(len(large))], e.free(e.within())
	if e.tooBig(path) {
		return errNothing
	}
	e.say("copy %s to %s, large", path, to)
	if err := copyFile(path, to); err != nil {
		return err
	}
	switch e.IntN(8) {
	case 0:
		e.say("append to %s", path)
		return e.appendText(path)
	case 1:
		return e.mv(path, e.free(e.within()))
	case 2:
		e.say("rm %s", path)
		return os.Remove(path)
	}
	return nil
}

// createTwins makes a large file twice.
func (e *editor) createTwins() error {
	path, err := e.createLarge()
	if err != nil {
		return err
	}
	to := e.free(e.within())
	e.say("copy %s to %s, large", path, to)
	return copyFile(path, to)
}
