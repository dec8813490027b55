package backup_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

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
