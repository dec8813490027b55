package drivetest

import (
	"sort"
	"strconv"
)

// startPageToken answers GET /changes/startPageToken.
func (c *call) startPageToken() (any, error) {
	m, err := c.mask(nil, startPageSchema)
	if err != nil {
		return nil, err
	}
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	return m.apply(map[string]any{"kind": "drive#startPageToken", "startPageToken": i64(c.d.seq + 1)}), nil
}

// listChanges answers GET /changes. A page token is the number of the first
// change wanted, so tokens do not expire.
func (c *call) listChanges() (any, error) {
	n, err := c.intParam("pageSize", 100, 1000)
	if err != nil {
		return nil, err
	}
	if !c.has("pageToken") {
		return nil, &apiError{code: 400, reason: "required", location: "pageToken", message: "Required parameter: pageToken"}
	}
	m, err := c.mask(changeListDefault, changeListSchema)
	if err != nil {
		return nil, err
	}
	from, err := strconv.ParseInt(c.get("pageToken"), 10, 64)
	d := c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil || from < 1 || from > d.seq+1 {
		return nil, errInvalid("pageToken")
	}
	out := map[string]any{"kind": "drive#changeList"}
	list := []any{}
	cm, _ := m.want("changes")
	i := sort.Search(len(d.changes), func(i int) bool { return d.changes[i].seq >= from })
	for ; i < len(d.changes); i++ {
		if len(list) == n {
			out["nextPageToken"] = i64(d.changes[i].seq)
			break
		}
		if ch := c.change1(d.changes[i], cm); ch != nil {
			list = append(list, ch)
		}
	}
	if out["nextPageToken"] == nil {
		out["newStartPageToken"] = i64(d.seq + 1)
	}
	out["changes"] = list
	for k := range out {
		if _, ok := m.want(k); !ok {
			delete(out, k)
		}
	}
	return out, nil
}

// change1 renders one change, nil if it is stale or not for the caller.
func (c *call) change1(ch change, m mask) any {
	d := c.d
	shared := c.flag("includeItemsFromAllDrives") || c.flag("includeTeamDriveItems")
	removed := func(id string, at int64) any {
		return m.apply(map[string]any{
			"kind": "drive#change", "type": "file", "changeType": "file", "removed": true, "fileId": id, "time": timestamp(at),
		})
	}
	if !d.live(ch) {
		return nil
	}
	if t := d.gone[ch.id]; t != nil {
		if c.get("includeRemoved") == "false" || !c.seenTomb(t) || t.Drive != "" && !shared || t.Space != spaceOf(c) {
			return nil
		}
		return removed(t.ID, t.At)
	}
	it := d.items[ch.id]
	if !c.sees(it) || it.Root || it.Drive != "" && (!shared || c.flag("restrictToMyDrive")) || it.Space != spaceOf(c) {
		return nil
	}
	out := map[string]any{
		"kind": "drive#change", "type": "file", "changeType": "file", "removed": false, "fileId": it.ID, "time": timestamp(d.ms()),
	}
	if it.Drive != "" {
		out["driveId"] = it.Drive
	}
	fm, ok := m.want("file")
	v := m.apply(out).(map[string]any)
	if ok || m == nil {
		v["file"] = c.file(it, fileMask(fm))
	}
	return v
}

// spaceOf gives the space a change list is about, "" for drive.
func spaceOf(c *call) string {
	if c.get("spaces") == appData {
		return appData
	}
	return ""
}

func sortChanges(list []change) {
	sort.Slice(list, func(i, j int) bool { return list[i].seq < list[j].seq })
}
