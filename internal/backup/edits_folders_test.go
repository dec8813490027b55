package backup_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func (e *editor) createFolder() error {
	path := e.free(e.within())
	e.say("mkdir %s", path)
	return os.Mkdir(path, 0o755)
}

func (e *editor) chmodFolder() error {
	path, err := e.folder()
	if err != nil {
		return err
	}
	e.say("chmod %s", path)
	return os.Chmod(path, []fs.FileMode{0o755, 0o700}[e.IntN(2)])
}

func (e *editor) copyFolder() error {
	from, err := e.folder()
	if err != nil {
		return err
	}
	to := e.free(e.within())
	if strings.HasPrefix(to, from) || e.many(from) || e.tooBig(from) {
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
