package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
)

// A sink is a Drive that costs next to nothing: it takes contents without
// looking at them, in this process and without a network, so that what is left
// is the sender's own work. It knows beforehand what it will be sent.
type sink struct {
	sums map[string]string // MD5 by file name
	size int64             // of every file, bytes

	mu       sync.Mutex
	ids      int
	sessions map[string]sinkFile
}

// A sinkFile is a file that is being sent.
type sinkFile struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Parents []string `json:"parents"`
}

// metadataPeek is enough of a multipart upload to hold its metadata, in bytes.
const metadataPeek = 4 << 10

// RoundTrip answers the requests that sending makes.
func (s *sink) RoundTrip(req *http.Request) (*http.Response, error) {
	q := req.URL.Query()
	switch {
	case strings.HasSuffix(req.URL.Path, "/generateIds"):
		return s.answer(req, s.newIDs(q.Get("count")))
	case strings.HasSuffix(req.URL.Path, "/batch/drive/v3"):
		return s.batch(req)
	case q.Has("upload_id"):
		return s.chunk(req, q.Get("upload_id"))
	case q.Get("uploadType") == "resumable":
		var f sinkFile
		if err := json.NewDecoder(req.Body).Decode(&f); err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.sessions[f.ID] = f
		s.mu.Unlock()
		resp, err := s.answer(req, nil)
		resp.Header.Set("Location", req.URL.Scheme+"://"+req.URL.Host+req.URL.Path+"?upload_id="+f.ID)
		return resp, err
	case q.Get("uploadType") == "multipart":
		return s.multipart(req)
	}
	return nil, fmt.Errorf("sink: unexpected %s %s", req.Method, req.URL.Path)
}

func (s *sink) answer(req *http.Request, v any) (*http.Response, error) {
	b := []byte{}
	if v != nil {
		var err error
		if b, err = json.Marshal(v); err != nil {
			return nil, err
		}
	}
	return &http.Response{
		StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"application/json; charset=UTF-8"}},
		Body:   io.NopCloser(bytes.NewReader(b)), ContentLength: int64(len(b)),
	}, nil
}

func (s *sink) newIDs(count string) any {
	n, _ := strconv.Atoi(count) // 0 is refused by the caller
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]string, n)
	for i := range ids {
		s.ids++
		ids[i] = fmt.Sprintf("sink-%06d", s.ids)
	}
	return map[string]any{"ids": ids}
}

// file is the answer to a complete upload.
func (s *sink) file(f sinkFile) any {
	return map[string]any{
		"id": f.ID, "parents": f.Parents, "trashed": false, "size": strconv.FormatInt(s.size, 10),
		"md5Checksum": s.sums[f.Name], "headRevisionId": f.ID + "-1",
	}
}

func (s *sink) multipart(req *http.Request) (*http.Response, error) {
	r := bufio.NewReaderSize(req.Body, metadataPeek)
	head, err := r.Peek(metadataPeek)
	if err != nil && err != io.EOF {
		return nil, err
	}
	from := bytes.IndexByte(head, '{')
	var f sinkFile
	if err := json.NewDecoder(bytes.NewReader(head[from:])).Decode(&f); err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, err
	}
	return s.answer(req, s.file(f))
}

// chunk takes a part of a resumable upload.
func (s *sink) chunk(req *http.Request, id string) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		return nil, err
	}
	var first, last, total int64
	if _, err := fmt.Sscanf(req.Header.Get("Content-Range"), "bytes %d-%d/%d", &first, &last, &total); err != nil {
		return nil, fmt.Errorf("sink: Content-Range %q: %w", req.Header.Get("Content-Range"), err)
	}
	if last+1 < total {
		resp, err := s.answer(req, nil)
		resp.StatusCode = http.StatusPermanentRedirect
		resp.Header.Set("Range", fmt.Sprintf("bytes=0-%d", last))
		return resp, err
	}
	s.mu.Lock()
	f := s.sessions[id]
	s.mu.Unlock()
	return s.answer(req, s.file(f))
}

// batch says yes to every part.
func (s *sink) batch(req *http.Request) (*http.Response, error) {
	_, params, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	for r := multipart.NewReader(req.Body, params["boundary"]); ; {
		p, err := r.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		inner, err := http.ReadRequest(bufio.NewReader(p))
		if err != nil {
			return nil, err
		}
		path := strings.Split(inner.URL.Path, "/")
		to, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Type": {"application/http"}, "Content-Id": {strings.Replace(p.Header.Get("Content-Id"), "<", "<response-", 1)},
		})
		if err != nil {
			return nil, err
		}
		body := fmt.Sprintf(`{"id":%q}`, path[len(path)-1])
		fmt.Fprintf(to, "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	resp, err := s.answer(req, nil)
	resp.Header.Set("Content-Type", "multipart/mixed; boundary="+w.Boundary())
	resp.Body = io.NopCloser(&out)
	resp.ContentLength = int64(out.Len())
	return resp, err
}
