package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/api/drive/v3"

	"github.com/autocloudbackup/acb/manifest"
)

// Chunks of a resumable upload. All but the last are multiples of chunkUnit.
// Source: Drive API guide, "Upload file data", resumable.
const (
	chunkUnit  = 256 << 10
	firstChunk = 2 << 20
	// maxChunk bounds what a cut line costs and, twice a transfer, memory.
	maxChunk = 8 << 20
	// A chunk should take between these: shorter ones waste round trips,
	// longer ones bytes when the line is cut.
	shortChunk, longChunk = 2 * time.Second, 10 * time.Second
	// freshStarts is how many sessions one content may use up.
	freshStarts = 4
	// idleRounds is how often a server may take nothing of a chunk.
	// Source: reports of sessions that answer 308 for ever behind proxies.
	idleRounds = 5
)

// putLarge sends a content through a resumable session: the one that an
// earlier try has left, from where it stopped, else one from the beginning.
func (s *sender) putLarge(ctx context.Context) (*drive.File, error) {
	for start := 1; ; start++ {
		s.facts = facts{}
		ses, f, err := s.takeUp(ctx)
		if ses == nil && err == nil {
			ses, err = s.open(ctx)
		}
		if f == nil && err == nil {
			f, err = s.stream(ctx, ses)
		}
		if err == nil {
			return s.finish(ctx, ses, f)
		}
		if !errors.Is(err, errGone) {
			return nil, err
		}
		if start == freshStarts {
			return nil, &Error{Class: Transient, Err: fmt.Errorf("%d times: %w", start, err)}
		}
		s.run.d.opt.Log.Warn("upload begun again", "path", string(s.op.Path), "id", s.op.FileID, "reason", err.Error())
	}
}

// A chunk is a piece of the content in memory.
type chunk struct {
	off  int64
	data []byte
	sum  manifest.Hash // of the content up to its end
	err  error
}

func (c *chunk) end() int64 { return c.off + int64(len(c.data)) }

// free lets the memory be used again.
func (c *chunk) free() {
	used := c.data
	chunks.Put(&used)
}

// stream sends the content from where the session is, chunk by chunk, reading
// and hashing one ahead. The last chunk leaves only when the file is still
// what was opened; otherwise the session is left to expire and Drive keeps
// what it has.
func (s *sender) stream(ctx context.Context, ses *session) (*drive.File, error) {
	size := s.run.d.beginWith()
	cur := s.readChunk(ses.stored, size, ses.sum)
	for {
		if cur.err != nil {
			return nil, cur.err
		}
		last := cur.end() == ses.total
		var next chan chunk
		if last {
			s.facts = ses.sum.facts(cur.end())
			more, _ := s.content.ReadAt(make([]byte, 1), ses.total) // beyond the end: 0 and EOF
			if err := s.unchanged(cur.end() + int64(more)); err != nil {
				return nil, err
			}
		} else if err := s.worth(); err != nil {
			return nil, err
		} else {
			next = make(chan chunk, 1)
			go func(off, size int64) { next <- s.readChunk(off, size, ses.sum) }(cur.end(), size)
		}
		began := s.run.d.opt.Now()
		f, err := s.sendChunk(ctx, ses, &cur, last)
		var ahead chunk
		if next != nil {
			ahead = <-next
		}
		cur.free()
		if err != nil || last {
			return f, err
		}
		if f != nil {
			return nil, fmt.Errorf("%w: it ended after %d of %d bytes", errGone, cur.end(), ses.total)
		}
		ses.Sent, ses.SentHash = cur.end(), cur.sum
		if err := s.run.keep(s.op, ses.Session); err != nil {
			return nil, err
		}
		size = nextChunk(size, s.run.d.opt.Now().Sub(began))
		cur = ahead
	}
}

// beginWith is the size of the first chunk: what a transfer's share of a line
// that the user limits can send in longChunk, if that is less.
func (d *Drive) beginWith() int64 {
	limit := d.opt.Line.Rate()
	if limit == 0 {
		return d.chunk
	}
	most := int64(float64(limit) / float64(d.opt.Transfers) * longChunk.Seconds())
	return max(min(d.chunk, most/chunkUnit*chunkUnit), chunkUnit)
}

