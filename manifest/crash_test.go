package manifest

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestMain turns the test binary into the program that TestKilled kills.
func TestMain(m *testing.M) {
	if path := os.Getenv("ACB_TEST_WRITE_MANIFEST"); path != "" {
		writeForever(path)
	}
	os.Exit(m.Run())
}

// writeForever begins, acknowledges and folds creations in groups, and prints
// the number of files after each group that Ack returned from.
func writeForever(path string) {
	s, err := Open(path)
	check := func(err error) {
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
	}
	check(err)
	s.BeginRun("scan", noon)
	r, err := s.Reader()
	check(err)
	n, err := r.SubtreeCounts(Root)
	check(err)
	check(r.Close())
	for files := int(n.Files); ; {
		group := make([]Intent, 1+files%40)
		for i := range group {
			group[i] = Intent{Kind: CreateFile, Folder: Root, Name: fmt.Sprint("f", files+i), FileID: FileID(fmt.Sprint("id", files+i)), Stat: Stat{Kind: File}}
		}
		check(s.Begin(group))
		steps := make([]Step, len(group))
		for i, in := range group {
			steps[i] = put(Root, in.Name, in.FileID)
			steps[i].Intent = in.Seq
		}
		check(s.Ack(steps))
		files += len(group)
		fmt.Println(files)
		if files%3 == 0 {
			check(s.Fold())
		}
	}
}

// TestKilled kills the writer at some instant, again and again. Whatever it
// had acknowledged is there, nothing is there by halves, and what is not there
// is still in the journal as begun.
func TestKilled(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "manifest.db")
	total := 0
	for round := range 8 {
		child := exec.Command(self)
		child.Env = append(os.Environ(), "ACB_TEST_WRITE_MANIFEST="+path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 2 + rand.IntN(30) { // some groups, then the middle of one
			lines.Scan()
		}
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		said := 0
		for ok := true; ok; ok = lines.Scan() {
			if _, err := fmt.Sscan(lines.Text(), &said); err != nil {
				t.Fatalf("round %d: the writer said %q", round, lines.Text())
			}
		}
		_ = child.Wait() // killed, as it says
		if said <= total {
			t.Fatalf("round %d: the writer wrote nothing", round)
		}

		s := openTest(t, path)
		r := newReader(t, s)
		if err := r.Check(); err != nil {
			t.Fatal(err)
		}
		root, _, err := r.Row(Root)
		if err != nil {
			t.Fatal(err)
		}
		files, err := r.Entries(root)
		if err != nil {
			t.Fatal(err)
		}
		have := map[string]bool{}
		for _, e := range files {
			have[e.Name] = true
		}
		for i := range max(said, len(files)) {
			if !have[fmt.Sprint("f", i)] {
				t.Fatalf("round %d: %d files were acknowledged, %d are there, and number %d is not", round, said, len(files), i)
			}
		}
		begun, err := s.Unsettled()
		if err != nil {
			t.Fatal(err)
		}
		var seqs []int64
		for _, in := range begun {
			if have[in.Name] {
				t.Fatalf("round %d: %s is there, and unsettled too", round, in.Name)
			}
			seqs = append(seqs, in.Seq)
		}
		if err := s.Settle(seqs...); err != nil {
			t.Fatal(err)
		}
		total = len(files)
		r.Close()
		s.Close()
	}
}
