//go:build unix && !darwin

package auth

import (
	"errors"
	"os"
	"os/exec"
)

// browser uses the desktop's own opener. Without a display it would start a
// text browser, which has no terminal here.
func browser(link string) (*exec.Cmd, error) {
	if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return nil, errors.New("no display")
	}
	return exec.Command("xdg-open", link), nil
}
