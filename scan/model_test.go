//go:build linux

package scan

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestModel edits a tree at random, scans it and compares manifest and disk,
// several rounds a seed. ACB_SEEDS is the number of seeds.
func TestModel(t *testing.T) {
	seeds, err := strconv.ParseUint(os.Getenv("ACB_SEEDS"), 10, 64)
	if err != nil {
		seeds = 12
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			e := editor{t: t, root: t.TempDir(), r: rand.New(rand.NewPCG(seed, 0))}
			s := openStore(t)
			src := []Source{source(t, e.root)}
			for round := range 6 {
				for range 40 {
					e.edit()
				}
				commit(t, s, mustTree(t, s, src, Options{}))
				same(t, s, e.root)
				again := mustTree(t, s, src, Options{})
				if len(again.Files)+len(again.Folders) > 0 {
					t.Errorf("round %d: the next scan still sees %v", round, story(commit(t, s, again), e.root))
				}
				if t.Failed() {
					t.Fatalf("round %d:\n%s", round, strings.Join(e.log, "\n"))
				}
				e.log = nil
			}
		})
	}
}

// An editor changes a tree at random.
type editor struct {
	t    *testing.T
	root string
	r    *rand.Rand
	log  []string
}

// names returns all folders, the root first, and all else.
func (e *editor) names() (dirs, files []string) {
	filepath.WalkDir(e.root, func(p string, d fs.DirEntry, _ error) error {
		switch {
		case p == e.root:
		case d.IsDir():
			dirs = append(dirs, p)
		default:
			files = append(files, p)
		}
		return nil
	})
	return dirs, files
}

func (e *editor) edit() {
	dirs, files := e.names()
	pick := func(list []string) string { return list[e.r.IntN(len(list))] }
	in := func() string { // some folder, often the root
		if len(dirs) == 0 || e.r.IntN(4) == 0 {
			return e.root
		}
		return pick(dirs)
	}
	fresh := filepath.Join(in(), fmt.Sprintf("n%d", e.r.IntN(12)))
	note := func(what string, err error) { e.log = append(e.log, fmt.Sprintf("%s: %v", what, err)) }
	switch op := e.r.IntN(10); {
	case op <= 1 || len(files) == 0:
		note("write "+fresh, os.WriteFile(fresh, []byte(strings.Repeat("x", e.r.IntN(5))+fmt.Sprint(e.r.IntN(9))), 0o644))
	case op == 2 || len(dirs) == 0:
		note("mkdir "+fresh, os.Mkdir(fresh, 0o755))
	case op == 3:
		f := pick(files)
		note("write "+f, os.WriteFile(f, fmt.Appendf(nil, "%d", e.r.IntN(1000)), 0o644))
	case op == 4:
		f := pick(files)
		note("mv "+f+" "+fresh, os.Rename(f, fresh))
	case op <= 6:
		d := pick(dirs)
		note("mv "+d+" "+fresh, os.Rename(d, fresh))
	case op == 7:
		a, b := pick(dirs), pick(dirs)
		note("mv "+a+" t", os.Rename(a, e.root+"/t"))
		note("mv "+b+" "+a, os.Rename(b, a))
		note("mv t "+b, os.Rename(e.root+"/t", b))
	case op == 8 && e.r.IntN(3) == 0:
		d := pick(dirs)
		note("rm -r "+d, os.RemoveAll(d))
	case op == 8:
		f := pick(files)
		note("rm "+f, os.Remove(f))
	default:
		note("ln -s "+fresh, os.Symlink("somewhere", fresh))
	}
}
