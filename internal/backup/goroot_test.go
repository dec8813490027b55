package backup_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// TestOracleGoTree backs up the source of the Go toolchain, read in place.
func TestOracleGoTree(t *testing.T) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skip("no Go toolchain: ", err)
	}
	src := realDir(t, filepath.Join(strings.TrimSpace(string(out)), "src"))
	w := newWorld(t, drivetest.Options{})
	w.sources = []string{src}
	if testing.Short() {
		w.sources = []string{filepath.Join(src, "net"), filepath.Join(src, "encoding"), filepath.Join(src, "unicode")}
	}
	w.ok()
	w.compare()
	w.quiet()
}
