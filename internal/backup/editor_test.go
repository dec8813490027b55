package backup_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// An editor does at random to a world's sources what people and programs do.
// An edit that is not possible just now does nothing: its error is dropped.
type editor struct {
	*rand.Rand
	roots []string
	done  []string // what it did, for the log of a test that fails
	n     int      // numbers new contents
	// bigs is how many files there may be that go up in a session, for they
	// cost time: none but where a test asks for them.
	bigs int
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
		if e.bigs > 0 && e.IntN(4) == 0 {
			kind = edit{"big", (*editor).editBig}
		}
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

// inhabit sees to it that no root is empty: a guard holds trashes of one back.
func (e *editor) inhabit() error {
	for _, root := range e.roots {
		list, err := os.ReadDir(root)
		if err == nil && len(list) == 0 {
			path := e.free(root)
			e.say("write %s, lest nothing is left", path)
			err = os.WriteFile(path, fmt.Appendf(nil, "left in %s", root), 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
