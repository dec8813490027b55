//go:build unix

package auth

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/kballard/go-shellquote"
)

// checkPrivate returns why a file is not its owner's alone, and what to run.
// Another owner is refused too: the file would be rewritten under the wrong
// name, and its owner locked out.
func checkPrivate(file string, info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%s can be read or changed by others (mode %04o); run: %s", file, mode, shellquote.Join("chmod", "600", file))
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user id %d, and acb runs as %d; run acb as the owner", file, st.Uid, os.Geteuid())
	}
	return nil
}
