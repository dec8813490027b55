package manifest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// bigStore makes a manifest of folders folders, of which one in ten has the
// other nine of its ten as subfolders, with files files each, and leaves it
// folded and closed.
func bigStore(tb testing.TB, path string, folders, files int) {
	tb.Helper()
	s, err := Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer s.Close()
	r := rand.New(rand.NewPCG(7, 8))
	s.BeginRun("scan", time.Unix(0, 0))
	var steps []Step
	var above FolderID
	inode := uint64(1 << 20)
	for i := range folders {
		f := Folder{ID: s.NextFolderID(), Parent: above, Name: fmt.Sprintf("folder-%d", i), FileID: someID(r, 33), FS: 1, Mode: 0o755, Inode: inode, Birth: 1.7e18, ModTime: 1.7e18 + int64(i)}
		if i%10 == 0 {
			f.Parent, above = Root, f.ID
		}
		steps = append(steps, Step{Kind: PutFolder, Dir: f})
		for n := range files {
			inode++
			e := someEntry(r, fmt.Sprintf("file-%d-%d.txt", i, n))
			e.Inode, e.Flags = inode, 0
			steps = append(steps, Step{Kind: Put, Folder: f.ID, Entry: e})
		}
		if len(steps) >= 20_000 || i == folders-1 {
			if err := s.Ack(steps); err != nil {
				tb.Fatal(err)
			}
			if err := s.Fold(); err != nil {
				tb.Fatal(err)
			}
			steps = steps[:0]
		}
	}
	if err := s.EndRun(1, time.Unix(1, 0), RunSummary{Complete: true}); err != nil {
		tb.Fatal(err)
	}
}

// benchManifest returns a manifest of 20 files a folder, and how many folders.
func benchManifest(b *testing.B) (folders int, path string) {
	folders = 5_000
	if v := os.Getenv("ACB_BENCH_FOLDERS"); v != "" {
		fmt.Sscan(v, &folders)
	}
	path = os.Getenv("ACB_BENCH_MANIFEST") // kept there for the next time
	if path == "" {
		path = filepath.Join(b.TempDir(), "manifest.db")
	}
	if _, err := os.Stat(path); err != nil {
		start := time.Now()
		bigStore(b, path, folders, 20)
		b.Logf("made in %v", time.Since(start))
	}
	return folders, path
}

// BenchmarkCheck is what a run pays before it trashes anything.
func BenchmarkCheck(b *testing.B) {
	_, path := benchManifest(b)
	for b.Loop() {
		r, err := OpenReader(path)
		if err != nil {
			b.Fatal(err)
		}
		if err := r.Check(); err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
}

// BenchmarkWalk reads what a scan reads: all of 20 files a folder, folder by
// folder, with a query only for folders that have subfolders. A million files
// are `ACB_BENCH_FOLDERS=50000`.
func BenchmarkWalk(b *testing.B) {
	folders, path := benchManifest(b)
	b.ReportAllocs()
	for b.Loop() {
		r, err := OpenReader(path)
		if err != nil {
			b.Fatal(err)
		}
		n, size := 0, int64(0)
		var down func(id FolderID)
		down = func(id FolderID) {
			rows, err := r.Children(id)
			if err != nil {
				b.Fatal(err)
			}
			for i := range rows {
				c, err := rows[i].Files.Cursor()
				for err == nil && c.Next() {
					n++
					size += c.Stat.Size
				}
				if err != nil || c.Err() != nil {
					b.Fatal(err, c.Err())
				}
				if rows[i].Subfolders > 0 {
					down(rows[i].ID)
				}
			}
		}
		down(Root)
		if n != folders*20 {
			b.Fatalf("%d files", n)
		}
		r.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(folders*20), "ns/file")
	if st, err := os.Stat(path); err == nil {
		b.ReportMetric(float64(st.Size())/(1<<20), "MiB")
	}
}
