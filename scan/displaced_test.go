//go:build linux

package scan

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/autocloudbackup/acb/manifest"
)

// interrupted is a tree of which a swap of one and two is acknowledged by
// half: one is at the place of two, and two is displaced.
func interrupted(t *testing.T) (root string, s *manifest.Store, src []Source) {
	t.Helper()
	root, s, src = scanned(t, "mkdir d e; echo 1 >d/one; echo 22 >d/two; echo 333 >e/other")
	sh(t, root, "mv d/one t; mv d/two d/one; mv t d/two")
	steps := stepsOf(t, manifest.Diff(mustTree(t, s, src, Options{}).Observation), hashOf)
	for _, st := range steps {
		if st.Kind == manifest.Move && st.OldName == "one" {
			acknowledge(t, s, []manifest.Step{st})
			if d := displacedIn(t, s); len(d) != 1 || d[0].Name != "two" {
				t.Fatalf("displaced: %v", d)
			}
			return root, s, src
		}
	}
	t.Fatalf("no move of one in %v", steps)
	return
}

func displacedIn(t *testing.T, s *manifest.Store) []manifest.DisplacedEntry {
	t.Helper()
	r, err := s.Reader()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	list, err := r.Displaced()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestHalfASwap(t *testing.T) {
	for _, c := range []struct {
		name, edit string
		want       []string
	}{
		{"left as it is", "true", []string{"moved d/two -> d/one"}},
		{"swapped back", "mv d/one t; mv d/two d/one; mv t d/two", []string{"moved d/two -> d/one", "moved d/two -> d/two"}},
		{"deleted", "rm d/one", []string{"deleted d/two"}},
		{"both deleted", "rm d/one d/two", []string{"deleted d/two", "deleted d/two"}},
		{"edited", "echo 4444 >d/one", []string{"created d/one", "deleted d/two"}},
		{"moved on", "mv d/one e/", []string{"moved d/two -> e/one"}},
		{"the folder moved", "mv d f", []string{"moved d/ -> f/", "moved d/two -> f/one"}},
		{"the folder is gone", "rm -r d", []string{"deleted d/", "deleted d/two", "deleted d/two"}},
		{"the folder is gone, but not what was in it", "mv d/one e/; rm -r d", []string{"deleted d/", "deleted d/two", "moved d/two -> e/one"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			root, s, src := interrupted(t)
			sh(t, root, c.edit)
			commit(t, s, expect(t, s, src, Options{}, c.want...))
			same(t, s, root)
			if d := displacedIn(t, s); len(d) != 0 {
				t.Errorf("still displaced: %v", d)
			}
			expect(t, s, src, Options{})
		})
	}
}

// What is displaced waits where its folder is not looked at, or its name is hidden.
func TestDisplacedWaits(t *testing.T) {
	root, s, src := interrupted(t)
	plain := src
	wait := func(src []Source, opts Options, want ...string) {
		t.Helper()
		for _, d := range expect(t, s, src, opts, want...).Files {
			if d.New == nil {
				t.Errorf("%s is absent", d.Old.Path())
			}
		}
	}
	wait(src, Options{system: &altered{system: native, self: func(name string, st *info) { st.mount = name == "d" }}}, "skip mountpoint d")
	wait(src, Options{system: &altered{system: native, identity: func() string { return "another disk" }}}, "created d/one")
	with := func(hide, exclude string) []Source {
		at := Source{Path: plain[0].Path, Root: root}
		if hide != "" {
			at.Rules = rules(t, root, hide)
		} else {
			at.Exclude = rules(t, root, exclude)
		}
		return []Source{at}
	}
	wait(with("d/", ""), Options{}, "retired d/")
	wait(with("two", ""), Options{}, "created d/one", "retired d/two")
	wait(with("", "d/"), Options{})
	wait(with("", "two"), Options{}, "created d/one")
	sh(t, "/", "mv "+root+" "+root+".away")
	wait(src, Options{}, "skip missing .")
	sh(t, "/", "mv "+root+".away "+root)
	commit(t, s, expect(t, s, src, Options{}, "moved d/two -> d/one"))
	same(t, s, root)
}

// Sources that are files lie in a folder that is not walked.
func TestHalfASwapOfSources(t *testing.T) {
	root := t.TempDir()
	sh(t, root, "echo 1 >one; echo 22 >two")
	s := openStore(t)
	src := []Source{source(t, root+"/one"), source(t, root+"/two")}
	commit(t, s, mustTree(t, s, src, Options{}))
	_, before := inManifest(t, s, root)
	sh(t, root, "mv one t; mv two one; mv t two")
	steps := stepsOf(t, manifest.Diff(mustTree(t, s, src, Options{}).Observation), hashOf)
	acknowledge(t, s, steps[:1])
	if len(steps) != 2 || len(displacedIn(t, s)) != 1 {
		t.Fatalf("%d steps", len(steps))
	}
	commit(t, s, mustTree(t, s, src, Options{}))
	_, after := inManifest(t, s, root)
	if after["one"] != before["two"] || after["two"] != before["one"] || len(displacedIn(t, s)) != 0 {
		t.Errorf("before %v, after %v", before, after)
	}
}

// TestInterrupted breaks off the acknowledgement of every case of TestMoves
// after each number of steps, in some order that a run may have. The next scan
// must end where an undisturbed one does, and no FileID may be forgotten.
func TestInterrupted(t *testing.T) {
	for _, c := range moveCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for done, of := 0, 1; done < of; done++ {
				root := t.TempDir()
				sh(t, root, before)
				s := openStore(t)
				src := []Source{source(t, root)}
				commit(t, s, mustTree(t, s, src, Options{}))
				sh(t, root, c.edit)
				steps := stepsOf(t, manifest.Diff(mustTree(t, s, src, Options{}).Observation), hashOf)
				of = len(steps)
				shuffle(steps, uint64(done))
				acknowledge(t, s, steps[:done])
				commit(t, s, mustTree(t, s, src, Options{}))
				same(t, s, root)
				if d := displacedIn(t, s); len(d) != 0 {
					t.Errorf("still displaced: %v", d)
				}
				if again := mustTree(t, s, src, Options{}); len(again.Files)+len(again.Folders) > 0 {
					t.Errorf("the next scan still sees %d files, %d folders", len(again.Files), len(again.Folders))
				}
				if t.Failed() {
					t.Fatalf("after %d of %d steps: %+v", done, of, steps[:done])
				}
			}
		})
	}
}

// shuffle reorders the steps about files that put something, which are of one
// stage; folders come before them, and what drops after them.
func shuffle(steps []manifest.Step, seed uint64) {
	puts := func(st manifest.Step) bool { return st.Kind == manifest.Put || st.Kind == manifest.Move }
	slices.SortStableFunc(steps, func(a, b manifest.Step) int { return rank(a) - rank(b) })
	from := max(slices.IndexFunc(steps, puts), 0)
	to := from
	for to < len(steps) && puts(steps[to]) {
		to++
	}
	r := rand.New(rand.NewPCG(seed, 0))
	r.Shuffle(to-from, func(i, j int) { steps[from+i], steps[from+j] = steps[from+j], steps[from+i] })
}

func rank(st manifest.Step) int {
	switch st.Kind {
	case manifest.PutFolder:
		return 0
	case manifest.Drop:
		return 2
	case manifest.DropFolder:
		return 3
	}
	return 1
}
