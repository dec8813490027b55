package drivetest

import (
	"maps"
	"slices"
	"strings"
)

// update answers PATCH /files/{id} without content. A body of null, or none,
// is legal: moves are often sent so.
func (c *call) update() (any, error) {
	m, err := c.mask(fileDefault, fileSchema)
	if err != nil {
		return nil, err
	}
	body, err := readJSON(c.body)
	if err != nil {
		return nil, err
	}
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	it, err := c.find(c.args[0])
	if err != nil {
		return nil, err
	}
	e, err := c.parseEdit(body, false)
	if err != nil {
		return nil, err
	}
	if err := c.change(it, e, nil, ""); err != nil {
		return nil, err
	}
	return c.file(it, m), nil
}

// change applies an edit, a move and new content to a file, all or nothing.
// The lock must be held.
func (c *call) change(it *item, e *edit, rev *revision, contentType string) error {
	d := c.d
	to, err := c.checkChange(it, e, rev != nil)
	if err != nil {
		return err
	}
	props, app, err := e.properties(c, it)
	if err != nil {
		return err
	}
	if rev != nil {
		if err := c.pay(it, rev.Size-it.head().Size, rev.Size); err != nil {
			return err
		}
	}
	now := d.ms()
	it.Props, it.AppProps = props, app
	if to != nil {
		d.move(it, to)
	}
	if e.modified == nil && (rev != nil || d.opt.Unsettled.EditTouchesModified) {
		it.Modified = now
	}
	e.fill(it, now)
	steps := int64(1)
	if rev != nil {
		steps = 3
		it.Mime = firstOf(e.mime, contentType, it.Mime)
		d.addRevision(it, rev, c.flag("keepRevisionForever"))
	}
	d.touch(it, steps)
	return nil
}

// move puts an item under another folder; both are on the same side of the
// My Drive border, or the item is a plain file.
func (d *Drive) move(it, to *item) {
	d.used[d.purse(it)] -= it.used()
	d.unlink(it)
	if it.Drive != "" {
		d.inDrive[it.Drive]--
	}
	it.Parent, it.Drive = to.ID, to.Drive
	d.link(it)
	d.used[d.purse(it)] += it.used()
}

// checkChange refuses what an edit may not do, and gives the new parent, nil
// if it stays.
func (c *call) checkChange(it *item, e *edit, content bool) (*item, error) {
	if err := c.canEdit(it); err != nil {
		return nil, err
	}
	moving := c.get("addParents") != "" || c.get("removeParents") != ""
	if it.Root && (moving || e.name != nil || e.trashed != nil) {
		return nil, errForbidden("insufficientFilePermissions", "The user does not have sufficient permissions for this file.")
	}
	if it.Space == appData && (e.trashed != nil || moving) {
		return nil, errForbidden("notSupportedForAppDataFolderFiles", "Method not supported for files within the Application Data folder.")
	}
	if content && it.head() == nil {
		return nil, errForbidden("fileNotDownloadable", "Only files with binary content can be replaced.")
	}
	if content && c.flag("keepRevisionForever") && it.pinned() >= maxPinned {
		return nil, errPinned()
	}
	if content && native(e.mime) {
		return nil, errBad("A file with content cannot become %s.", e.mime)
	}
	if !content && e.mime != "" && e.mime != it.Mime && c.d.opt.Unsettled.MimeTypeRefused {
		return nil, errBad("The MIME type of a file changes only with its content.")
	}
	if !moving {
		return nil, nil
	}
	return c.checkMove(it)
}

