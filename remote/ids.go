package remote

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"sync"

	"github.com/autocloudbackup/acb/manifest"
)

// maxIDs is the most ids that one request reserves.
// Source: Drive API reference, files.generateIds.
const maxIDs = 1000

// idPool holds reserved ids that are not used yet.
type idPool struct {
	asking turn // held while Drive is asked for more

	mu  sync.Mutex // guards ids
	ids []manifest.FileID
}

// idsPath is where Drive gives out ids. Source: Drive API reference, files.generateIds.
const idsPath = "drive/v3/files/generateIds"

// idsCall asks for n ids, in a batch.
func idsCall(n int) *call {
	return &call{method: http.MethodGet, path: idsPath, query: url.Values{"count": {strconv.Itoa(n)}, "fields": {"ids"}}}
}

// len returns how many there are.
func (p *idPool) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.ids)
}

// put adds reserved ids.
func (p *idPool) put(ids []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		p.ids = append(p.ids, manifest.FileID(id))
	}
}

// drop forgets all of them: one was refused, and the rest is as old.
func (p *idPool) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ids = nil
}

// reserve returns an id for each of n creates, and asks for as many as the
// ahead creates to come will need, a thousand at a time at most. So n creates
// in all cost ⌈n/1000⌉ requests.
func (d *Drive) reserve(ctx context.Context, n, ahead int) ([]manifest.FileID, *Error) {
	if err := d.ids.asking.take(ctx); err != nil {
		return nil, classify(err)
	}
	defer d.ids.asking.give()
	for {
		if ids := d.ids.take(n); ids != nil {
			return ids, nil
		}
		var got []string
		count := min(maxIDs, max(n, ahead)-d.ids.len())
		if e := d.read(ctx, func(ctx context.Context) error {
			r, err := d.svc.Files.GenerateIds().Count(int64(count)).Fields("ids").Context(ctx).Do()
			if err == nil {
				got = r.Ids
			}
			return err
		}); e != nil {
			return nil, e.about("reserve ids", "", "")
		}
		if len(got) == 0 {
			return nil, (&Error{Class: Permanent, Status: 200, Message: "no ids in the answer"}).about("reserve ids", "", "")
		}
		d.ids.put(got)
	}
}

// take removes n ids, if there are as many.
func (p *idPool) take(n int) []manifest.FileID {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.ids) < n {
		return nil
	}
	ids := p.ids[:n:n]
	p.ids = p.ids[n:]
	return ids
}
