package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// ageRounds is in how many runs of acb a tree becomes old.
const ageRounds = 8

// An aging changes a tree as months of use do: round by round folders move
// elsewhere and new ones appear, with files in them, until both together are a
// tenth of all folders.
type aging struct {
	spec  treeSpec // of the tree as it is when aging ends
	root  string
	dirs  []string // all folders now
	rand  *rand.Rand
	files *fileMaker
	made  int // files so far
}

// begin returns the spec of the tree to make first: with a twentieth of files
// and folders left out, which come round by round.
func (s treeSpec) begin() treeSpec {
	s.Files -= s.Files / 20
	s.Folders -= s.Folders / 20
	return s
}

func newAging(s treeSpec, root string) *aging {
	b := s.begin()
	return &aging{
		spec: s, root: root, dirs: b.folders(root), made: b.Files,
		rand: rand.New(rand.NewPCG(s.Seed, 3)), files: newFileMaker(s),
	}
}

// round makes one round of changes, n counted from 0.
func (a *aging) round(n int) error {
	b := a.spec.begin()
	folders, files := a.spec.Folders-b.Folders, a.spec.Files-b.Files
	for range share(a.spec.Folders/20, n, ageRounds) {
		if err := a.move(); err != nil {
			return fmt.Errorf("age tree: %w", err)
		}
	}
	for range share(folders, n, ageRounds) {
		if err := a.add(share(files, len(a.dirs)-b.Folders, folders)); err != nil {
			return fmt.Errorf("age tree: %w", err)
		}
	}
	return nil
}

// share is the n-th part, counted from 0, of all cut into so many parts as
// evenly as whole numbers can be.
func share(all, n, parts int) int { return all*(n+1)/parts - all*n/parts }

// move takes a folder without subfolders into another one, under a new name.
// Leaves keep the list of folders simple; on Drive and in the manifest a move
// costs the same whatever the folder holds.
func (a *aging) move() error {
	for {
		i := 1 + a.rand.IntN(len(a.dirs)-1)
		from := a.dirs[i]
		if !isLeaf(from) {
			continue
		}
		into := a.dirs[a.rand.IntN(len(a.dirs))]
		if into == from {
			continue
		}
		to := filepath.Join(into, fmt.Sprintf("moved %d %d", a.made, a.rand.IntN(1<<30)))
		if err := os.Rename(from, to); err != nil {
			return err
		}
		a.dirs[i] = to
		return nil
	}
}

// isLeaf reports whether a folder has no subfolders; an error counts as no.
func isLeaf(dir string) bool {
	list, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range list {
		if e.IsDir() {
			return false
		}
	}
	return true
}

// add makes a folder with n files in it.
func (a *aging) add(n int) error {
	dir := filepath.Join(a.dirs[a.rand.IntN(len(a.dirs))], folderName(len(a.dirs)))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for range n {
		if err := a.files.file(dir, a.made); err != nil {
			return err
		}
		a.made++
	}
	a.dirs = append(a.dirs, dir)
	at := treeEpoch.Add(time.Duration(len(a.dirs)) * time.Second)
	return os.Chtimes(dir, at, at)
}
