package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"google.golang.org/api/drive/v3"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
)

// A call is one metadata call. It travels in a batch, so it holds no content.
type call struct {
	method string
	path   string // below the endpoint, as drive/v3/files/ID
	query  url.Values
	body   *meta    // nil for a get
	op     *plan.Op // what it is for; nil for house-keeping

	// before, when set, is run right before each request that carries the
	// call; an error keeps the call from leaving.
	before func() error

	tries  tries
	answer []byte // of the call that succeeded
	err    *Error // why it did not
	kept   error  // what before returned
	unsure bool   // an earlier request with it may have had its effect
}

// writes is what the call spends at the pacer.
func (c *call) writes() int {
	if c.method == http.MethodGet {
		return 0
	}
	return 1
}

// file reads the answer as a file.
func (c *call) file() (*drive.File, *Error) {
	if c.err != nil {
		return nil, c.err
	}
	f := new(drive.File)
	if err := json.Unmarshal(c.answer, f); err != nil {
		return nil, &Error{Class: Permanent, Err: fmt.Errorf("read answer: %w", err)}
	}
	return f, nil
}

func filePath(id manifest.FileID) string { return "drive/v3/files/" + url.PathEscape(string(id)) }

func (d *Drive) getCall(id manifest.FileID, fields string) *call {
	return &call{method: http.MethodGet, path: filePath(id), query: d.shared(url.Values{"fields": {fields}})}
}

func (d *Drive) createCall(m *meta, fields string) *call {
	return &call{method: http.MethodPost, path: "drive/v3/files", query: d.shared(url.Values{"fields": {fields}}), body: m}
}

func (d *Drive) patchCall(id manifest.FileID, m *meta, fields string) *call {
	return &call{method: http.MethodPatch, path: filePath(id), query: d.shared(url.Values{"fields": {fields}}), body: m}
}

// do carries out one call and returns what it answered.
func (d *Drive) do(ctx context.Context, c *call) (*drive.File, *Error) {
	if err := d.send(ctx, []*call{c}, func(*call) {}); err != nil {
		return nil, classify(err)
	}
	return c.file()
}

// get looks one item up by id.
func (d *Drive) get(ctx context.Context, id manifest.FileID, fields string) (*drive.File, *Error) {
	return d.do(ctx, d.getCall(id, fields))
}

// occupant asks for the item that a create found under the id reserved for it.
// One that was deleted since has used the id up: the error is of class BadID.
func (d *Drive) occupant(ctx context.Context, id manifest.FileID, fields string) (*drive.File, *Error) {
	f, e := d.get(ctx, id, fields)
	if e != nil && e.Class == NotFound {
		e.Class = BadID
	}
	return f, e
}
