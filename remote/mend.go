package remote

import (
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
		r.d.opt.Log.Warn("item was moved on Drive, moved back", "path", string(op.Path), "id", id, "from", f.Parents[0])
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

// untrash takes an item out of the trash: the topmost folder above it that
// was trashed itself, and again while that leaves it trashed. Operations that
// meet the same trashed folder wait here and find it done.
func (r *run) untrash(ctx context.Context, op *plan.Op, id manifest.FileID, modified string) error {
	r.mending.Lock()
	defer r.mending.Unlock()
	for range maxAncestors {
		var top manifest.FileID
		at := id
		for range maxAncestors {
			f, e := r.d.get(ctx, at, "id,parents,trashed,explicitlyTrashed")
			if e != nil && e.Class == NotFound && at != id {
				break // above what this sign-in sees
			}
			if e != nil {
				return e
			}
			if !f.Trashed {
				break
			}
			if f.ExplicitlyTrashed {
				top = manifest.FileID(f.Id)
			}
			if len(f.Parents) == 0 {
				break
			}
			at = manifest.FileID(f.Parents[0])
		}
		if top == "" {
			return nil
		}
		no := false
		m := &meta{Trashed: &no}
		if top == id {
			m.ModifiedTime = modified
		}
		if _, e := r.d.do(ctx, r.d.patchCall(top, m, "id")); e != nil {
			return e
		}
		r.d.opt.Log.Warn("item was in Drive's trash, taken out", "path", string(op.Path), "id", top)
	}
	return errors.New("it stays in Drive's trash, whatever is taken out")
}
