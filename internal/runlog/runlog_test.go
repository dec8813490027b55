package runlog

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var noon = time.Date(2026, time.November, 22, 12, 0, 0, 345e6, time.UTC)

func open(t *testing.T, dir string, o Options) *Log {
	t.Helper()
	l, err := Open(dir, NewID(noon), o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// lines reads a log back, one object a line.
func lines(t *testing.T, path string) []map[string]any {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []map[string]any
	for s := bufio.NewScanner(f); s.Scan(); {
		var m map[string]any
		if err := json.Unmarshal(s.Bytes(), &m); err != nil {
			t.Fatalf("line %d: %v: %s", len(out)+1, err, s.Text())
		}
		out = append(out, m)
	}
	return out
}

func TestID(t *testing.T) {
	east := noon.In(time.FixedZone("", 9*3600))
	a, b := NewID(east), NewID(noon.Add(time.Millisecond))
	if !strings.HasPrefix(string(a), "20261122T120000.345Z-") || a >= b {
		t.Errorf("IDs %s, %s: not UTC, or not in order", a, b)
	}
	ids := map[ID]bool{}
	for range 20 {
		ids[NewID(noon)] = true
	}
	if len(ids) < 19 { // two of 20 are alike once in 90,000 times
		t.Errorf("%d different IDs of 20", len(ids))
	}
	if got, ok := a.Time(); !ok || !got.Equal(noon) {
		t.Errorf("%s.Time() = %v, %t", a, got, ok)
	}
	for _, bad := range []ID{"", "x", "20261122T120000.345Z", "20261322T120000.345Z-0a0b0c", "../20261122T120000.345Z-0a0b0c", "20261122T120000.345Z-0A0B0C"} {
		if _, ok := bad.Time(); ok {
			t.Errorf("%q is taken for an ID", bad)
		}
		if _, err := Open(t.TempDir(), bad, Options{}); err == nil {
			t.Errorf("Open(%q) succeeds", bad)
		}
	}
}

func TestLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "log")
	l := open(t, dir, Options{})
	l.Debug("not written")
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			l.Info("upload", "path", fmt.Sprint("/a/", i), "id", "1AbC", "bytes", int64(1)<<60+1, "seconds", 1500*time.Millisecond, "error", error(nil))
		})
	}
	all.Wait()
	l.Warn("held back", "paths", []string{"a", "b"})
	got := lines(t, Path(dir, l.ID())) // before Close: nothing waits in memory
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if len(got) != 51 {
		t.Fatalf("%d lines, want 51", len(got))
	}
	if m := got[0]; m["msg"] != "upload" || m["level"] != "INFO" || m["id"] != "1AbC" || m["seconds"] != 1.5 || m["error"] != nil || m["time"] == nil {
		t.Errorf("line is %v", m)
	}
	if text, _ := os.ReadFile(Path(dir, l.ID())); !strings.Contains(string(text), `"bytes":1152921504606846977`) {
		t.Error("a large number lost its last digits")
	}
	if runtime.GOOS == "windows" {
		return // modes say nothing there
	}
	for path, want := range map[string]os.FileMode{dir: 0o700 | os.ModeDir, Path(dir, l.ID()): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s has mode %v, want %v (%v)", path, info.Mode(), want, err)
		}
	}
}

func TestLevel(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{Level: slog.LevelDebug})
	defer l.Close()
	l.Debug("request")
	if got := lines(t, Path(dir, l.ID())); len(got) != 1 || got[0]["level"] != "DEBUG" {
		t.Errorf("lines are %v", got)
	}
}

func TestOpenRefusesSecondLogOfARun(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	defer l.Close()
	if _, err := Open(dir, l.ID(), Options{}); !errors.Is(err, os.ErrExist) {
		t.Errorf("second Open: %v", err)
	}
}

// A full disk takes the first bytes of a line and refuses the rest.
type full struct {
	took strings.Builder
	room int // bytes that still fit
}

