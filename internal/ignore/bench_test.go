package ignore

import (
	"strings"
	"testing"
)

// typical is what people ignore: thirty rules in one file.
const typical = `*.tmp
*.swp
*~
*.o
*.pyc
*.class
.DS_Store
Thumbs.db
desktop.ini
node_modules/
__pycache__/
.venv/
.cache/
.git/
target/
build/
dist/
*.log
!keep.log
/out/
/vendor/cache/
docs/_build/
src/**/generated/
**/tmp/*.bin
*.iso
*.vmdk
core.[0-9]*
.~lock.*#
~$*
$RECYCLE.BIN/`

func BenchmarkMatch(b *testing.B) {
	top := New("/home/ana/Documents", "acb.toml", nil)
	r, err := top.Below("", strings.NewReader(typical))
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name, dir string
		names     []string
	}{
		{"plain", "src/cmd/compile/internal/ssa", []string{"rewriteAMD64.go", "README.md", "IMG_2034.jpg", "Vertrag Müller.pdf", "index.html"}},
		{"ignored", "src/cmd/compile/internal/ssa", []string{"main.o", "x.tmp", "Thumbs.db", "core.1234", "debug.log"}},
		{"folders", "src/cmd/compile", []string{"internal", "testdata", "node_modules", "build", "generated"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r.Match(c.dir, c.names[i%len(c.names)], c.name == "folders")
			}
		})
	}
}

// TestMatchAllocatesNothing keeps the promise that a scan of a million names
// rests on.
func TestMatchAllocatesNothing(t *testing.T) {
	top := at(t, []string{"/home/**/x*y/z?", "*.tmp"}, "", typical, "src", "a*b*c\n**/q/*[!x]\n")
	n := testing.AllocsPerRun(100, func() {
		top.Match("src/a/b/q", "Vertrag Müller.pdf", false)
		top.Match("src/generated/x", "core.7", true)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
