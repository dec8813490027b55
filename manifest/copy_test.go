package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

const secret = "https://example.com/upload?upload_id=very-secret-address"

// TestCopy copies a manifest that is in use: what is folded is in the copy,
// the journal is not, and of the address in it not a byte.
func TestCopy(t *testing.T) {
	s := newStore(t)
	do(t, s, putFolder(2, Root, "d"), put(2, "a", "1"), put(Root, "b", "2"))
	begun := []Intent{{Kind: CreateFile, Folder: 2, Name: "c", FileID: "3", Stat: Stat{Kind: File}, Session: Session{Address: secret, FileID: "3", Name: "c", Stat: Stat{Kind: File}}}}
	if err := errors.Join(s.Begin(begun), s.KeepIDs([]FileID{"4"}, noon), s.Ack([]Step{put(2, "later", "5")})); err != nil {
		t.Fatal(err)
	}
	to := CopyPath(s.Path())
	if err := Copy(s.Path(), to, noon); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(to)
	if err != nil || !st.ModTime().Equal(noon) || runtime.GOOS != "windows" && st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	if content, err := os.ReadFile(to); err != nil || bytes.Contains(content, []byte("secret")) {
		t.Errorf("the copy holds the address of an upload; %v", err)
	}
	if log, err := os.ReadFile(s.Path() + "-wal"); err != nil || !bytes.Contains(log, []byte("secret")) {
		t.Errorf("the journal does not hold the address, so that this test tells nothing; %v", err)
	}
	c := openTest(t, to)
	if got := tree(t, c); got != "b=2 d/ d/a=1" {
		t.Errorf("the copy holds %q", got)
	}
	if left, err := c.Unsettled(); len(left) != 0 || err != nil {
		t.Errorf("Unsettled() = %v, %v", left, err)
	}
	if list, err := filepath.Glob(filepath.Dir(to) + "/*.new*"); len(list) != 0 || err != nil {
		t.Errorf("left behind: %v, %v", list, err)
	}
}

// TestCopyOfDamaged: what fails the check does not take the place of the last
// good copy.
func TestCopyOfDamaged(t *testing.T) {
	s := newStore(t)
	do(t, s, put(Root, "a", "1"))
	to := CopyPath(s.Path())
	if err := Copy(s.Path(), to, noon); err != nil {
		t.Fatal(err)
	}
	good, _ := os.ReadFile(to)
	if err := s.c.exec("UPDATE folder SET files = x'00'"); err != nil {
		t.Fatal(err)
	}
	if err := Copy(s.Path(), to, noon); !IsBroken(err) {
		t.Errorf("Copy = %v", err)
	}
	if now, err := os.ReadFile(to); err != nil || !bytes.Equal(good, now) {
		t.Errorf("the last good copy was changed; %v", err)
	}
	if list, err := filepath.Glob(filepath.Dir(to) + "/*.new*"); len(list) != 0 || err != nil {
		t.Errorf("left behind: %v, %v", list, err)
	}
}

func TestCopyIsDue(t *testing.T) {
	s := newStore(t)
	do(t, s, put(Root, strings.Repeat("x", 1<<20), "1"))
	s.Close()
	due := func(at time.Time) bool {
		t.Helper()
		due, err := CopyIsDue(s.Path(), at)
		if err != nil {
			t.Fatal(err)
		}
		return due
	}
	if !due(noon) {
		t.Error("without a copy, none is due")
	}
	if err := Copy(s.Path(), CopyPath(s.Path()), noon); err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]bool{-time.Second: true, 20 * time.Second: false, 5 * time.Minute: true} {
		if due(noon.Add(after)) != want {
			t.Errorf("due %v after the last: %v", after, !want)
		}
	}
}

// TestRestore goes back to a copy from whatever state the manifest is in.
func TestRestore(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"good":    func(string) error { return nil },
		"empty":   func(path string) error { return os.Truncate(path, 0) },
		"missing": os.Remove,
		"garbage": func(path string) error { return os.WriteFile(path, []byte("garbage"), 0o600) },
		"with a log": func(path string) error { // of another database, which must not come into this one
			return os.WriteFile(path+"-wal", []byte("garbage"), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			do(t, s, put(Root, "a", "1"))
			if err := Copy(s.Path(), CopyPath(s.Path()), noon); err != nil {
				t.Fatal(err)
			}
			do(t, s, put(Root, "b", "2"))
			s.Close()
			if err := spoil(s.Path()); err != nil {
				t.Fatal(err)
			}
			was, _ := os.ReadFile(s.Path())
			kept, err := Restore(s.Path(), CopyPath(s.Path()), "until", noon)
			if err != nil || (kept == "") != (name == "missing") {
				t.Fatalf("Restore = %q, %v", kept, err)
			}
			if got := tree(t, openTest(t, s.Path())); got != "a=1" {
				t.Errorf("restored: %q", got)
			}
			if now, _ := os.ReadFile(kept); !bytes.Equal(was, now) {
				t.Errorf("what was there is not in %q", kept)
			}
			if list, _ := filepath.Glob(filepath.Dir(s.Path()) + "/*.new*"); len(list) != 0 {
				t.Errorf("left behind: %v", list)
			}
		})
	}
	s := newStore(t)
	s.Close()
	garbage := filepath.Join(t.TempDir(), "garbage.db")
	if err := os.WriteFile(garbage, []byte(fmt.Sprintf("%8192d", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(s.Path(), garbage, "until", noon); !IsBroken(err) {
		t.Errorf("Restore = %v", err)
	}
	openTest(t, s.Path())
}
