package remote

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/api/drive/v3"

	"github.com/autocloudbackup/acb/manifest"
)

// A Revision is one content that Drive keeps of a file.
type Revision struct {
	ID       string
	Size     int64
	MD5      manifest.MD5
	Modified time.Time // when it reached Drive, or as its modifiedTime was set
	Pinned   bool      // kept for good, and only so to be downloaded
}

// Revisions lists the contents that Drive still keeps of a file, the oldest
// first; the last is its content of today.
// Source: Drive API guide, "Manage file revisions": those that are not pinned
// go after 30 days, or when there are 100 newer ones.
func (d *Drive) Revisions(ctx context.Context, id manifest.FileID) ([]Revision, error) {
	var list []Revision
	token := ""
	for {
		var page *drive.RevisionList
		if e := d.read(ctx, func(ctx context.Context) (err error) {
			call := d.svc.Revisions.List(string(id)).PageSize(1000).
				Fields("nextPageToken,revisions(id,size,md5Checksum,modifiedTime,keepForever)").Context(ctx)
			if token != "" {
				call.PageToken(token)
			}
			page, err = call.Do()
			return err
		}); e != nil {
			return nil, e.about("list revisions", "", id)
		}
		for _, r := range page.Revisions {
			at, _ := time.Parse(time.RFC3339, r.ModifiedTime) // what is no time is the zero time
			list = append(list, Revision{ID: r.Id, Size: r.Size, MD5: parseMD5(r.Md5Checksum), Modified: at, Pinned: r.KeepForever})
		}
		if token = page.NextPageToken; token == "" {
			return list, nil
		}
	}
}

// Pin makes Drive keep revisions for good, so that they can be downloaded, up
// to 100 a request. It cannot be undone but by Unkeep: Drive takes no pin
// back. Not for the content of today, which needs none. The result has the
// error of each blob that could not be pinned; Drive takes 200 pins a file.
// The error is why it had to stop.
func (d *Drive) Pin(ctx context.Context, blobs []Blob) (map[Blob]error, error) {
	keep := true
	return d.revisionCalls(ctx, "pin revision", blobs, func(path string) *call {
		return &call{method: http.MethodPatch, path: path, query: url.Values{"fields": {"id"}}, body: &meta{KeepForever: &keep}}
	})
}

// Unkeep takes revisions off Drive for good, up to 100 a request; the content
// of today stays whatever is asked. The results are as those of Pin.
func (d *Drive) Unkeep(ctx context.Context, blobs []Blob) (map[Blob]error, error) {
	return d.revisionCalls(ctx, "delete revision", blobs, func(path string) *call {
		return &call{method: http.MethodDelete, path: path, query: url.Values{}}
	})
}

func (d *Drive) revisionCalls(ctx context.Context, do string, blobs []Blob, make func(path string) *call) (map[Blob]error, error) {
	calls := []*call{}
	of := map[*call]Blob{}
	for _, b := range blobs {
		c := make(filePath(b.FileID) + "/revisions/" + url.PathEscape(b.Revision))
		calls = append(calls, c)
		of[c] = b
	}
	failed := map[Blob]error{}
	err := d.send(ctx, calls, func(c *call) {
		if c.err != nil {
			failed[of[c]] = c.err.about(do+" "+of[c].Revision, "", of[c].FileID)
		}
	})
	if err != nil {
		return failed, fmt.Errorf("%s: %w", do, classify(err))
	}
	return failed, nil
}
