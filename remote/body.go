package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"google.golang.org/api/drive/v3"
	"google.golang.org/api/googleapi"
)

// counted counts bytes from several goroutines.
type counted = atomic.Int64

// form is what an upload request holds: the content, and the form around it.
type form struct {
	head, content, tail []byte
}

func (f *form) len() int64 { return int64(len(f.head) + len(f.content) + len(f.tail)) }

// oneWrite is the largest request that is handed over as one piece, bytes: it
// fits with its header into the transport's write buffer. The transport sends
// the header of any other body on its own and copies through a new buffer,
// which a first run of small files feels.
// Source: net/http, transfer.go, isKnownInMemoryReader (golang.org/issue/22088).
const oneWrite = writeBuffer - 4<<10

// wholes holds the pieces of requests that were read to their end.
var wholes = sync.Pool{New: func() any { return new([]byte) }}

// whole returns the form as one piece, out of wholes, and a body of it.
func (f *form) whole() (*[]byte, io.ReadCloser) {
	p := wholes.Get().(*[]byte)
	*p = append(append(append((*p)[:0], f.head...), f.content...), f.tail...)
	return p, io.NopCloser(bytes.NewReader(*p))
}

// body reads a form out. The transport may go on reading for a while after
// the answer or the error has come; the slices are reused by then, so Close
// ends it, and waits for a Read on its way.
type body struct {
	moved func(content int)

	mu     sync.Mutex // guards what follows
	form   form
	closed bool
}

// Read hands out head, content, tail.
func (b *body) Read(p []byte) (n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, net.ErrClosed
	}
	f := &b.form
	for _, part := range []*[]byte{&f.head, &f.content, &f.tail} {
		k := copy(p[n:], *part)
		*part = (*part)[k:]
		n += k
		if part == &f.content {
			b.moved(k)
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Close lets go of the slices.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed, b.form = true, form{}
	return nil
}

// An upload request.
type upload struct {
	method, address string
	header          http.Header
	form            form
}

// post sends an upload request and returns the answer, its body read. Content
// bytes are counted as they leave; a connection that stands still is cut.
func (s *sender) post(ctx context.Context, u upload) (*http.Response, []byte, error) {
	d := s.run.d
	w := d.watched(ctx)
	defer w.end()
	moved := func(n int) {
		w.moved()
		if n == 0 {
			return
		}
		s.sent.Add(int64(n))
		d.meter.sent.Add(int64(n))
		if s.run.env.Sent != nil {
			s.run.env.Sent(n)
		}
	}
	req, err := http.NewRequestWithContext(w.ctx, u.method, u.address, nil)
	if err != nil {
		return nil, nil, err
	}
	answered := func(*http.Response) {}
	switch req.ContentLength = u.form.len(); {
	case req.ContentLength > oneWrite:
		b := &body{form: u.form, moved: moved}
		defer b.Close()
		req.Body = b
	case req.ContentLength > 0:
		content := len(u.form.content)
		var whole *[]byte
		whole, req.Body = u.form.whole()
		answered = func(resp *http.Response) {
			moved(content)
			if resp.StatusCode == http.StatusOK { // all of it was read, so nobody reads on
				wholes.Put(whole)
			}
		}
	}
	req.Header = u.header
	req.Header.Set("User-Agent", d.agent(false))
	resp, err := d.http.Do(req)
	if err == nil {
		defer resp.Body.Close()
		answered(resp)
		var answer []byte
		if answer, err = readAnswer(resp); err == nil {
			return resp, answer, nil
		}
	}
	return nil, nil, w.cause(err)
}

// readAnswer reads the body of an answer, in one piece where its length is told.
func readAnswer(resp *http.Response) ([]byte, error) {
	if n := resp.ContentLength; 0 <= n && n <= maxAnswer {
		answer := make([]byte, n)
		_, err := io.ReadFull(resp.Body, answer)
		return answer, err
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
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
