package manifest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestSetAside: what is set aside keeps its place until another takes it, and
// takes its log along.
func TestSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "manifest.db")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.WriteFile(path+suffix, []byte("was"+suffix), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kept := path + ".before"
	if err := setAside(path, kept); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{path: "was", kept: "was", kept + "-wal": "was-wal"} {
		if got, err := os.ReadFile(name); string(got) != want || err != nil {
			t.Errorf("%s holds %q, %v", name, got, err)
		}
	}
	for _, name := range []string{path + "-wal", path + "-shm"} {
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is there still: %v", name, err)
		}
	}
	if err := setAside(path+"none", kept+"none"); err != nil {
		t.Errorf("of nothing: %v", err)
	}
	if name := free(kept); name != kept+"-2" {
		t.Errorf("twice in a second: %s", name)
	}
}
