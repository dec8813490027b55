package manifest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBitFlips flips bits all over a manifest. Whatever then
// opens and passes Check says exactly what it said before; all else is an
// error that explains itself, and nothing panics.
func TestBitFlips(t *testing.T) {
	run := record(t)
	dir := t.TempDir()
	folded := filepath.Join(dir, "folded.db")
	if err := errors.Join(os.WriteFile(folded, run.db, 0o600), os.WriteFile(folded+"-wal", run.wal, 0o600)); err != nil {
		t.Fatal(err)
	}
	openTest(t, folded).Close()
	whole, err := os.ReadFile(folded)
	if err != nil {
		t.Fatal(err)
	}
	want := all(t, folded)
	caught := 0
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 1))
		db := append([]byte(nil), whole...)
		for range 1 + rng.IntN(4) {
			at := rng.IntN(len(db))
			if seed%3 == 0 {
				at = rng.IntN(100) // where SQLite says what all the rest is
			}
			db[at] ^= 1 << rng.IntN(8)
		}
		path := filepath.Join(dir, fmt.Sprint(seed, ".db"))
		if err := os.WriteFile(path, db, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path)
		if err == nil {
			r, readErr := s.Reader()
			if err = readErr; err == nil {
				err = errors.Join(r.Check(), r.Close())
			}
			err = errors.Join(err, s.Close())
		}
		if err == nil {
			if got := all(t, path); got != want {
				t.Errorf("seed %d: it passes the check, and holds\n%s\nwant\n%s", seed, got, want)
			}
		} else {
			caught++
			if text := err.Error(); !strings.Contains(text, path) && !strings.Contains(text, "is damaged") {
				t.Errorf("seed %d: unexplained: %v", seed, err)
			}
		}
		if err := errors.Join(remove(path)); err != nil {
			t.Fatal(err)
		}
	}
	if caught < 100 {
		t.Errorf("%d of 400 were caught: the test does not flip what matters", caught)
	}
}

// all draws all that decides what a run does.
func all(t *testing.T, path string) string {
	t.Helper()
	r, err := OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b strings.Builder
	err = r.Walk(Root, func(p Path, row Row, files []Entry) error {
		for i := range files {
			files[i].Since = 0
		}
		_, err := fmt.Fprintln(&b, p, row.Folder, row.Subfolders, files)
		return err
	})
	sources, err1 := r.Sources()
	displaced, err2 := r.Displaced()
	meta, err3 := r.c.sum(sealedTables)
	if err := errors.Join(err, err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(&b, sources, displaced, meta)
	return b.String()
}
