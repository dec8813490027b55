package restore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/autocloudbackup/acb/manifest"
)

// largePart is the size of the parts in which a large file is fetched, several
// at a time, and the most that an interruption costs, in bytes.
const largePart = 16 << 20

// readBack is how much of a large file is read at once for its sum, in bytes.
const readBack = 128 << 10

// maxLink bounds what is fetched of a symlink's target, in bytes: longer than
// any system allows.
const maxLink = 64 << 10

// fetch writes the content to a temporary name, with its time and mode, and
// reports whether its sum is right.
func (r *run) fetch(ctx context.Context, t *task, temp string) (right bool, err error) {
	switch {
	case t.want.Kind == manifest.Symlink:
		return r.fetchLink(ctx, t, temp)
	case t.want.Size > r.part:
		return r.fetchLarge(ctx, t, temp)
	}
	d := t.dir
	if err := d.root.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	f, err := d.root.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return false, err
	}
	s := t.want.Proof()
	err = r.download(ctx, t, 0, t.want.Size, io.MultiWriter(f, s))
	if err = errors.Join(err, t.complete(f, err == nil)); err == nil {
		err = d.root.Chtimes(temp, time.Time{}, t.want.ModifiedAt())
	}
	if err != nil {
		return false, errors.Join(err, d.root.Remove(temp))
	}
	return s.Holds(), nil
}

// complete gives a file that has arrived its mode, and closes it.
func (t *task) complete(f *os.File, arrived bool) error {
	var err error
	if arrived && !t.dir.limits.plain {
		err = f.Chmod(fileMode(t.want.Mode))
	}
	if arrived {
		err = errors.Join(err, syncFile(f))
	}
	return errors.Join(err, f.Close())
}

// download writes the bytes [from, to) of a content to w, when there is a
// place for one more request.
func (r *run) download(ctx context.Context, t *task, from, to int64, w io.Writer) error {
	select {
	case r.lines <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.lines }()
	_, err := r.Drive.Download(ctx, t.blob, from, to, writeFunc(func(p []byte) (int, error) {
		n, err := w.Write(p)
		r.progress.received(n)
		return n, err
	}))
	return err
}

type writeFunc func([]byte) (int, error)

func (f writeFunc) Write(p []byte) (int, error) { return f(p) }

// fetchLink makes a symlink, whose content on Drive is its target.
func (r *run) fetchLink(ctx context.Context, t *task, temp string) (right bool, err error) {
	if t.want.Size > maxLink {
		return false, fmt.Errorf("a symlink's target of %d bytes", t.want.Size)
	}
	text := new(bytes.Buffer)
	s := t.want.Proof()
	if err := r.download(ctx, t, 0, t.want.Size, io.MultiWriter(text, s)); err != nil {
		return false, err
	}
	root := t.dir.root
	if err := root.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if !s.Holds() {
		return false, root.WriteFile(temp, text.Bytes(), 0o600)
	}
	if err := root.Symlink(text.String(), temp); err != nil {
		return false, fmt.Errorf("the target does not take symlinks (this one leads to %.200q): %w", text.String(), err)
	}
	return true, setLinkTime(root, temp, t.want.ModifiedAt())
}

// fetchLarge fetches a content in segments, several at a time, and goes on
// with those of a run before. Its sum is computed as they arrive.
func (r *run) fetchLarge(ctx context.Context, t *task, temp string) (right bool, err error) {
	for {
		p, err := openPart(t.dir, temp, t.want.Size, r.part)
		if err != nil {
			return false, err
		}
		again := p.left() < len(p.done)
		s := t.want.Proof()
		if err := r.fetchPart(ctx, t, p, s); err != nil {
			return false, errors.Join(err, p.f.Close()) // what has arrived stays for the next run
		}
		right = s.Holds()
		if !right && again {
			// Something else came into the file since, or it is another one.
			if err := errors.Join(p.f.Close(), t.dir.root.Remove(temp)); err != nil {
				return false, err
			}
			continue
		}
		err = p.f.Truncate(t.want.Size)
		if err = errors.Join(err, t.complete(p.f, err == nil)); err == nil {
			err = t.dir.root.Chtimes(temp, time.Time{}, t.want.ModifiedAt())
		}
		return right, err
	}
}

// fetchPart fetches the segments that are missing, and feeds all of them to s.
func (r *run) fetchPart(ctx context.Context, t *task, p *part, s *manifest.Proof) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	defer wg.Wait()
	for range min(cap(r.lines), p.left()) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(p.done) {
					return
				}
				if p.has(i) {
					continue
				}
				from, to := p.span(i)
				w := newSegmentWriter(p.f, from)
				err := r.download(ctx, t, from, to, w)
				if err == nil {
					w.begin()
					err = p.arrived(i)
				}
				if err != nil {
					stop(err)
					return
				}
			}
		})
	}
	buf := make([]byte, min(readBack, p.segment))
	for i := range p.done {
		select {
		case <-p.done[i]:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		from, to := p.span(i)
		if _, err := io.CopyBuffer(s, readerOf(ctx, io.NewSectionReader(p.f, from, to-from)), buf); err != nil {
			stop(err) // unless one that fetches has failed before, which ended the copy
			return context.Cause(ctx)
		}
	}
	return nil
}
