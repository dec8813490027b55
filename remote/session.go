package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/api/drive/v3"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
)

// SessionLife is how long Drive keeps a half-sent upload.
// Source: Drive API guide, "Upload file data", resumable.
const SessionLife = 7 * 24 * time.Hour

// A session is a resumable upload under way.
type session struct {
	manifest.Session
	address string  // where it goes on; never logged
	total   int64   // bytes
	stored  int64   // bytes that Drive has
	sum     *digest // of the bytes before the next that is read
}

// errGone says that a session cannot be gone on with.
var errGone = errors.New("the half-sent upload cannot be gone on with")

// open begins a session and has the journal keep it.
func (s *sender) open(ctx context.Context) (*session, error) {
	d := s.run.d
	s.earlier = false
	m := s.meta()
	method, address := s.target("resumable")
	ses := &session{total: s.stat.Size, sum: newDigest(), Session: manifest.Session{
		FileID: s.op.FileID, Parent: s.parent, Name: s.op.Name, Hash: s.scanned(), Stat: s.stat,
		Begun: d.opt.Now().UnixNano(),
	}}
	e := d.try(ctx, 1, s.run.tries(), func(ctx context.Context) error {
		resp, answer, err := s.post(ctx, upload{
			method: method, address: address,
			header: http.Header{
				"Content-Type":            {"application/json; charset=UTF-8"},
				"X-Upload-Content-Type":   {m.MimeType},
				"X-Upload-Content-Length": {strconv.FormatInt(s.stat.Size, 10)},
			},
			form: form{head: m.json()},
		})
		if err == nil {
			err = refusal(resp, answer)
		}
		if err == nil {
			ses.Address, ses.address, err = d.sessionAddress(resp.Header.Get("Location"))
		}
		return err
	})
	s.run.heard(s.op, e, false)
	if e != nil {
		return nil, e
	}
	return ses, s.run.keep(s.op, ses.Session)
}

// sessionAddress checks where a session is said to be: our sign-in goes along
// with each chunk, so it must be the endpoint's host or Google's. It is kept
// without the endpoint, which may be found elsewhere tomorrow.
func (d *Drive) sessionAddress(location string) (kept manifest.Secret, address string, err error) {
	u, err := d.root.Parse(location)
	if err != nil || location == "" || u.Scheme != d.root.Scheme {
		return "", "", errors.New("open upload session: the answer has no usable Location")
	}
	if u.Host == d.root.Host {
		return manifest.Secret(u.RequestURI()), u.String(), nil
	}
	if !strings.HasSuffix(u.Hostname(), ".googleapis.com") {
		return "", "", fmt.Errorf("open upload session: its host %s is not the endpoint's", u.Host)
	}
	return manifest.Secret(location), location, nil
}

// takeUp goes on with what an earlier try has sent of this content, in this
// process or another: Drive is asked how much it has, and that much is read
// again, which shows whether it is the same file and begins its sums. No
// session means that there is nothing to go on with. The file is returned
// when all of it had arrived. The server may have more than the journal knows;
// whether that is right the MD5 of the whole tells.
func (s *sender) takeUp(ctx context.Context) (*session, *drive.File, error) {
	kept := s.kept
	s.kept = manifest.Session{} // once: whatever is wrong with it will be so again
	if kept.Address == "" || kept.FileID != s.op.FileID {
		return nil, nil, nil
	}
	s.run.heard(s.op, nil, true)
	d := s.run.d
	if outdated(kept.Stat, s.stat) {
		return nil, nil, fmt.Errorf("%w: the file has changed", errGone)
	}
	if d.opt.Now().Sub(time.Unix(0, kept.Begun)) >= SessionLife {
		return nil, nil, fmt.Errorf("%w: it is a week old", errGone)
	}
	ses := &session{Session: kept, total: s.stat.Size, stored: kept.Sent, sum: newDigest()}
	var err error
	if _, ses.address, err = d.sessionAddress(string(kept.Address)); err != nil {
		return nil, nil, fmt.Errorf("%w: it was begun at another endpoint", errGone)
	}
	t := s.run.tries()
	s.earlier = true
	f, err := s.ask(ctx, ses, &t)
	switch {
	case err != nil:
		return nil, nil, err
	case f != nil:
		d.opt.Log.Info("an earlier run had sent all of it", "path", string(s.op.Path), "id", s.op.FileID)
		return ses, f, s.measure(ctx)
	case ses.stored < kept.Sent:
		return nil, nil, fmt.Errorf("%w: Drive has %d bytes of %d that it had", errGone, ses.stored, kept.Sent)
	case ses.stored > ses.total:
		return nil, nil, fmt.Errorf("%w: Drive says that it has %d bytes of a file of %d", errGone, ses.stored, ses.total)
	}
	if err := s.reread(ctx, ses); err != nil {
		return nil, nil, err
	}
	d.opt.Log.Info("upload goes on", "path", string(s.op.Path), "id", s.op.FileID, "at", ses.stored, "of", ses.total)
	return ses, nil, nil
}

