package remote

import (
	"context"
	"encoding/json"
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
	for token, more := "", true; more; more = token != "" {
		c := d.listCall(query, stateFields, token)
		if err := d.send(ctx, []*call{c}, func(*call) {}); err != nil {
			return classify(err).about("list items", "", "")
		}
		page, err := c.page()
		if err != nil {
			return fmt.Errorf("list items: %w", err)
		}
		for _, f := range page.Files {
			id := manifest.FileID(f.Id)
			if seen[id] || f.AppProperties[propKind] == kindCopy {
				continue
			}
			seen[id] = true
			if err := each(id, stateOf(f)); err != nil {
				return err
			}
		}
		token = page.NextPageToken
	}
	return nil
}

// Installation returns the name of this installation, as in [Options].
func (d *Drive) Installation() string { return d.opt.Installation }

// listCall asks for a page of the items that a query finds; token is "" for
// the first.
func (d *Drive) listCall(query, fields, token string) *call {
	q := url.Values{"q": {query}, "pageSize": {strconv.Itoa(pageSize)}, "fields": {"nextPageToken,incompleteSearch,files(" + fields + ")"}}
	if token != "" {
		q.Set("pageToken", token)
	}
	if d.opt.SharedDrive != "" {
		q.Set("corpora", "drive")
		q.Set("driveId", d.opt.SharedDrive)
		q.Set("includeItemsFromAllDrives", "true")
	}
	return &call{method: http.MethodGet, path: "drive/v3/files", query: d.shared(q)}
}

// page reads the answer of a listCall. A search that Drive did not finish is
// an error, for it is not known what it lacks.
func (c *call) page() (*drive.FileList, error) {
	if c.err != nil {
		return nil, c.err
	}
	page := new(drive.FileList)
	if err := json.Unmarshal(c.answer, page); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if page.IncompleteSearch {
		return nil, &Error{Class: Transient, Reason: "incompleteSearch", Message: "Drive did not search everywhere"}
	}
	return page, nil
}

// quoted escapes a string for a query. Source: Drive API guide, "Search for files".
func quoted(s string) string {
	return strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s)
}
