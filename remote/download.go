package remote

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"google.golang.org/api/googleapi"

	"github.com/autocloudbackup/acb/manifest"
)

// A Blob names bytes that Drive holds.
type Blob struct {
	FileID   manifest.FileID
	Revision string // "" for the content of today; another one must be pinned, see Drive.Pin
	Size     int64  // bytes
}

// Download writes the bytes from (included) to (excluded) of a blob to w, in
// their order, and returns how many it wrote. When the line is cut it goes on
// at the byte it had reached. It is for the caller to compare a sum: nobody
// else notices what changes on Drive meanwhile.
//
// Errors: what w returned, as it is; else an *Error. Of class NotFound, Drive
// has no such item or revision any more; with the reason fileNotDownloadable,
// the revision is not pinned.
func (d *Drive) Download(ctx context.Context, b Blob, from, to int64, w io.Writer) (int64, error) {
	out := &sink{w: w}
	var t tries
	abuse := false
	for from+out.n < to {
		if err := d.pace.take(ctx, 0); err != nil {
			return out.n, classify(err)
		}
		had, left := out.n, d.opt.Now()
		e := classify(d.stream(ctx, b, from+out.n, to, abuse, out))
		d.saw(e, 0, left)
		d.meter.received.Add(out.n - had)
		if out.err != nil {
			return out.n, out.err
		}
		if e == nil {
			break
		}
		if out.n > had {
			t = tries{}
		}
		if e.Reason == "cannotDownloadAbusiveFile" && !abuse {
			// It is the user's own file. Never said up front, for on a clean
			// file Drive refuses the flag itself.
			abuse = true
			continue
		}
		pause, again := t.next(e, d.opt.Random)
		if !again {
			return out.n, e.about("download", "", b.FileID)
		}
		if err := d.opt.Sleep(ctx, pause); err != nil {
			return out.n, classify(err)
		}
	}
	return out.n, nil
}

// A sink counts what reaches a writer, and tells its errors from the line's.
type sink struct {
	w     io.Writer
	n     int64
	err   error
	moved func()
}

// Write hands p on.
func (s *sink) Write(p []byte) (int, error) {
	s.moved()
	n, err := s.w.Write(p)
	s.n += int64(n)
	s.err = err
	return n, err
}

// stream makes one request for bytes of a blob. A connection that stands still
// is cut.
func (d *Drive) stream(ctx context.Context, b Blob, from, to int64, abuse bool, out *sink) error {
	w := d.watched(ctx)
	defer w.end()
	out.moved = w.moved

	path, q := filePath(b.FileID), url.Values{"alt": {"media"}}
	if b.Revision != "" {
		path += "/revisions/" + url.PathEscape(b.Revision)
	} else {
		d.shared(q)
	}
	if abuse {
		q.Set("acknowledgeAbuse", "true")
	}
	req, err := http.NewRequestWithContext(w.ctx, http.MethodGet, d.url(path, q), nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", d.agent(false))
	req.Header.Set("Accept-Encoding", "identity") // ranges count the bytes as they are
	status := http.StatusOK
	if from > 0 || to < b.Size {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, to-1))
		status = http.StatusPartialContent
	}
	return w.cause(d.receive(req, status, to-from, out))
}

// downloadBuffer is the most that is taken off a connection and handed on at
// once, in bytes.
const downloadBuffer = 256 << 10

// receive sends req and copies the n bytes that it asks for.
func (d *Drive) receive(req *http.Request, status int, n int64, out *sink) error {
	resp, err := d.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := googleapi.CheckResponse(resp); err != nil {
		return err
	}
	if resp.StatusCode != status || resp.ContentLength >= 0 && resp.ContentLength != n {
		return &Error{Class: Permanent, Status: resp.StatusCode, Reason: "otherContent",
			Message: fmt.Sprintf("asked for %d bytes, the answer is of %d", n, resp.ContentLength)}
	}
	got, err := io.CopyBuffer(out, io.LimitReader(resp.Body, n), make([]byte, min(n, downloadBuffer)))
	if err == nil && got < n {
		return io.ErrUnexpectedEOF
	}
	return err
}
