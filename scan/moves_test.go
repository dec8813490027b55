//go:build linux

package scan

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sh changes a tree as a person would.
func sh(t testing.TB, dir, script string) {
	t.Helper()
	cmd := exec.Command("sh", "-eu", "-c", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// before is the tree of the table below: folders a, b and deep, one holding
// the next, with contents that all differ in size.
const before = `
mkdir -p a/sub/low b/sub deep/er/est
echo 1 >a/one; echo 22 >a/two; echo 333 >a/sub/three; echo 4444 >a/sub/low/four
echo 55555 >b/five; echo 666666 >b/sub/six
echo 7777777 >deep/seven; echo 88888888 >deep/er/eight; echo 999999999 >deep/er/est/nine
ln -s one a/link
`

var moveCases = []struct {
	name, edit string
	want       string // space around lines does not count
}{
	{"nothing", "true", ""},
	{"rename a file", "mv a/one a/uno", "moved a/one -> a/uno"},
	{"rename a folder", "mv a c", "moved a/ -> c/"},
	{"move a folder into another", "mv a b/", "moved a/ -> b/a/"},
	{"edit in a moved folder", "mv a c; echo changed >c/sub/three; rm c/two; echo new >c/new",
		"moved a/ -> c/\n created c/new\n modified c/sub/three\n deleted a/two"},
	{"move within a moved folder", "mv deep d; mv d/er d/r", "moved deep/ -> d/\n moved deep/er/ -> d/r/"},
	{"move out of a moved folder", "mv deep d; mv d/er/est e", "moved deep/ -> d/\n moved deep/er/est/ -> e/"},
	{"move out of a deleted folder", "mv deep/er/est e; rm -r deep",
		"moved deep/er/est/ -> e/\n deleted deep/\n deleted deep/er/\n deleted deep/er/eight\n deleted deep/seven"},
	{"move into a new folder", "mkdir new; mv a b new/", "created new/\n moved a/ -> new/a/\n moved b/ -> new/b/"},
	{"swap two folders", "mv a t; mv b a; mv t b", "moved a/ -> b/\n moved b/ -> a/"},
	{"cycle of three", "mv a t; mv b a; mv deep b; mv t deep", "moved a/ -> deep/\n moved b/ -> a/\n moved deep/ -> b/"},
	{"turn two inside out", "mv deep/er t; mv deep t/; mv t deep", "moved deep/ -> deep/deep/\n moved deep/er/ -> deep/"},
	{"turn inside out elsewhere", "mv deep/er t; mv deep t/", "moved deep/ -> t/deep/\n moved deep/er/ -> t/"},
	{"inside out, place made anew", "mv deep/er t; mv deep t/; mkdir deep; echo x >deep/x",
		"moved deep/ -> t/deep/\n moved deep/er/ -> t/\n created deep/\n created deep/x"},
	{"child takes its parent's place", "mv a/sub t; rm -r a; mv t a",
		"moved a/sub/ -> a/\n deleted a/\n deleted a/one\n deleted a/two\n deleted a/link"},
	{"merge into an existing folder", "mv a/one a/two a/link b/; mv a/sub/three a/sub/low b/sub/; rmdir a/sub a",
		"moved a/one -> b/one\n moved a/two -> b/two\n moved a/link -> b/link\n moved a/sub/three -> b/sub/three\n moved a/sub/low/ -> b/sub/low/\n deleted a/\n deleted a/sub/"},
	{"replace a folder by another", "rm -r b; mv a b",
		"moved a/ -> b/\n deleted b/\n deleted b/five\n deleted b/sub/\n deleted b/sub/six"},
	{"made anew at its place", "rm -r a; mkdir a; echo 1 >a/one; echo other >a/two",
		"deleted a/link\n deleted a/sub/\n deleted a/sub/low/\n deleted a/sub/low/four\n deleted a/sub/three\n modified a/two\n touched a/one"},
	{"restored from a copy", "cp -a a t; rm -r a; mv t a", ""},
	{"moved away, and made anew", "mv a c; mkdir a; echo x >a/x", "moved a/ -> c/\n created a/\n created a/x"},
	{"each into what the other left", "mv a t; mv b u; mkdir a b; mv t b/a; mv u a/b",
		"moved a/ -> b/a/\n moved b/ -> a/b/\n created a/\n created b/"},
	{"into a new folder of its own name", "mv a t; mkdir a; mv t a/a; echo x >a/a/sub/low/x", "moved a/ -> a/a/\n created a/\n created a/a/sub/low/x"},
	{"copied", "cp -a a c", "created c/\n created c/link\n created c/one\n created c/sub/\n created c/sub/low/\n created c/sub/low/four\n created c/sub/three\n created c/two"},
	{"case only", "mv a A", "moved a/ -> A/"},
	{"folder becomes a file", "rm -r b; echo file >b", "created b\n deleted b/\n deleted b/five\n deleted b/sub/\n deleted b/sub/six"},
	{"file becomes a folder", "rm b/five; mkdir b/five; echo x >b/five/x", "created b/five/\n created b/five/x\n deleted b/five"},
	{"file becomes a link", "rm b/five; ln -s six b/five", "created b/five\n deleted b/five"},
	{"folder becomes a link to where it went", "mv b c; ln -s c b", "moved b/ -> c/\n created b"},
	{"swap two files", "mv a/one t; mv a/two a/one; mv t a/two", "moved a/one -> a/two\n moved a/two -> a/one"},
	{"rename over", "mv a/one a/two", "moved a/one -> a/two\n deleted a/two"},
	{"rotate", "mv a/two a/two.1; echo fresh >a/two", "moved a/two -> a/two.1\n created a/two"},
	{"save by renaming", "echo fresher >a/two.tmp; mv a/two.tmp a/two", "modified a/two"},
	{"same content saved by renaming", "cp a/two t; mv t a/two", "touched a/two"},
	{"touch", "touch -d '2001-02-03' a/one", "touched a/one"},
	{"mode", "chmod 600 a/one; chmod 700 b", "touched a/one"},
	{"move a file into a moved folder", "mv a/one b/; mv b c", "moved b/ -> c/\n moved a/one -> c/one"},
	{"delete all but one", "rm -r a b deep/er", `deleted a/
 deleted a/link
 deleted a/one
 deleted a/sub/
 deleted a/sub/low/
 deleted a/sub/low/four
 deleted a/sub/three
 deleted a/two
 deleted b/
 deleted b/five
 deleted b/sub/
 deleted b/sub/six
 deleted deep/er/
 deleted deep/er/eight
 deleted deep/er/est/
 deleted deep/er/est/nine`},
}

func TestMoves(t *testing.T) {
	for _, c := range moveCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			sh(t, root, before)
			s := openStore(t)
			src := []Source{source(t, root)}
			commit(t, s, mustTree(t, s, src, Options{}))
			same(t, s, root)

			sh(t, root, c.edit)
			got := story(commit(t, s, mustTree(t, s, src, Options{})), root)
			want := []string{}
			for line := range strings.Lines(c.want) {
				want = append(want, strings.TrimSpace(line))
			}
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, append([]string{}, got...)); diff != "" {
				t.Error(diff)
			}
			same(t, s, root)
			again := mustTree(t, s, src, Options{})
			if len(again.Files)+len(again.Folders)+len(again.Skips) > 0 || again.BytesRead > 0 {
				t.Errorf("the next scan still sees %d files, %d folders, %v", len(again.Files), len(again.Folders), again.Skips)
			}
		})
	}
}
