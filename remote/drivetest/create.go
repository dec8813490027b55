package drivetest

import "time"

// create answers POST /files without content.
func (c *call) create() (any, error) {
	m, err := c.mask(fileDefault, fileSchema)
	if err != nil {
		return nil, err
	}
	body, err := readJSON(c.body)
	if err != nil {
		return nil, err
	}
	e, err := c.parseEdit(body, true)
	if err != nil {
		return nil, err
	}
	var rev *revision
	if !native(e.mime) { // a blob without content is empty
		if rev, err = c.d.emptyBlob(); err != nil {
			return nil, err
		}
	}
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	it, err := c.insert(e, rev, "")
	if err != nil {
		c.d.discardRev(rev)
		return nil, err
	}
	return c.file(it, m), nil
}

func (d *Drive) emptyBlob() (*revision, error) {
	d.mu.Lock()
	key := d.random(16)
	d.mu.Unlock()
	return d.blobs.newWriter(key).commit()
}

func (d *Drive) discardRev(r *revision) {
	if r != nil {
		d.blobs.remove(r.Blob)
	}
}

// insert makes a file of checked metadata and stored content. contentType is
// the type of the content where metadata names none. The lock must be held.
func (c *call) insert(e *edit, rev *revision, contentType string) (*item, error) {
	d := c.d
	up, err := c.checkInsert(e, rev != nil)
	if err != nil {
		return nil, err
	}
	now := d.ms()
	it := &item{
		ID: e.id, Name: "Untitled", Mime: firstOf(e.mime, contentType, mimeBlob), Parent: up.ID, Owner: up.Owner,
		Client: c.tok.Client, Drive: up.Drive, Space: up.Space, Created: now, Modified: now,
	}
	if it.Owner == "" || up.ReadOnly {
		it.Owner = c.tok.User
	}
	if e.created != 0 {
		it.Created = e.created
	}
	if it.Props, it.AppProps, err = e.properties(c, it); err != nil {
		return nil, err
	}
	if native(it.Mime) {
		d.discardRev(rev)
		rev = nil
	}
	if rev != nil {
		if err := c.pay(up, rev.Size, rev.Size); err != nil {
			return nil, err
		}
	}
	if e.target != "" {
		to, err := c.find(e.target)
		if err != nil {
			return nil, err
		}
		it.Target, it.TargetMT = to.ID, to.Mime
	}
	e.fill(it, now)
	if it.Name == "" {
		it.Name = "Untitled"
	}
	if it.ID == "" {
		it.ID = d.newID()
	}
	delete(d.reserved, it.ID)
	d.addRevision(it, rev, c.flag("keepRevisionForever"))
	d.created++
	if d.opt.ListLag > 0 {
		it.freshTill = now + d.opt.ListLag.Milliseconds()
	}
	it.freshList = d.lists + d.opt.ListLagCalls
	if c.eff.op == opFresh404 {
		it.missing = int(c.eff.n)
	}
	d.link(it)
	d.touch(it, 1)
	return it, nil
}

// checkInsert gives the folder that a new file goes to, or says why not. It
// is asked before content is read and again when it is there.
func (c *call) checkInsert(e *edit, blob bool) (*item, error) {
	d := c.d
	where := "root"
	if len(e.parents) > 0 {
		where = e.parents[0]
	}
	up, err := c.find(where)
	if err != nil {
		return nil, err
	}
	if len(e.parents) > 1 {
		return nil, errSecondParent(up)
	}
	if err := c.checkID(e, up); err != nil {
		return nil, err
	}
	if err := c.checkParent(up, e.mime == mimeFolder, 1); err != nil {
		return nil, err
	}
	if blob && !native(e.mime) && c.tok.Service && up.Drive == "" {
		return nil, errStorage()
	}
	if d.created >= d.opt.MaxItems {
		return nil, errForbidden("activeItemCreationLimitExceeded", "The limit for items that this account created has been exceeded.")
	}
	if up.Drive != "" && d.inDrive[up.Drive] >= d.opt.MaxDriveItems {
		return nil, errForbidden("teamDriveFileLimitExceeded", "The limit for items in this shared drive has been exceeded.")
	}
	if _, _, err := e.properties(c, &item{}); err != nil {
		return nil, err
	}
	return up, nil
}

func errSecondParent(up *item) error {
	if up.Drive != "" {
		return errForbidden("teamDrivesParentLimit", "A shared drive item must have exactly one parent.")
	}
	return errForbidden("cannotAddParent", "A file cannot have more than one parent. Use a shortcut instead.")
}

