package drivetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// mask is a parsed fields parameter: names, and below each what is wanted of
// it; a nil mask below a name means all of it. "*" stands for every name.
type mask map[string]mask

// parseMask reads the grammar of the fields parameter: a comma list of paths
// a/b, each of which may end in a selection a(b,c). A blank text selects
// nothing. Source: the Drive guide "Return specific fields".
func parseMask(s string) (mask, error) {
	if strings.TrimSpace(s) == "" {
		return mask{}, nil
	}
	p := &maskParser{s: s}
	m, err := p.list(0)
	if err != nil {
		return nil, err
	}
	if p.i < len(s) {
		return nil, errField(s[p.i:])
	}
	return m, nil
}

func errField(name string) *apiError {
	return &apiError{code: 400, reason: "invalidParameter", message: "Invalid field selection " + name, location: "fields"}
}

type maskParser struct {
	s string
	i int
}

// maxMaskDepth bounds recursion on hostile input; no real field lies deeper than 5.
const maxMaskDepth = 32

func (p *maskParser) list(depth int) (mask, error) {
	if depth > maxMaskDepth {
		return nil, errField(p.s[p.i:])
	}
	m := mask{}
	for {
		if err := p.path(m, depth); err != nil {
			return nil, err
		}
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != ',' {
			return m, nil
		}
		p.i++
	}
}

// path reads a/b/c or a/b(c,d) into m.
func (p *maskParser) path(m mask, depth int) error {
	p.space()
	start := p.i
	for p.i < len(p.s) && isFieldByte(p.s[p.i]) {
		p.i++
	}
	name := p.s[start:p.i]
	if name == "" || strings.Contains(name, "*") && name != "*" {
		return errField(p.s[start:])
	}
	p.space()
	old, seen := m[name]
	if p.i >= len(p.s) || p.s[p.i] != '/' && p.s[p.i] != '(' {
		m[name] = nil
		return nil
	}
	sub := mask{}
	var err error
	if p.s[p.i] == '/' {
		if depth > maxMaskDepth {
			return errField(p.s[p.i:])
		}
		p.i++
		err = p.path(sub, depth+1)
	} else {
		p.i++
		sub, err = p.list(depth + 1)
		if err == nil && (p.i >= len(p.s) || p.s[p.i] != ')') {
			err = errField(p.s[start:])
		}
		p.i++
	}
	switch {
	case err != nil:
		return err
	case seen && old == nil: // all of it was asked for already
	case seen:
		merge(old, sub)
	default:
		m[name] = sub
	}
	return nil
}

func (p *maskParser) space() {
	for p.i < len(p.s) && p.s[p.i] == ' ' {
		p.i++
	}
}

func isFieldByte(c byte) bool {
	return c == '*' || c == '_' || c == '-' || c == '.' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func merge(into, from mask) {
	for k, sub := range from {
		old, seen := into[k]
		switch {
		case !seen || sub == nil:
			into[k] = sub
		case old != nil:
			merge(old, sub)
		}
	}
}

// check compares m with the names that exist; schema has "*" where any name does.
func (m mask) check(schema mask) error {
	for name, sub := range m {
		if name == "*" {
			continue
		}
		below, ok := schema[name]
		if !ok {
			if _, open := schema["*"]; open && sub == nil {
				continue
			}
			return errField(name)
		}
		if sub == nil {
			continue
		}
		if below == nil {
			return errField(name + "/" + sub.String())
		}
		if err := sub.check(below); err != nil {
			return err
		}
	}
	return nil
}

// String writes the mask with its names in order.
func (m mask) String() string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if sub := m[k]; sub != nil {
			k += "(" + sub.String() + ")"
		}
		parts = append(parts, k)
	}
	return strings.Join(parts, ",")
}

// want says whether name is selected, and what of it.
func (m mask) want(name string) (mask, bool) {
	sub, ok := m[name]
	all, star := m["*"]
	switch {
	case ok && star && sub != nil && all != nil:
		both := mask{}
		merge(both, sub)
		merge(both, all)
		return both, true
	case star && (all == nil || !ok):
		return all, true
	}
	return sub, ok
}

// apply keeps what m selects of v.
func (m mask) apply(v any) any {
	if m == nil {
		return v
	}
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(m))
		for k, x := range v {
			if sub, ok := m.want(k); ok {
				out[k] = sub.apply(x)
			}
		}
		return out
	case map[string]string:
		out := make(map[string]any, len(m))
		for k, x := range v {
			if _, ok := m.want(k); ok {
				out[k] = x
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = m.apply(v[i])
		}
		return out
	}
	return v
}

// schema parses a mask that is written in this package.
func schema(s string) mask {
	m, err := parseMask(s)
	if err != nil {
		panic(fmt.Sprintf("drivetest: bad schema %q: %v", s, err))
	}
	return m
}
