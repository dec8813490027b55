package main

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/zeebo/blake3"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// sendParts cuts the big files into those that go up in one request.
const sendParts = 4

// send measures how fast contents are read, hashed twice and handed out, by
// either form of upload, against BLAKE3 and MD5 alone on bytes in memory.
func (b *bench) send(ctx context.Context) error {
	b.report.section("send: to a Drive that takes no time, %d threads", runtime.GOMAXPROCS(0))
	_, files, err := b.bigTree(ctx)
	if err != nil {
		return err
	}
	files = files[:min(len(files), 48)]
	for _, form := range []struct {
		name string
		size int64
	}{
		{"one request each", int64(bigFiles.MaxSize / sendParts)},
		{"in sessions", int64(bigFiles.MaxSize)},
	} {
		l, err := newLoad(files, form.size)
		if err != nil {
			return err
		}
		var floor, acb []float64
		for range b.pairs {
			f, err := l.floor()
			if err != nil {
				return err
			}
			a, err := l.send(ctx)
			if err != nil {
				return err
			}
			floor, acb = append(floor, f), append(acb, a)
		}
		total := float64(int64(len(files)) * form.size)
		b.report.add(row{
			what: fmt.Sprintf("sending %d files of %d MiB %s, share of BLAKE3 and MD5", len(files), form.size>>20, form.name), floor: rate(total / median(floor)),
			acb: rate(total / median(acb)), value: 100 * pairRatio(floor, acb), sign: atLeast, limit: 85, unit: "%",
		})
	}
	return nil
}

// A payload is what is sent: the first bytes of each file.
type payload struct {
	files []string
	size  int64
	data  map[string][]byte
	sums  map[string]string // MD5 by file name
}

func newLoad(files []string, size int64) (*payload, error) {
	l := &payload{files: files, size: size, data: map[string][]byte{}, sums: map[string]string{}}
	for _, f := range files {
		p, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		p = p[:size]
		sum := md5.Sum(p)
		l.data[f], l.sums[filepath.Base(f)] = p, hex.EncodeToString(sum[:])
	}
	return l, nil
}

// floor returns how many seconds both hashes take on the bytes in memory, one
// after the other in pieces that stay in the processor's cache.
func (l *payload) floor() (float64, error) {
	start := time.Now()
	err := eachFile(l.files, runtime.GOMAXPROCS(0), func() func(string) error {
		return func(f string) error {
			b, m := blake3.New(), md5.New()
			for p := l.data[f]; len(p) > 0; {
				piece := p[:min(len(p), 128<<10)]
				b.Write(piece)
				m.Write(piece)
				p = p[len(piece):]
			}
			m.Sum(b.Sum(nil))
			return nil
		}
	})
	return time.Since(start).Seconds(), err
}

// send returns how many seconds acb's sender takes for the same bytes, from
// files in the page cache.
func (l *payload) send(ctx context.Context) (float64, error) {
	d, err := remote.New(remote.Options{
		Endpoint: googleBase, Client: &http.Client{Transport: &sink{sums: l.sums, size: l.size, sessions: map[string]sinkFile{}}},
		Folder: "top", Host: "bench", Installation: "bench", Transfers: runtime.GOMAXPROCS(0), Now: time.Now,
	})
	if err != nil {
		return 0, err
	}
	ops := make([]*plan.Op, len(l.files))
	at := make(map[*plan.Op]string)
	for i, f := range l.files {
		name := filepath.Base(f)
		ops[i] = &plan.Op{
			Kind: plan.Upload, Path: manifest.Path("/" + name), Name: name, Parent: manifest.Root,
			Stat: l.stat(), Sources: []int{0},
		}
		at[ops[i]] = f
	}
	j := &tally{}
	start := time.Now()
	res, err := d.Apply(ctx, [][]*plan.Op{ops}, remote.Env{
		Folder: func(manifest.FolderID) (manifest.FileID, error) { return "host", nil },
		Open: func(op *plan.Op) (remote.Content, error) {
			f, err := os.Open(at[op])
			return &prefix{f, io.NewSectionReader(f, 0, l.size), l.stat()}, err
		},
		Still:   func(*plan.Op) error { return nil },
		Journal: j, Gen: remote.Gen{Next: func() (int64, error) { return 2, nil }},
	})
	took := time.Since(start).Seconds()
	if err == nil && res.Done != len(ops) {
		err = fmt.Errorf("send: %d of %d files were taken: %w", res.Done, len(ops), j.failed)
	}
	return took, err
}

func (l *payload) stat() manifest.Stat {
	return manifest.Stat{Kind: manifest.File, Mode: 0o644, Size: l.size, ModTime: treeEpoch.UnixNano()}
}

// A prefix is the first part of a file, as a content of its own.
type prefix struct {
	io.Closer
	io.ReaderAt
	stat manifest.Stat
}

// Stat returns what does not change.
func (p *prefix) Stat() (manifest.Stat, error) { return p.stat, nil }

// A tally is a journal that only remembers a failure.
type tally struct{ failed error }

// Begin keeps nothing.
func (*tally) Begin([]*plan.Op) error { return nil }

// KeepSession keeps nothing.
func (*tally) KeepSession(*plan.Op, manifest.Session) error { return nil }

// Session has nothing.
func (*tally) Session(*plan.Op) manifest.Session { return manifest.Session{} }

// Done keeps nothing.
func (*tally) Done(remote.Ack) error { return nil }

// Failed keeps the error.
func (t *tally) Failed(_ *plan.Op, err error, _ bool) { t.failed = err }
