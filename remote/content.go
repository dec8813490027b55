package remote

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/zeebo/blake3"
	"google.golang.org/api/drive/v3"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
)

const (
	// smallFile is the largest content that goes up in one request, bytes.
	// Source: Drive API guide, "Upload file data": multipart for 5 MB or less.
	smallFile = 5 << 20
	// busyTries is how often a file is read that changes while it is read.
	busyTries = 3
	// wrongTries is how often a content is sent again whose size or MD5 on
	// Drive is not what was read.
	wrongTries = 2
)

// errBusy says that a file changed while it was read.
var errBusy = errors.New("it changes while it is read")

// content sends the content of one operation and takes in how it ended. A
// file that changes meanwhile is tried three times.
func (r *run) content(ctx context.Context, op *plan.Op) {
	began := r.d.opt.Now()
	var sent int64
	for try := 1; ; try++ {
		s, f, err := r.deliver(ctx, op)
		if s != nil {
			sent += s.sent.Load()
		}
		if errors.Is(err, errBusy) && try < busyTries {
			if err = r.d.opt.Sleep(ctx, time.Duration(try)*time.Second); err == nil {
				continue
			}
			err = classify(context.Canceled)
		}
		if err == nil {
			err = r.mend(ctx, op, s.stat, f)
		}
		if err != nil {
			r.refused(ctx, op, err, s != nil && s.counted)
			return
		}
		content := contentOf(f, s.facts.hash)
		content.Kept = s.keep == ForGood && !s.earlier
		r.ack(Ack{Op: op, Content: content, Stat: s.stat, Full: s.keep == Full, Bytes: sent}, began)
		return
	}
}

// deliver opens, reads and sends a content once, as the file is now.
func (r *run) deliver(ctx context.Context, op *plan.Op) (*sender, *drive.File, error) {
	if ctx.Err() != nil {
		return nil, nil, classify(context.Canceled)
	}
	if e := r.halted(op); e != nil {
		return nil, nil, e
	}
	if !op.Kind.Creates() {
		if err := r.anew(ctx); err != nil {
			return nil, nil, err
		}
	}
	parent, err := r.parent(op.Parent)
	if err != nil {
		return nil, nil, err
	}
	c, err := r.env.Open(op)
	if err != nil {
		return nil, nil, err
	}
	defer c.Close()
	st, err := c.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("stat: %w", err)
	}
	s := &sender{
		run: r, op: op, parent: parent, content: c, stat: st, kept: r.kept(op),
		create: op.Kind.Creates() && !r.exists(op), counted: r.room.take(op),
	}
	if r.env.Keep != nil {
		s.keep = r.env.Keep(op)
	}
	f, err := s.send(ctx)
	return s, f, err
}

// facts are what a content is, as it was read.
type facts struct {
	known bool
	size  int64
	md5   manifest.MD5
	hash  manifest.Hash
}

// sender takes one content to Drive.
type sender struct {
	run     *run
	op      *plan.Op
	parent  manifest.FileID
	content Content
	stat    manifest.Stat    // when it was opened
	create  bool             // a new item; otherwise new content for one there is
	kept    manifest.Session // what an earlier try has sent of it
	keep    Keeping
	earlier bool // an earlier try has brought it there, and may not have asked to keep it
	clamp   bool // the modification time was refused
	counted bool // by room
	facts   facts
	sent    counted
}

// send sends the content until Drive has what was read, and returns the file.
func (s *sender) send(ctx context.Context) (*drive.File, error) {
	log := s.run.d.opt.Log
	renewed := false
	for wrong := 0; ; {
		s.earlier = false
		f, err := s.put(ctx)
		if err == nil {
			if s.matches(f) {
				return f, nil
			}
			if wrong++; wrong > wrongTries {
				return nil, fmt.Errorf("Drive holds %d bytes with MD5 %s, read were %d bytes with MD5 %s, %d times",
					f.Size, f.Md5Checksum, s.facts.size, s.facts.md5, wrong)
			}
			log.Warn("Drive holds other bytes than were sent, sent again", "path", string(s.op.Path), "id", s.op.FileID)
			s.create = false // the item exists, with the wrong content
			continue
		}
		var e *Error
		if !errors.As(err, &e) {
			return nil, err
		}
		if e.Class == Conflict && s.create {
			f, err := s.adopt(ctx)
			if !errors.As(err, &e) || e.Class != BadID {
				if f != nil || err != nil {
					return f, err
				}
				s.create = false
				continue
			}
		}
		switch {
		case e.Class == BadID && s.create && !renewed:
			renewed = true
			if err := s.run.renew(ctx, s.op); err != nil {
				return nil, err
			}
		case e.Status == 403 && e.Class == Permanent && s.keep == ForGood && !s.create:
			// Drive keeps 200 contents of a file for good, and is not known to
			// refuse more with a reason of its own.
			log.Warn("refused, sent again as one that Drive need not keep for good", "path", string(s.op.Path), "id", s.op.FileID, "reason", e.Reason)
			s.keep = Full
		case e.Status == 400 && !s.clamp && oddTime(s.stat.ModTime, s.run.d.opt.Now()):
			s.clamp = true
		case e.Class == NotFound && s.create:
			return nil, s.whoIsGone(ctx, e)
		case e.Class == NotFound:
			return nil, &LostError{s.op.FileID}
		default:
			return nil, err
		}
	}
}

