package backup_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// editBig does something to a file that goes up in a session, or makes one.
func (e *editor) editBig() error {
	list := e.bigFiles(e.roots...)
	if len(list) == 0 || len(list) < e.bigs && e.IntN(3) == 0 {
		return e.createBig(e.free(e.within()))
	}
	return e.changeBig(list[e.IntN(len(list))])
}

// bigFiles returns the files in dirs that go up in a session.
func (e *editor) bigFiles(dirs ...string) (list []string) {
	for _, dir := range dirs {
		filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil
			}
			if info, err := d.Info(); err == nil && info.Size() > smallest {
				list = append(list, path)
			}
			return nil
		})
	}
	return list
}

// tooBig says that to copy path would make more big files than there may be.
func (e *editor) tooBig(path string) bool {
	n := len(e.bigFiles(path))
	return n > 0 && n+len(e.bigFiles(e.roots...)) > e.bigs
}

// smallest is the largest content that goes up in one request.
const smallest = 5 << 20

// createBig writes a file, most of which is a hole: it costs nothing here.
func (e *editor) createBig(path string) error {
	size := smallest + 1 + e.Int64N(1<<20)
	e.say("create %s, %d bytes", path, size)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	err = f.Truncate(size)
	for at := int64(0); at < size && err == nil; at += 256 << 10 {
		err = e.mark(f, at)
	}
	return errors.Join(err, f.Close())
}

// mark writes what is nowhere else.
func (e *editor) mark(f *os.File, at int64) error {
	e.n++
	_, err := f.WriteAt(fmt.Appendf(nil, "mark %d", e.n), at)
	return err
}

// changeBig does to a big file what matters to one that is half sent.
func (e *editor) changeBig(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	size := info.Size()
	switch e.IntN(9) {
	case 0:
		e.say("append to %s, big", path)
		return e.appendText(path)
	case 1:
		size -= 1 + e.Int64N(1<<20)
		e.say("shrink %s to %d bytes", path, size)
		return os.Truncate(path, size)
	case 2:
		return e.markBig(path, e.Int64N(size-100))
	case 3:
		if err := e.markBig(path, e.Int64N(size-100)); err != nil {
			return err
		}
		e.say("and put its time back")
		return os.Chtimes(path, time.Time{}, info.ModTime())
	case 4:
		e.say("replace %s", path)
		tmp := e.free(filepath.Dir(path))
		if err := e.createBig(tmp); err != nil {
			return err
		}
		if err := os.Truncate(tmp, size); err != nil {
			return err
		}
		return os.Rename(tmp, path)
	case 5:
		e.say("touch %s, big", path)
		return os.Chtimes(path, time.Time{}, time.Unix(1_600_000_000+e.Int64N(1e6), 9))
	case 6:
		if other := e.bigFiles(e.roots...); len(other) > 1 {
			return e.rotateNames(other[:2])
		}
		return e.mv(path, e.free(filepath.Dir(path)))
	case 7:
		if e.precious(path) {
			return errNothing
		}
		e.say("rm %s, big", path)
		return os.Remove(path)
	}
	return e.mv(path, e.free(e.within()))
}

func (e *editor) markBig(path string, at int64) error {
	e.say("change %s at byte %d", path, at)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(e.mark(f, at), f.Close())
}
