package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A home is a made-up user's: home/ana with folders, and a place for acb.toml.
type home struct {
	dir string
	env Env
}

func newHome(t testing.TB) home {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir()) // macOS: /var is a link
	if err != nil {
		t.Fatal(err)
	}
	h := home{dir: dir}
	for _, d := range []string{"Documents/sub", "Pictures", "we$ird/[x]"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(h.path("notes.txt"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{"DOCS": h.path("Documents"), "EMPTY": "", "W": "we$ird"}
	h.env = Env{
		Home: dir, ConfigHome: h.path(".config"), StateHome: h.path(".state"), Hostname: "laptop",
		Lookup: func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
	}
	return h
}

func (h home) path(rel string) string { return filepath.Join(h.dir, filepath.FromSlash(rel)) }

// load writes acb.toml into the home and loads it.
func (h home) load(t testing.TB, src string) (*Config, error) {
	t.Helper()
	file := h.path("acb.toml")
	if err := os.WriteFile(file, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(file, h.env)
}

// message is an error as the tables have it: the home and the file cut down.
func (h home) message(err error) string {
	if err == nil {
		return ""
	}
	s := strings.ReplaceAll(err.Error(), h.path("acb.toml")+":", "")
	return strings.ReplaceAll(filepath.ToSlash(s), filepath.ToSlash(h.dir), "~")
}
