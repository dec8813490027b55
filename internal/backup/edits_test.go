package backup_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

func (e *editor) create() error {
	path := e.free(e.within())
	e.say("create %s", path)
	return os.WriteFile(path, e.text(), 0o644)
}

func (e *editor) createLink() error {
	path := e.free(e.within())
	e.say("symlink %s", path)
	return os.Symlink(fmt.Sprintf("../target%d", e.IntN(5)), path)
}

// oddNames are legal on Unix and a trial elsewhere.
var oddNames = []string{
	" leading", "trailing ", "trailing.", "quote'\"", "back\\slash", "new\nline", "tab\t", "per%cent%2F", "#2", "a#2",
	"bad\xff\xfeutf8", "\xe2\x80\x9bFF", "\xe2\x80\x9b", "n\u00e9e", "ne\u0301e", "\u0000"[:0] + "emoji \U0001f600", "x.rclonelink",
	"CON", "nul.txt", "...", "-rf", "*", "?", "a:b", strings.Repeat("n", 255), strings.Repeat("\u00fc", 127), "~$lock", ".hidden",
}

func (e *editor) createOdd() error {
	if runtime.GOOS != "linux" {
		return errNothing
	}
	path := filepath.Join(e.within(), oddNames[e.IntN(len(oddNames))])
	if _, err := os.Lstat(path); err == nil {
		return fs.ErrExist
	}
	e.say("create %q", path)
	if e.IntN(4) == 0 {
		return os.Mkdir(path, 0o755)
	}
	return os.WriteFile(path, e.text(), 0o644)
}

func (e *editor) appendTo() error {
	path, err := e.file()
	if err != nil {
		return err
	}
	e.say("append to %s", path)
	return e.appendText(path)
}

func (e *editor) appendText(path string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	e.n++
	_, err = fmt.Fprintf(f, "+%d", e.n)
	return errors.Join(err, f.Close())
}

// rewriteQuietly puts another content of the same size under the same time:
// only the change time tells.
func (e *editor) rewriteQuietly() error {
	path, err := e.file()
	if err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil || info.Size() == 0 {
		return errors.Join(err, errNothing)
	}
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	e.say("rewrite %s, same size and time", path)
	old[e.IntN(len(old))] ^= 1
	if err := os.WriteFile(path, old, 0o644); err != nil {
		return err
	}
	return os.Chtimes(path, time.Time{}, info.ModTime())
}

func (e *editor) saveAtomically() error {
	path, err := e.file()
	if err != nil {
		return err
	}
	tmp := path + "~"
	e.say("save %s atomically", path)
	if err := os.WriteFile(tmp, e.text(), 0o644); err != nil {
		return err
	}
	if e.IntN(2) == 0 {
		if err := os.Rename(path, path+".bak"); err != nil {
			return err
		}
	}
	return os.Rename(tmp, path)
}

func (e *editor) touch() error {
	path, err := e.file()
	if err != nil {
		return err
	}
	at := time.Unix(1_500_000_000+e.Int64N(100_000_000), e.Int64N(1e9))
	if e.IntN(10) == 0 {
		at = time.Unix(-1000, 5) // before 1970
	}
	e.say("touch %s", path)
	return os.Chtimes(path, time.Time{}, at)
}

func (e *editor) chmod() error {
	path, err := e.file()
	if err != nil {
		return err
	}
	e.say("chmod %s", path)
	return os.Chmod(path, []fs.FileMode{0o644, 0o600, 0o755, 0o640}[e.IntN(4)])
}

func (e *editor) truncate() error {
	path, err := e.file()
	if err != nil {
		return err
	}
	e.say("truncate %s", path)
	return os.Truncate(path, 0)
}

func (e *editor) copyFile() error {
	path, err := e.file()
	if err != nil {
		return err
	}
	if e.tooBig(path) {
		return errNothing
	}
	to := e.free(e.within())
	e.say("copy %s to %s", path, to)
	return copyFile(path, to)
}

// copyFile copies content and time.
func copyFile(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to, content, 0o644); err != nil {
		return err
	}
	return os.Chtimes(to, time.Time{}, info.ModTime())
}

func (e *editor) delete() error {
	path, err := one(e.pick(1, func(m fs.FileMode) bool { return !m.IsDir() }))
	if err != nil || e.precious(path) {
		return errors.Join(err, errNothing)
	}
	e.say("rm %s", path)
	return os.Remove(path)
}

func (e *editor) fileToLink() error {
	path, err := e.file()
	if err != nil {
		return err
	}
	e.say("rm %s; ln -s %s", path, path)
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.Symlink("elsewhere", path)
}

func (e *editor) linkToFile() error {
	path, err := e.link()
	if err != nil {
		return err
	}
	e.say("rm %s; write %s", path, path)
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.WriteFile(path, e.text(), 0o644)
}

func (e *editor) relink() error {
	path, err := e.link()
	if err != nil {
		return err
	}
	e.say("rm %s; ln -s %s", path, path)
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.Symlink(fmt.Sprintf("other%d", e.IntN(9)), path)
}
