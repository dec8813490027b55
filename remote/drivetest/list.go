package drivetest

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// cursor is where a listing goes on: the rest of what it found. Items that
// vanish in between are left out of later pages.
type cursor struct {
	ids []string
	key string // of the request it belongs to
}

// maxCursors bounds how many unfinished listings are remembered; a page token
// that has dropped out is refused, as Drive does after some hours.
const maxCursors = 1000

// list answers GET /files. Parameters are refused in the order that was
// recorded: pageSize, orderBy, shared-drive flags, q, pageToken, fields.
func (c *call) list() (any, error) {
	n, err := c.intParam("pageSize", 100, 1000)
	if err != nil {
		return nil, err
	}
	less, err := parseOrder(c.get("orderBy"))
	if err != nil {
		return nil, err
	}
	if err := c.checkCorpora(); err != nil {
		return nil, err
	}
	q, err := parseQuery(c.get("q"))
	if err != nil {
		return nil, err
	}
	if q.fullText && c.get("orderBy") != "" {
		return nil, &apiError{code: 403, reason: "forbidden", location: "orderBy", message: "Sorting is not supported for queries with fullText terms."}
	}
	d := c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lists++
	key := strings.Join([]string{c.get("q"), c.get("orderBy"), c.get("corpora"), c.get("driveId"), c.get("spaces"), c.tok.User, c.tok.Client}, "\x00")
	var found []string
	if t := c.get("pageToken"); t != "" {
		cur := d.cursors[t]
		if cur == nil || cur.key != key {
			return nil, errInvalid("pageToken")
		}
		found = cur.ids
	}
	m, err := c.mask(fileListDefault, fileListSchema)
	if err != nil {
		return nil, err
	}
	if found == nil {
		found = c.search(q, less)
	}
	var files []any
	fm, withFiles := m.want("files")
	last := ""
	for len(found) > 0 && len(files) < n {
		if it := d.items[found[0]]; it != nil {
			files = append(files, c.file(it, fileMask(fm)))
			last = it.ID
		}
		found = found[1:]
	}
	out := map[string]any{"kind": "drive#fileList", "incompleteSearch": false}
	if withFiles {
		out["files"] = files
		if files == nil {
			out["files"] = []any{}
		}
	}
	if len(found) > 0 {
		if d.opt.Unsettled.RepeatAcrossPages && last != "" && n > 1 {
			found = append([]string{last}, found...)
		}
		out["nextPageToken"] = d.newCursor(&cursor{ids: found, key: key})
	}
	for k := range out {
		if _, ok := m.want(k); !ok {
			delete(out, k)
		}
	}
	return out, nil
}

// fileMask turns "all of it" into a mask that file understands.
func fileMask(m mask) mask {
	if m == nil {
		return mask{"*": nil}
	}
	return m
}

func (d *Drive) newCursor(cur *cursor) string {
	t := "~!!~" + d.random(24)
	d.cursors[t] = cur
	d.cursorQ = append(d.cursorQ, t)
	if len(d.cursorQ) > maxCursors {
		delete(d.cursors, d.cursorQ[0])
		d.cursorQ = d.cursorQ[1:]
	}
	return t
}

// ForgetPageTokens makes all page tokens of files.list invalid.
func (d *Drive) ForgetPageTokens() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cursors, d.cursorQ = map[string]*cursor{}, nil
}

// SetListLag changes how long, and for how many calls, files.list does not see
// an item made from now on.
func (d *Drive) SetListLag(lag time.Duration, calls int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opt.ListLag, d.opt.ListLagCalls = lag, calls
}

// checkCorpora refuses combinations of the shared-drive parameters.
func (c *call) checkCorpora() error {
	if (c.flag("includeItemsFromAllDrives") || c.flag("includeTeamDriveItems")) && !c.allDrives() {
		return errForbidden("supportsTeamDrivesRequired", "The supportsAllDrives parameter must be true when includeItemsFromAllDrives is true.")
	}
	corpora, id := firstOf(c.get("corpora"), "user"), c.get("driveId")
	switch corpora {
	case "user", "domain", "allDrives":
		if id != "" {
			return errInvalid("driveId")
		}
		if corpora == "allDrives" && !c.flag("includeItemsFromAllDrives") {
			return errForbidden("supportsTeamDrivesRequired", "includeItemsFromAllDrives and supportsAllDrives must be true for this corpora.")
		}
	case "drive":
		if id == "" {
			return errInvalid("driveId")
		}
		if !c.flag("includeItemsFromAllDrives") {
			return errForbidden("supportsTeamDrivesRequired", "includeItemsFromAllDrives and supportsAllDrives must be true for this corpora.")
		}
	default:
		return errInvalid("corpora")
	}
	for _, s := range strings.Split(firstOf(c.get("spaces"), "drive"), ",") {
		if s != "drive" && s != appData {
			return errInvalid("spaces")
		}
	}
	return nil
}

