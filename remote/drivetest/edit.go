package drivetest

import (
	"encoding/json"
	"maps"
	"strings"
	"time"
)

// edit is a checked metadata body.
type edit struct {
	id       string
	parents  []string
	name     *string
	mime     string
	created  int64 // ms, 0 when not sent
	modified *int64
	viewed   *int64
	trashed  *bool
	starred  *bool
	target   string                     // of a shortcut
	props    map[string]*string         // nil value: remove
	appProps map[string]*string         //
	extra    map[string]json.RawMessage // null: remove
}

// parseEdit checks a body against what files.create or files.update takes.
func (c *call) parseEdit(body map[string]json.RawMessage, creating bool) (*edit, error) {
	e := &edit{extra: map[string]json.RawMessage{}}
	for name, raw := range body {
		also, writable := fileWritable[name]
		_, known := fileSchema[name]
		switch {
		case !known && c.d.opt.IgnoreUnknown:
			continue
		case !known:
			return nil, &apiError{code: 400, domain: "-", reason: "invalid", status: "INVALID_ARGUMENT",
				message: "Invalid JSON payload received. Unknown name \"" + name + "\": Cannot find field."}
		case name == "kind":
			continue // a client may send a whole resource's kind back
		case !writable || !also && !creating:
			return nil, errFieldNotWritable(name)
		}
		if err := e.set(name, raw); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// set takes one field. A null leaves a plain field as it is.
func (e *edit) set(name string, raw json.RawMessage) error {
	null := string(raw) == "null"
	var err error
	switch name {
	case "id":
		err = json.Unmarshal(raw, &e.id)
	case "parents":
		err = json.Unmarshal(raw, &e.parents)
	case "name":
		err = json.Unmarshal(raw, &e.name)
	case "mimeType":
		err = json.Unmarshal(raw, &e.mime)
	case "trashed":
		err = json.Unmarshal(raw, &e.trashed)
	case "starred":
		err = json.Unmarshal(raw, &e.starred)
	case "properties":
		err = json.Unmarshal(raw, &e.props)
	case "appProperties":
		err = json.Unmarshal(raw, &e.appProps)
	case "shortcutDetails":
		var s struct{ TargetID string }
		err = json.Unmarshal(raw, &s)
		e.target = s.TargetID
	case "createdTime", "modifiedTime", "viewedByMeTime":
		if null {
			return nil
		}
		var t time.Time
		if err = json.Unmarshal(raw, &t); err != nil {
			break
		}
		ms := t.UnixMilli()
		switch name {
		case "createdTime":
			e.created = ms
		case "modifiedTime":
			e.modified = &ms
		default:
			e.viewed = &ms
		}
	case "contentHints": // write-only: never returned, so it need not be kept
	default:
		e.extra[name] = raw
	}
	if err != nil {
		return &apiError{code: 400, reason: "invalid", message: "Invalid value for field " + name, location: name}
	}
	return nil
}

// Limits of properties. Source: the Drive guide on properties.
const (
	maxPropBytes  = 124 // key and value together, UTF-8
	maxPropsOfApp = 30
	maxPropsOwn   = 30
	maxPropsAll   = 100
)

// merged gives have with the changes applied; a key set to null goes.
func merged(have map[string]string, changes map[string]*string, most int) (map[string]string, error) {
	if changes == nil {
		return have, nil
	}
	out := maps.Clone(have)
	if out == nil {
		out = map[string]string{}
	}
	for k, v := range changes {
		if v == nil {
			delete(out, k)
			continue
		}
		if len(k)+len(*v) > maxPropBytes {
			return nil, errForbidden("propertyLengthLimitExceeded", "The limit of %d bytes for a property has been exceeded.", maxPropBytes)
		}
		out[k] = *v
	}
	if len(out) > most {
		return nil, errForbidden("propertyCountLimitExceeded", "The limit of %d properties has been exceeded.", most)
	}
	return out, nil
}

// properties works out both maps of an item after e, or refuses.
func (e *edit) properties(c *call, it *item) (props map[string]string, app map[string]map[string]string, err error) {
	if props, err = merged(it.Props, e.props, maxPropsOwn); err != nil {
		return nil, nil, err
	}
	own, err := merged(it.AppProps[c.tok.Client], e.appProps, maxPropsOfApp)
	if err != nil {
		return nil, nil, err
	}
	app = it.AppProps
	if e.appProps != nil {
		app = maps.Clone(app)
		if app == nil {
			app = map[string]map[string]string{}
		}
		app[c.tok.Client] = own
	}
	all := len(props)
	for _, m := range app {
		all += len(m)
	}
	if all > maxPropsAll {
		return nil, nil, errForbidden("propertyCountLimitExceeded", "The limit of %d properties has been exceeded.", maxPropsAll)
	}
	return props, app, nil
}

// fill writes the plain fields of e into an item.
func (e *edit) fill(it *item, now int64) {
	if e.name != nil {
		it.Name = *e.name
	}
	if e.starred != nil {
		it.Starred = *e.starred
	}
	if e.viewed != nil {
		it.Viewed = *e.viewed
	}
	if e.modified != nil {
		it.Modified = *e.modified
	}
	if e.trashed != nil && *e.trashed != it.Trashed {
		it.Trashed = *e.trashed
		it.TrashAt = 0
		if it.Trashed {
			it.TrashAt = now
		}
	}
	if len(e.extra) == 0 {
		return
	}
	extra := maps.Clone(it.Extra)
	if extra == nil {
		extra = map[string]json.RawMessage{}
	}
	for k, raw := range e.extra {
		if string(raw) == "null" {
			delete(extra, k)
		} else {
			extra[k] = raw
		}
	}
	it.Extra = extra
}

// native says whether a type is one of Google's own without content.
func native(mime string) bool { return strings.HasPrefix(mime, mimeNative) }
