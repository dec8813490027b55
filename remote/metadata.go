package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/api/drive/v3"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
)

// metadata carries out operations that hold no content. With last, the
// house-keeping calls of the run ride along.
func (r *run) metadata(ctx context.Context, ops []*plan.Op, last bool) {
	for len(ops) > 0 && ctx.Err() == nil {
		n := min(len(ops), maxIDs)
		block := r.sift(ops[:n:n])
		ops = ops[n:]
		if err := r.begin(ctx, block); err != nil {
			for _, op := range block {
				r.fail(op, err)
			}
			continue
		}
		began := r.d.opt.Now()
		var calls []*call
		for _, op := range block {
			if c := r.prepare(ctx, op); c != nil {
				calls = append(calls, c)
			}
		}
		if last && len(ops) == 0 && len(calls) > 0 {
			calls = append(calls, r.takeTail(true)...)
		}
		left := map[*call]bool{}
		for _, c := range calls {
			left[c] = c.op != nil
		}
		if err := r.d.send(ctx, calls, func(c *call) {
			delete(left, c)
			r.answered(ctx, c, began)
		}); err != nil {
			for c, isOp := range left {
				if isOp {
					r.fail(c.op, classify(err))
				}
			}
		}
	}
	for _, op := range ops { // the run ended before them
		r.fail(op, &Error{Class: Canceled, Err: context.Cause(ctx)})
	}
}

// prepare makes the call of an operation; nil when it cannot be carried out.
func (r *run) prepare(ctx context.Context, op *plan.Op) *call {
	if op.Kind.Trashes() {
		if why := r.incomplete(op); why != "" {
			r.hold(op, why)
			return nil
		}
		yes := true
		c := r.d.patchCall(op.FileID, &meta{Trashed: &yes}, trashFields)
		c.op, c.before = op, func() error {
			if err := r.anew(ctx); err != nil {
				return err
			}
			return r.env.Still(op)
		}
		return c
	}
	if op.Kind == plan.Copy {
		return r.prepareCopy(op)
	}
	c, err := r.metaCall(op, false)
	if err != nil {
		r.fail(op, err)
		return nil
	}
	return c
}

// metaCall makes the call of an operation that is no trash and no copy.
func (r *run) metaCall(op *plan.Op, clamp bool) (*call, error) {
	parent, err := r.parent(op.Parent)
	if err != nil {
		return nil, err
	}
	if op.Kind == plan.CreateFolder {
		st := op.Stat
		st.Kind = manifest.Dir
		c := r.d.createCall(r.d.newItem(op.FileID, op.Name, st, parent, clamp), folderFields)
		c.op = op
		return c, nil
	}
	m, fields := new(meta), fileFields
	if op.Kind == plan.MoveFolder {
		fields = folderFields
	}
	m.stamp(op.Stat, clamp, r.d.opt.Now())
	m.Name = EncodeName(op.Name, op.Stat.Kind)
	c := r.d.patchCall(op.FileID, m, fields)
	c.op = op
	if op.Kind != plan.Patch && op.Parent != op.OldParent {
		old, err := r.parent(op.OldParent)
		if err != nil {
			return nil, err
		}
		c.query.Set("addParents", string(parent))
		c.query.Set("removeParents", string(old))
	}
	return c, nil
}

// answered takes in how a metadata call ended.
func (r *run) answered(ctx context.Context, c *call, began time.Time) {
	op := c.op
	if op == nil {
		r.housekept(c)
		return
	}
	if op.Kind == plan.Copy {
		r.copied(ctx, c, began)
		return
	}
	switch {
	case c.kept != nil && c.unsure: // a failure, after which the next run asks Drive
		r.heard(op, nil, true)
		r.fail(op, fmt.Errorf("Drive may have done it, but now: %w", c.kept))
		return
	case c.kept != nil:
		r.hold(op, c.kept.Error())
		return
	}
	f, e := c.file()
	r.heard(op, e, c.unsure)
	if op.Kind.Trashes() {
		if e == nil && !f.Trashed {
			e = &Error{Class: Permanent, Err: errors.New("Drive answered that it is not in the trash")}
		}
		if e != nil && e.Class != NotFound { // what is gone needs no trash
			r.fail(op, e)
			return
		}
		r.ack(Ack{Op: op, Stat: op.Stat, Content: manifest.Content{FileID: op.FileID}}, began)
		return
	}
	var err error
	if e != nil {
		f, err = r.redo(ctx, op, e)
	}
	if err == nil {
		err = r.mend(ctx, op, op.Stat, f)
	}
	if err != nil {
		r.refused(ctx, op, err, false)
		return
	}
	if (op.Kind == plan.MoveFile || op.Kind == plan.Patch) && drifted(op, f) {
		r.resend(ctx, op)
		return
	}
	content := manifest.Content{FileID: op.FileID}
	if op.Kind == plan.MoveFile || op.Kind == plan.Patch {
		content = contentOf(f, op.Old.Hash)
		content.Kept = op.Old.Kept && content.HeadRevision == op.Old.HeadRevision
	}
	r.ack(Ack{Op: op, Stat: op.Stat, Content: content}, began)
}