// put sends the content once, in the form that suits its size.
func (s *sender) put(ctx context.Context) (*drive.File, error) {
	if s.stat.Size <= s.run.d.small {
		return s.putSmall(ctx)
	}
	return s.putLarge(ctx)
}

// matches reports whether Drive holds what was read.
func (s *sender) matches(f *drive.File) bool {
	return f.Size == s.facts.size && parseMD5(f.Md5Checksum) == s.facts.md5
}

// adopt looks at the item that has our reserved id already, because the
// answer to an earlier try was lost. It returns the file if it holds this
// content, and nil if it holds another, which is then updated. The error is of
// class BadID if the item was deleted since.
func (s *sender) adopt(ctx context.Context) (*drive.File, error) {
	f, e := s.run.d.occupant(ctx, s.op.FileID, fileFields)
	if e != nil {
		return nil, e
	}
	if !s.facts.known {
		if err := s.measure(ctx); err != nil {
			return nil, err
		}
	}
	if !s.matches(f) {
		return nil, nil
	}
	s.earlier = true
	s.run.d.opt.Log.Info("an earlier try had reached Drive", "path", string(s.op.Path), "id", s.op.FileID)
	return f, nil
}

// whoIsGone tells a parent that Drive no longer has from a passing 404.
func (s *sender) whoIsGone(ctx context.Context, e *Error) error {
	_, pe := s.run.d.get(ctx, s.parent, "id")
	if pe != nil && pe.Class == NotFound {
		return s.run.gone(s.op.Parent, s.parent)
	}
	if pe != nil {
		return pe
	}
	return e
}

// measure reads the content for its facts alone, unless ctx ends meanwhile.
func (s *sender) measure(ctx context.Context) error {
	d := newDigest()
	var n int64
	for r := io.NewSectionReader(s.content, 0, s.stat.Size+1); ; {
		if ctx.Err() != nil {
			return classify(context.Canceled)
		}
		k, err := io.CopyN(d, r, maxChunk)
		n += k
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
	}
	s.facts = d.facts(n)
	return s.unchanged(n)
}

// unchanged returns errBusy when the file is not what it was when it was
// opened, n being the bytes read.
func (s *sender) unchanged(n int64) error {
	st, err := s.content.Stat()
	if err != nil {
		return fmt.Errorf("stat: %w", err)
	}
	if n != s.stat.Size || st != s.stat {
		return errBusy
	}
	return nil
}

// meta is the metadata that goes with the content. A hash that is not known
// yet removes the one that is there, for it would be wrong.
func (s *sender) meta() *meta {
	var m *meta
	if s.create {
		m = s.run.d.newItem(s.op.FileID, s.op.Name, s.stat, s.parent, s.clamp)
	} else {
		m = &meta{Name: EncodeName(s.op.Name, s.stat.Kind), MimeType: typeOf(s.op.Name, s.stat.Kind)}
		m.stamp(s.stat, s.clamp, s.run.d.opt.Now())
	}
	switch h := s.scanned(); {
	case s.facts.known:
		m.AppProperties.hash = s.facts.hash.String()
	case !h.IsZero():
		m.AppProperties.hash = h.String()
	case !s.create:
		m.AppProperties.noHash = true
	}
	return m
}

// scanned returns the hash that the scan has computed of this very state of
// the file, if it has.
func (s *sender) scanned() manifest.Hash {
	if c := s.op.File; c != nil && c.New != nil && c.New.Stat == s.stat && !c.New.Flags.Has(manifest.Racy) {
		return c.New.Hash
	}
	return manifest.Hash{}
}

// digest computes BLAKE3 and MD5 in one pass.
type digest struct {
	hash *blake3.Hasher
	md5  interface {
		io.Writer
		Sum([]byte) []byte
	}
}

func newDigest() *digest { return &digest{blake3.New(), md5.New()} }

// hashPiece is how much both hashes take at a time, so that the second finds
// the bytes in the cache.
const hashPiece = 128 << 10

// Write adds p; it never fails.
func (d *digest) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		piece := p[:min(len(p), hashPiece)]
		d.hash.Write(piece)
		d.md5.Write(piece)
		p = p[len(piece):]
	}
	return n, nil
}

// facts ends the pass over n bytes.
func (d *digest) facts(n int64) facts {
	f := facts{known: true, size: n}
	d.hash.Sum(f.hash[:0])
	d.md5.Sum(f.md5[:0])
	return f
}
