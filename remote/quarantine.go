package remote

import (
	"context"

	"github.com/autocloudbackup/acb/manifest"
)

// Quarantine moves items out of the backup into a folder beside the host
// folder, "<host> quarantine", as PutBack does with the fixes, and returns that
// folder. Folder is the one of another time, "" if none is known; one that is
// gone or trashed is replaced by a new one. begin is told its reserved id before
// it is used, and makes it durable.
func (d *Drive) Quarantine(ctx context.Context, top, folder manifest.FileID, begin func(manifest.FileID) error, items []Fix, done func(Fix, error)) error {
	if folder != "" {
		f, e := d.get(ctx, folder, "id,trashed")
		switch {
		case e != nil && e.Class != NotFound:
			return e.about("look for the quarantine folder", "", folder)
		case e != nil, f.Trashed:
			folder = ""
		}
	}
	if folder == "" {
		ids, e := d.reserve(ctx, 1, 1)
		if e != nil {
			return e
		}
		folder = ids[0]
		if err := begin(folder); err != nil {
			return err
		}
		if e := d.makeFolder(ctx, folder, d.opt.Host+" quarantine", top, kindDir); e != nil {
			return e
		}
	}
	for i := range items {
		items[i].Parent = folder
	}
	return d.fix(ctx, items, "move into quarantine", func(f Fix, err error) {
		if err == nil {
			d.opt.Log.Warn("item moved into quarantine", "path", string(f.Path), "id", f.FileID, "name", f.Name)
		}
		done(f, err)
	})
}
