package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// named returns the file that a script's word names.
func named(ts *testscript.TestScript, word string) string {
	name, err := strconv.Unquote(`"` + word + `"`)
	if err != nil {
		ts.Fatalf("%s: write it as a Go string without the quotes: %v", word, err)
	}
	return ts.MkAbs(name)
}

// fileCommand makes a file that looks random.
func fileCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: file NAME SIZE")
	}
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	sum := fnv.New64a()
	sum.Write([]byte(args[0]))
	var seed [32]byte
	copy(seed[:], sum.Sum(nil))
	content := make([]byte, size)
	rand.NewChaCha8(seed).Read(content) // never fails
	file := named(ts, args[0])
	ts.Check(os.MkdirAll(filepath.Dir(file), 0o755))
	ts.Check(os.WriteFile(file, content, 0o644))
	old := time.Now().Add(-time.Hour)
	ts.Check(os.Chtimes(file, old, old))
}

// manyCommand makes or rewrites files NAME-1, NAME-2, ...
func manyCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: many NAME N [TEXT]")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	first := named(ts, args[0])
	ts.Check(os.MkdirAll(filepath.Dir(first), 0o755))
	for i := range n {
		name := fmt.Sprintf("%s-%d", first, i+1)
		text := filepath.Base(name) // so that no two are the same
		if len(args) > 2 {
			text += " " + args[2]
		}
		ts.Check(os.WriteFile(name, []byte(text+"\n"), 0o644))
	}
}

// copyTreeCommand copies a folder with the modes of its files.
func copyTreeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: copytree FOLDER NEW")
	}
	from, to := ts.MkAbs(args[0]), ts.MkAbs(args[1])
	ts.Check(os.CopyFS(to, os.DirFS(from)))
	ts.Check(filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		return os.Chmod(to+strings.TrimPrefix(path, from), info.Mode().Perm())
	}))
}

// shm is a file system of its own on every Linux that has it.
const shm = "/dev/shm"

// otherFSCommand makes NAME a link to a copy of FOLDER on another file system.
func otherFSCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: otherfs FOLDER NAME")
	}
	dir, err := os.MkdirTemp(shm, "acb-script-")
	ts.Check(err)
	ts.Defer(func() { os.RemoveAll(dir) })
	ts.Check(os.CopyFS(dir, os.DirFS(ts.MkAbs(args[0]))))
	ts.Check(os.Symlink(dir, ts.MkAbs(args[1])))
}

// mtimeCommand sets the time of a file or folder.
func mtimeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mtime NAME AGE|TIME")
	}
	at, err := time.Parse(time.RFC3339Nano, args[1])
	if err != nil {
		var age time.Duration
		age, err = time.ParseDuration(args[1])
		at = time.Now().Add(-age)
	}
	ts.Check(err)
	ts.Check(os.Chtimes(named(ts, args[0]), at, at))
}

// fifoCommand makes a named pipe.
func fifoCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fifo NAME")
	}
	ts.Check(mkfifo(named(ts, args[0])))
}

// summaryOf reads the last line of a --json output.
func summaryOf(ts *testscript.TestScript, file string) map[string]json.RawMessage {
	lines := strings.Split(strings.TrimSpace(ts.ReadFile(file)), "\n")
	var sum map[string]json.RawMessage
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &sum); err != nil {
		ts.Fatalf("the last line of %s is no summary: %v", file, err)
	}
	if kind := string(sum["type"]); kind != `"summary"` {
		ts.Fatalf("the last line of %s is of type %s, not a summary", file, kind)
	}
	return sum
}

// summaryCommand compares counters of the summary on stdout.
func summaryCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: summary KEY=VALUE... | summary keys | summary same FILE KEY...")
	}
	sum := summaryOf(ts, "stdout")
	switch args[0] {
	case "keys":
		fmt.Fprintln(ts.Stdout(), strings.Join(slices.Sorted(maps.Keys(sum)), "\n"))
		return
	case "same":
		other := summaryOf(ts, args[1])
		for _, key := range args[2:] {
			if len(sum[key]) == 0 || string(sum[key]) != string(other[key]) {
				ts.Fatalf("%s is %s, and %s in %s", key, sum[key], other[key], args[1])
			}
		}
		return
	}
	for _, arg := range args {
		key, want, ok := strings.Cut(arg, "=")
		if !ok {
			ts.Fatalf("%s: write KEY=VALUE", arg)
		}
		if got, ok := sum[key]; !ok {
			ts.Fatalf("the summary has no %s", key)
		} else if string(got) != want {
			ts.Fatalf("%s is %s, want %s", key, got, want)
		}
	}
}

// olderCommand makes a manifest one of format 3: later ones are under a seal.
func olderCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: older MANIFEST")
	}
	db, err := sql.Open("sqlite", ts.MkAbs(args[0])) // the driver is manifest's
	ts.Check(err)
	defer db.Close()
	_, err = db.Exec("ALTER TABLE source ADD COLUMN files INTEGER NOT NULL DEFAULT 0; ALTER TABLE entry_was DROP COLUMN kept; PRAGMA user_version = 3")
	ts.Check(err)
}
