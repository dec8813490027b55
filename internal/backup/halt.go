package backup

import (
	"encoding/json"
	"fmt"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// halt returns why the last run sent no more contents, nil if it did.
func (r *run) halt() (*remote.Halt, error) {
	text, err := r.Store.Meta(metaHalt)
	if err != nil {
		return nil, err
	}
	return readHalt(text)
}

// Halt returns what stands in the way of contents as of the last run, nil if
// nothing does.
func Halt(known *manifest.Reader) (*remote.Halt, error) {
	text, err := known.Meta(metaHalt)
	if err != nil {
		return nil, err
	}
	return readHalt(text)
}

func readHalt(text string) (*remote.Halt, error) {
	if text == "" {
		return nil, nil
	}
	h := new(remote.Halt)
	if err := json.Unmarshal([]byte(text), h); err != nil {
		return nil, fmt.Errorf("read manifest: %s: %w", metaHalt, err)
	}
	return h, nil
}

// keepHalt makes durable what the next run has to know.
func (r *run) keepHalt(h *remote.Halt) error {
	text := []byte(nil)
	if h != nil {
		var err error
		if text, err = json.Marshal(h); err != nil {
			return fmt.Errorf("write manifest: %s: %w", metaHalt, err)
		}
	}
	was, err := r.Store.Meta(metaHalt)
	if err != nil || was == string(text) {
		return err
	}
	return r.Store.SetMeta(map[string]string{metaHalt: string(text)})
}
