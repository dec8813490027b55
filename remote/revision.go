package remote

import (
	"context"
	"encoding/json"
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
				Fields("nextPageToken,revisions(" + revisionFields + ")").Context(ctx)
			if token != "" {
				call.PageToken(token)
			}
			page, err = call.Do()
			return err
		}); e != nil {
			return nil, e.about("list revisions", "", id)
		}
		for _, r := range page.Revisions {
			list = append(list, revisionOf(r))
		}
		switch page.NextPageToken {
		case "":
			return list, nil
		case token:
			return nil, fmt.Errorf("list revisions of %s: the page after one is that one", id)
		}
		token = page.NextPageToken
	}
}

const revisionFields = "id,size,md5Checksum,modifiedTime,keepForever"

func revisionOf(r *drive.Revision) Revision {
	at, _ := time.Parse(time.RFC3339, r.ModifiedTime) // what is no time is the zero time
	return Revision{ID: r.Id, Size: r.Size, MD5: parseMD5(r.Md5Checksum), Modified: at, Pinned: r.KeepForever}
}

// LookAt asks for revisions by name, up to 100 a request. What is in neither
// result Drive no longer has. The second has the error of each blob that Drive
// does not show to this account, and of which nothing is known; the error says
// why it is not of others.
func (d *Drive) LookAt(ctx context.Context, blobs []Blob) (map[Blob]Revision, map[Blob]error, error) {
	found, failed := map[Blob]Revision{}, refused{}
	var unknown error
	err := d.revisionCalls(ctx, "look up", blobs, func(path string) *call {
		return &call{method: http.MethodGet, path: path, query: url.Values{"fields": {revisionFields}}}
	}, func(b Blob, c *call) {
		r := new(drive.Revision)
		switch {
		case c.err != nil && c.err.Class == NotFound:
		case c.err != nil && c.err.Class == Permanent:
			failed.note(b, c)
		case c.err != nil:
			unknown = c.err
		case json.Unmarshal(c.answer, r) != nil:
			unknown = fmt.Errorf("look up revision %s: read answer", b.Revision)
		default:
			found[b] = revisionOf(r)
		}
	})
	if err == nil {
		err = unknown
	}
	return found, failed, err
}

// Pin makes Drive keep revisions for good, so that they can be downloaded, up
// to 100 a request. It cannot be undone but by Unkeep: Drive takes no pin
// back. Not for the content of today, which needs none. The result has the
// error of each blob that could not be pinned; Drive takes 200 pins a file.
// The error is why it had to stop.
func (d *Drive) Pin(ctx context.Context, blobs []Blob) (map[Blob]error, error) {
	keep := true
	failed := refused{}
	err := d.revisionCalls(ctx, "pin", blobs, func(path string) *call {
		return &call{method: http.MethodPatch, path: path, query: url.Values{"fields": {"id"}}, body: &meta{KeepForever: &keep}}
	}, failed.note)
	return failed, err
}

// Unkeep takes revisions off Drive for good, up to 100 a request; the content
// of today stays whatever is asked, and what is gone already is fine. The
// results are as those of Pin; of one that has no answer it is not known
// whether it is gone, and the error is its result.
func (d *Drive) Unkeep(ctx context.Context, blobs []Blob) (map[Blob]error, error) {
	failed, left := refused{}, map[Blob]bool{}
	for _, b := range blobs {
		left[b] = true
	}
	err := d.revisionCalls(ctx, "delete", blobs, func(path string) *call {
		return &call{method: http.MethodDelete, path: path, query: url.Values{}}
	}, func(b Blob, c *call) {
		delete(left, b)
		if c.err == nil || c.err.Class != NotFound {
			failed.note(b, c)
		}
	})
	if err != nil {
		for b := range left { // without an answer
			failed[b] = err
		}
	}
	return failed, err
}

// refused are the errors of single blobs.
type refused map[Blob]error

func (r refused) note(b Blob, c *call) {
	if c.err != nil {
		r[b] = c.err
	}
}

// revisionCalls makes a call for each blob and hands the answers to done.
func (d *Drive) revisionCalls(ctx context.Context, do string, blobs []Blob, make func(path string) *call, done func(Blob, *call)) error {
	var calls []*call
	of := map[*call]Blob{}
	for _, b := range blobs {
		c := make(filePath(b.FileID) + "/revisions/" + url.PathEscape(b.Revision))
		calls = append(calls, c)
		of[c] = b
	}
	err := d.send(ctx, calls, func(c *call) {
		b := of[c]
		c.err.about(do+" revision "+b.Revision, "", b.FileID)
		done(b, c)
	})
	if err != nil {
		return fmt.Errorf("%s revisions: %w", do, classify(err))
	}
	return nil
}
