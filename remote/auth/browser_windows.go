package auth

import (
	"os"
	"os/exec"
	"path/filepath"
)

// browser calls the shell's handler for addresses directly: cmd's start would
// take the & between parameters for the end of the command.
func browser(link string) (*exec.Cmd, error) {
	rundll := filepath.Join(os.Getenv("SystemRoot"), "System32", "rundll32.exe")
	return exec.Command(rundll, "url.dll,FileProtocolHandler", link), nil
}
