package manifest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// CopyPath returns where the copy of the last good manifest at path is kept.
func CopyPath(path string) string { return strings.TrimSuffix(path, ".db") + "-copy.db" }

// copyPace is how much of a manifest may be copied an hour, in bytes: copying
// a hundred megabytes takes about two seconds, and a run that changed one
// file should not pay that every minute. A manifest of a megabyte is so copied
// at most every 36 seconds, and in effect after each run.
const copyPace = 100 << 20

// CopyIsDue reports whether the copy at CopyPath(path) is old enough for the
// manifest to be copied again.
func CopyIsDue(path string, now time.Time) (bool, error) {
	st, err := os.Stat(path)
	if err != nil {
		return false, fmt.Errorf("copy manifest: %w", err)
	}
	last, err := os.Stat(CopyPath(path))
	if err != nil {
		return true, nil
	}
	age := now.Sub(last.ModTime())
	return age < 0 || age.Hours() >= float64(st.Size())/copyPace, nil
}

// Copy writes a copy of the manifest at path, as the last Fold left it, to the
// file to, which gets at as its time. The copy holds no journal, and so no
// address of an upload; it passed Check, or there is none. It may be made
// beside a writer. What the file held before is replaced at once, by all of
// the copy or not at all.
func Copy(path, to string, at time.Time) (err error) {
	unfinished := to + ".new"
	defer func() {
		if err != nil {
			err = fmt.Errorf("copy manifest to %s: %w", to, errors.Join(err, remove(unfinished)))
		}
	}()
	if err := look(path); err != nil {
		return err
	}
	if err := reserve(unfinished); err != nil { // VACUUM INTO takes an empty file
		return err
	}
	if err := vacuum(path, unfinished); err != nil {
		return err
	}
	if err := strip(unfinished); err != nil {
		return err
	}
	if err := check(unfinished); err != nil {
		return err
	}
	if err := errors.Join(syncFile(unfinished), os.Chtimes(unfinished, at, at)); err != nil {
		return err
	}
	return replace(unfinished, to)
}

func vacuum(from, to string) error {
	c, err := connectReader(from)
	if err != nil {
		return err
	}
	if _, err = c.version(len(migrations)); err == nil {
		err = c.exec("VACUUM INTO ?", to)
	}
	return errors.Join(err, c.close())
}

// strip takes the journal out of a copy, so that not a byte of it is left.
func strip(path string) error {
	c, err := connect(path, "mode=rw", readerCacheKiB)
	if err != nil {
		return err
	}
	return errors.Join(c.script(`PRAGMA secure_delete = ON; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;
		DELETE FROM intent; DELETE FROM step; DELETE FROM reserved`), c.close())
}

func check(path string) error {
	r, err := OpenReader(path)
	if err != nil {
		return err
	}
	return errors.Join(r.Check(), r.Close())
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Restore puts a copy in the place of the manifest at path, and returns where
// what was there is kept now, "" if nothing was: under its own name with why
// and the time behind it. The copy is checked first. Nothing may have the
// manifest open. A crash leaves what was there or the copy.
func Restore(path, from, why string, now time.Time) (kept string, err error) {
	whole := path + ".new"
	defer func() {
		if err != nil {
			err = fmt.Errorf("restore manifest from %s: %w", from, errors.Join(err, remove(whole)))
		}
	}()
	if err := Copy(from, whole, now); err != nil {
		return "", err
	}
	kept = free(fmt.Sprintf("%s.%s-%s", path, why, now.Format("20060102-150405")))
	if err := setAside(path, kept); err != nil {
		return "", err
	}
	if _, err := os.Stat(kept); err != nil {
		kept = ""
	}
	return kept, replace(whole, path)
}

// free returns the name, or one like it that nothing has.
func free(name string) string {
	for n, at := 2, name; ; n++ {
		if _, err := os.Lstat(at); err != nil {
			return at
		}
		at = fmt.Sprintf("%s-%d", name, n)
	}
}

// setAside gives a database a second name, and takes along what SQLite keeps
// beside it. The log goes first: without it, what is left of an interrupted
// call is an older state, and never the log of one database beside another.
// The first name stays until another file takes it, where the file system
// knows such links.
func setAside(path, to string) error {
	for _, suffix := range []string{"-wal", "-journal"} {
		if err := os.Rename(path+suffix, to+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if err := os.Remove(path + "-shm"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	err := os.Link(path, to)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		err = os.Rename(path, to)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// Discard removes a manifest that was only made for a while, with what SQLite
// keeps beside it. Nothing may have it open.
func Discard(path string) error { return remove(path) }
