package drivetest

import (
	"encoding/json"
	"slices"
	"strconv"
)

// maxPinned is the most revisions of a file kept forever. Source: the guide on revisions.
const maxPinned = 200

// errPinned refuses one revision more. Which reason Drive gives is not known.
func errPinned() error {
	return errForbidden("forbidden", "The limit of %d revisions kept forever has been exceeded.", maxPinned)
}

// pinned counts the revisions kept forever.
func (it *item) pinned() (n int) {
	for _, r := range it.Revs {
		if r.Keep {
			n++
		}
	}
	return n
}

func (c *call) revisionValue(r *revision, m mask) any {
	v := map[string]any{
		"kind": "drive#revision", "id": r.ID, "mimeType": r.Mime, "modifiedTime": timestamp(r.Modified), "keepForever": r.Keep,
		"published": false, "size": i64(r.Size), "md5Checksum": r.MD5, "originalFilename": r.Name,
		"lastModifyingUser": userValue(c, c.tok.User),
	}
	return m.apply(v)
}

// revision finds what the address names.
func (c *call) revision() (*item, int, error) {
	it, err := c.find(c.args[0])
	if err != nil {
		return nil, 0, err
	}
	id := c.args[1]
	if id == "head" && len(it.Revs) > 0 {
		return it, len(it.Revs) - 1, nil
	}
	i := slices.IndexFunc(it.Revs, func(r *revision) bool { return r.ID == id })
	if i < 0 {
		return nil, 0, &apiError{code: 404, reason: "notFound", message: "Revision not found: " + id + ".", location: "revisionId"}
	}
	return it, i, nil
}

// listRevisions answers GET /files/{id}/revisions, oldest first.
func (c *call) listRevisions() (any, error) {
	n, err := c.intParam("pageSize", 200, 1000)
	if err != nil {
		return nil, err
	}
	m, err := c.mask(revListDefault, revListSchema)
	if err != nil {
		return nil, err
	}
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	it, err := c.find(c.args[0])
	if err != nil {
		return nil, err
	}
	if it.head() == nil {
		return nil, errForbidden("revisionsNotSupported", "The file does not support revisions.")
	}
	from := 0
	if t := c.get("pageToken"); t != "" {
		if from, err = strconv.Atoi(t); err != nil || from < 0 || from > len(it.Revs) {
			return nil, errInvalid("pageToken")
		}
	}
	rm, _ := m.want("revisions")
	to := min(from+n, len(it.Revs))
	list := []any{}
	for _, r := range it.Revs[from:to] {
		list = append(list, c.revisionValue(r, rm))
	}
	out := map[string]any{"kind": "drive#revisionList", "revisions": list}
	if to < len(it.Revs) {
		out["nextPageToken"] = strconv.Itoa(to)
	}
	return m.apply(out), nil
}

// getRevision answers GET /files/{id}/revisions/{rev}, as metadata or as
// content; only pinned revisions give their content.
func (c *call) getRevision() (any, error) {
	m, err := c.mask(revisionDefault, revisionSchema)
	if err != nil {
		return nil, err
	}
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	it, i, err := c.revision()
	if err != nil {
		return nil, err
	}
	r := it.Revs[i]
	if c.kind != Download {
		return c.revisionValue(r, m), nil
	}
	if !r.Keep {
		return nil, &apiError{code: 403, reason: "fileNotDownloadable", location: "alt",
			message: "Only revisions that are kept forever can be downloaded."}
	}
	return c.content(r)
}

// updateRevision answers PATCH /files/{id}/revisions/{rev}; keepForever goes
// from false to true only.
func (c *call) updateRevision() (any, error) {
	m, err := c.mask(revisionDefault, revisionSchema)
	if err != nil {
		return nil, err
	}
	body, err := readJSON(c.body)
	if err != nil {
		return nil, err
	}
	d := c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	it, i, err := c.revision()
	if err != nil {
		return nil, err
	}
	if err := c.canEdit(it); err != nil {
		return nil, err
	}
	r := it.Revs[i]
	keep := r.Keep
	for name, raw := range body {
		switch name {
		case "keepForever":
			if json.Unmarshal(raw, &keep) != nil {
				return nil, &apiError{code: 400, reason: "invalid", message: "Invalid value for field keepForever", location: name}
			}
		case "kind", "published", "publishAuto", "publishedOutsideDomain": // mean something for Google's own types only
		default:
			if _, known := revisionSchema[name]; known || !d.opt.IgnoreUnknown {
				return nil, errFieldNotWritable(name)
			}
		}
	}
	if r.Keep && !keep {
		return nil, &apiError{code: 400, reason: "illegalKeepForeverModification", message: "A revision that is kept forever stays so."}
	}
	if keep && !r.Keep {
		if it.pinned() >= maxPinned {
			return nil, errPinned()
		}
		before := it.used()
		twin := *r
		twin.Keep = true
		it.Revs = slices.Clone(it.Revs)
		it.Revs[i] = &twin
		r = &twin
		d.used[d.purse(it)] += it.used() - before
		d.touch(it, 1)
	}
	return c.revisionValue(r, m), nil
}

// deleteRevision answers DELETE /files/{id}/revisions/{rev}; the last one stays.
func (c *call) deleteRevision() (any, error) {
	d := c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	it, i, err := c.revision()
	if err != nil {
		return nil, err
	}
	if err := c.canEdit(it); err != nil {
		return nil, err
	}
	if len(it.Revs) == 1 {
		return nil, errForbidden("cannotDeleteOnlyRevision", "The only revision of a file cannot be deleted.")
	}
	before := it.used()
	d.dropRevision(it, i)
	d.used[d.purse(it)] += it.used() - before
	d.touch(it, 1)
	return c.deleted(), nil
}
