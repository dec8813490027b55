package drivetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// call is one API call, plain or as a part of a batch.
type call struct {
	d      *Drive
	kind   Kind
	method string
	path   string // without query
	query  url.Values
	header http.Header
	body   io.Reader
	base   string // scheme and host as the client reached us
	inner  bool
	eff    Effect
	tok    *grant
	route  *route
	args   []string // what the route's wildcards matched
	req    *Request // log line; nil for parts
	length int64    // of the body, -1 if unknown
}

// reply is an answer before it is written.
type reply struct {
	status int
	header http.Header
	body   []byte
	stream io.ReadSeekCloser // content, instead of body
	size   int64             // of stream
}

// get gives the first value of a query parameter. Source: recorded answers;
// of repeated parameters the first counts.
func (c *call) get(name string) string { return c.query.Get(name) }

// flag gives a boolean parameter; its form was checked before.
func (c *call) flag(name string) bool { return c.query.Get(name) == "true" }

func (c *call) has(name string) bool { return c.query.Has(name) }

// allDrives says whether the caller knows of shared drives.
func (c *call) allDrives() bool { return c.flag("supportsAllDrives") || c.flag("supportsTeamDrives") }

// commonParams may stand on every call. Source: discovery document.
const commonParams = "alt fields key access_token oauth_token prettyPrint:b quotaUser uploadType upload_protocol callback $.xgafv upload_id"

// checkParams refuses mistyped and, unless told otherwise, unknown parameters.
func (c *call) checkParams() error {
	for name, values := range c.query {
		kind, known := c.route.params[name]
		if !known {
			if c.d.opt.IgnoreUnknown {
				continue
			}
			return &apiError{code: 400, domain: "-", reason: "invalid", status: "INVALID_ARGUMENT",
				message: "Invalid JSON payload received. Unknown name \"" + name + "\": Cannot bind query parameter."}
		}
		v := values[0]
		switch kind {
		case 'b':
			if v != "true" && v != "false" {
				return errTyped(name, "TYPE_BOOL", v)
			}
		case 'i':
			if _, err := strconv.ParseInt(v, 10, 32); err != nil {
				return errTyped(name, "TYPE_INT32", v)
			}
		}
	}
	if alt := strings.ToLower(c.get("alt")); alt != "" && alt != "json" && alt != "media" {
		return errInvalid("alt")
	}
	return nil
}

// intParam gives an integer parameter between 1 and most; larger values count
// as most, smaller ones are refused.
func (c *call) intParam(name string, def, most int) (int, error) {
	if !c.has(name) {
		return def, nil
	}
	n, err := strconv.Atoi(c.get(name))
	if err != nil || n < 1 {
		return 0, &apiError{code: 400, reason: "invalid", location: name,
			message: "Invalid value '" + c.get(name) + "'. Values must be within the range: [1, " + strconv.Itoa(most) + "]"}
	}
	return min(n, most), nil
}

// mask gives the fields parameter, checked, or def without one.
func (c *call) mask(def, all mask) (mask, error) {
	if !c.has("fields") {
		return def, nil
	}
	m, err := parseMask(c.get("fields"))
	if err != nil {
		return nil, err
	}
	return m, m.check(all)
}

// maxJSON bounds a metadata body. Google names no number; the largest field, a
// thumbnail, is 2 MB.
const maxJSON = 10 << 20

// readJSON reads a body that is a JSON object, null, or nothing.
func readJSON(r io.Reader) (map[string]json.RawMessage, error) {
	p, err := io.ReadAll(io.LimitReader(r, maxJSON+1))
	if err != nil {
		return nil, err
	}
	if len(p) > maxJSON {
		return nil, &apiError{code: 413, reason: "uploadTooLarge", message: "Request is too large."}
	}
	return parseJSON(p)
}

func parseJSON(p []byte) (map[string]json.RawMessage, error) {
	if len(bytes.TrimSpace(p)) == 0 {
		return nil, nil
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(p, &m); err != nil || !utf8.Valid(p) {
		return nil, &apiError{code: 400, reason: "parseError", message: "Parse Error"}
	}
	return m, nil
}

// encode gives the reply to a call: value as JSON, or the error.
func (c *call) encode(v any, err error) *reply {
	if err != nil {
		e, ok := err.(*apiError)
		var disk *fs.PathError
		switch {
		case ok:
		case errors.As(err, &disk):
			e = &apiError{code: 500, reason: "internalError", message: "The look-alike's folder fails: " + err.Error()}
		default:
			return nil // the request's body broke off: nobody is there to be told
		}
		if e.text != "" {
			return &reply{status: e.code, header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, body: []byte(e.text)}
		}
		r := &reply{status: e.code, header: http.Header{}, body: c.json(e.body())}
		for k, vs := range e.header {
			r.header[k] = vs
		}
		r.header.Set("Content-Type", "application/json; charset=UTF-8")
		return r
	}
	if r, ok := v.(*reply); ok {
		return r
	}
	return &reply{
		status: 200, body: c.json(v),
		header: http.Header{"Content-Type": {"application/json; charset=UTF-8"}, "Cache-Control": {"no-cache, no-store, max-age=0, must-revalidate"}},
	}
}

// json writes v as Google's servers do: two spaces and a final newline, or
// compact without one.
func (c *call) json(v any) []byte {
	p, err := json.Marshal(v)
	if err != nil {
		panic("drivetest: encode answer: " + err.Error()) // values are ours: maps, strings, numbers
	}
	if c.get("prettyPrint") == "false" {
		return p
	}
	var b bytes.Buffer
	json.Indent(&b, p, "", "  ") // p is valid, so this cannot fail
	b.WriteByte('\n')
	return b.Bytes()
}
