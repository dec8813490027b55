//go:build unix

package manifest

import (
	"errors"
	"os"
)

// syncDir makes durable which files a folder holds.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
