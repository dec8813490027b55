package drivetest

import (
	"slices"
	"strings"
	"time"
)

// query is a parsed q parameter. Source of grammar and meaning: the Drive
// guide "Search for files", and "Search query terms".
type query struct {
	match    func(c *call, it *item) bool
	parents  []string // when bounded: every match has one of these parents
	bounded  bool
	fullText bool
}

// parseQuery reads q; "" matches everything. Clauses joined by and/or are
// taken from left to right, as the guide says.
func parseQuery(q string) (*query, error) {
	if strings.TrimSpace(q) == "" {
		return &query{match: func(*call, *item) bool { return true }}, nil
	}
	p := &queryParser{s: q}
	out, ok := p.expr(0)
	p.space()
	if !ok || p.i < len(p.s) {
		return nil, errInvalid("q")
	}
	return out, nil
}

type queryParser struct {
	s string
	i int
}

// maxQueryDepth bounds recursion on hostile input.
const maxQueryDepth = 64

func (p *queryParser) expr(depth int) (*query, bool) {
	left, ok := p.clause(depth)
	for ok {
		switch {
		case p.word("and"):
			var right *query
			if right, ok = p.clause(depth); ok {
				left = and(left, right)
			}
		case p.word("or"):
			var right *query
			if right, ok = p.clause(depth); ok {
				left = or(left, right)
			}
		default:
			return left, true
		}
	}
	return nil, false
}

func and(a, b *query) *query {
	q := &query{
		match:    func(c *call, it *item) bool { return a.match(c, it) && b.match(c, it) },
		fullText: a.fullText || b.fullText,
	}
	switch {
	case a.bounded:
		q.bounded, q.parents = true, a.parents
	case b.bounded:
		q.bounded, q.parents = true, b.parents
	}
	return q
}

func or(a, b *query) *query {
	return &query{
		match:    func(c *call, it *item) bool { return a.match(c, it) || b.match(c, it) },
		fullText: a.fullText || b.fullText,
		bounded:  a.bounded && b.bounded,
		parents:  slices.Concat(a.parents, b.parents),
	}
}

func (p *queryParser) clause(depth int) (*query, bool) {
	if depth > maxQueryDepth {
		return nil, false
	}
	if p.word("not") {
		q, ok := p.clause(depth + 1)
		if !ok {
			return nil, false
		}
		return &query{match: func(c *call, it *item) bool { return !q.match(c, it) }, fullText: q.fullText}, true
	}
	if p.char('(') {
		q, ok := p.expr(depth + 1)
		return q, ok && p.char(')')
	}
	p.space()
	if p.i < len(p.s) && p.s[p.i] == '\'' {
		return p.in()
	}
	term := p.name()
	if term == "sharedWithMe" && !p.operatorAhead() {
		return boolQuery(term, true)
	}
	op := p.operator()
	if op == "has" && (term == "properties" || term == "appProperties") {
		return p.property(term)
	}
	p.space()
	if p.i < len(p.s) && p.s[p.i] == '\'' {
		v, ok := p.quoted()
		if !ok {
			return nil, false
		}
		return textQuery(term, op, v)
	}
	v := p.name()
	if op != "=" && op != "!=" || v != "true" && v != "false" {
		return nil, false
	}
	return boolQuery(term, (v == "true") == (op == "="))
}

// in reads 'value' in term.
func (p *queryParser) in() (*query, bool) {
	v, ok := p.quoted()
	if !ok || !p.word("in") {
		return nil, false
	}
	switch p.name() {
	case "parents":
		return &query{bounded: true, parents: []string{v}, match: func(c *call, it *item) bool {
			return it.Parent != "" && it.Parent == c.alias(v)
		}}, true
	case "owners":
		return &query{match: func(c *call, it *item) bool { return it.Drive == "" && c.person(v) == it.Owner }}, true
	case "writers":
		return &query{match: func(c *call, it *item) bool { return !it.ReadOnly && c.person(v) == it.Owner }}, true
	case "readers":
		return &query{match: func(c *call, it *item) bool { return it.ReadOnly || c.person(v) == it.Owner }}, true
	}
	return nil, false
}

// person resolves me.
func (c *call) person(v string) string {
	if v == "me" {
		return c.tok.User
	}
	return v
}

