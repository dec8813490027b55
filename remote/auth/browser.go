package auth

import (
	"errors"
	"fmt"
	"net/url"
)

// OpenBrowser opens link in the person's browser and does not wait for it. An
// error means that there is none to open.
func OpenBrowser(link string) error {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("open browser: not a web address") // and never an option or a file
	}
	cmd, err := browser(link)
	if err != nil {
		return fmt.Errorf("open browser: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("open browser: %w", err)
	}
	return cmd.Process.Release()
}
