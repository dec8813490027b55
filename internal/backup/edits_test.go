package backup_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/autocloudbackup/acb/manifest"
)

// An editor does at random to a world's sources what people and programs do.
// An edit that is not possible just now does nothing: its error is dropped.
type editor struct {
	*rand.Rand
	roots []string
	done  []string // what it did, for the log of a test that fails
	n     int      // numbers new contents
}

func newEditor(r *rand.Rand, roots []string) *editor { return &editor{Rand: r, roots: roots} }

// edits are the kinds of edit; those that come twice are the more frequent.
var edits []edit

// An edit is one kind of edit.
type edit struct {
	name string
	do   func(*editor) error
}

func init() { edits = allEdits() } // some make further edits

func allEdits() []edit {
	return []edit{
		{"create", (*editor).create}, {"create", (*editor).create}, {"create", (*editor).create},
		{"create folder", (*editor).createFolder}, {"create odd", (*editor).createOdd},
		{"create symlink", (*editor).createLink}, {"create large", (*editor).createMedium},
		{"append", (*editor).appendTo}, {"append", (*editor).appendTo},
		{"rewrite in place, time restored", (*editor).rewriteQuietly},
		{"save atomically", (*editor).saveAtomically},
		{"touch", (*editor).touch}, {"chmod", (*editor).chmod}, {"chmod folder", (*editor).chmodFolder},
		{"truncate", (*editor).truncate},
		{"copy", (*editor).copyFile}, {"copy folder", (*editor).copyFolder},
		{"copy large", (*editor).copyLarge}, {"copy large", (*editor).copyLarge}, {"create twins", (*editor).createTwins},
		{"rename", (*editor).rename}, {"move", (*editor).move}, {"move over", (*editor).moveOver},
		{"move and edit", (*editor).moveAndEdit},
		{"swap", (*editor).swap}, {"cycle", (*editor).cycle}, {"rotate log", (*editor).rotate},
		{"change case", (*editor).changeCase},
		{"move folder", (*editor).moveFolder}, {"move folder", (*editor).moveFolder},
		{"rename folder", (*editor).renameFolder},
		{"move folder and edit inside", (*editor).moveFolderAndEdit},
		{"swap folders", (*editor).swapFolders},
		{"turn folders inside out", (*editor).insideOut},
		{"merge folders", (*editor).mergeFolders}, {"replace folder", (*editor).replaceFolder},
		{"make folder anew", (*editor).remakeFolder},
		{"delete", (*editor).delete}, {"delete", (*editor).delete}, {"delete folder", (*editor).deleteFolder},
		{"file to folder", (*editor).fileToFolder}, {"folder to file", (*editor).folderToFile},
		{"file to symlink", (*editor).fileToLink}, {"symlink to file", (*editor).linkToFile},
		{"symlink elsewhere", (*editor).relink},
	}
}

// edit makes n edits.
func (e *editor) edit(n int) {
	for range n {
		kind := edits[e.IntN(len(edits))]
		from := len(e.done)
		if err := kind.do(e); err != nil {
			e.done = e.done[:from]
			if !errors.Is(err, errNothing) {
				e.say("(half done) %s: %v", kind.name, err)
			}
		}
	}
}

func (e *editor) say(format string, args ...any) {
	e.done = append(e.done, fmt.Sprintf(format, args...))
}

var errNothing = errors.New("nothing to do it with")

// list returns the paths below the roots that want holds for.
func (e *editor) list(want func(fs.FileMode) bool) (paths []string) {
	for _, root := range e.roots {
		filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && path != root && want(d.Type()) {
				paths = append(paths, path)
			}
			return nil
		})
	}
	return paths
}

// pick returns n different paths that want holds for.
func (e *editor) pick(n int, want func(fs.FileMode) bool) ([]string, error) {
	list := e.list(want)
	if len(list) < n {
		return nil, errNothing
	}
	e.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:n], nil
}

func (e *editor) file() (string, error)   { return one(e.pick(1, fs.FileMode.IsRegular)) }
func (e *editor) folder() (string, error) { return one(e.pick(1, fs.FileMode.IsDir)) }
func (e *editor) link() (string, error)   { return one(e.pick(1, isLink)) }
func isLink(m fs.FileMode) bool           { return m&fs.ModeSymlink != 0 }

func one(list []string, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return list[0], nil
}

// within returns a folder to put something into: a root or one below.
func (e *editor) within() string {
	dirs := append(e.list(fs.FileMode.IsDir), e.roots...)
	return dirs[e.IntN(len(dirs))]
}

