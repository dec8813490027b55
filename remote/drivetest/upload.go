package drivetest

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"
)

// upload answers everything below the upload address.
func (c *call) upload() (any, error) {
	switch c.kind {
	case UploadMedia:
		return c.uploadMedia()
	case UploadMulti:
		return c.uploadMulti()
	case UploadStart:
		return c.startSession()
	case UploadChunk, UploadQuery, UploadCancel:
		return c.continueSession()
	}
	return nil, &apiError{code: 400, reason: "invalidParameter", location: "uploadType", message: "Invalid upload type."}
}

// uploadMedia takes bytes without metadata.
func (c *call) uploadMedia() (any, error) {
	t, _, err := mime.ParseMediaType(c.header.Get("Content-Type"))
	if err != nil {
		t = ""
	}
	if strings.HasPrefix(t, "multipart/") {
		return nil, errBad("A media upload cannot be multipart.")
	}
	return c.store(&edit{}, t, c.body)
}

// uploadMulti takes metadata and bytes in one multipart/related body, in this order.
func (c *call) uploadMulti() (any, error) {
	t, params, err := mime.ParseMediaType(c.header.Get("Content-Type"))
	if err != nil || t != "multipart/related" || params["boundary"] == "" {
		return nil, errBad("A multipart upload needs Content-Type multipart/related with a boundary.")
	}
	r := multipart.NewReader(c.body, params["boundary"])
	p, err := r.NextRawPart()
	if err != nil {
		return nil, c.bodyError(err, "The multipart body has no metadata part.")
	}
	if t, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type")); t != "application/json" {
		return nil, errBad("The first part of a multipart upload must be application/json.")
	}
	body, err := readJSON(p)
	if err != nil {
		return nil, err
	}
	e, err := c.parseEdit(body, len(c.args) == 0)
	if err != nil {
		return nil, err
	}
	if p, err = r.NextRawPart(); err != nil {
		return nil, c.bodyError(err, "The multipart body has no media part.")
	}
	t, _, err = mime.ParseMediaType(p.Header.Get("Content-Type"))
	if err != nil {
		t = ""
	}
	return c.store(e, t, &lastPart{p, r})
}

// bodyError tells a connection that broke off, which nobody can be answered
// on, from a body that came whole but is malformed.
func (c *call) bodyError(err error, message string) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || c.body.(*meter).cut {
		return io.ErrUnexpectedEOF
	}
	return errBad("%s", message)
}

// lastPart reads a part that must be the last one of its body.
type lastPart struct {
	p *multipart.Part
	r *multipart.Reader
}

func (l *lastPart) Read(b []byte) (int, error) {
	n, err := l.p.Read(b)
	if err != io.EOF {
		return n, err
	}
	if _, next := l.r.NextRawPart(); next == nil {
		return n, errBad("A multipart upload has two parts.")
	} else if next != io.EOF {
		return n, io.ErrUnexpectedEOF
	}
	return n, io.EOF
}

// store takes the content of a one-request upload and makes or changes the file.
func (c *call) store(e *edit, contentType string, content io.Reader) (any, error) {
	m, err := c.mask(fileDefault, fileSchema)
	if err != nil {
		return nil, err
	}
	d := c.d
	d.mu.Lock()
	err = c.precheck(e)
	key := d.random(16)
	d.mu.Unlock()
	if err != nil {
		n, readErr := io.Copy(io.Discard, content)
		c.countRefused(err, n)
		if _, ok := readErr.(*apiError); readErr != nil && !ok {
			return nil, readErr
		}
		return nil, err
	}
	w := d.blobs.newWriter(key)
	w.flip = c.eff.op == opCorrupt
	buf := blocks.Get().(*[]byte)
	_, err = io.CopyBuffer(onlyWriter{w}, content, *buf)
	blocks.Put(buf)
	if err != nil {
		d.rec.content(w.size, 0)
		w.drop()
		return nil, err
	}
	size := w.size
	rev, err := w.commit()
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	it, twice, err := c.finish(e, rev, contentType)
	if err != nil {
		d.discardRev(rev)
		c.countRefused(err, size)
		return nil, err
	}
	if twice {
		d.rec.content(size, size)
	} else {
		d.rec.content(size, 0)
	}
	return c.uploaded(it, m), nil
}

// onlyWriter hides other methods, so that io.CopyBuffer uses its buffer.
type onlyWriter struct{ io.Writer }

// countRefused counts content that led to nothing; where the id has a file
// already, it came for the second time.
func (c *call) countRefused(err error, n int64) {
	if e, ok := err.(*apiError); ok && e.code == 409 {
		c.d.rec.content(n, n)
		return
	}
	c.d.rec.content(n, 0)
}

// precheck refuses an upload that cannot succeed. The lock must be held.
func (c *call) precheck(e *edit) error {
	if e.mime == mimeFolder {
		return errBad("A folder cannot have content.")
	}
	if len(c.args) == 0 {
		_, err := c.checkInsert(e, true)
		return err
	}
	it, err := c.find(c.args[0])
	if err != nil {
		return err
	}
	_, err = c.checkChange(it, e, true)
	return err
}

// finish makes the new file, or gives an old one its new content. twice says
// that it held the same content before. The lock must be held.
func (c *call) finish(e *edit, rev *revision, contentType string) (it *item, twice bool, err error) {
	if len(c.args) == 0 {
		it, err = c.insert(e, rev, contentType)
		return it, false, err
	}
	if it, err = c.find(c.args[0]); err != nil {
		return nil, false, err
	}
	twice = it.head() != nil && it.head().MD5 == rev.MD5 && it.head().Size == rev.Size
	return it, twice, c.change(it, e, rev, contentType)
}

// uploaded is the answer to an upload that is complete.
func (c *call) uploaded(it *item, m mask) any {
	rep := c.encode(c.file(it, m), nil)
	if len(c.args) == 0 && c.d.opt.Unsettled.Created201 {
		rep.status = 201
	}
	return rep
}
