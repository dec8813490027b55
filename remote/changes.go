package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"google.golang.org/api/drive/v3"

	"github.com/autocloudbackup/acb/manifest"
)

const startPagePath = "drive/v3/changes/startPageToken"

// startPageCall asks in a batch where the change log stands now.
func (d *Drive) startPageCall() *call {
	q := d.shared(url.Values{"fields": {"startPageToken"}})
	if d.opt.SharedDrive != "" {
		q.Set("driveId", d.opt.SharedDrive)
	}
	return &call{method: http.MethodGet, path: startPagePath, query: q}
}

// startPageOf returns what such a call has answered; "" of any other.
func startPageOf(c *call) string {
	var got drive.StartPageToken
	if c.path != startPagePath || c.err != nil || json.Unmarshal(c.answer, &got) != nil {
		return ""
	}
	return got.StartPageToken
}

// ChangesStart returns the token of what will be changed from now on.
func (d *Drive) ChangesStart(ctx context.Context) (string, error) {
	c := d.startPageCall()
	if _, e := d.do(ctx, c); e != nil {
		return "", e.about("ask where Drive's change log stands", "", "")
	}
	token := startPageOf(c)
	if token == "" {
		return "", errors.New("ask where Drive's change log stands: no token in the answer")
	}
	return token, nil
}

// A LogError says that Drive's change log cannot be read from where it was
// read last, so that every item has to be looked at.
type LogError struct{ Err error }

// Error says so.
func (e *LogError) Error() string {
	return "Drive's change log is not to be had from here: " + e.Err.Error()
}

// Unwrap returns what Drive answered.
func (e *LogError) Unwrap() error { return e.Err }

// Changes reads Drive's change log from token on: one request for a thousand
// changes, one if there are none. visit is told of each page: every item that
// was changed by anybody, this acb included, as it is now. An item may come
// more than once; the last state is right. Absent means deleted for good, or
// not shown to this sign-in any more. Next is where to go on another time, and
// holds only if err is nil. The host folder is looked up in the same request:
// of an account that was rolled back, no change tells.
//
// Errors are visit's, a *LogError for a token that Drive does not take, *Error.
func (d *Drive) Changes(ctx context.Context, token string, host manifest.FileID, visit func(map[manifest.FileID]State) error) (next string, at State, err error) {
	look := d.getCall(host, stateFields)
	calls := []*call{nil, look}
	for {
		calls[0] = d.changesCall(token)
		if err := d.send(ctx, calls, func(*call) {}); err != nil {
			return "", at, classify(err).about("read Drive's change log", "", "")
		}
		if len(calls) > 1 {
			var e *Error
			if at, e = stateIn(look); e != nil {
				return "", at, e.about("look up the host folder", "", host)
			}
		}
		page, err := changesOf(calls[0])
		if err == nil {
			err = visit(page.states)
		}
		if err != nil {
			return "", at, err
		}
		if page.more == "" {
			return page.end, at, nil
		}
		token, calls = page.more, calls[:1]
	}
}

// changesCall asks for a page of the change log.
func (d *Drive) changesCall(token string) *call {
	q := url.Values{
		"pageToken": {token}, "pageSize": {strconv.Itoa(pageSize)},
		"fields": {"nextPageToken,newStartPageToken,changes(fileId,removed,file(" + stateFields + "))"},
	}
	if d.opt.SharedDrive != "" {
		q.Set("driveId", d.opt.SharedDrive)
		q.Set("includeItemsFromAllDrives", "true")
	}
	return &call{method: http.MethodGet, path: "drive/v3/changes", query: d.shared(q)}
}

// A changesPage is one page; more or end is where it goes on.
type changesPage struct {
	states    map[manifest.FileID]State
	more, end string
}

// changesOf reads what a changesCall has answered.
func changesOf(c *call) (p changesPage, err error) {
	if e := c.err; e != nil {
		e.about("read Drive's change log", "", "")
		if e.refusesToken() {
			return p, &LogError{e}
		}
		return p, e
	}
	var got drive.ChangeList
	if err := json.Unmarshal(c.answer, &got); err != nil {
		return p, fmt.Errorf("read Drive's change log: %w", err)
	}
	p = changesPage{states: make(map[manifest.FileID]State, len(got.Changes)), more: got.NextPageToken, end: got.NewStartPageToken}
	for _, c := range got.Changes {
		switch {
		case c.FileId == "": // of a shared drive as such, not of an item
		case c.Removed || c.File == nil:
			p.states[manifest.FileID(c.FileId)] = State{Absent: true}
		default:
			p.states[manifest.FileID(c.FileId)] = stateOf(c.File)
		}
	}
	if p.more != "" && p.more == c.query.Get("pageToken") {
		return p, errors.New("read Drive's change log: the page after this one is this one")
	}
	if p.more == "" && p.end == "" {
		return p, errors.New("read Drive's change log: the answer does not say where to go on")
	}
	return p, nil
}