// search gives the ids that match, in order. The lock must be held.
func (c *call) search(q *query, less func(a, b *item) int) []string {
	d := c.d
	if q.bounded && len(q.parents) > 1 && d.opt.Unsettled.OrParentsEmpty {
		return []string{}
	}
	spaces := strings.Split(firstOf(c.get("spaces"), "drive"), ",")
	shared := c.flag("includeItemsFromAllDrives") || c.flag("includeTeamDriveItems")
	now := d.ms()
	hideTrash := d.opt.Unsettled.ListHidesTrash && strings.TrimSpace(c.get("q")) == ""
	var hits []*item
	look := func(it *item) {
		switch {
		case it.Root, !slices.Contains(spaces, firstOf(it.Space, "drive")), !c.sees(it):
		case it.Drive != "" && !shared, c.get("driveId") != "" && it.Drive != c.get("driveId"):
		case now < it.freshTill, d.lists <= it.freshList:
		case hideTrash && it.inTrash(), !q.match(c, it):
		default:
			hits = append(hits, it)
		}
	}
	if q.bounded {
		seen := map[string]bool{}
		for _, id := range q.parents {
			up := d.items[c.alias(id)]
			if up == nil || seen[up.ID] {
				continue
			}
			seen[up.ID] = true
			for _, it := range up.kids {
				look(it)
			}
		}
	} else {
		for _, it := range d.items {
			look(it)
		}
	}
	slices.SortFunc(hits, less)
	out := make([]string, len(hits))
	for i, it := range hits {
		out[i] = it.ID
	}
	return out
}

// sortKeys compare two items by one orderBy key.
var sortKeys = map[string]func(a, b *item) int{
	"createdTime":      func(a, b *item) int { return cmp.Compare(a.Created, b.Created) },
	"modifiedTime":     func(a, b *item) int { return cmp.Compare(a.Modified, b.Modified) },
	"modifiedByMeTime": func(a, b *item) int { return cmp.Compare(a.Modified, b.Modified) },
	"viewedByMeTime":   func(a, b *item) int { return cmp.Compare(a.Viewed, b.Viewed) },
	"sharedWithMeTime": func(a, b *item) int { return 0 },
	"recency":          func(a, b *item) int { return cmp.Compare(max(a.Modified, a.Viewed), max(b.Modified, b.Viewed)) },
	"quotaBytesUsed":   func(a, b *item) int { return cmp.Compare(a.used(), b.used()) },
	"starred":          func(a, b *item) int { return byFlag(a.Starred, b.Starred) },
	"folder":           func(a, b *item) int { return byFlag(a.isFolder(), b.isFolder()) },
	"name":             func(a, b *item) int { return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) },
	"name_natural":     func(a, b *item) int { return natural(strings.ToLower(a.Name), strings.ToLower(b.Name)) },
}

// byFlag puts what has the flag first.
func byFlag(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// natural compares texts so that runs of digits count as numbers.
func natural(a, b string) int {
	for a != "" && b != "" {
		x, y := digits(a), digits(b)
		if x > 0 && y > 0 {
			na, nb := strings.TrimLeft(a[:x], "0"), strings.TrimLeft(b[:y], "0")
			if r := cmp.Or(cmp.Compare(len(na), len(nb)), cmp.Compare(na, nb)); r != 0 {
				return r
			}
			a, b = a[x:], b[y:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// parseOrder reads orderBy. Without one, newer files come first; Drive
// promises no order then.
func parseOrder(s string) (func(a, b *item) int, error) {
	final := func(a, b *item) int { return cmp.Or(cmp.Compare(b.Modified, a.Modified), cmp.Compare(a.ID, b.ID)) }
	if s == "" {
		return final, nil
	}
	var by []func(a, b *item) int
	seen := map[string]bool{}
	for i, part := range strings.Split(s, ",") {
		f := strings.Fields(part)
		if len(f) == 0 || len(f) > 2 || len(f) == 2 && f[1] != "desc" || sortKeys[f[0]] == nil {
			return nil, errInvalid("orderBy")
		}
		if seen[f[0]] {
			return nil, errForbidden("orderByContainsDuplicateSortKeys", "The orderBy parameter contains duplicate sort keys.")
		}
		if f[0] == "starred" && i > 0 {
			return nil, &apiError{code: 500, reason: "internalError", message: "Internal Error"}
		}
		seen[f[0]] = true
		key := sortKeys[f[0]]
		if len(f) == 2 {
			by = append(by, func(a, b *item) int { return key(b, a) })
		} else {
			by = append(by, key)
		}
	}
	return func(a, b *item) int {
		for _, f := range by {
			if r := f(a, b); r != 0 {
				return r
			}
		}
		return final(a, b)
	}, nil
}
