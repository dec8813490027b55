package remote

import (
	"context"

	"github.com/autocloudbackup/acb/manifest"
)

// A Fix says how an item on Drive should be that somebody else has touched.
type Fix struct {
	Path    manifest.Path // for errors and the log
	FileID  manifest.FileID
	Kind    manifest.Kind
	Name    string          // as on disk; "" leaves the one it has
	Parent  manifest.FileID // "" leaves it where it is
	From    manifest.FileID // where it is
	Untrash bool            // it was trashed itself
	ModTime int64           // nanoseconds since 1970; 0 sends none. Any edit may set it to now.
}

// PutBack puts items back to where they belong, up to 100 a request. The fixes
// must not depend on each other: what belongs into a folder that is to be moved
// itself comes in a later call. done is told once of each, with the error that
// it failed with: a *LostError, an *Error. PutBack returns why it had to stop
// before all were tried.
func (d *Drive) PutBack(ctx context.Context, fixes []Fix, done func(Fix, error)) error {
	return d.fix(ctx, fixes, "put back", func(f Fix, err error) {
		if err == nil {
			d.opt.Log.Warn("item was changed on Drive by somebody else, put back", "path", string(f.Path), "id", f.FileID,
				"moved", f.Parent != "", "renamed", f.Name != "", "trashed", f.Untrash)
		}
		done(f, err)
	})
}

// fix carries out the fixes; do says what for.
func (d *Drive) fix(ctx context.Context, fixes []Fix, do string, done func(Fix, error)) error {
	calls := make([]*call, len(fixes))
	of := make(map[*call]Fix, len(fixes))
	for i, f := range fixes {
		calls[i] = d.fixCall(f, false)
		of[calls[i]] = f
	}
	err := d.send(ctx, calls, func(c *call) {
		f := of[c]
		if c.err != nil {
			c = d.fixAgain(ctx, f, c)
		}
		if c.err != nil {
			done(f, c.err.about(do, f.Path, f.FileID))
			return
		}
		done(f, nil)
	})
	if err != nil {
		return classify(err).about(do, "", "")
	}
	return nil
}

// fixAgain tries a fix that was refused once more: the time may be one that
// Drive does not take, or the item is elsewhere by now.
func (d *Drive) fixAgain(ctx context.Context, f Fix, c *call) *call {
	clamp := c.err.Status == 400 && f.ModTime != 0 && oddTime(f.ModTime, d.opt.Now())
	moved := c.err.Class == NotFound || c.err.Reason == "cannotAddParent"
	if moved && f.Parent != "" {
		now, e := d.get(ctx, f.FileID, "parents")
		if e != nil || len(now.Parents) == 0 || now.Parents[0] == string(f.From) {
			return c
		}
		f.From = manifest.FileID(now.Parents[0])
	}
	if !clamp && !moved {
		return c
	}
	c = d.fixCall(f, clamp)
	if _, e := d.do(ctx, c); e != nil {
		c.err = e
	}
	return c
}

func (d *Drive) fixCall(f Fix, clamp bool) *call {
	m := new(meta)
	if f.Name != "" {
		m.Name = EncodeName(f.Name, f.Kind)
	}
	if f.Untrash {
		m.Trashed = new(bool)
	}
	if f.ModTime != 0 {
		m.ModifiedTime = driveTime(f.ModTime, clamp, d.opt.Now())
	}
	c := d.patchCall(f.FileID, m, folderFields)
	if f.Parent != "" && f.Parent != f.From {
		c.query.Set("addParents", string(f.Parent))
		if f.From != "" {
			c.query.Set("removeParents", string(f.From))
		}
	}
	return c
}

// Untrash takes an item out of the trash that is there because of a folder
// above it: the topmost one that was trashed itself is taken out.
func (d *Drive) Untrash(ctx context.Context, f Fix) error {
	at := ""
	if f.ModTime != 0 {
		at = driveTime(f.ModTime, false, d.opt.Now())
	}
	return d.untrash(ctx, f.Path, f.FileID, at)
}