// outdated reports whether what was sent of a file is of no use since its stat
// is another.
func outdated(was, is manifest.Stat) bool {
	return was.Size != is.Size || was.ModTime != is.ModTime
}

// worth returns errBusy when the file has changed so that a session could not
// be gone on with: more of it is not sent for nothing.
func (s *sender) worth() error {
	st, err := s.content.Stat()
	if err != nil {
		return fmt.Errorf("stat: %w", err)
	}
	if outdated(s.stat, st) {
		return errBusy
	}
	return nil
}

// reread reads what Drive has of a content, and compares as much of it as the
// journal has the sum of.
func (s *sender) reread(ctx context.Context, ses *session) error {
	for at := int64(0); at < ses.stored; {
		if ctx.Err() != nil {
			return classify(context.Canceled)
		}
		end := ses.stored
		if at < ses.Sent {
			end = ses.Sent
		}
		c := s.readChunk(at, min(maxChunk, end-at), ses.sum)
		at = c.end()
		c.free()
		if c.err != nil {
			return c.err
		}
		if at == ses.Sent && c.sum != ses.SentHash {
			return fmt.Errorf("%w: the file has other content", errGone)
		}
	}
	return nil
}

// ask asks how much of a session Drive has, until it has answered.
func (s *sender) ask(ctx context.Context, ses *session, t *tries) (*drive.File, error) {
	before := ses.stored
	f, e := s.query(ctx, ses, before)
	for e != nil {
		if err := s.await(ctx, e, t); err != nil {
			return nil, err
		}
		f, e = s.query(ctx, ses, before)
	}
	return f, nil
}

// await waits before a session is asked again after e; the error is why that
// is of no use.
func (s *sender) await(ctx context.Context, e *Error, t *tries) error {
	if e.noSession() || e.Status == http.StatusBadRequest {
		return fmt.Errorf("%w: %s", errGone, e.answer())
	}
	pause, again := t.next(e, s.run.d.opt.Random)
	if !again {
		return e
	}
	if err := s.run.d.opt.Sleep(ctx, pause); err != nil {
		return classify(err)
	}
	return nil
}

// noSession reports whether a session's address answered that there is none.
// Upload servers say so by the status alone.
// Source: Drive API guide, "Upload file data", resuming; 410 is that of Cloud Storage.
func (e *Error) noSession() bool {
	return e.Status == http.StatusNotFound || e.Status == http.StatusGone
}

// query asks once how much Drive has; before is what it had. An answer that it
// has less may be a Range lost on the way, so it is asked twice.
func (s *sender) query(ctx context.Context, ses *session, before int64) (*drive.File, *Error) {
	f, e := s.putChunk(ctx, ses, nil)
	if e == nil && f == nil && (ses.stored < before || ses.stored == 0) {
		f, e = s.putChunk(ctx, ses, nil)
	}
	return f, e
}

// finish gives the item what its session could not know when it was begun.
// A file that was moved or whose mode was set since gets its new place with
// this call; the hash alone rides with the next house-keeping calls, with the
// time, which a patch may touch.
func (s *sender) finish(ctx context.Context, ses *session, f *drive.File) (*drive.File, error) {
	if !s.matches(f) {
		return f, nil // the caller looks as well
	}
	d := s.run.d
	m := &meta{AppProperties: props{hash: s.facts.hash.String()}}
	m.stamp(s.stat, s.clamp, d.opt.Now())
	if ses.Name == s.op.Name && ses.Stat.Mode == s.stat.Mode && ses.Parent == s.parent {
		if s.facts.hash != ses.Hash {
			s.run.later(d.patchCall(manifest.FileID(f.Id), m, "id"))
		}
		return f, nil
	}
	m.Name = EncodeName(s.op.Name, s.stat.Kind)
	c := d.patchCall(manifest.FileID(f.Id), m, fileFields)
	if ses.Parent != s.parent && len(f.Parents) > 0 && f.Parents[0] == string(ses.Parent) {
		c.query.Set("addParents", string(s.parent))
		c.query.Set("removeParents", string(ses.Parent))
	}
	put, e := d.do(ctx, c)
	if e != nil {
		return nil, e
	}
	return put, nil
}

// keep tells the journal how far an upload has come; its error ends the run.
func (r *run) keep(op *plan.Op, s manifest.Session) error {
	r.journal.Lock()
	defer r.journal.Unlock()
	err := r.env.Journal.KeepSession(op, s)
	if err != nil {
		err = fmt.Errorf("write journal: %w", err)
		r.stop(err)
	}
	return err
}

// kept returns what the journal has of a half-sent upload.
func (r *run) kept(op *plan.Op) manifest.Session {
	r.journal.Lock()
	defer r.journal.Unlock()
	return r.env.Journal.Session(op)
}
