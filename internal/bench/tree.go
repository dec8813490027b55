package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// A treeSpec describes a made-up tree. Equal specs give equal trees: names,
// sizes, contents and times.
type treeSpec struct {
	Seed             uint64
	Files, Folders   int // the top is one of the folders
	MinSize, MaxSize int // of a file, in bytes; sizes are spread evenly between the two
}

// fanOut is how many subfolders a folder has that has any.
const fanOut = 10

// treeEpoch is when the files of a tree were "last changed": in the year from
// here on, so that no time stamp is young enough to be doubted.
var treeEpoch = time.Date(2021, 3, 1, 8, 0, 0, 0, time.UTC)

// make creates the tree in the folder root, which must not exist.
func (s treeSpec) make(root string) error {
	dirs := s.folders(root)
	for _, d := range dirs {
		if err := os.Mkdir(d, 0o755); err != nil {
			return fmt.Errorf("make tree: %w", err)
		}
	}
	w := newFileMaker(s)
	n := 0
	for i, count := range s.shares() {
		for range count {
			if err := w.file(dirs[i], n); err != nil {
				return fmt.Errorf("make tree: %w", err)
			}
			n++
		}
	}
	for i, d := range dirs {
		at := treeEpoch.Add(time.Duration(i) * time.Second)
		if err := os.Chtimes(d, at, at); err != nil {
			return fmt.Errorf("make tree: %w", err)
		}
	}
	return nil
}

// folders returns the paths of all folders, each after the one it is in.
func (s treeSpec) folders(root string) []string {
	dirs := make([]string, s.Folders)
	for i := range dirs {
		if i == 0 {
			dirs[0] = root
			continue
		}
		dirs[i] = filepath.Join(dirs[(i-1)/fanOut], folderName(i))
	}
	return dirs
}

var folderWords = [...]string{"archive", "invoices", "letters", "photos", "src", "notes", "Project", "old", "2023-season", "drafts"}

func folderName(i int) string { return fmt.Sprintf("%s %d", folderWords[i%len(folderWords)], i) }

// shares returns how many files each folder holds. As in real trees a few hold
// many and many hold few: the weights are exponentially distributed.
func (s treeSpec) shares() []int {
	r := rand.New(rand.NewPCG(s.Seed, 1))
	upTo := make([]float64, s.Folders)
	var sum float64
	for i := range upTo {
		sum += r.ExpFloat64()
		upTo[i] = sum
	}
	counts := make([]int, s.Folders)
	before := 0
	for i, w := range upTo {
		now := int(w / sum * float64(s.Files))
		if i == s.Folders-1 {
			now = s.Files
		}
		counts[i], before = now-before, now
	}
	return counts
}

// A fileMaker writes the files of a tree, one after the other.
type fileMaker struct {
	spec treeSpec
	buf  []byte
}

func newFileMaker(s treeSpec) *fileMaker { return &fileMaker{s, make([]byte, s.MaxSize+8)} }

var fileKinds = [...]string{".jpg", ".txt", ".go", ".pdf", ".html", "", ".json", ".md"}

// file writes the n-th file of the tree into dir. Size, content and time
// follow from the spec and n alone.
func (w *fileMaker) file(dir string, n int) error {
	r := rand.New(rand.NewPCG(w.spec.Seed, uint64(n)<<8|2))
	size := w.spec.MinSize + r.IntN(w.spec.MaxSize-w.spec.MinSize+1)
	for i := 0; i < size; i += 8 {
		binary.LittleEndian.PutUint64(w.buf[i:], r.Uint64())
	}
	path := filepath.Join(dir, fmt.Sprintf("%s-%06d%s", folderWords[r.IntN(len(folderWords))], n, fileKinds[n%len(fileKinds)]))
	if err := os.WriteFile(path, w.buf[:size], 0o644); err != nil {
		return err
	}
	at := treeEpoch.Add(time.Duration(r.Int64N(int64(365 * 24 * time.Hour))))
	return os.Chtimes(path, at, at)
}
