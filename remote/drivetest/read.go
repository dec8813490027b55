package drivetest

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// getFile answers GET /files/{id}, as metadata or as content.
func (c *call) getFile() (any, error) {
	m, err := c.mask(fileDefault, fileSchema)
	if err != nil {
		return nil, err
	}
	if c.flag("acknowledgeAbuse") && c.kind != Download {
		return nil, &apiError{code: 403, reason: "invalidAbuseAcknowledgment", location: "acknowledgeAbuse",
			message: "The acknowledgeAbuse flag is only allowed on downloads."}
	}
	d := c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	it, err := c.find(c.args[0])
	if err != nil {
		return nil, err
	}
	if it.Root && it.Drive == "" && d.opt.Unsettled.RootHidden && !c.tok.wide() {
		return nil, errNotFound(c.args[0])
	}
	if c.kind == Download {
		return c.content(it.head())
	}
	return c.file(it, m), nil
}

// content answers with the bytes of a revision, whole or in part. The lock must be held.
func (c *call) content(r *revision) (any, error) {
	if r == nil {
		return nil, &apiError{code: 403, reason: "fileNotDownloadable", location: "alt",
			message: "Only files with binary content can be downloaded."}
	}
	if c.inner {
		return &reply{status: http.StatusFound, header: http.Header{"Location": {c.base + "/download" + c.path + "?" + c.query.Encode()}}}, nil
	}
	f, err := c.d.blobs.open(r.Blob)
	if err != nil {
		return nil, &apiError{code: 500, reason: "internalError", message: err.Error()}
	}
	h := http.Header{"Content-Type": {r.Mime}, "X-Goog-Hash": {"md5=" + r.MD5}}
	rep := &reply{status: 200, header: h, stream: f, size: r.Size}
	spec := c.header.Get("Range")
	if spec == "" {
		return rep, nil
	}
	from, to, ok := parseRange(spec, r.Size)
	if !ok {
		f.Close()
		return nil, &apiError{code: 416, reason: "requestedRangeNotSatisfiable", message: "Request range not satisfiable",
			location: "Range", locType: "header", header: http.Header{"Content-Range": {fmt.Sprintf("bytes */%d", r.Size)}}}
	}
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		f.Close()
		return nil, &apiError{code: 500, reason: "internalError", message: err.Error()}
	}
	rep.status, rep.size = http.StatusPartialContent, to-from+1
	h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, r.Size))
	return rep, nil
}

// parseRange reads bytes=a-b, bytes=a- and bytes=-n; one range only, which
// must begin inside the content.
func parseRange(s string, size int64) (from, to int64, ok bool) {
	spec, found := strings.CutPrefix(s, "bytes=")
	a, b, dash := strings.Cut(spec, "-")
	if !found || !dash || strings.Contains(b, ",") {
		return 0, 0, false
	}
	to = size - 1
	var err error
	if a == "" {
		n, err := strconv.ParseInt(b, 10, 64)
		return max(0, size-n), to, err == nil && n > 0 && size > 0
	}
	if from, err = strconv.ParseInt(a, 10, 64); err != nil || from < 0 || from >= size {
		return 0, 0, false
	}
	if b != "" {
		end, err := strconv.ParseInt(b, 10, 64)
		if err != nil || end < from {
			return 0, 0, false
		}
		to = min(to, end)
	}
	return from, to, true
}

// generateIDs answers GET /files/generateIds.
func (c *call) generateIDs() (any, error) {
	m, err := c.mask(nil, generatedSchema)
	if err != nil {
		return nil, err
	}
	n, err := c.intParam("count", 10, 1000)
	if err != nil {
		return nil, err
	}
	if want, _ := strconv.Atoi(c.get("count")); want > 1000 {
		return nil, errInvalid("count")
	}
	space, kind := firstOf(c.get("space"), "drive"), firstOf(c.get("type"), "files")
	if space != "drive" && space != appData {
		return nil, errInvalid("space")
	}
	if kind != "files" && kind != "shortcuts" {
		return nil, errInvalid("type")
	}
	d := c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	d.expireIDs()
	r := &reservation{User: c.tok.User, Space: space, Type: kind, Until: d.ms() + d.opt.IDLife.Milliseconds()}
	made := make([]string, n)
	list := make([]any, n)
	for i := range made {
		made[i] = d.newID()
		list[i] = made[i]
		d.reserved[made[i]] = r
	}
	d.oldest = append(d.oldest, made...)
	d.saveIDs(r, made)
	return m.apply(map[string]any{"kind": "drive#generatedIds", "space": space, "ids": list}), nil
}

// expireIDs forgets reserved ids whose time is over.
func (d *Drive) expireIDs() {
	now := d.ms()
	for len(d.oldest) > 0 {
		r := d.reserved[d.oldest[0]]
		if r != nil && r.Until >= now {
			return
		}
		delete(d.reserved, d.oldest[0])
		d.oldest = d.oldest[1:]
	}
}

// about answers GET /about.
func (c *call) about() (any, error) {
	if !c.has("fields") {
		return nil, &apiError{code: 400, reason: "required", location: "fields",
			message: "The 'fields' parameter is required for this method."}
	}
	m, err := c.mask(nil, aboutSchema)
	if err != nil {
		return nil, err
	}
	d := c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	used := d.used[c.tok.User]
	var binned int64
	if _, ok := m.want("storageQuota"); ok {
		for _, it := range d.items {
			if it.Owner == c.tok.User && it.Drive == "" && it.inTrash() {
				binned += it.used()
			}
		}
	}
	quota := map[string]any{"usage": i64(used), "usageInDrive": i64(used), "usageInDriveTrash": i64(binned)}
	if c.tok.Service {
		quota["limit"] = "0"
	} else if d.opt.StorageLimit > 0 {
		quota["limit"] = i64(d.opt.StorageLimit)
	}
	return m.apply(map[string]any{
		"kind": "drive#about", "user": userValue(c, c.tok.User), "storageQuota": quota,
		"maxUploadSize": "5497558138880", // 5 TiB. Source: discovery document
		"appInstalled":  true, "canCreateDrives": false, "canCreateTeamDrives": false,
		"importFormats": map[string]any{}, "exportFormats": map[string]any{}, "maxImportSizes": map[string]any{},
		"folderColorPalette": []any{}, "driveThemes": []any{}, "teamDriveThemes": []any{},
	}), nil
}
