package remote

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/api/googleapi"
)

// batchPath is where Drive takes batches. Source: Drive's discovery document.
const batchPath = "batch/drive/v3"

// maxAnswer bounds the JSON of one answer; the largest that we ask for, a page
// of a listing, has far less.
const maxAnswer = 8 << 20

// send carries out calls, up to 100 in a request, and calls done once for each
// when its outcome is final, from this goroutine. Parts that were refused are
// sent again under the retry policy, alone; order is not kept. The error is
// why it had to stop, with some calls not done: the end of ctx.
func (d *Drive) send(ctx context.Context, calls []*call, done func(*call)) error {
	for len(calls) > 0 {
		n, err := d.granted(ctx, calls)
		if err != nil {
			return err
		}
		batch := make([]*call, 0, n)
		for _, c := range calls[:n] {
			if c.before != nil {
				if c.kept = c.before(); c.kept != nil {
					done(c)
					continue
				}
			}
			batch = append(batch, c)
		}
		calls = calls[n:]
		if len(batch) == 0 {
			continue
		}
		d.exchange(ctx, batch)
		var again []*call
		var pause time.Duration
		for _, c := range batch {
			if c.err != nil && c.err.Class == Canceled {
				return context.Canceled
			}
			if c.err == nil {
				done(c)
				continue
			}
			wait, retry := c.tries.next(c.err, d.opt.Random)
			if !retry {
				done(c)
				continue
			}
			c.unsure = c.unsure || c.err.Class == Transient
			again, pause = append(again, c), max(pause, wait)
		}
		if len(again) > 0 {
			calls = append(again, calls...)
			if err := d.opt.Sleep(ctx, pause); err != nil {
				return err
			}
		}
	}
	return nil
}

// renewSignIn makes up for the 401 of a batch's part, which the client's
// transport does not get to see: it sends a request of its own, whose 401 lets
// the transport get a new token, or say why there is none.
func (d *Drive) renewSignIn(ctx context.Context, batch []*call) {
	refused := func(c *call) bool {
		return c.err != nil && c.err.Class == Auth && c.err.Status == http.StatusUnauthorized
	}
	if !slices.ContainsFunc(batch, refused) {
		return
	}
	e := d.once(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, d.stall)
		defer cancel()
		_, err := d.svc.About.Get().Fields("kind").Context(ctx).Do()
		return err
	})
	if e == nil || e.Class != Auth {
		return
	}
	for _, c := range batch {
		if refused(c) {
			own := *e
			c.err = &own
		}
	}
}

// granted says how many of the calls may leave now: what the pacer has at
// hand, and at least what is worth a request.
func (d *Drive) granted(ctx context.Context, calls []*call) (int, error) {
	n := min(len(calls), maxBatch)
	writes := 0
	for _, c := range calls[:n] {
		writes += c.writes()
	}
	got, err := d.pace.takeUpTo(ctx, min(writes, enough), writes)
	if err != nil || got >= writes {
		return n, err
	}
	for i, c := range calls[:n] { // as many calls as hold the writes we got
		if got -= c.writes(); got < 0 {
			return i, nil
		}
	}
	return n, nil
}

// exchange sends one batch and sets each call's answer or err.
func (d *Drive) exchange(ctx context.Context, batch []*call) {
	for _, c := range batch {
		c.answer, c.err = nil, nil
		d.meter.call(c.method, "/"+c.path)
	}
	left := d.opt.Now()
	var parts []*part
	whole := d.once(ctx, func(ctx context.Context) (err error) {
		parts, err = d.post(ctx, batch)
		return err
	})
	v := verdict{read: true}
	for i, c := range batch {
		switch {
		case parts != nil && parts[i] != nil:
			c.answer, c.err = parts[i].outcome()
		case whole != nil:
			own := *whole // each call words its own
			if own.Class == NotFound || own.Class == Conflict || own.Class == BadID {
				own.Class = Transient // it says nothing of the item
			}
			c.err = &own
		default:
			c.err = &Error{Class: Transient, Err: errors.New("the batch's answer has no part for it")}
		}
		if c.err == nil {
			v.accepted += c.writes()
			continue
		}
		v.after = max(v.after, c.err.wait())
		if c.err.Class == RateLimit {
			v.refused++
			v.read = v.read && c.writes() == 0
			d.meter.throttled.Add(1)
		}
	}
	d.pace.saw(v, left)
	if parts != nil {
		d.renewSignIn(ctx, batch)
	}
}

