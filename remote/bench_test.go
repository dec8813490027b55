package remote_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zeebo/blake3"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// BenchmarkSend compares sending with the hashing that it cannot do without:
// "of-hashes" is the throughput as a share of BLAKE3 and MD5 alone over the
// same bytes in as many goroutines. Drive is a transport that reads bodies
// and answers, so that nothing but the client is measured.
func BenchmarkSend(b *testing.B) {
	for _, bb := range []struct {
		name        string
		size, files int
	}{{"4KiB", 4 << 10, 2000}, {"256KiB", 256 << 10, 400}, {"4MiB", 4 << 20, 32}, {"64MiB", 64 << 20, 2}} {
		b.Run(bb.name, func(b *testing.B) {
			data := bytes.Repeat([]byte("0123456789abcdef"), bb.size/16)
			bare := hashing(data, bb.files)
			sink := newSink(data)
			b.SetBytes(int64(bb.size * bb.files))
			b.ResetTimer()
			began := time.Now()
			for range b.N {
				sink.run(b, data, bb.files)
			}
			b.ReportMetric(bare.Seconds()*float64(b.N)/time.Since(began).Seconds(), "of-hashes")
		})
	}
}

const benchTransfers = 2

// hashing returns how long both hashes take over n contents.
func hashing(data []byte, n int) time.Duration {
	began := time.Now()
	var wg sync.WaitGroup
	for range benchTransfers {
		wg.Go(func() {
			for range n / benchTransfers {
				h, m := blake3.New(), md5.New()
				for p := data; len(p) > 0; p = p[min(len(p), 128<<10):] {
					h.Write(p[:min(len(p), 128<<10)])
					m.Write(p[:min(len(p), 128<<10)])
				}
				h.Sum(nil)
				m.Sum(nil)
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}

// sink is a Drive that keeps nothing.
type sink struct {
	size int
	md5  string
}

func newSink(data []byte) *sink {
	sum := md5.Sum(data)
	return &sink{len(data), hex.EncodeToString(sum[:])}
}

func (s *sink) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	resp := &http.Response{StatusCode: 200, Header: http.Header{}, Request: r}
	if r.Body != nil {
		io.Copy(io.Discard, r.Body)
	}
	span := r.Header.Get("Content-Range")
	var from, to, total int
	fmt.Sscanf(span, "bytes %d-%d/%d", &from, &to, &total)
	switch {
	case strings.HasSuffix(r.URL.Path, "generateIds"):
		body = `{"ids":["x` + strings.Repeat(`","x`, 999) + `"]}`
	case strings.HasSuffix(r.URL.Path, "/batch/drive/v3"):
		return nil, io.EOF
	case r.URL.Query().Get("uploadType") == "resumable":
		resp.Header.Set("Location", "http://drive/session")
	case span != "" && to+1 < total:
		resp.StatusCode = 308
		resp.Header.Set("Range", fmt.Sprintf("bytes=0-%d", to))
	default:
		body = fmt.Sprintf(`{"id":"x","parents":["host"],"trashed":false,"size":"%d","md5Checksum":"%s","headRevisionId":"r"}`, s.size, s.md5)
	}
	resp.Body = io.NopCloser(strings.NewReader(body))
	return resp, nil
}

func (s *sink) run(b *testing.B, data []byte, files int) {
	d, err := remote.New(remote.Options{
		Endpoint: "http://drive", Client: &http.Client{Transport: s}, Folder: "f", Host: "h", Installation: "i",
		Transfers: benchTransfers, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	st := manifest.Stat{Kind: manifest.File, Size: int64(len(data))}
	hash := blake3.Sum256(data)
	ops := make([]*plan.Op, files)
	for i := range ops {
		ops[i] = &plan.Op{Kind: plan.Upload, Name: "f", Parent: manifest.Root, Stat: st,
			File: &manifest.FileChange{New: &manifest.FileAt{Entry: manifest.Entry{Stat: st, Content: manifest.Content{Hash: hash}}}}}
	}
	env := remote.Env{
		Folder:  func(manifest.FolderID) (manifest.FileID, error) { return "host", nil },
		Open:    func(*plan.Op) (remote.Content, error) { return &benchFile{bytes.NewReader(data), st}, nil },
		Journal: quiet{},
	}
	if r, err := d.Apply(b.Context(), [][]*plan.Op{ops}, env); err != nil || r.Done != files {
		b.Fatalf("%+v %v", r, err)
	}
}

type benchFile struct {
	*bytes.Reader
	stat manifest.Stat
}

func (f *benchFile) Stat() (manifest.Stat, error) { return f.stat, nil }
func (f *benchFile) Close() error                 { return nil }

// quiet is a journal that keeps nothing.
type quiet struct{}

func (quiet) Begin([]*plan.Op) error                       { return nil }
func (quiet) KeepSession(*plan.Op, manifest.Session) error { return nil }
func (quiet) Session(*plan.Op) manifest.Session            { return manifest.Session{} }
func (quiet) Done(remote.Ack) error                        { return nil }
func (quiet) Failed(*plan.Op, error, bool)                 {}