// nextChunk adapts the size to how long the last chunk took.
func nextChunk(size int64, took time.Duration) int64 {
	switch {
	case took < shortChunk:
		return min(size*2, maxChunk)
	case took > longChunk:
		return max(size/2/chunkUnit*chunkUnit, chunkUnit)
	}
	return size
}

// chunks holds what chunks are read into.
var chunks = sync.Pool{New: func() any { return new([]byte) }}

// readChunk reads up to size bytes at off and hashes them.
func (s *sender) readChunk(off, size int64, sum *digest) chunk {
	n := min(size, s.stat.Size-off)
	buf := *chunks.Get().(*[]byte)
	if int64(cap(buf)) < n {
		buf = make([]byte, n)
	}
	c := chunk{off: off, data: buf[:n]}
	got, err := s.content.ReadAt(c.data, off)
	switch {
	case int64(got) == n:
		sum.Write(c.data)
		sum.hash.Sum(c.sum[:0])
	case err == io.EOF:
		c.err = errBusy // it shrank
	default:
		c.err = fmt.Errorf("read: %w", err)
	}
	return c
}

// sendChunk sends a chunk until the server has all of it, however it takes it.
// After anything but a clear answer it asks what is stored and goes on there.
// The file is returned when the upload is complete.
func (s *sender) sendChunk(ctx context.Context, ses *session, c *chunk, last bool) (*drive.File, error) {
	t := s.run.tries()
	idle := 0
	for {
		at := ses.stored
		if at < c.off || at > c.end() {
			return nil, fmt.Errorf("%w: it holds %d bytes, sent were %d to %d", errGone, at, c.off, c.end())
		}
		f, e := s.putChunk(ctx, ses, c.data[at-c.off:])
		if e != nil {
			err := s.await(ctx, e, &t)
			if err == nil {
				f, err = s.ask(ctx, ses, &t)
			}
			if err != nil {
				return nil, err
			}
		}
		switch {
		case f != nil:
			return f, nil
		case ses.stored == c.end() && !last:
			return nil, nil
		case ses.stored > at:
			idle, t = 0, s.run.tries()
		default:
			if idle++; idle > idleRounds {
				return nil, &Error{Class: Transient, Status: http.StatusPermanentRedirect,
					Reason: "noProgress", Message: "the upload session takes no more bytes"}
			}
		}
	}
}

// putChunk sends bytes from ses.stored on, or none to ask for the state, and
// sets ses.stored to what the server then has.
func (s *sender) putChunk(ctx context.Context, ses *session, data []byte) (*drive.File, *Error) {
	d := s.run.d
	if err := d.pace.take(ctx, 0); err != nil {
		return nil, classify(err)
	}
	span := fmt.Sprintf("bytes */%d", ses.total)
	if len(data) > 0 {
		span = fmt.Sprintf("bytes %d-%d/%d", ses.stored, ses.stored+int64(len(data))-1, ses.total)
	}
	var f *drive.File
	left := d.opt.Now()
	e := d.once(ctx, func(ctx context.Context) error {
		resp, answer, err := s.post(ctx, upload{
			method: http.MethodPut, address: ses.address,
			header: http.Header{"Content-Range": {span}},
			form:   form{content: data},
		})
		if err != nil {
			return err
		}
		if resp.StatusCode == http.StatusPermanentRedirect {
			ses.stored, err = storedBytes(resp.Header.Get("Range"))
			return err
		}
		if err := refusal(resp, answer); err != nil {
			return err
		}
		f, err = readFile(answer)
		return err
	})
	d.saw(e, 0, left)
	return f, e
}

// storedBytes reads the Range of a 308. None means that nothing is stored.
// Source: Drive API guide, "Upload file data", resuming.
func storedBytes(r string) (int64, error) {
	if r == "" {
		return 0, nil
	}
	end, ok := strings.CutPrefix(r, "bytes=0-")
	n, err := strconv.ParseInt(end, 10, 64)
	if !ok || err != nil || n < 0 {
		return 0, fmt.Errorf("read upload answer: Range is %.40q", r)
	}
	return n + 1, nil
}