func (f *full) Write(p []byte) (int, error) {
	n := min(f.room, len(p))
	f.took.Write(p[:n])
	f.room -= n
	if n < len(p) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func (f *full) Close() error { return nil }

func TestFullDisk(t *testing.T) {
	disk := &full{room: 200}
	var told []error
	out := &file{f: disk, onError: func(err error) { told = append(told, err) }}
	log := slog.New(handler(out, nil))
	for i := range 20 {
		log.Info("upload", "path", strings.Repeat("x", 30), "n", i)
	}
	if len(told) != 1 || !errors.Is(told[0], syscall.ENOSPC) || !strings.Contains(told[0].Error(), "goes on without it") {
		t.Errorf("told %v, want one error about the disk", told)
	}
	disk.room = 1000 // space is freed
	log.Info("later", "n", 99)
	log.Info("last")
	var whole []string
	for line := range strings.Lines(disk.took.String()) {
		var m map[string]any
		if json.Unmarshal([]byte(line), &m) == nil {
			whole = append(whole, m["msg"].(string))
		}
	}
	if want := []string{"upload", "later", "last"}; !slices.Equal(whole, want) {
		t.Errorf("whole lines %v, want %v, in\n%s", whole, want, disk.took.String())
	}
}

func TestLogAfterCloseIsReported(t *testing.T) {
	var told []error
	l := open(t, t.TempDir(), Options{OnError: func(err error) { told = append(told, err) }})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l.Info("late")
	l.Info("later")
	if len(told) != 1 || !errors.Is(told[0], os.ErrClosed) {
		t.Errorf("told %v", told)
	}
}

func TestPrune(t *testing.T) {
	day := 24 * time.Hour
	dir := t.TempDir()
	var ids []ID // of runs 0, 10, ... 90 days ago
	for i := range 10 {
		began := noon.Add(-time.Duration(i) * 10 * day)
		id := NewID(began)
		ids = append(ids, id)
		put(t, Path(dir, id), began)
	}
	put(t, Path(dir, ids[8]), noon.Add(-time.Hour)) // begun long ago, still being written
	foreign := []string{"notes.jsonl", "20260101T000000.000Z-abcdef.json", string(ids[9]) + suffix + ".gz", "x" + string(ids[9]) + suffix}
	for _, name := range foreign {
		put(t, filepath.Join(dir, name), noon.Add(-500*day))
	}
	folder := NewID(noon.Add(-400 * day))
	if err := os.Mkdir(Path(dir, folder), 0o700); err != nil {
		t.Fatal(err)
	}
	long := noon.Add(-400 * day)
	if err := os.Chtimes(Path(dir, folder), long, long); err != nil {
		t.Fatal(err)
	}

	if n, err := Prune(dir, Keep{}, "", noon); n != 0 || err != nil {
		t.Errorf("without limits: %d removed, %v", n, err)
	}
	n, err := Prune(dir, Keep{Age: 55 * day}, ids[7], noon) // 60 and 90 go; 70 is in use, 80 not idle
	check(t, dir, n, err, 2, foreign, ids[:6], ids[7:9], []ID{folder})
	n, err = Prune(dir, Keep{Age: 55 * day, Count: 3}, ids[7], noon)
	check(t, dir, n, err, 3, foreign, ids[:3], ids[7:9], []ID{folder})
	if _, err := Prune(filepath.Join(dir, "none"), Keep{}, "", noon); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

func put(t *testing.T, path string, written time.Time) {
	t.Helper()
	if err := os.WriteFile(path, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, written, written); err != nil {
		t.Fatal(err)
	}
}

func check(t *testing.T, dir string, n int, err error, removed int, foreign []string, ids ...[]ID) {
	t.Helper()
	if n != removed || err != nil {
		t.Errorf("%d removed, want %d; %v", n, removed, err)
	}
	want := slices.Clone(foreign)
	for _, id := range slices.Concat(ids...) {
		want = append(want, string(id)+suffix)
	}
	slices.Sort(want)
	entries, _ := os.ReadDir(dir)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("left\n%q\nwant\n%q", got, want)
	}
}