// free returns a path in dir under which there is nothing.
func (e *editor) free(dir string) string {
	for {
		e.n++
		name := fmt.Sprintf("%c%d", 'a'+rune(e.IntN(4)), e.IntN(40))
		if e.IntN(4) == 0 {
			name += ".txt"
		}
		path := filepath.Join(dir, name)
		if _, err := os.Lstat(path); err != nil {
			return path
		}
	}
}

// text returns a content; now and then one that others have as well.
func (e *editor) text() []byte {
	switch e.IntN(8) {
	case 0:
		return nil
	case 1:
		return []byte("the same in several places")
	}
	e.n++
	return []byte(fmt.Sprintf("content %d %s", e.n, strings.Repeat("x", e.IntN(40))))
}

func (e *editor) create() error {
	path := e.free(e.within())
	e.say("create %s", path)
	return os.WriteFile(path, e.text(), 0o644)
}

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

func (e *editor) createFolder() error {
	path := e.free(e.within())
	e.say("mkdir %s", path)
	return os.Mkdir(path, 0o755)
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

func (e *editor) chmodFolder() error {
	path, err := e.folder()
	if err != nil {
		return err
	}
	e.say("chmod %s", path)
	return os.Chmod(path, []fs.FileMode{0o755, 0o700}[e.IntN(2)])
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
	to := e.free(e.within())
	e.say("copy %s to %s", path, to)
	return copyFile(path, to)
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

func (e *editor) copyFolder() error {
	from, err := e.folder()
	if err != nil {
		return err
	}
	to := e.free(e.within())
	if strings.HasPrefix(to, from) || e.many(from) {
		return errNothing
	}
	e.say("copy folder %s to %s", from, to)
	return copyFolder(from, to)
}

// many says that a folder holds so much that copying it would let the tree grow.
func (e *editor) many(dir string) bool {
	n := 0
	filepath.WalkDir(dir, func(string, fs.DirEntry, error) error { n++; return nil })
	return n > 12
}

func copyFolder(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		dst := to + path[len(from):]
		switch {
		case d.IsDir():
			return os.Mkdir(dst, 0o755)
		case isLink(d.Type()):
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(target, dst)
		}
		return copyFile(path, dst)
	})
}

func (e *editor) rename() error {
	path, err := e.file()
	if err != nil {
		return err
	}
	return e.mv(path, e.free(filepath.Dir(path)))
}

func (e *editor) move() error {
	path, err := one(e.pick(1, func(m fs.FileMode) bool { return m.IsRegular() || isLink(m) }))
	if err != nil {
		return err
	}
	return e.mv(path, e.free(e.within()))
}

func (e *editor) moveOver() error {
	two, err := e.pick(2, fs.FileMode.IsRegular)
	if err != nil {
		return err
	}
	return e.mv(two[0], two[1])
}

func (e *editor) moveAndEdit() error {
	path, err := e.file()
	if err != nil {
		return err
	}
	to := e.free(e.within())
	if err := e.mv(path, to); err != nil {
		return err
	}
	e.say("append to %s", to)
	return e.appendText(to)
}

func (e *editor) mv(from, to string) error {
	e.say("mv %s %s", from, to)
	return os.Rename(from, to)
}

func (e *editor) swap() error {
	two, err := e.pick(2, fs.FileMode.IsRegular)
	if err != nil {
		return err
	}
	return e.rotateNames(two)
}

func (e *editor) cycle() error {
	three, err := e.pick(3, fs.FileMode.IsRegular)
	if err != nil {
		return err
	}
	return e.rotateNames(three)
}

// rotateNames gives each path what the one before it had.
func (e *editor) rotateNames(paths []string) error {
	tmp := e.free(filepath.Dir(paths[0]))
	last := len(paths) - 1
	err := e.mv(paths[last], tmp)
	for i := last; i > 0 && err == nil; i-- {
		err = e.mv(paths[i-1], paths[i])
	}
	if err == nil {
		err = e.mv(tmp, paths[0])
	}
	return err
}

func (e *editor) rotate() error {
	path, err := e.file()
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path + ".1"); err == nil {
		if err := e.mv(path+".1", path+".2"); err != nil {
			return err
		}
	}
	if err := e.mv(path, path+".1"); err != nil {
		return err
	}
	return os.WriteFile(path, e.text(), 0o644)
}

