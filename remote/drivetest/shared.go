package drivetest

import (
	"encoding/json"
	"strconv"
)

// AddSharedDrive makes a shared drive of which every account is a member and
// which every client may use, and gives its id, which is also its root folder's.
func (d *Drive) AddSharedDrive(name string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.addShared(name).ID
}

func (d *Drive) addShared(name string) *sharedDrive {
	s := &sharedDrive{ID: "0A" + d.random(11) + "Uk9PVA", Name: name, Created: d.ms()}
	d.drives = append(d.drives, s)
	root := &item{
		ID: s.ID, Name: "Drive", Mime: mimeFolder, Drive: s.ID, Root: true, Version: 1,
		Created: s.Created, Modified: s.Created, Granted: []string{"*"},
	}
	d.roots[s.ID] = root
	d.link(root)
	d.saveDrive(s)
	d.save(root)
	return s
}

func (s *sharedDrive) value() any {
	return map[string]any{
		"kind": "drive#drive", "id": s.ID, "name": s.Name, "createdTime": timestamp(s.Created), "hidden": s.Hidden,
		"capabilities": map[string]any{"canAddChildren": true, "canEdit": true, "canListChildren": true, "canTrashChildren": true,
			"canDeleteChildren": true, "canDownload": true, "canCopy": true, "canReadRevisions": true, "canRename": true},
	}
}

// listDrives answers GET /drives. A q narrows by exact or contained name.
func (c *call) listDrives() (any, error) {
	n, err := c.intParam("pageSize", 10, 100)
	if err != nil {
		return nil, err
	}
	q, err := parseQuery(c.get("q"))
	if err != nil {
		return nil, err
	}
	m, err := c.mask(driveListDefault, driveListSchema)
	if err != nil {
		return nil, err
	}
	d := c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	from := 0
	if t := c.get("pageToken"); t != "" {
		if from, err = strconv.Atoi(t); err != nil || from < 0 {
			return nil, errInvalid("pageToken")
		}
	}
	out := map[string]any{"kind": "drive#driveList"}
	list := []any{}
	for i := from; i < len(d.drives); i++ {
		if len(list) == n {
			out["nextPageToken"] = strconv.Itoa(i)
			break
		}
		if q.match(c, &item{Name: d.drives[i].Name}) {
			list = append(list, d.drives[i].value())
		}
	}
	out["drives"] = list
	return m.apply(out), nil
}

// getDrive answers GET /drives/{id}.
func (c *call) getDrive() (any, error) {
	m, err := c.mask(driveDefault, driveSchema)
	if err != nil {
		return nil, err
	}
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	for _, s := range c.d.drives {
		if s.ID == c.args[0] {
			return m.apply(s.value()), nil
		}
	}
	return nil, &apiError{code: 404, reason: "notFound", message: "Shared drive not found: " + c.args[0], location: "driveId"}
}

// createDrive answers POST /drives; a requestId works once.
func (c *call) createDrive() (any, error) {
	m, err := c.mask(driveDefault, driveSchema)
	if err != nil {
		return nil, err
	}
	req := c.get("requestId")
	if req == "" {
		return nil, &apiError{code: 400, reason: "required", location: "requestId", message: "Required parameter: requestId"}
	}
	body, err := readJSON(c.body)
	if err != nil {
		return nil, err
	}
	var name string
	if json.Unmarshal(body["name"], &name) != nil || name == "" {
		return nil, errBad("A shared drive needs a name.")
	}
	d := c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.drives {
		if s.Request == req {
			return nil, &apiError{code: 409, reason: "duplicate", message: "A shared drive was made by this request already."}
		}
	}
	s := d.addShared(name)
	s.Request = req
	d.saveDrive(s)
	return m.apply(s.value()), nil
}
