package remote

import (
	"cmp"
	"context"
	"errors"

	"google.golang.org/api/drive/v3"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
)

// mend looks at what a write answered and puts right what somebody else did
// to the item: f must have folderFields. What it sends carries the item's time
// st again, for any edit may set it to now.
func (r *run) mend(ctx context.Context, op *plan.Op, st manifest.Stat, f *drive.File) error {
	parent, err := r.parent(op.Parent)
	if err != nil {
		return err
	}
	id := manifest.FileID(f.Id)
	at := driveTime(st.ModTime, false, r.d.opt.Now())
	if len(f.Parents) > 0 && f.Parents[0] != string(parent) {
		c := r.d.patchCall(id, &meta{ModifiedTime: at}, folderFields)
		c.query.Set("addParents", string(parent))
		c.query.Set("removeParents", f.Parents[0])
		moved, e := r.d.do(ctx, c)
		if e != nil {
			return e
		}
		r.d.opt.Log.Warn("item was moved on Drive, moved back", "path", string(op.Path), "id", id, "found_in", f.Parents[0])
		f.Parents, f.Trashed = moved.Parents, moved.Trashed
	}
	if !f.Trashed {
		return nil
	}
	return r.untrash(ctx, op, id, at)
}

// maxAncestors bounds the way up from an item: Drive nests 100 folders.
// Source: Drive API guide, folder limits.
const maxAncestors = 110

// untrash is Drive's. Operations that meet the same trashed folder wait here
// and find it done.
func (r *run) untrash(ctx context.Context, op *plan.Op, id manifest.FileID, modified string) error {
	if err := r.mending.take(ctx); err != nil {
		return classify(err)
	}
	defer r.mending.give()
	return r.d.untrash(ctx, op.Path, id, modified)
}

// untrash takes an item out of the trash: the topmost folder above it that
// was trashed itself, and again while that leaves it trashed. If that folder
// is none that this sign-in sees, what is in it and seen is taken out of it.
func (d *Drive) untrash(ctx context.Context, path manifest.Path, id manifest.FileID, modified string) error {
	for range maxAncestors {
		top, last, e := d.trashedAbove(ctx, id)
		if e != nil {
			return e
		}
		c := d.patchCall(top, &meta{Trashed: new(bool)}, "id")
		switch {
		case last == nil:
			return nil
		case top == "" && len(last.Parents) == 0:
			return errors.New("it is in Drive's trash with a folder that acb may not see: take that out in the browser")
		case top == "":
			top = manifest.FileID(last.Id)
			c = d.patchCall(top, new(meta), "id")
			c.query.Set("addParents", cmp.Or(d.opt.SharedDrive, "root"))
			c.query.Set("removeParents", last.Parents[0])
		}
		if top == id {
			c.body.ModifiedTime = modified
		}
		if _, e := d.do(ctx, c); e != nil {
			return e
		}
		d.opt.Log.Warn("item was in Drive's trash, taken out", "path", string(path), "id", top)
	}
	return errors.New("it stays in Drive's trash, whatever is taken out")
}

// trashedAbove climbs from an item that is in the trash. It returns the topmost
// item that was trashed itself, "" if none is seen, and the last one that is
// seen; nil if the item is not in the trash.
func (d *Drive) trashedAbove(ctx context.Context, id manifest.FileID) (top manifest.FileID, last *drive.File, e *Error) {
	at := id
	for range maxAncestors {
		f, e := d.get(ctx, at, "id,parents,trashed,explicitlyTrashed")
		if e != nil && e.Class == NotFound && last != nil {
			return top, last, nil // above what this sign-in sees
		}
		if e != nil {
			return "", nil, e
		}
		if !f.Trashed {
			return top, last, nil
		}
		if last = f; f.ExplicitlyTrashed {
			top = at
		}
		if len(f.Parents) == 0 {
			break
		}
		at = manifest.FileID(f.Parents[0])
	}
	return top, last, nil
}