func (e *editor) changeCase() error {
	path, err := one(e.pick(1, func(fs.FileMode) bool { return true }))
	if err != nil {
		return err
	}
	dir, name := filepath.Split(path)
	to := strings.ToUpper(name)
	if to == name {
		to = strings.ToLower(name)
	}
	if _, err := os.Lstat(dir + to); err == nil {
		return fs.ErrExist
	}
	return e.mv(path, dir+to)
}

func (e *editor) moveFolder() error {
	from, err := e.folder()
	if err != nil {
		return err
	}
	return e.mv(from, e.free(e.within()))
}

func (e *editor) renameFolder() error {
	from, err := e.folder()
	if err != nil {
		return err
	}
	return e.mv(from, e.free(filepath.Dir(from)))
}

func (e *editor) moveFolderAndEdit() error {
	from, err := e.folder()
	if err != nil {
		return err
	}
	to := e.free(e.within())
	if err := e.mv(from, to); err != nil {
		return err
	}
	inside := &editor{Rand: e.Rand, roots: []string{to}, n: e.n + 1000}
	inside.edit(1 + e.IntN(4))
	e.done, e.n = append(e.done, inside.done...), inside.n
	return nil
}

func (e *editor) swapFolders() error {
	two, err := e.pick(2, fs.FileMode.IsDir)
	if err != nil {
		return err
	}
	return e.rotateNames(two)
}

// insideOut makes a folder the parent of the one that it was in.
func (e *editor) insideOut() error {
	inner, err := e.folder()
	if err != nil {
		return err
	}
	outer := filepath.Dir(inner)
	if slices.Contains(e.roots, outer) {
		return errNothing
	}
	tmp := e.free(filepath.Dir(outer))
	if err := e.mv(inner, tmp); err != nil {
		return err
	}
	if err := e.mv(outer, e.free(tmp)); err != nil {
		return err
	}
	if e.IntN(2) == 0 {
		return nil
	}
	return e.mv(tmp, outer)
}

func (e *editor) mergeFolders() error {
	two, err := e.pick(2, fs.FileMode.IsDir)
	if err != nil {
		return err
	}
	from, to := two[0], two[1]
	list, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	e.say("merge %s into %s", from, to)
	for _, d := range list {
		os.Rename(filepath.Join(from, d.Name()), filepath.Join(to, d.Name()))
	}
	return os.Remove(from)
}

func (e *editor) replaceFolder() error {
	two, err := e.pick(2, fs.FileMode.IsDir)
	if err != nil {
		return err
	}
	if within(two[0], two[1]) || e.precious(two[1]) {
		return errNothing
	}
	e.say("rm -r %s", two[1])
	if err := os.RemoveAll(two[1]); err != nil {
		return err
	}
	return e.mv(two[0], two[1])
}

func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+string(filepath.Separator))
}

// remakeFolder puts a copy in the place of a folder.
func (e *editor) remakeFolder() error {
	dir, err := e.folder()
	if err != nil {
		return err
	}
	tmp := e.free(filepath.Dir(dir))
	e.say("remake %s", dir)
	if err := copyFolder(dir, tmp); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(tmp, dir)
}

// precious says that without a folder a source would be next to empty.
func (e *editor) precious(dir string) bool {
	for _, root := range e.roots {
		left := 0
		filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && !within(path, dir) {
				left++
			}
			return nil
		})
		if left < 4 {
			return true
		}
	}
	return false
}

func (e *editor) delete() error {
	path, err := one(e.pick(1, func(m fs.FileMode) bool { return !m.IsDir() }))
	if err != nil || e.precious(path) {
		return errors.Join(err, errNothing)
	}
	e.say("rm %s", path)
	return os.Remove(path)
}

func (e *editor) deleteFolder() error {
	path, err := e.folder()
	if err != nil || e.precious(path) {
		return errors.Join(err, errNothing)
	}
	e.say("rm -r %s", path)
	return os.RemoveAll(path)
}

func (e *editor) fileToFolder() error {
	path, err := e.file()
	if err != nil {
		return err
	}
	e.say("rm %s; mkdir %s", path, path)
	if err := os.Remove(path); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(path, "in"), e.text(), 0o644)
}

func (e *editor) folderToFile() error {
	path, err := e.folder()
	if err != nil || e.precious(path) {
		return errors.Join(err, errNothing)
	}
	e.say("rm -r %s; write %s", path, path)
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	return os.WriteFile(path, e.text(), 0o644)
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
