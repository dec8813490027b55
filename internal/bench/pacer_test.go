package main

import (
	"crypto/md5"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

func TestAstray(t *testing.T) {
	tree := filepath.Join(t.TempDir(), "tree")
	if err := os.MkdirAll(filepath.Join(tree, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "sub/b"} {
		if err := os.WriteFile(filepath.Join(tree, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	folder := drivetest.Node{Kind: "folder"}
	file := func(text string) drivetest.Node {
		return drivetest.Node{Kind: "file", MD5: fmt.Sprintf("%x", md5.Sum([]byte(text)))}
	}
	for name, tt := range map[string]struct {
		change map[string]drivetest.Node
		want   int
	}{
		"as it is":      {nil, 0},
		"own files":     {map[string]drivetest.Node{"top/manifest": file("x")}, 0},
		"file twice":    {map[string]drivetest.Node{"top/tree/a#2": file("a")}, 1},
		"folder twice":  {map[string]drivetest.Node{"top#2": folder, "top#2/tree": folder, "top#2/tree/a": file("a")}, 1},
		"other content": {map[string]drivetest.Node{"top/tree/a": file("z")}, 2}, // one is missing, one is too many
		"besides":       {map[string]drivetest.Node{"top/tree/c": file("c")}, 1},
	} {
		drive := map[string]drivetest.Node{"top": folder, "top/tree": folder, "top/tree/a": file("a"), "top/tree/sub": folder, "top/tree/sub/b": file("sub/b")}
		for path, node := range tt.change {
			drive[path] = node
		}
		if bytes, n, err := astray(tree, drive); n != tt.want || bytes != 6 || err != nil {
			t.Errorf("%s: %d, %d bytes, %v", name, n, bytes, err)
		}
	}
}
