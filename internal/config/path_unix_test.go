//go:build !windows

package config

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestWritableByAll(t *testing.T) {
	h := newHome(t)
	if _, err := h.load(t, "backup = ['Pictures']"); err != nil {
		t.Fatal(err)
	}
	for mode, refused := range map[os.FileMode]bool{0o666: true, 0o602: true, 0o664: false, 0o444: false} {
		if err := os.Chmod(h.path("acb.toml"), mode); err != nil {
			t.Fatal(err)
		}
		_, err := Load(h.path("acb.toml"), h.env)
		if got := err != nil && strings.Contains(err.Error(), "chmod o-w"); got != refused {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

// TestSpecialSources: what can hold no files is refused, a folder that cannot
// be looked at is not, for the configuration may be right.
func TestSpecialSources(t *testing.T) {
	h := newHome(t)
	if err := syscall.Mkfifo(h.path("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.load(t, "backup = ['pipe']"); !strings.HasPrefix(h.message(err), "1: backup: ~/pipe is neither a file nor a folder") {
		t.Errorf("%v", err)
	}
	if os.Getuid() == 0 {
		return // root may look at everything
	}
	if err := os.Chmod(h.path("Documents"), 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(h.path("Documents"), 0o755)
	if _, err := h.load(t, "backup = ['Documents/sub']"); err != nil {
		t.Errorf("behind a closed door: %v", err)
	}
}