// drifted reports whether a file's content on Drive is not what was
// acknowledged: another program has written to it.
func drifted(op *plan.Op, f *drive.File) bool {
	return !op.Old.MD5.IsZero() && parseMD5(f.Md5Checksum) != op.Old.MD5
}

// resend puts a content back that somebody changed on Drive.
func (r *run) resend(ctx context.Context, op *plan.Op) {
	r.d.opt.Log.Warn("content on Drive was changed by another program, sent again", "path", string(op.Path), "id", op.FileID)
	if err := r.record([]*plan.Op{op}); err != nil {
		r.fail(op, err)
		return
	}
	r.content(ctx, op)
}

// redo does what is left to do when an operation's call was refused with e:
// it returns the item as it is after all, or why that cannot be.
func (r *run) redo(ctx context.Context, op *plan.Op, e *Error) (*drive.File, error) {
	if e.Class == Conflict && op.Kind == plan.CreateFolder {
		var f *drive.File
		if f, e = r.adoptFolder(ctx, op); e == nil {
			return f, nil
		}
	}
	switch {
	case e.Class == BadID && op.Kind == plan.CreateFolder:
		if err := r.renew(ctx, op); err != nil {
			return nil, err
		}
		return r.repeat(ctx, op, false)
	case e.Status == 400 && oddTime(op.Stat.ModTime, r.d.opt.Now()):
		return r.repeat(ctx, op, true)
	case e.Class == NotFound || e.Reason == "cannotAddParent" || e.Reason == "teamDrivesParentLimit":
		return r.replace(ctx, op, e)
	}
	return nil, e
}

// repeat sends an operation's call once more, on its own.
func (r *run) repeat(ctx context.Context, op *plan.Op, clamp bool) (*drive.File, error) {
	c, err := r.metaCall(op, clamp)
	if err != nil {
		return nil, err
	}
	return r.doFor(ctx, op, c)
}

// doFor carries out one more call for an operation.
func (r *run) doFor(ctx context.Context, op *plan.Op, c *call) (*drive.File, error) {
	f, e := r.d.do(ctx, c)
	r.heard(op, e, c.unsure)
	if e != nil {
		return nil, e
	}
	return f, nil
}

// adoptFolder takes over a folder that exists under the id reserved for it:
// the answer to an earlier try was lost.
func (r *run) adoptFolder(ctx context.Context, op *plan.Op) (*drive.File, *Error) {
	f, e := r.d.occupant(ctx, op.FileID, "name,"+folderFields)
	if e == nil && f.Name != EncodeName(op.Name, manifest.Dir) {
		f, e = r.d.do(ctx, r.d.patchCall(op.FileID, &meta{Name: EncodeName(op.Name, manifest.Dir)}, folderFields))
	}
	return f, e
}

// replace finds out which of the items that an operation names is not where
// it was: the item itself or its folder may be gone, or it was moved.
func (r *run) replace(ctx context.Context, op *plan.Op, e *Error) (*drive.File, error) {
	parent, err := r.parent(op.Parent)
	if err != nil {
		return nil, err
	}
	if _, pe := r.d.get(ctx, parent, "id"); pe != nil {
		if pe.Class == NotFound {
			return nil, r.gone(op.Parent, parent)
		}
		return nil, pe
	}
	if op.Kind == plan.CreateFolder {
		return nil, e
	}
	f, fe := r.d.get(ctx, op.FileID, "parents")
	switch {
	case fe != nil && fe.Class == NotFound:
		if op.Kind == plan.MoveFolder {
			return nil, r.gone(op.Folder, op.FileID)
		}
		return nil, &LostError{op.FileID}
	case fe != nil:
		return nil, fe
	}
	c, err := r.metaCall(op, false)
	if err != nil {
		return nil, err
	}
	c.query.Del("addParents")
	c.query.Del("removeParents")
	if len(f.Parents) > 0 && !slices.Contains(f.Parents, string(parent)) {
		c.query.Set("addParents", string(parent))
		c.query.Set("removeParents", f.Parents[0])
		r.d.opt.Log.Warn("item was moved on Drive, moved back", "path", string(op.Path), "id", op.FileID, "found_in", f.Parents[0])
	}
	return r.doFor(ctx, op, c)
}
