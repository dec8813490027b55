package manifest

import (
	"path/filepath"
	"testing"
)

func openTest(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newStore(t testing.TB) *Store {
	return openTest(t, filepath.Join(t.TempDir(), "state", "manifest.db"))
}
