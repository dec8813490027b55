package manifest

import (
	"fmt"
	"sync"
	"testing"
)

func TestLookup(t *testing.T) {
	s := newStore(t)
	steps := []Step{putFolder(2, Root, "home"), putFolder(3, 2, "ana"), put(3, "cv.pdf", "1"), put(Root, "x", "2"), putFolder(4, 3, "deep")}
	steps[4].Dir.Inode = 30
	do(t, s, steps...)
	r := newReader(t, s)
	for p, want := range map[Path]string{
		"": "1", "home": "2", "home/ana": "3", "home/ana/cv.pdf": "3:1", "x": "1:2",
		"home/cv.pdf": "", "x/y": "", "nowhere/at/all": "", "home/ana/deep": "4",
	} {
		row, e, found, err := r.Lookup(p)
		got := ""
		if found {
			got = fmt.Sprint(row.ID)
		}
		if e != nil {
			got += ":" + string(e.FileID)
		}
		if got != want || err != nil {
			t.Errorf("Lookup(%q) = %q, %v, want %q", p, got, err, want)
		}
		if found && e == nil {
			if back, ok, err := r.PathOf(row.ID); back != p || !ok || err != nil {
				t.Errorf("PathOf(%d) = %q, %v, %v, want %q", row.ID, back, ok, err, p)
			}
		}
	}
	rows, err := r.ByInode(1, 30)
	if err != nil || len(rows) != 2 || rows[0].ID+rows[1].ID != 7 {
		t.Errorf("ByInode = %+v, %v, want folders 3 and 4", rows, err)
	}
	if _, ok, err := r.PathOf(99); ok || err != nil {
		t.Errorf("PathOf(99) = %v, %v", ok, err)
	}
}

func TestSubtreeCounts(t *testing.T) {
	s := newStore(t)
	steps := []Step{putFolder(2, Root, "d"), putFolder(3, 2, "hidden"), put(2, "a", "1"), put(2, "b", "2"), put(3, "c", "3"), put(Root, "x", "4")}
	steps[1].Dir.Flags = Retired
	steps[2].Entry.Flags = Pinned
	steps[3].Entry.Flags = Retired | Lost
	do(t, s, steps...)
	got, err := newReader(t, s).SubtreeCounts(2)
	if want := (Counts{Folders: 1, Files: 3, Bytes: 3, Retired: 2, Pinned: 1, Lost: 1}); got != want || err != nil {
		t.Errorf("SubtreeCounts = %+v, %v, want %+v", got, err, want)
	}
}

// TestReadersBesideWriter has a writer move files to and fro, fold and
// checkpoint, while readers must always find each of them exactly once.
func TestReadersBesideWriter(t *testing.T) {
	const files = 20
	s := newStore(t)
	steps := []Step{putFolder(2, Root, "a"), putFolder(3, Root, "b")}
	for i := range files {
		steps = append(steps, put(2, fmt.Sprint(i), FileID(fmt.Sprint("id", i))))
	}
	do(t, s, steps...)
	done := make(chan bool)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			r, err := OpenReader(s.Path())
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Close()
			for rounds := 0; ; rounds++ {
				seen := map[FileID]bool{}
				err := r.Walk(Root, func(_ Path, _ Row, list []Entry) error {
					for _, e := range list {
						seen[e.FileID] = true
					}
					return nil
				})
				if err == nil {
					err = r.Refresh()
				}
				if err != nil || len(seen) != files {
					t.Errorf("round %d: %d of %d files, %v", rounds, len(seen), files, err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range 60 {
		n := fmt.Sprint(i % files)
		from, to := FolderID(2+i/files%2), FolderID(3-i/files%2)
		do(t, s, move(from, n, to, n, FileID("id"+n)))
	}
	close(done)
	wg.Wait()
}

func TestReaderIsASnapshot(t *testing.T) {
	s := newStore(t)
	r := newReader(t, s)
	do(t, s, put(Root, "a", "1"))
	for _, want := range []int{0, 1} {
		row, _, err := r.Row(Root)
		if err != nil || row.Files.Len() != want {
			t.Errorf("%d files, %v, want %d", row.Files.Len(), err, want)
		}
		if err := r.Refresh(); err != nil {
			t.Fatal(err)
		}
	}
}