// post sends the batch and reads as many parts of the answer as arrive whole.
func (d *Drive) post(ctx context.Context, batch []*call) ([]*part, error) {
	w := d.watched(ctx)
	defer w.end()
	const boundary = "acb-batch-7f1c0e5d9a" // may not occur in the parts: JSON and URLs hold no line "--..."
	body := encodeBatch(boundary, d.root.EscapedPath(), batch)
	req, err := http.NewRequestWithContext(w.ctx, http.MethodPost, d.url(batchPath, nil), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "multipart/mixed; boundary="+boundary)
	req.Header.Set("User-Agent", d.agent(true))
	resp, err := d.http.Do(req)
	if err != nil {
		return nil, w.cause(err)
	}
	defer resp.Body.Close()
	if err := googleapi.CheckResponse(resp); err != nil {
		return nil, err
	}
	parts, err := parseBatch(resp.Body, resp.Header.Get("Content-Type"), len(batch))
	for _, p := range parts {
		if p != nil && p.header.Get("Date") == "" { // which a Retry-After may count from
			p.header.Set("Date", resp.Header.Get("Date"))
		}
	}
	return parts, w.cause(err)
}

// encodeBatch writes calls as a multipart/mixed body. prefix is the path of
// the endpoint. Source: Drive API guide, "Improve performance", batch requests.
func encodeBatch(boundary, prefix string, calls []*call) []byte {
	var b bytes.Buffer
	for i, c := range calls {
		fmt.Fprintf(&b, "--%s\r\nContent-Type: application/http\r\nContent-ID: <%d>\r\n\r\n", boundary, i)
		fmt.Fprintf(&b, "%s %s%s?%s HTTP/1.1\r\n", c.method, prefix, c.path, c.query.Encode())
		if c.body == nil {
			b.WriteString("\r\n\r\n")
			continue
		}
		body := c.body.json()
		fmt.Fprintf(&b, "Content-Type: application/json; charset=UTF-8\r\nContent-Length: %d\r\n\r\n", len(body))
		b.Write(body)
		b.WriteString("\r\n")
	}
	fmt.Fprintf(&b, "--%s--\r\n", boundary)
	return b.Bytes()
}

// A part is the answer to one call of a batch.
type part struct {
	status int
	header http.Header
	body   []byte
}

// outcome returns the body of a success, or the refusal.
func (p *part) outcome() ([]byte, *Error) {
	resp := &http.Response{StatusCode: p.status, Header: p.header, Body: io.NopCloser(bytes.NewReader(p.body))}
	if err := googleapi.CheckResponse(resp); err != nil {
		return nil, classify(err)
	}
	return p.body, nil
}

// parseBatch reads the answer to a batch of n calls and sorts its parts by
// Content-ID, for their order is nobody's promise. On an error, the parts that
// arrived whole are returned with it; the others are nil.
func parseBatch(r io.Reader, contentType string, n int) ([]*part, error) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || !strings.HasPrefix(kind, "multipart/") || params["boundary"] == "" {
		return nil, fmt.Errorf("read batch answer: Content-Type is %.80q", contentType)
	}
	parts := make([]*part, n)
	mr := multipart.NewReader(r, params["boundary"])
	for {
		p, err := mr.NextRawPart()
		if err == io.EOF {
			return parts, nil
		}
		if err != nil {
			return parts, fmt.Errorf("read batch answer: %w", err)
		}
		i, ok := partNumber(p.Header.Get("Content-ID"))
		if !ok || i >= n || parts[i] != nil {
			continue
		}
		if parts[i], err = readPart(p); err != nil {
			return parts, fmt.Errorf("read batch answer: part %d: %w", i, err)
		}
	}
}

// partNumber reads "<response-7>"; the brackets are missing in some reports.
func partNumber(id string) (int, bool) {
	id = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(id), "<"), ">")
	id, ok := strings.CutPrefix(id, "response-")
	if !ok {
		return 0, false
	}
	i, err := strconv.ParseUint(strings.Trim(id, "<>"), 10, 16)
	return int(i), err == nil
}

// readPart reads one inner answer. It is whole only when the reader has seen
// the boundary that ends it.
func readPart(r io.Reader) (*part, error) {
	br := bufio.NewReader(r)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, br); err != nil { // up to the boundary
		return nil, err
	}
	return &part{status: resp.StatusCode, header: resp.Header, body: body}, nil
}
