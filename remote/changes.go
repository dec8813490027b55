package remote

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

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
// holds only if err is nil.
//
// Errors are visit's, a *LogError for a token that Drive does not take, *Error.
func (d *Drive) Changes(ctx context.Context, token string, visit func(map[manifest.FileID]State) error) (next string, err error) {
	const fields = "nextPageToken,newStartPageToken,changes(fileId,removed,file(" + stateFields + "))"
	for {
		var page *drive.ChangeList
		e := d.read(ctx, func(ctx context.Context) (err error) {
			list := d.svc.Changes.List(token).PageSize(pageSize).Fields(fields)
			if d.opt.SharedDrive != "" {
				list.DriveId(d.opt.SharedDrive).SupportsAllDrives(true).IncludeItemsFromAllDrives(true)
			}
			page, err = list.Context(ctx).Do()
			return err
		})
		if e != nil {
			e.about("read Drive's change log", "", "")
			if e.Class == NotFound || e.Reason == "invalid" || e.Reason == "pageTokenExpired" {
				return "", &LogError{e}
			}
			return "", e
		}
		states := make(map[manifest.FileID]State, len(page.Changes))
		for _, c := range page.Changes {
			if c.Removed || c.File == nil {
				states[manifest.FileID(c.FileId)] = State{Absent: true}
			} else {
				states[manifest.FileID(c.FileId)] = stateOf(c.File)
			}
		}
		if err := visit(states); err != nil {
			return "", err
		}
		if page.NextPageToken == "" && page.NewStartPageToken == "" {
			return "", errors.New("read Drive's change log: the answer does not say where to go on")
		}
		if page.NextPageToken == "" {
			return page.NewStartPageToken, nil
		}
		token = page.NextPageToken
	}
}
