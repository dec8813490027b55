package remote

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/autocloudbackup/acb/manifest"
)

// Remove takes files off Drive for good, up to 100 a request: nothing brings
// them back. Of a folder it would take all along that anybody put into it, so
// it is for files only; what is gone already is fine. The result has the error
// of each that is not known to be gone; the error is why it had to stop.
func (d *Drive) Remove(ctx context.Context, ids []manifest.FileID) (map[manifest.FileID]error, error) {
	calls := make([]*call, len(ids))
	of := make(map[*call]manifest.FileID, len(ids))
	for i, id := range ids {
		calls[i] = &call{method: http.MethodDelete, path: filePath(id), query: d.shared(url.Values{})}
		of[calls[i]] = id
	}
	failed := make(map[manifest.FileID]error)
	err := d.send(ctx, calls, func(c *call) {
		id := of[c]
		delete(of, c)
		if c.err != nil && c.err.Class != NotFound {
			failed[id] = c.err.about("remove", "", id)
			return
		}
		d.opt.Log.Info("removed for good", "id", string(id))
	})
	if err != nil {
		err = fmt.Errorf("remove files: %w", classify(err))
		for _, id := range of { // without an answer
			failed[id] = err
		}
	}
	return failed, err
}
