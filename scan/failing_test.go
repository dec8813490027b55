//go:build linux

package scan

import (
	"strings"
	"sync"
)

// Below the folders that are named here, every call of every scan goes to a
// failing system: that is how a test of another package fails them.
var failingBelow sync.Map // path → *failing

func init() { native = divided{native} }

// FailNth fails the nth call that concerns what is below root, with err, and
// returns what tells which call it was, "" if there was none, and what ends
// it.
func FailNth(root string, nth int64, err error) (did func() string, end func()) {
	f := &failing{system: native.(divided).system, nth: nth, err: err}
	failingBelow.Store(root, f)
	did = func() string {
		if s := f.did.Load(); s != nil {
			return *s
		}
		return ""
	}
	return did, func() { failingBelow.Delete(root) }
}

// FailOpen fails every opening of a file of that name below root with err.
func FailOpen(root, name string, err error) (end func()) {
	return failNamed(root, "open file "+name, err)
}

// FailOpenFolder fails every opening of a folder of that name below root with
// err.
func FailOpenFolder(root, name string, err error) (end func()) {
	return failNamed(root, "open "+name, err)
}

func failNamed(root, call string, err error) (end func()) {
	failingBelow.Store(root, &failing{system: native.(divided).system, name: call, err: err})
	return func() { failingBelow.Delete(root) }
}

// A divided system is failing in some places.
type divided struct{ system }

func (d divided) at(path string) system {
	sys := d.system
	failingBelow.Range(func(root, f any) bool {
		if r := root.(string); path == r || strings.HasPrefix(path, r+"/") {
			sys = f.(*failing)
		}
		return true
	})
	return sys
}

func (d divided) open(path string) (dir, error)    { return d.at(path).open(path) }
func (d divided) stat(path string, st *info) error { return d.at(path).stat(path, st) }
func (d divided) fileSystem(on dir) fileSystem {
	if f, ok := on.(failingDir); ok {
		return f.f.fileSystem(on)
	}
	return d.system.fileSystem(on)
}