// alias resolves root and appDataFolder to ids. The lock must be held.
func (c *call) alias(id string) string {
	switch id {
	case "root":
		return c.d.account(c.tok.User).ID
	case appData:
		if r := c.d.appDataRoot(c.tok); r != nil {
			return r.ID
		}
	}
	return id
}

// property reads { key='k' and value='v' }.
func (p *queryParser) property(term string) (*query, bool) {
	if !p.char('{') || !p.word("key") || !p.char('=') {
		return nil, false
	}
	p.space()
	k, ok := p.quoted()
	if !ok || !p.word("and") || !p.word("value") || !p.char('=') {
		return nil, false
	}
	p.space()
	v, ok := p.quoted()
	if !ok || !p.char('}') {
		return nil, false
	}
	return &query{match: func(c *call, it *item) bool {
		m := it.Props
		if term == "appProperties" {
			m = it.AppProps[c.tok.Client]
		}
		have, ok := m[k]
		return ok && have == v
	}}, true
}

func boolQuery(term string, want bool) (*query, bool) {
	var f func(c *call, it *item) bool
	switch term {
	case "trashed":
		f = func(_ *call, it *item) bool { return it.inTrash() }
	case "starred":
		f = func(_ *call, it *item) bool { return it.Starred }
	case "sharedWithMe":
		f = func(c *call, it *item) bool { return it.ReadOnly && it.Owner != c.tok.User }
	default:
		return nil, false
	}
	return &query{match: func(c *call, it *item) bool { return f(c, it) == want }}, true
}

func textQuery(term, op, v string) (*query, bool) {
	yes := func(f func(it *item) bool) (*query, bool) {
		return &query{match: func(_ *call, it *item) bool { return f(it) }}, true
	}
	switch term + " " + op {
	case "name =":
		return yes(func(it *item) bool { return strings.EqualFold(it.Name, v) })
	case "name !=":
		return yes(func(it *item) bool { return !strings.EqualFold(it.Name, v) })
	case "name contains":
		return yes(func(it *item) bool { return hasPrefixes(it.Name, v) })
	case "mimeType =":
		return yes(func(it *item) bool { return it.Mime == v })
	case "mimeType !=":
		return yes(func(it *item) bool { return it.Mime != v })
	case "mimeType contains":
		return yes(func(it *item) bool { return strings.HasPrefix(it.Mime, v) })
	case "fullText contains":
		q, ok := yes(func(it *item) bool { return hasTokens(it.Name+" "+string(it.Extra["description"]), v) })
		q.fullText = true
		return q, ok
	case "visibility =":
		return yes(func(*item) bool { return v == "limited" })
	case "visibility !=":
		return yes(func(*item) bool { return v != "limited" })
	case "shortcutDetails.targetId =":
		return yes(func(it *item) bool { return it.Target == v })
	case "shortcutDetails.targetId !=":
		return yes(func(it *item) bool { return it.Target != v })
	}
	return timeQuery(term, op, v)
}

func timeQuery(term, op, v string) (*query, bool) {
	var of func(it *item) int64
	switch term {
	case "modifiedTime":
		of = func(it *item) int64 { return it.Modified }
	case "createdTime":
		of = func(it *item) int64 { return it.Created }
	case "viewedByMeTime":
		of = func(it *item) int64 { return it.Viewed }
	default:
		return nil, false
	}
	t, err := time.Parse(time.RFC3339Nano, v)
	if err != nil {
		if t, err = time.Parse("2006-01-02T15:04:05.999999999", v); err != nil { // UTC without a zone
			return nil, false
		}
	}
	want := t.UnixMilli()
	var cmp func(a int64) bool
	switch op {
	case "=":
		cmp = func(a int64) bool { return a == want }
	case "!=":
		cmp = func(a int64) bool { return a != want }
	case "<":
		cmp = func(a int64) bool { return a < want }
	case "<=":
		cmp = func(a int64) bool { return a <= want }
	case ">":
		cmp = func(a int64) bool { return a > want }
	case ">=":
		cmp = func(a int64) bool { return a >= want }
	default:
		return nil, false
	}
	return &query{match: func(_ *call, it *item) bool { return cmp(of(it)) }}, true
}
