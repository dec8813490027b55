package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"google.golang.org/api/drive/v3"

	"github.com/autocloudbackup/acb/manifest"
)

// pageSize is the most items of one page of a listing, or of the change log.
// Source: Drive API reference, files.list and changes.list.
const pageSize = 1000

// List calls each for every item of an installation that is on Drive, up to
// 1,000 a request: its host folder and what it made there, and what it made
// that somebody moved elsewhere; with what is in the trash only when asked.
//
// Drive may list an item late, or more than once; each hears of it once. So
// what a listing lacks is not absent for that: Check tells.
// Source: Drive API reference, files.list; for the lag, kopia issue 90.
func (d *Drive) List(ctx context.Context, installation string, trash bool, each func(manifest.FileID, State) error) error {
	query := "appProperties has { key='" + propInstall + "' and value='" + quoted(installation) + "' }"
	if !trash {
		query += " and trashed=false"
	}
	seen := map[manifest.FileID]bool{}
	for l := newListing(query, stateFields); !l.done; {
		c := d.listCall(l)
		if err := d.send(ctx, []*call{c}, func(*call) {}); err != nil {
			return classify(err).about("list items", "", "")
		}
		files, err := l.page(c)
		if err != nil {
			return fmt.Errorf("list items: %w", err)
		}
		for _, f := range files {
			id := manifest.FileID(f.Id)
			if seen[id] || f.AppProperties[propKind] == kindCopy {
				continue
			}
			seen[id] = true
			if err := each(id, stateOf(f)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Installation returns the name of this installation, as in [Options].
func (d *Drive) Installation() string { return d.opt.Installation }

// A listing is what a query finds, page by page.
type listing struct {
	query, fields string
	token         string // of the next page, "" for the first
	done          bool
	restarts      int
}

func newListing(query, fields string) *listing { return &listing{query: query, fields: fields} }

// mostRestarts is how often a listing begins anew. The number is ours: a token
// is good for hours.
const mostRestarts = 3

// listCall asks for the next page of a listing.
func (d *Drive) listCall(l *listing) *call {
	q := url.Values{"q": {l.query}, "pageSize": {strconv.Itoa(pageSize)}, "fields": {"nextPageToken,incompleteSearch,files(" + l.fields + ")"}}
	if l.token != "" {
		q.Set("pageToken", l.token)
	}
	if d.opt.SharedDrive != "" {
		q.Set("corpora", "drive")
		q.Set("driveId", d.opt.SharedDrive)
		q.Set("includeItemsFromAllDrives", "true")
	}
	return &call{method: http.MethodGet, path: "drive/v3/files", query: d.shared(q)}
}

// page takes in the answer to a listCall. A page token that Drive takes no
// more begins the listing anew, so that items come again. A search that Drive did not finish is
// an error, for it is not known what it lacks.
// Source: Drive API reference, files.list: a token is good for some hours, then from page 1.
func (l *listing) page(c *call) ([]*drive.File, error) {
	if e := c.err; e != nil {
		if l.token == "" || !e.refusesToken() || l.restarts == mostRestarts {
			return nil, e
		}
		l.token = ""
		l.restarts++
		return nil, nil
	}
	page := new(drive.FileList)
	if err := json.Unmarshal(c.answer, page); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if page.IncompleteSearch {
		return nil, &Error{Class: Transient, Reason: "incompleteSearch", Message: "Drive did not search everywhere"}
	}
	if page.NextPageToken != "" && page.NextPageToken == l.token {
		return nil, errors.New("read answer: the page after this one is this one")
	}
	l.token = page.NextPageToken
	l.done = l.token == ""
	return page.Files, nil
}

// refusesToken reports whether a call that named a page was refused for that.
// Source: Drive API guide and reports disagree on the form: 400, 403 and 410 were seen.
func (e *Error) refusesToken() bool {
	return e.Class == NotFound || e.Status == http.StatusGone || e.Reason == "invalid" || e.Reason == "pageTokenExpired"
}

// quoted escapes a string for a query. Source: Drive API guide, "Search for files".
func quoted(s string) string {
	return strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s)
}
