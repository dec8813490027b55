//go:build linux

package scan

import (
	"os"
	"testing"

	"github.com/autocloudbackup/acb/manifest"
)

// BenchmarkUnchanged scans the tree in ACB_BENCH_TREE that the manifest in
// ACB_BENCH_MANIFEST knows, which it makes if it is not there.
func BenchmarkUnchanged(b *testing.B) {
	tree, file := os.Getenv("ACB_BENCH_TREE"), os.Getenv("ACB_BENCH_MANIFEST")
	if tree == "" {
		b.Skip("no tree")
	}
	s, err := manifest.Open(file)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	src := []Source{source(b, tree)}
	for {
		res := mustTree(b, s, src, Options{})
		b.Log(len(res.Files), len(res.Folders), res.Sources[0].Counts)
		if len(res.Files)+len(res.Folders) == 0 {
			break
		}
		commitPlain(b, s, res)
	}
	for b.Loop() {
		mustTree(b, s, src, Options{})
	}
}
