package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"google.golang.org/api/drive/v3"
	"google.golang.org/api/googleapi"
)

// counted counts bytes from several goroutines.
type counted = atomic.Int64

// stallLimit is how long a request may stand still, sending or waiting for the
// answer, before it is given up as cut. A batch is worked off call by call.
const stallLimit = 2 * time.Minute

var errStalled = errors.New("the connection stood still")

// body is the body of an upload: head and tail are form, content is counted.
type body struct {
	head, content, tail []byte
	moved               func(content int)
}

func (b *body) len() int64 { return int64(len(b.head) + len(b.content) + len(b.tail)) }

// Read hands out head, content, tail.
func (b *body) Read(p []byte) (n int, err error) {
	for _, part := range []*[]byte{&b.head, &b.content, &b.tail} {
		k := copy(p[n:], *part)
		*part = (*part)[k:]
		n += k
		if part == &b.content {
			b.moved(k)
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Close does nothing; the slices are the caller's.
func (*body) Close() error { return nil }

// An upload request.
type upload struct {
	method, address string
	header          http.Header
	body            body
}

// post sends an upload request and returns the answer, its body read. Content
// bytes are counted as they leave; a connection that stands still is cut.
func (s *sender) post(ctx context.Context, u upload) (*http.Response, []byte, error) {
	d := s.run.d
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(d.stall, func() { cancel(errStalled) })
	defer watch.Stop()
	b := u.body
	b.moved = func(n int) {
		watch.Reset(d.stall)
		if n == 0 {
			return
		}
		s.sent.Add(int64(n))
		d.meter.sent.Add(int64(n))
		if s.run.env.Sent != nil {
			s.run.env.Sent(n)
		}
	}
	req, err := http.NewRequestWithContext(ctx, u.method, u.address, nil)
	if err != nil {
		return nil, nil, err
	}
	if req.ContentLength = b.len(); req.ContentLength > 0 {
		req.Body = &b
	}
	req.Header = u.header
	req.Header.Set("User-Agent", d.agent(false))
	resp, err := d.http.Do(req)
	if err == nil {
		defer resp.Body.Close()
		var answer []byte
		if answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err == nil {
			return resp, answer, nil
		}
	}
	if cause := context.Cause(ctx); errors.Is(cause, errStalled) {
		err = cause
	}
	return nil, nil, err
}

// refusal returns the error that an answer is, nil for a success.
func refusal(resp *http.Response, answer []byte) error {
	return googleapi.CheckResponseWithBody(resp, answer)
}

// readFile reads a file out of an answer.
func readFile(answer []byte) (*drive.File, error) {
	f := new(drive.File)
	if err := json.Unmarshal(answer, f); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if f.Id == "" {
		return nil, errors.New("read answer: no file in it")
	}
	return f, nil
}
