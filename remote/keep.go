package remote

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"google.golang.org/api/drive/v3"

	"github.com/autocloudbackup/acb/manifest"
)

// A ManifestCopy is the file beside the host folder that holds a copy of this
// installation's manifest. It is no part of the backup: listings of the host
// folder do not meet it, and List leaves it out.
type ManifestCopy struct {
	FileID manifest.FileID // "" if none is known
	Begun  bool            // the id is reserved, and the file may or may not exist
}

// KeepCopy puts content, a compressed manifest, on Drive: as new content of
// the known file, or as a new file in the folder top if there is none, or if
// somebody has trashed or deleted it. begin is told the reserved id of a new
// file before it is used, and makes it durable. With a known file it is one
// request up to 5 MiB.
//
// What fails is left to the next time: it is a copy.
func (d *Drive) KeepCopy(ctx context.Context, known ManifestCopy, top manifest.FileID, content io.ReaderAt, size int64, begin func(ManifestCopy) error) (ManifestCopy, error) {
	c := &copying{d: d, top: top, content: content, size: size, sum: md5.New()}
	if _, err := io.Copy(c.sum, io.NewSectionReader(content, 0, size)); err != nil {
		return known, fmt.Errorf("send manifest copy: %w", err)
	}
	at := known
	for range 4 { // found, trashed, made anew under a refused id, made anew
		if at.FileID == "" {
			var err error
			if at, err = d.newCopy(ctx, begin); err != nil {
				return known, err
			}
		}
		f, e := c.send(ctx, at)
		switch {
		case e == nil && f.Trashed, e != nil && e.Class == NotFound && !at.Begun:
			d.opt.Log.Info("manifest copy was trashed, made anew", "id", at.FileID)
			at = ManifestCopy{}
		case e == nil && f.Md5Checksum != fmt.Sprintf("%x", c.sum.Sum(nil)):
			return at, fmt.Errorf("send manifest copy: Drive holds other bytes than were sent (item %s)", at.FileID)
		case e == nil:
			return ManifestCopy{FileID: at.FileID}, nil
		case e.Class == Conflict && at.Begun: // an earlier try had reached Drive
			at.Begun = false
		case e.Class == BadID && at.Begun:
			d.ids.drop()
			at = ManifestCopy{}
		default:
			return at, e.about("send manifest copy", "", at.FileID)
		}
	}
	return at, errors.New("send manifest copy: it is trashed or refused again and again")
}

// newCopy takes over the file that an earlier manifest of this installation
// has made, or reserves an id for a new one.
func (d *Drive) newCopy(ctx context.Context, begin func(ManifestCopy) error) (at ManifestCopy, err error) {
	l := newListing("appProperties has { key='"+propKind+"' and value='"+kindCopy+"' }"+
		" and appProperties has { key='"+propInstall+"' and value='"+quoted(d.opt.Installation)+"' } and trashed=false", "id")
	list := d.listCall(l)
	if err := d.send(ctx, []*call{list}, func(*call) {}); err != nil {
		return at, classify(err).about("find manifest copy", "", "")
	}
	files, err := l.page(list)
	if err != nil {
		return at, fmt.Errorf("find manifest copy: %w", err)
	}
	if len(files) > 0 {
		at.FileID = manifest.FileID(files[0].Id)
		return at, begin(at)
	}
	ids, e := d.reserve(ctx, 1, 1)
	if e != nil {
		return at, e
	}
	at = ManifestCopy{FileID: ids[0], Begun: true}
	return at, begin(at)
}

// copying is one KeepCopy.
type copying struct {
	d       *Drive
	top     manifest.FileID
	content io.ReaderAt
	size    int64
	sum     interface {
		io.Writer
		Sum([]byte) []byte
	}
}

// copyFields is what an answer must tell.
const copyFields = "id,trashed,md5Checksum"

