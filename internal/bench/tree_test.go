package main

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// fingerprint maps the paths below root to what a tree is made of.
func fingerprint(t *testing.T, root string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil || rel == "." {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		got[rel] = info.ModTime().UTC().Format(time.RFC3339Nano)
		if e.IsDir() {
			got[rel+"/"] = got[rel]
			delete(got, rel)
			return nil
		}
		content, err := os.ReadFile(path)
		got[rel] += " " + string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// count returns the number of folders, the top included, and of files.
func count(tree map[string]string) (folders, files int) {
	folders = 1
	for name := range tree {
		if name[len(name)-1] == '/' {
			folders++
		} else {
			files++
		}
	}
	return folders, files
}

var small = treeSpec{Seed: 5, Files: 400, Folders: 60, MinSize: 3, MaxSize: 30}

func TestTree(t *testing.T) {
	dir := t.TempDir()
	var trees []map[string]string
	for _, s := range []struct {
		name string
		spec treeSpec
	}{{"a", small}, {"b", small}, {"c", treeSpec{6, 400, 60, 3, 30}}} {
		root := filepath.Join(dir, s.name)
		if err := s.spec.make(root); err != nil {
			t.Fatal(err)
		}
		trees = append(trees, fingerprint(t, root))
	}
	if !maps.Equal(trees[0], trees[1]) {
		t.Error("equal specs gave different trees")
	}
	if maps.Equal(trees[0], trees[2]) {
		t.Error("another seed gave the same tree")
	}
	if folders, files := count(trees[0]); folders != 60 || files != 400 {
		t.Errorf("%d files in %d folders, want 400 in 60", files, folders)
	}
	for name, what := range trees[0] {
		if at, err := time.Parse(time.RFC3339Nano, what[:len("2021-01-01T00:00:00")]+"Z"); err != nil || at.Before(treeEpoch) || at.After(treeEpoch.AddDate(1, 0, 1)) {
			t.Errorf("%s was changed at %v, %v", name, at, err)
		}
	}
	subs := map[string]int{}
	for name := range trees[0] {
		if name[len(name)-1] == '/' {
			subs[filepath.Dir(filepath.Clean(name))]++
		}
	}
	if most := slices.Max(slices.Collect(maps.Values(subs))); most != fanOut {
		t.Errorf("a folder has %d subfolders, want at most %d", most, fanOut)
	}
}

func TestAging(t *testing.T) {
	root := filepath.Join(t.TempDir(), "tree")
	if err := small.begin().make(root); err != nil {
		t.Fatal(err)
	}
	before := fingerprint(t, root)
	a := newAging(small, root)
	for n := range ageRounds {
		if err := a.round(n); err != nil {
			t.Fatal(err)
		}
	}
	after := fingerprint(t, root)
	if folders, files := count(after); folders != small.Folders || files != small.Files {
		t.Errorf("%d files in %d folders after aging, want %d in %d", files, folders, small.Files, small.Folders)
	}
	gone, come := 0, 0
	for name := range before {
		if _, still := after[name]; !still && name[len(name)-1] == '/' {
			gone++
		}
	}
	for name := range after {
		if _, was := before[name]; !was && name[len(name)-1] == '/' {
			come++
		}
	}
	// A folder may be moved twice, and one added into a moved one.
	if gone < 2 || come-gone != small.Folders-small.begin().Folders {
		t.Errorf("%d folders moved, %d moved or new; a twentieth of %d each was wanted", gone, come, small.Folders)
	}
}

func TestOnce(t *testing.T) {
	dir := t.TempDir()
	made := 0
	once := func(of any, fail error) error {
		return step{dir, "part", of}.once(func() error { made++; return fail })
	}
	for _, tt := range []struct {
		of   any
		fail error
		want int
	}{{1, nil, 1}, {1, nil, 1}, {2, os.ErrInvalid, 2}, {2, nil, 3}, {2, nil, 3}, {1, os.ErrInvalid, 4}, {2, nil, 5}} {
		if err := once(tt.of, tt.fail); (err != nil) != (made == tt.want && tt.fail != nil) || made != tt.want {
			t.Errorf("of %v: made %d times, want %d; %v", tt.of, made, tt.want, err)
		}
	}
}
