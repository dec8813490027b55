package auth

import "os/exec"

// browser uses the system's opener.
func browser(link string) (*exec.Cmd, error) { return exec.Command("open", link), nil }