// send sends the content to a file, which is created if it is only begun.
func (c *copying) send(ctx context.Context, to ManifestCopy) (*drive.File, *Error) {
	m := &meta{
		Name: EncodeName(".acb-manifest-"+c.d.opt.Host+".db.gz", manifest.File), MimeType: "application/gzip",
		AppProperties: props{kind: kindCopy, install: c.d.opt.Installation},
	}
	method, path := http.MethodPatch, "upload/drive/v3/files/"+url.PathEscape(string(to.FileID))
	if to.Begun {
		m.ID, m.Parent = string(to.FileID), string(c.top)
		method, path = http.MethodPost, "upload/drive/v3/files"
	}
	address := func(uploadType string) string {
		return c.d.url(path, c.d.shared(url.Values{"uploadType": {uploadType}, "fields": {copyFields}}))
	}
	if c.size <= c.d.small {
		return c.whole(ctx, method, address("multipart"), m)
	}
	return c.pieces(ctx, method, address("resumable"), m)
}

// whole sends the content in one request.
func (c *copying) whole(ctx context.Context, method, address string, m *meta) (*drive.File, *Error) {
	content := make([]byte, c.size)
	if _, err := c.content.ReadAt(content, 0); err != nil && err != io.EOF {
		return nil, classify(err)
	}
	form, header := asMultipart(m, content)
	return c.request(ctx, 1, upload{method: method, address: address, header: header, form: form}, nil)
}

// pieces sends the content through a session. It is not gone on with after a
// failure: the next run sends another content.
func (c *copying) pieces(ctx context.Context, method, address string, m *meta) (f *drive.File, e *Error) {
	var session string
	_, e = c.request(ctx, 1, upload{
		method: method, address: address,
		header: http.Header{"Content-Type": {"application/json; charset=UTF-8"}, "X-Upload-Content-Length": {strconv.FormatInt(c.size, 10)}},
		form:   form{head: m.json()},
	}, func(resp *http.Response) (err error) {
		_, session, err = c.d.sessionAddress(resp.Header.Get("Location"))
		return err
	})
	piece := make([]byte, min(c.size, 4*c.d.chunk))
	for off := int64(0); e == nil && off < c.size; off += int64(len(piece)) {
		piece = piece[:min(int64(len(piece)), c.size-off)]
		if _, err := c.content.ReadAt(piece, off); err != nil && err != io.EOF {
			return nil, classify(err)
		}
		end := off + int64(len(piece))
		f, e = c.request(ctx, 0, upload{
			method: http.MethodPut, address: session,
			header: http.Header{"Content-Range": {fmt.Sprintf("bytes %d-%d/%d", off, end-1, c.size)}},
			form:   form{content: piece},
		}, func(resp *http.Response) error {
			if stored, err := storedBytes(resp.Header.Get("Range")); err != nil || stored != end {
				return errors.Join(err, fmt.Errorf("%d bytes are stored, sent were %d", stored, end))
			}
			return nil
		})
	}
	if e == nil && f == nil {
		return nil, &Error{Class: Transient, Err: errors.New("the upload session took all of it and gave no file")}
	}
	return f, e
}

// request sends one request that spends writes. An answer that holds no file,
// of a session that goes on, is for further to judge.
func (c *copying) request(ctx context.Context, writes int, u upload, further func(*http.Response) error) (f *drive.File, e *Error) {
	s := &sender{run: &run{d: c.d}}
	e = c.d.try(ctx, writes, tries{}, func(ctx context.Context) error {
		resp, answer, err := s.post(ctx, u)
		if err == nil && resp.StatusCode != http.StatusPermanentRedirect {
			err = refusal(resp, answer)
		}
		if e := classify(err); writes == 0 && e != nil && e.noSession() {
			e.Class = Permanent // the session is gone, not the file
			return e
		}
		if err == nil && further != nil && (len(answer) == 0 || resp.StatusCode == http.StatusPermanentRedirect) {
			return further(resp)
		}
		if err == nil {
			f, err = readFile(answer)
		}
		return err
	})
	return f, e
}
