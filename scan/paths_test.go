//go:build linux

package scan

import (
	"slices"
	"strings"
	"testing"

	"github.com/autocloudbackup/acb/manifest"
)

// named scans paths one by one, given from root, and commits.
func named(t *testing.T, s *manifest.Store, src []Source, root string, want []string, paths ...string) *Result {
	t.Helper()
	var targets []Target
	for _, p := range paths {
		at := source(t, strings.TrimSuffix(root+"/"+p, "/"))
		targets = append(targets, Target{Path: at.Path, Root: at.Root})
	}
	res, err := Paths(t.Context(), s, src, targets, Options{Now: later})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range res.Folders {
		if !strings.HasPrefix(OSPath(d.New.Path()), root+"/") {
			continue // above the tree
		}
		got = append(got, OSPath(d.New.Path())[len(root)+1:]+"/"+flagged(d.New.Flags))
	}
	for _, d := range res.Files {
		if d.New == nil {
			t.Errorf("%s is absent", d.Old.Path())
			continue
		}
		got = append(got, OSPath(d.New.Path())[len(root)+1:]+flagged(d.New.Flags))
	}
	for _, skip := range res.Skips {
		got = append(got, "skip "+skip.Class.String()+" "+OSPath(skip.Path)[len(root)+1:])
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q: got:\n  %s\nwant:\n  %s", paths, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	commit(t, s, res)
	return res
}

func TestPaths(t *testing.T) {
	root := t.TempDir()
	sh(t, root, `mkdir -p src/a/b src/node/dep/x.tmp.d out/far
echo 1 >src/a/b/one; echo 2 >src/a/two; echo 3 >src/node/dep/three; echo 4 >src/node/dep/four.tmp
echo 5 >out/far/five; echo 6 >out/six.tmp; ln -s six.tmp out/link; ln -s far out/folderlink`)
	s := openStore(t)
	src := []Source{source(t, root+"/src")}
	src[0].Rules = rules(t, src[0].Root, "node/", "*.tmp")

	named(t, s, src, root, []string{"src/", "src/a/", "src/a/b/", "src/a/b/one"}, "src/a/b/one")
	named(t, s, src, root, []string{"src/node/ flags 16", "src/node/dep/ flags 4", "src/node/dep/three", "src/node/dep/x.tmp.d/"}, "src/node/dep")
	named(t, s, src, root, nil, "src/node/dep")
	named(t, s, src, root, []string{"out/ flags 16", "out/six.tmp flags 4", "out/link flags 4", "out/folderlink flags 4"}, "out/six.tmp", "out/link", "out/folderlink")
	named(t, s, src, root, nil, "out/six.tmp")
	named(t, s, src, root, []string{"skip missing src/none"}, "src/none")
	named(t, s, src, root, []string{"out/far/ flags 4", "out/far/five"}, "out/far")

	// Nothing that was there before is absent, and nothing is moved.
	sh(t, root, "rm src/a/b/one; echo 7 >src/a/b/seven; mv out/far out/away")
	named(t, s, src, root, []string{"src/a/b/", "src/a/b/seven"}, "src/a/b")
	named(t, s, src, root, []string{"out/away/ flags 4", "out/away/five"}, "out/away")
	named(t, s, src, root, []string{"skip missing out/far"}, "out/far")

	// An ordinary scan leaves alone what is pinned, and finds the rest.
	expect(t, s, src, Options{}, "created a/two", "deleted a/b/one")
	commit(t, s, mustTree(t, s, src, Options{}))
	res := expect(t, s, src, Options{})
	if c := res.Sources[0].Counts; c.Pinned != 1 || c.Unchanged != 2 || res.Outside.Pinned != 5 || res.Outside.Retired != 0 {
		t.Errorf("%+v, outside %+v", c, res.Outside)
	}
	// Visible by today's rules, it is an ordinary file again.
	src[0].Rules = nil
	commit(t, s, mustTree(t, s, src, Options{}))
	same(t, s, root+"/src")
}

func TestSingleFiles(t *testing.T) {
	root := t.TempDir()
	sh(t, root, "mkdir d; echo 1 >d/one; echo 2 >real; ln -s ../real d/link; echo 3 >d/not")
	s := openStore(t)
	src := []Source{source(t, root+"/d/one"), source(t, root+"/d/link")}
	src0 := []Source{{Root: root}}
	check := func(want ...string) {
		t.Helper()
		res := mustTree(t, s, src, Options{})
		got := story(manifest.Diff(res.Observation), src0[0].Root)
		got = slices.DeleteFunc(got, func(line string) bool { return strings.HasSuffix(line, "/") })
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		commit(t, s, res)
	}
	check("created d/one", "created d/link")
	check()
	sh(t, root, "echo 22 >real")
	check("modified d/link")
	sh(t, root, "rm d/one")
	check()
	if res := mustTree(t, s, src, Options{}); res.Sources[0].State != Missing || res.Sources[0].Unknown != 1 {
		t.Errorf("got %+v", res.Sources[0])
	}
	src = src[1:]
	check("retired d/one")
}

func TestLinkedSource(t *testing.T) {
	root := t.TempDir()
	sh(t, root, "mkdir -p disk/real; ln -s disk/real linked; echo 1 >disk/real/one")
	s := openStore(t)
	src := []Source{source(t, root+"/linked")}
	expect(t, s, src, Options{}, func() []string {
		var above []string
		for at, up := src[0].Root, ""; at != "/"; at = at[:strings.LastIndexByte(at, '/')] {
			if up == "" {
				up = "."
				above = append(above, "created ./")
			}
			if at = at[:strings.LastIndexByte(at, '/')]; at == "" {
				break
			}
			if up == "." {
				up = ".."
			} else {
				up += "/.."
			}
			above = append(above, "created "+up+"/")
			at += "/"
		}
		return append(above, "created one")
	}()...)
	commitPlain(t, s, mustTree(t, s, src, Options{}))
	expect(t, s, src, Options{})
}
