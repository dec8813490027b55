//go:build linux

package scan

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/autocloudbackup/acb/manifest"
)

func inodeOf(t *testing.T, path string) uint64 {
	t.Helper()
	fi, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return fi.Sys().(*syscall.Stat_t).Ino
}

var replaced = []string{"deleted a/", "deleted a/one", "deleted a/sub/", "deleted a/sub/two", "created new/", "created new/three"}

// A new folder that has the inode number of one that was removed is not that one.
func TestInodeUsedAgain(t *testing.T) {
	root, s, src := scanned(t, "mkdir -p a/sub; echo 1 >a/one; echo 22 >a/sub/two")
	was := inodeOf(t, root+"/a")
	sh(t, root, "rm -r a; mkdir new; echo 333 >new/three")
	t.Run("for real", func(t *testing.T) {
		var spare []string
		defer func() {
			for _, d := range spare {
				os.Remove(d)
			}
		}()
		for n := 0; inodeOf(t, root+"/new") != was; n++ {
			if n == 500 {
				t.Skip("this file system does not use an inode number again soon; the next test tells it so")
			}
			at := filepath.Join(root, fmt.Sprint("n", n))
			if err := os.Mkdir(at, 0o700); err != nil {
				t.Fatal(err)
			}
			spare = append(spare, at)
			if inodeOf(t, at) == was {
				sh(t, root, "rm -r new; mv "+at+" new; echo 333 >new/three")
				spare = spare[:n]
			}
		}
		for _, d := range spare {
			os.Remove(d)
		}
		spare = nil
		expect(t, s, src, Options{}, replaced...)
	})
	pretend := func(birth func(int64) int64) Options {
		return Options{system: &altered{system: native, self: func(name string, st *info) {
			if name == "new" {
				st.Inode, st.birth = was, birth(st.birth)
			}
		}}}
	}
	t.Run("as told", func(t *testing.T) {
		expect(t, s, src, pretend(func(now int64) int64 { return now + 1 }), replaced...)
	})
	t.Run("without birth times", func(t *testing.T) {
		expect(t, s, src, pretend(func(int64) int64 { return 0 }), replaced...)
	})
	t.Run("born with it", func(t *testing.T) { // what the others compare with
		rows := rowsByInode(t, s, was)
		if len(rows) != 1 || rows[0].Birth == 0 {
			t.Fatalf("known: %+v", rows)
		}
		expect(t, s, src, pretend(func(int64) int64 { return rows[0].Birth }),
			"moved a/ -> new/", "deleted a/one", "deleted a/sub/", "deleted a/sub/two", "created new/three")
	})
}

// Where there are no birth times, a folder was moved if at least half of what
// is known in it is in it still, by name and inode.
func TestMovesWithoutBirthTimes(t *testing.T) {
	unborn := &altered{system: native, self: func(_ string, st *info) { st.birth = 0 }}
	const even, odd = "mkdir -p a/s1 a/s2; echo 1 >a/f1; echo 22 >a/f2", "mkdir -p a/s1 a/s2; echo 1 >a/f1; echo 22 >a/f2; ln -s x a/f3"
	moved := "moved a/ -> c/"
	for _, c := range []struct {
		name, tree, edit string
		want             []string
	}{
		{"all of it", even, "true", []string{moved}},
		{"half of it", even, "rm -r c/f1 c/s1", []string{moved, "deleted a/f1", "deleted a/s1/"}},
		{"less than half", even, "rm -r c/f1 c/s1 c/f2",
			[]string{"created c/", "created c/s2/", "deleted a/", "deleted a/f1", "deleted a/f2", "deleted a/s1/", "deleted a/s2/"}},
		{"three of five", odd, "rm -r c/f1 c/s1", []string{moved, "deleted a/f1", "deleted a/s1/"}},
		{"two of five", odd, "rm -r c/f1 c/s1 c/f3",
			[]string{"created c/", "created c/s2/", "moved a/f2 -> c/f2", "deleted a/", "deleted a/f1", "deleted a/f3", "deleted a/s1/", "deleted a/s2/"}},
		{"half of it, and much that is new", even, "rm -r c/f1 c/s1; echo 333 >c/n1; echo 4444 >c/n2; mkdir c/n3",
			[]string{moved, "deleted a/f1", "deleted a/s1/", "created c/n1", "created c/n2", "created c/n3/"}},
		{"the names, but not the inodes", even, "mv c t; cp -a t c; rm -r t", []string{"created c/", "created c/s1/", "created c/s2/", "moved a/f1 -> c/f1", "moved a/f2 -> c/f2", "deleted a/", "deleted a/s1/", "deleted a/s2/"}},
		{"the inodes, but not the names", even, "mv c/f1 c/g1; mv c/f2 c/g2; mv c/s1 c/t1",
			[]string{"created c/", "moved a/f1 -> c/g1", "moved a/f2 -> c/g2", "deleted a/", "deleted a/s1/", "deleted a/s2/", "created c/s2/", "created c/t1/"}},
		{"an empty one", "mkdir a", "true", []string{"deleted a/", "created c/"}},
	} {
		for _, first := range []system{native, unborn} {
			t.Run(fmt.Sprintf("%s/%T", c.name, first), func(t *testing.T) {
				root := t.TempDir()
				sh(t, root, c.tree)
				s := openStore(t)
				src := []Source{source(t, root)}
				commit(t, s, mustTree(t, s, src, Options{system: first}))
				sh(t, root, "mv a c; "+c.edit)
				commit(t, s, expect(t, s, src, Options{system: unborn}, c.want...))
				same(t, s, root)
			})
		}
	}
}

// TestListingWithoutTypes runs where a listing tells names only.
func TestListingWithoutTypes(t *testing.T) {
	untold := &altered{system: native, untold: true}
	for _, c := range moveCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			sh(t, root, before)
			s := openStore(t)
			src := []Source{source(t, root)}
			commit(t, s, mustTree(t, s, src, Options{system: untold}))
			same(t, s, root)
			sh(t, root, c.edit)
			told := story(manifest.Diff(mustTree(t, s, src, Options{}).Observation), root)
			expect(t, s, src, Options{system: untold}, told...)
			commit(t, s, mustTree(t, s, src, Options{system: untold}))
			same(t, s, root)
		})
	}
	root, s, src := scanned(t, "echo 1 >one; mkdir d; echo 2 >d/two; echo '*.o' >.acbignore")
	sh(t, root, "mkfifo pipe; rm one; mkfifo one; touch x.o")
	res := expect(t, s, src, Options{system: untold}, "skip special pipe", "skip special one", "deleted one")
	if c := res.Sources[0].Counts; c.Ignored != 1 || c.Unchanged != 2 {
		t.Errorf("got %+v", c)
	}
}

// A name that is listed without a type and cannot be asked for one is unknown,
// be it known as a file or as a folder.
func TestListingWithoutTypesAndStat(t *testing.T) {
	_, s, src := scanned(t, "echo 1 >one; mkdir -p d/e; echo 2 >d/two; echo 3 >d/e/three")
	for _, c := range []struct {
		name    string
		unknown int64
	}{{"one", 1}, {"d", 2}, {"e", 1}} {
		dark := &failing{system: &altered{system: native, untold: true}, name: "lstat " + c.name + "\x00", err: syscall.EIO}
		at := c.name
		if at == "e" {
			at = "d/e"
		}
		res := expect(t, s, src, Options{system: dark}, "skip unreadable "+at)
		if n := res.Sources[0].Unknown; n != c.unknown || len(res.Unknown) != 1 {
			t.Errorf("%s: %d unknown, %q", c.name, n, res.Unknown)
		}
	}
}
