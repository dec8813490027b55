package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// prepare sees to it that there is a manifest at path, and makes one if there
// never was: whole and under another name first, so that no crash leaves a
// manifest that is empty or half made. One that is empty has lost what was in
// it, and one that is missing beside its own log or copy has not never been
// there: to begin anew then would be to forget what is on Drive.
func prepare(path string, steps []migration) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make state folder: %w (see that this user may write there, or name another with state in acb.toml)", err)
	}
	err := look(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = create(path, steps); err != nil {
			err = fmt.Errorf("make a manifest: %w", err)
		}
	}
	return err
}

// look returns nil if there is a manifest at path, fs.ErrNotExist if there
// never was one, and a *BrokenError if there must have been. What is in it is
// for SQLite to say, but for a last page that is cut short: it would read that
// as if zeroes were missing.
func look(path string) error {
	logged := there(path + "-wal") // before the size: with a log, an interrupted write into the file is made good
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && logged:
		return &BrokenError{Path: path, What: "it is missing, although its log is there"}
	case errors.Is(err, fs.ErrNotExist) && there(CopyPath(path)):
		return &BrokenError{Path: path, What: "it is missing, although a copy of it is there"}
	case err != nil:
		return fmt.Errorf("open manifest: %w", err)
	case !st.Mode().IsRegular():
		return fmt.Errorf("open manifest %s: it is no file; move it away or name another state folder", path)
	case st.Size() == 0:
		return &BrokenError{Path: path, What: "it is empty"}
	case st.Size()%pageSize != 0 && !logged && ours(path):
		return &BrokenError{Path: path, What: "it is cut short"}
	}
	return nil
}

// there reports whether something is in a file.
func there(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Size() > 0
}

// ours reports whether a file begins as a database of our page size does.
func ours(path string) bool {
	want := fmt.Sprintf("SQLite format 3\x00%c%c", pageSize>>8, pageSize&0xff)
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, len(want))
	n, _ := io.ReadFull(f, head) // what cannot be read, SQLite complains of
	return strings.HasPrefix(want, string(head[:n]))
}

// pageSize is that of the database, in bytes. Source: measured with a row a
// folder, design §5.
const pageSize = 8192

func create(path string, steps []migration) (err error) {
	unfinished := path + ".new"
	defer func() {
		if err != nil {
			err = errors.Join(err, remove(unfinished))
		}
	}()
	if err := reserve(unfinished); err != nil {
		return err
	}
	c, err := connect(unfinished, "mode=rw&_txlock=immediate", writerCacheKiB)
	if err != nil {
		return err
	}
	// Without a log of its own yet: what is renamed must be one file. The page
	// size holds only if nothing is there.
	err = c.script(fmt.Sprintf("PRAGMA page_size = %d; PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON", pageSize))
	if err == nil {
		err = c.migrate(steps)
	}
	if err = errors.Join(err, c.close()); err != nil {
		return err
	}
	return replace(unfinished, path)
}

// reserve makes an empty file that only its owner can read, in place of what
// an earlier try may have left: SQLite would make it as the umask has it.
func reserve(path string) error {
	if err := remove(path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("%w (see that %s is there and that this user may write to it)", err, filepath.Dir(path))
	}
	return f.Close()
}

// remove removes a database with what SQLite keeps beside it, as far as it is
// there.
func remove(path string) error {
	var errs []error
	for _, p := range []string{path, path + "-journal", path + "-wal", path + "-shm"} {
		if err := os.Remove(p); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// replace gives a file that is whole and durable the name of another, and
// makes that durable, too.
func replace(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}
