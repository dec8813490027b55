package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
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

// A session is a resumable upload as Drive knows it: all that is needed to go
// on with it, by this process or another.
type session struct {
	address string // as good as a password, never logged
	total   int64  // bytes
	stored  int64  // bytes that Drive has acknowledged
}

// errGone says that a session cannot be gone on with.
var errGone = errors.New("upload session is gone")

// putLarge sends a content through a resumable session, from the beginning
// again when Drive has lost the session.
func (s *sender) putLarge(ctx context.Context) (*drive.File, error) {
	for start := 1; ; start++ {
		s.facts = facts{}
		ses, err := s.open(ctx)
		if err != nil {
			return nil, err
		}
		f, err := s.stream(ctx, ses)
		if errors.Is(err, errGone) && start < freshStarts {
			s.run.d.opt.Log.Warn("upload session lost, begun again", "path", string(s.op.Path), "id", s.op.FileID)
			continue
		}
		if errors.Is(err, errGone) {
			return nil, &Error{Class: Transient, Err: fmt.Errorf("%d times: %w", start, err)}
		}
		if err != nil {
			return nil, err
		}
		s.patchHash(f)
		return f, nil
	}
}

// open begins a session.
func (s *sender) open(ctx context.Context) (*session, error) {
	d := s.run.d
	m := s.meta()
	method, address := s.target("resumable")
	ses := &session{total: s.stat.Size}
	e := d.try(ctx, 1, s.run.tries(), func(ctx context.Context) error {
		resp, answer, err := s.post(ctx, upload{
			method: method, address: address,
			header: http.Header{
				"Content-Type":            {"application/json; charset=UTF-8"},
				"X-Upload-Content-Type":   {m.MimeType},
				"X-Upload-Content-Length": {strconv.FormatInt(s.stat.Size, 10)},
			},
			form: form{head: m.json()},
		})
		if err == nil {
			err = refusal(resp, answer)
		}
		if err == nil {
			ses.address, err = d.sessionAddress(resp.Header.Get("Location"))
		}
		return err
	})
	if e != nil {
		return nil, e
	}
	return ses, nil
}

// sessionAddress checks where a session is said to be: our sign-in goes along
// with each chunk, so it must be the endpoint's host or Google's.
func (d *Drive) sessionAddress(location string) (string, error) {
	u, err := url.Parse(location)
	if err != nil || u.Host == "" || u.Scheme != d.root.Scheme {
		return "", errors.New("open upload session: the answer has no usable Location")
	}
	if u.Host != d.root.Host && !strings.HasSuffix(u.Hostname(), ".googleapis.com") {
		return "", fmt.Errorf("open upload session: its host %s is not the endpoint's", u.Host)
	}
	return location, nil
}

// A chunk is a piece of the content in memory.
type chunk struct {
	off  int64
	data []byte
	err  error
}

func (c *chunk) end() int64 { return c.off + int64(len(c.data)) }

// stream sends the content chunk by chunk, reading and hashing one ahead. The
// last chunk leaves only when the file is still what was opened; otherwise
// the session is left to expire and Drive keeps what it has.
func (s *sender) stream(ctx context.Context, ses *session) (*drive.File, error) {
	sum := newDigest()
	size := s.run.d.beginWith()
	cur := s.readChunk(0, size, sum)
	for {
		if cur.err != nil {
			return nil, cur.err
		}
		last := cur.end() == ses.total
		var next chan chunk
		if last {
			s.facts = sum.facts(cur.end())
			more, _ := s.content.ReadAt(make([]byte, 1), ses.total) // beyond the end: 0 and EOF
			if err := s.unchanged(cur.end() + int64(more)); err != nil {
				return nil, err
			}
		} else {
			next = make(chan chunk, 1)
			go func(off, size int64) { next <- s.readChunk(off, size, sum) }(cur.end(), size)
		}
		began := s.run.d.opt.Now()
		f, err := s.sendChunk(ctx, ses, &cur, last)
		var ahead chunk
		if next != nil {
			ahead = <-next
		}
		used := cur.data
		chunks.Put(&used)
		if err != nil || last {
			return f, err
		}
		if f != nil {
			return nil, fmt.Errorf("%w: it ended after %d of %d bytes", errGone, cur.end(), ses.total)
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
		for e != nil {
			if e.Class == NotFound || e.Status == http.StatusBadRequest {
				return nil, fmt.Errorf("%w: %v", errGone, e)
			}
			pause, again := t.next(e)
			if !again {
				return nil, e
			}
			if err := s.run.d.opt.Sleep(ctx, pause); err != nil {
				return nil, classify(err)
			}
			f, e = s.query(ctx, ses, at)
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

// query asks how much the server has; before is what it had. An answer that
// it has less may be a Range lost on the way, so it is asked twice.
func (s *sender) query(ctx context.Context, ses *session, before int64) (*drive.File, *Error) {
	f, e := s.putChunk(ctx, ses, nil)
	if e == nil && f == nil && (ses.stored < before || ses.stored == 0) {
		f, e = s.putChunk(ctx, ses, nil)
	}
	return f, e
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

// patchHash puts the BLAKE3 of a large file, which as a rule is known only
// when all of it was read, on Drive with the next house-keeping calls. The
// time goes along, for a patch may touch it.
func (s *sender) patchHash(f *drive.File) {
	if s.facts.hash == s.scanned() {
		return // it went up with the session
	}
	m := &meta{
		ModifiedTime:  driveTime(s.stat.ModTime, s.clamp, s.run.d.opt.Now()),
		AppProperties: props{propHash: s.facts.hash.String()},
	}
	c := s.run.d.patchCall(manifest.FileID(f.Id), m, "id")
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	s.run.tail = append(s.run.tail, c)
}
