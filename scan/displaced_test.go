package scan

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/autocloudbackup/acb/manifest"
)

// TestDisplaced interrupts a run between the acknowledgements of the moves of
// a swap and of a cycle: the next scan finds the contents that were displaced
// where they went, and sends nothing.
func TestDisplaced(t *testing.T) {
	for _, c := range []struct {
		name, edit, then string
		acked            string // the one move that was acknowledged, by its new path
		want             []string
	}{
		{"swap", "mv a/one t; mv a/two a/one; mv t a/two", "true", "a/one", []string{"moved a/one -> a/two"}},
		{"cycle", "mv a/one t; mv a/two a/one; mv b/five a/two; mv t b/five", "true", "a/two",
			[]string{"moved a/one -> b/five", "moved a/two -> a/one"}},
		{"swap, then the other one goes", "mv a/one t; mv a/two a/one; mv t a/two", "rm a/two", "a/one", []string{"deleted a/one"}},
		{"swap, then it moves on", "mv a/one t; mv a/two a/one; mv t a/two", "mv a/two b/new", "a/one", []string{"moved a/one -> b/new"}},
		{"swap, then its folder moves", "mv a/one t; mv a/two a/one; mv t a/two", "mv a c", "a/one",
			[]string{"moved a/ -> c/", "moved a/one -> c/two"}},
		{"swap, then its folder goes", "mv a/one t; mv a/two a/one; mv t a/two", "mv a/two b/; rm -r a", "a/one",
			[]string{"deleted a/", "deleted a/link", "deleted a/one", "deleted a/sub/", "deleted a/sub/low/", "deleted a/sub/low/four", "deleted a/sub/three", "moved a/one -> b/two"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			sh(t, root, before)
			s := openStore(t)
			src := []Source{source(t, root)}
			commit(t, s, mustTree(t, s, src, Options{}))
			sh(t, root, c.edit)
			changes := manifest.Diff(mustTree(t, s, src, Options{}).Observation)
			for _, f := range changes.Files {
				if f.Kind == manifest.Moved && f.New.Path() == src[0].Path.Join("a").Join(c.acked[2:]) {
					step := manifest.Step{Kind: manifest.Move, Folder: f.New.In.ID, Entry: f.New.Entry, OldFolder: f.Old.In.ID, OldName: f.Old.Name}
					if err := s.Ack([]manifest.Step{step}); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := s.Fold(); err != nil {
				t.Fatal(err)
			}
			sh(t, root, c.then)
			got := story(commit(t, s, mustTree(t, s, src, Options{})), root)
			slices.Sort(got)
			slices.Sort(c.want)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			same(t, s, root)
			if again := mustTree(t, s, src, Options{}); len(again.Files)+len(again.Folders) > 0 || again.BytesRead > 0 {
				t.Errorf("the next scan still sees %v", story(manifest.Diff(again.Observation), root))
			}
		})
	}
}