// checkMove works out addParents and removeParents.
func (c *call) checkMove(it *item) (*item, error) {
	add, remove := ids(c.get("addParents")), ids(c.get("removeParents"))
	for i := range remove {
		remove[i] = c.alias(remove[i])
		if remove[i] == it.Parent {
			continue
		}
		_, err := c.find(remove[i])
		if c.d.opt.Unsettled.StrictRemoveParents && err == nil {
			err = errNotFound(remove[i])
		}
		if err != nil {
			return nil, err
		}
	}
	var to *item
	for _, id := range add {
		up, err := c.find(id)
		if err != nil {
			return nil, err
		}
		if to != nil && up != to {
			return nil, errSecondParent(up)
		}
		to = up
	}
	leaves := slices.Contains(remove, it.Parent)
	switch {
	case to == nil && !leaves:
		return nil, nil
	case to == nil:
		return nil, errBad("A file must have exactly one parent.")
	case to.ID == it.Parent:
		return nil, nil
	case !leaves:
		return nil, errSecondParent(to)
	case to.below(it):
		return nil, errBad("The specified parent is a descendant of the file.")
	case to.Drive != it.Drive && it.isFolder():
		return nil, errForbidden("teamDrivesFolderMoveInNotSupported", "Moving folders into a shared drive is not supported.")
	case to.Space != it.Space:
		return nil, errForbidden("notSupportedForAppDataFolderFiles", "Method not supported for files within the Application Data folder.")
	}
	return to, c.checkParent(to, it.isFolder(), it.height())
}

// ids splits a comma list.
func ids(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

// deleteFile answers DELETE /files/{id}: gone for good, with all below it.
func (c *call) deleteFile() (any, error) {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	it, err := c.find(c.args[0])
	if err != nil {
		return nil, err
	}
	if it.Root {
		return nil, errForbidden("insufficientFilePermissions", "The user does not have sufficient permissions for this file.")
	}
	if err := c.canEdit(it); err != nil {
		return nil, err
	}
	c.d.remove(it)
	return c.deleted(), nil
}

// deleted is the answer to a call that leaves nothing to show.
func (c *call) deleted() any {
	if c.d.opt.Unsettled.DeleteAnswers200 {
		return map[string]any{}
	}
	return &reply{status: 204}
}

// emptyTrash answers DELETE /files/trash.
func (c *call) emptyTrash() (any, error) {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	c.d.purge(func(it *item) bool { return it.Drive == c.get("driveId") && (it.Drive != "" || it.Owner == c.tok.User) })
	return c.deleted(), nil
}

// purge deletes explicitly trashed items for good.
func (d *Drive) purge(which func(it *item) bool) int {
	var tops []*item
	for _, it := range d.items {
		if it.Trashed && which(it) && (it.up == nil || !it.up.inTrash() || !which(it.up)) {
			tops = append(tops, it)
		}
	}
	n := 0
	for _, it := range tops {
		if d.items[it.ID] == it { // not gone with another one
			d.remove(it)
			n++
		}
	}
	return n
}

// copyFile answers POST /files/{id}/copy.
func (c *call) copyFile() (any, error) {
	m, err := c.mask(fileDefault, fileSchema)
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
	from, err := c.find(c.args[0])
	if err != nil {
		return nil, err
	}
	e, err := c.parseEdit(body, true)
	if err != nil {
		return nil, err
	}
	rev := from.head()
	if from.isFolder() || rev != nil && rev.Size > d.opt.MaxCopy || d.opt.Unsettled.TrashedNotCopied && from.inTrash() {
		return nil, errForbidden("cannotCopyFile", "This file cannot be copied by the user.")
	}
	if e.parents == nil && c.sees(from) && from.Parent != "" {
		e.parents = []string{from.Parent}
	}
	if e.name == nil {
		e.name = &from.Name
	}
	if e.mime == "" {
		e.mime = from.Mime
	}
	e.target = firstOf(e.target, from.Target)
	if d.opt.Unsettled.CopyKeepsProperties {
		e.props = inherited(e.props, from.Props)
		e.appProps = inherited(e.appProps, from.AppProps[c.tok.Client])
	}
	if rev != nil {
		twin := *rev
		twin.Blob = d.random(16)
		if err := d.blobs.copy(rev.Blob, twin.Blob); err != nil {
			return nil, err
		}
		rev = &twin
	}
	it, err := c.insert(e, rev, "")
	if err != nil {
		d.discardRev(rev)
		return nil, err
	}
	return c.file(it, m), nil
}

// inherited adds to what was sent of a copy's properties those of its original.
func inherited(sent map[string]*string, had map[string]string) map[string]*string {
	all := map[string]*string{}
	for k, v := range had {
		all[k] = &v
	}
	maps.Copy(all, sent)
	return all
}
