// Package docs holds the tests that keep the documents true.
package docs

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/autocloudbackup/acb"

// TestDrawing compares the drawing of the rooms in ARCHITECTURE.md with what
// the packages import, both ways: layers cannot rot, and neither can the page.
func TestDrawing(t *testing.T) {
	drawn := drawing(t)
	for room, imports := range importsOf(t) {
		want, ok := drawn[room]
		if !ok {
			t.Errorf("ARCHITECTURE.md does not draw %s, which imports %v", room, imports)
			continue
		}
		if !slices.Equal(want, imports) {
			t.Errorf("%s imports %v, ARCHITECTURE.md draws %v", room, imports, want)
		}
		delete(drawn, room)
	}
	for room := range drawn {
		t.Errorf("ARCHITECTURE.md draws %s, which does not exist", room)
	}
}

// drawing reads the lines "room → room, room" of ARCHITECTURE.md.
func drawing(t *testing.T) map[string][]string {
	text, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	rooms := make(map[string][]string)
	for line := range strings.Lines(string(text)) {
		room, list, ok := strings.Cut(line, "→")
		if !ok || strings.HasPrefix(line, "-") || strings.Contains(line, "|") {
			continue
		}
		var imports []string
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); name != "" && name != "(nothing of acb)" {
				imports = append(imports, name)
			}
		}
		slices.Sort(imports)
		rooms[strings.TrimSpace(room)] = imports
	}
	if len(rooms) < 5 {
		t.Fatalf("ARCHITECTURE.md has no drawing that this test understands: %v", rooms)
	}
	return rooms
}

// importsOf asks the go command which rooms each room imports, tests left out.
func importsOf(t *testing.T) map[string][]string {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,GoFiles", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	rooms := make(map[string][]string)
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p struct {
			ImportPath       string
			Imports, GoFiles []string
		}
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) == 0 {
			continue // tests only
		}
		var imports []string
		for _, i := range p.Imports {
			if room, ok := strings.CutPrefix(i, module+"/"); ok {
				imports = append(imports, room)
			}
		}
		slices.Sort(imports)
		rooms[strings.TrimPrefix(p.ImportPath, module+"/")] = imports
	}
	return rooms
}

// TestClock sees to it that the time is taken in one place, so that every
// other one can be given a clock.
func TestClock(t *testing.T) {
	cmd := exec.Command("git", "grep", "-n", "-F", "time.Now", "--", "*.go", ":!*_test.go")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git grep: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		file, rest, _ := strings.Cut(line, ":")
		_, code, _ := strings.Cut(rest, ":")
		code, _, _ = strings.Cut(code, "//")
		allowed := file == "cmd/acb/main.go" ||
			strings.HasPrefix(file, "remote/drivetest/") || // a server of its own
			strings.HasPrefix(file, "internal/bench/")
		if !allowed && strings.Contains(code, "time.Now") {
			t.Errorf("%s takes the time itself: %s", file, strings.TrimSpace(code))
		}
	}
}