// checkID refuses an id that was not reserved for this, or has a file.
// Source: the guide on pre-generated ids; reasons as seen by clients.
func (c *call) checkID(e *edit, up *item) error {
	id := e.id
	if id == "" {
		return nil
	}
	d := c.d
	if native(e.mime) && e.mime != mimeFolder && e.mime != mimeShortcut {
		return errForbidden("forbidden", "A generated ID cannot be used for this type of file.")
	}
	if d.items[id] != nil || d.gone[id] != nil && !d.opt.Unsettled.DeletedIDUnusable {
		return &apiError{code: 409, reason: "fileIdInUse", message: "A file already exists with the provided ID."}
	}
	r := d.reserved[id]
	want := "files"
	if e.mime == mimeShortcut {
		want = "shortcuts"
	}
	space := firstOf(up.Space, "drive")
	if r == nil || r.User != c.tok.User || r.Space != space || r.Type != want || r.Until < d.ms() {
		reason := "invalid"
		if d.opt.Unsettled.UnusableReason {
			reason = "fileIdNotUsable"
		}
		return &apiError{code: 400, reason: reason, message: "The provided file ID is not usable.", location: "file.id", locType: "other"}
	}
	return nil
}

// checkParent refuses a folder that cannot take an item whose own tree is
// levels folders high.
func (c *call) checkParent(up *item, folder bool, levels int) error {
	d := c.d
	switch {
	case !up.isFolder():
		return errForbidden("parentNotAFolder", "The specified parent is not a folder.")
	case up.ReadOnly, !c.mayChange(up):
		return errForbidden("insufficientParentPermissions", "Insufficient permissions for the specified parent.")
	case len(up.kids) >= d.opt.MaxChildren && (!up.Root || up.Drive != ""):
		return errForbidden("numChildrenInNonRootLimitExceeded", "The limit for this folder's number of children has been exceeded.")
	case folder && up.depth()+levels > d.opt.MaxDepth && up.Drive != "":
		return errForbidden("teamDriveHierarchyTooDeep", "The shared drive hierarchy depth will exceed the limit.")
	case folder && up.depth()+levels > d.opt.MaxDepth:
		return errForbidden("myDriveHierarchyDepthLimitExceeded", "Your My Drive can't contain more than %d levels of folders.", d.opt.MaxDepth)
	}
	return nil
}

// pay refuses content for which there is no room, or that comes after the
// day's last byte, and counts it otherwise: more is what the account then
// holds more, size what was sent or copied.
func (c *call) pay(up *item, more, size int64) error {
	d := c.d
	if err := c.room(up, more); err != nil {
		return err
	}
	if d.opt.DailyUpload <= 0 {
		return nil
	}
	now := d.opt.Now()
	use := d.today[c.tok.User]
	if use == nil || now.Sub(use.since) >= day {
		use = &dayUse{since: now}
		d.today[c.tok.User] = use
	}
	if use.bytes += size; use.bytes >= d.opt.DailyUpload { // this file still completes
		use.until = now.Add(day)
	}
	return nil
}

// day is both what the daily volume is counted over and how long the pause is
// that follows. Source: limits in the Drive guide.
const day = 24 * time.Hour

// room refuses content that makes the account hold so much more, before it is
// sent.
func (c *call) room(up *item, more int64) error {
	d := c.d
	if use := d.today[c.tok.User]; use != nil && d.opt.DailyUpload > 0 && d.opt.Now().Before(use.until) {
		// The wording differs from that of the short-term limit. Source: rclone, and logs of users.
		return &apiError{code: 403, domain: "usageLimits", reason: "userRateLimitExceeded", message: "User rate limit exceeded."}
	}
	if d.opt.StorageLimit > 0 && up.Drive == "" && d.used[d.purse(up)]+more > d.opt.StorageLimit {
		return errStorage()
	}
	return nil
}

// addRevision makes rev the head of it. Older ones stay: pinned, or the
// latest hundred. Source: the guide on revisions.
func (d *Drive) addRevision(it *item, rev *revision, keep bool) {
	if rev == nil {
		return
	}
	before := it.used()
	rev.ID, rev.Keep = "0B"+d.random(27), keep
	rev.Modified, rev.Stored, rev.Mime, rev.Name = it.Modified, d.ms(), it.Mime, it.Name
	it.Revs = append(it.Revs[:len(it.Revs):len(it.Revs)], rev)
	loose := 0
	for _, r := range it.Revs {
		if !r.Keep {
			loose++
		}
	}
	for i := 0; loose > maxLoose && i < len(it.Revs)-1; i++ {
		if !it.Revs[i].Keep {
			d.dropRevision(it, i)
			break
		}
	}
	d.used[d.purse(it)] += it.used() - before
}

// maxLoose is the most revisions kept that are not pinned.
const maxLoose = 100

func (d *Drive) dropRevision(it *item, i int) {
	d.discardRev(it.Revs[i])
	revs := make([]*revision, 0, len(it.Revs)-1)
	revs = append(revs, it.Revs[:i]...)
	it.Revs = append(revs, it.Revs[i+1:]...)
}

func firstOf(s ...string) string {
	for _, x := range s {
		if x != "" {
			return x
		}
	}
	return ""
}
