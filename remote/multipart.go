package remote

import (
	"context"
	"crypto/md5"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"

	"github.com/zeebo/blake3"
	"google.golang.org/api/drive/v3"
)

// buffers holds what small contents are read into. They grow to what they
// once held.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// putSmall sends a content of up to 5 MiB in one request: it is read whole,
// checked against a second stat, hashed, and sent with its hash.
func (s *sender) putSmall(ctx context.Context) (*drive.File, error) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	content, err := s.readWhole(buf)
	if err != nil {
		return nil, err
	}
	s.facts = facts{known: true, size: int64(len(content)), md5: md5.Sum(content), hash: blake3.Sum256(content)}
	form, header := asMultipart(s.meta(), content)
	method, address := s.target("multipart")
	var f *drive.File
	unheard, unsure := false, false
	e := s.run.d.try(ctx, 1, s.run.tries(), func(ctx context.Context) (err error) {
		if unheard && len(content) >= askFirst {
			if f = s.arrived(ctx); f != nil {
				return nil
			}
		}
		unsure = unsure || unheard
		defer func() { unheard = err != nil && classify(err).Class == Transient }()
		resp, answer, err := s.post(ctx, upload{
			method: method, address: address,
			header: header, form: form,
		})
		if err == nil {
			err = refusal(resp, answer)
		}
		if err == nil {
			f, err = readFile(answer)
		}
		return err
	})
	s.run.heard(s.op, e, unsure)
	if e != nil {
		return nil, e
	}
	return f, nil
}

// askFirst is the size from which on, when an answer was lost, Drive is asked
// whether the content has arrived before it is sent again, bytes: the question
// costs about a kilobyte and a round trip.
const askFirst = 32 << 10

// arrived returns the file if Drive holds this content under its id as the
// work of a request whose answer was lost. That it is not there, or not known,
// means that the content goes again.
func (s *sender) arrived(ctx context.Context) *drive.File {
	c := s.run.d.getCall(s.op.FileID, fileFields)
	s.run.d.exchange(ctx, []*call{c})
	f, e := c.file()
	if e != nil || !s.matches(f) || !s.create && (s.op.Old == nil || f.HeadRevisionId == s.op.Old.HeadRevision) {
		return nil
	}
	s.run.d.opt.Log.Info("an earlier try had reached Drive", "path", string(s.op.Path), "id", s.op.FileID)
	return f
}

// asMultipart returns what is sent of metadata and content in one request, and
// its header.
// Source: Drive API guide, "Upload file data", multipart.
func asMultipart(m *meta, content []byte) (form, http.Header) {
	// The boundary is random, so that no content can hold it but by chance.
	boundary := fmt.Sprintf("acb-%016x%016x", rand.Uint64(), rand.Uint64())
	head := fmt.Appendf(nil, "--%s\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n%s\r\n--%s\r\nContent-Type: %s\r\n\r\n",
		boundary, m.json(), boundary, m.MimeType)
	return form{head: head, content: content, tail: []byte("\r\n--" + boundary + "--\r\n")},
		http.Header{"Content-Type": {"multipart/related; boundary=" + boundary}}
}

// readWhole reads the content into buf, one byte more than expected, so that
// a file that has grown is noticed.
func (s *sender) readWhole(buf *[]byte) ([]byte, error) {
	want := int(s.stat.Size) + 1
	if cap(*buf) < want {
		*buf = make([]byte, want)
	}
	b := (*buf)[:want]
	n, err := s.content.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read: %w", err)
	}
	return b[:n], s.unchanged(int64(n))
}

// target returns the method and address for the content.
func (s *sender) target(uploadType string) (method, address string) {
	q := s.run.d.shared(url.Values{"uploadType": {uploadType}, "fields": {fileFields}})
	if s.keep == ForGood {
		q.Set("keepRevisionForever", "true")
	}
	if s.create {
		return http.MethodPost, s.run.d.url("upload/drive/v3/files", q)
	}
	return http.MethodPatch, s.run.d.url("upload/drive/v3/files/"+url.PathEscape(string(s.op.FileID)), q)
}
