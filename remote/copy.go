package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/api/drive/v3"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
)

// copyCall makes the call that has Drive copy the content of a Copy's twin. A
// copy has the name and folder of its original unless they are given, and what
// becomes of appProperties is not promised, so that all of them are. Its type
// stays the original's: another one may be taken for the wish to convert it.
// Source: Drive API reference, files.copy.
func (r *run) copyCall(op *plan.Op, parent manifest.FileID, clamp bool) *call {
	m := r.d.newItem(op.FileID, op.Name, op.Stat, parent, clamp)
	m.MimeType = ""
	if h := op.File.Twin.Hash; !h.IsZero() { // of what another client made it is not known
		m.AppProperties.hash = h.String()
	}
	query := r.d.shared(url.Values{"fields": {fileFields}})
	if r.forGood(op) {
		query.Set("keepRevisionForever", "true")
	}
	return &call{
		method: http.MethodPost, path: filePath(op.File.Twin.FileID) + "/copy",
		query: query, body: m, op: op,
		before: func() error { return r.asScanned(op) }, tries: r.tries(),
	}
}

func (r *run) forGood(op *plan.Op) bool { return r.env.Keep != nil && r.env.Keep(op) == ForGood }

// asScanned returns why a file is not what the scan has read any more.
func (r *run) asScanned(op *plan.Op) error {
	c, err := r.env.Open(op)
	if err != nil {
		return err
	}
	defer c.Close()
	st, err := c.Stat()
	if err == nil && st != op.Stat {
		err = errors.New("it has changed since it was read")
	}
	return err
}

// prepareCopy makes the call of a Copy; nil when there is nothing to copy, or
// no room for it.
func (r *run) prepareCopy(op *plan.Op) *call {
	if e := r.halted(op); e != nil {
		r.fail(op, e)
		return nil
	}
	if op.File.Twin.FileID == "" || op.File.Twin.Hash != op.File.New.Hash {
		r.sendInstead(op, errors.New("what it equals was not sent as it was read"))
		return nil
	}
	parent, err := r.parent(op.Parent)
	if err != nil {
		r.fail(op, err)
		return nil
	}
	return r.copyCall(op, parent, false)
}

// An uncopied error is why Drive does not copy a content, which is sent then.
type uncopied struct {
	error
	there bool // the item is on Drive, with another content
}

// copied takes in how a Copy's call ended.
func (r *run) copied(ctx context.Context, c *call, began time.Time) {
	op := c.op
	f, err := r.copyOf(ctx, c)
	if err == nil && (f.Size != op.File.Twin.Size || parseMD5(f.Md5Checksum) != op.File.Twin.MD5) {
		err = &uncopied{error: fmt.Errorf("the copy on Drive has %d bytes with MD5 %s, should have %d with %s",
			f.Size, f.Md5Checksum, op.File.Twin.Size, op.File.Twin.MD5), there: true}
	}
	if err == nil {
		err = r.mend(ctx, op, op.Stat, f)
	}
	var not *uncopied
	switch {
	case errors.As(err, &not):
		if not.there {
			r.mu.Lock()
			r.there[op.FileID] = true
			r.mu.Unlock()
		}
		r.sendInstead(op, not.error)
	case err != nil:
		r.refused(ctx, op, err, false)
	default:
		content := contentOf(f, op.File.Twin.Hash)
		content.Kept = r.forGood(op)
		r.ack(Ack{Op: op, Stat: op.Stat, Content: content}, began)
	}
}

// copyOf returns the item that a Copy made, or why there is none.
func (r *run) copyOf(ctx context.Context, c *call) (*drive.File, error) {
	op := c.op
	if c.kept != nil {
		if c.unsure {
			r.heard(op, nil, true)
		}
		return nil, &uncopied{error: c.kept}
	}
	f, e := c.file()
	r.heard(op, e, c.unsure)
	if e == nil {
		return f, nil
	}
	if e.Class == Conflict {
		if f, e = r.adoptCopy(ctx, op); e == nil {
			return f, nil
		}
	}
	again := e.Status == http.StatusBadRequest && e.Class != BadID && oddTime(op.Stat.ModTime, r.d.opt.Now())
	if e.Class == BadID {
		if err := r.renew(ctx, op); err != nil {
			return nil, err
		}
	}
	if again || e.Class == BadID {
		parent, err := r.parent(op.Parent)
		if err != nil {
			return nil, err
		}
		c := r.copyCall(op, parent, again)
		f, e = r.d.do(ctx, c)
		if c.kept == nil || c.unsure {
			r.heard(op, e, c.unsure)
		}
		switch {
		case e == nil:
			return f, nil
		case c.kept != nil:
			return nil, &uncopied{error: c.kept}
		}
	}
	switch {
	case e.Class == Conflict: // of the new id
		if f, e = r.adoptCopy(ctx, op); e == nil {
			return f, nil
		}
	case e.Class == NotFound:
		return nil, r.whichIsGone(ctx, op, e)
	case e.Reason == reasonCrowded: // which no upload mends
	case e.Class == Permanent, e.Class == BadID:
		return nil, &uncopied{error: e}
	}
	return nil, e
}

// adoptCopy takes over the item that has a Copy's reserved id already: the
// answer to an earlier try was lost.
func (r *run) adoptCopy(ctx context.Context, op *plan.Op) (*drive.File, *Error) {
	f, e := r.d.occupant(ctx, op.FileID, "name,"+fileFields)
	if name := EncodeName(op.Name, op.Stat.Kind); e == nil && f.Name != name {
		f, e = r.d.do(ctx, r.d.patchCall(op.FileID, &meta{Name: name}, fileFields))
	}
	return f, e
}

// whichIsGone tells whether Drive lacks the folder for a copy or its original.
func (r *run) whichIsGone(ctx context.Context, op *plan.Op, e *Error) error {
	parent, err := r.parent(op.Parent)
	if err != nil {
		return err
	}
	if _, pe := r.d.get(ctx, parent, "id"); pe != nil {
		if pe.Class == NotFound {
			return r.gone(op.Parent, parent)
		}
		return pe
	}
	twin := op.File.Twin.FileID
	_, te := r.d.get(ctx, twin, "id")
	if te != nil && te.Class != NotFound {
		return te
	}
	if te != nil && op.File.Twin.Since != 0 { // what this run has sent is only not to be seen yet
		r.lose(twin)
	}
	return &uncopied{error: e}
}

// sendInstead makes an upload of a Copy; it runs at the end of the stage.
func (r *run) sendInstead(op *plan.Op, why error) {
	r.d.opt.Log.Warn("not copied on Drive, sent instead", "path", string(op.Path), "id", op.FileID, "from", string(op.From), "reason", why.Error())
	op.Kind, op.File.Twin, op.From = plan.Upload, nil, ""
	r.mu.Lock()
	defer r.mu.Unlock()
	r.instead = append(r.instead, op)
}

// takeInstead returns the uploads that were to be copies.
func (r *run) takeInstead() []*plan.Op {
	r.mu.Lock()
	defer r.mu.Unlock()
	ops := r.instead
	r.instead = nil
	return ops
}

// exists reports whether a create's item is on Drive already, with a content
// that is not its own.
func (r *run) exists(op *plan.Op) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.there[op.FileID]
}
