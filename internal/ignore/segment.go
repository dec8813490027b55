package ignore

import "strings"

// A segment is what a pattern demands of one component of a path. It never
// sees a slash.
type segment struct {
	kind  segmentKind
	lit   string // exact, prefix, suffix: the literal text
	parts []part // glob
}

type segmentKind uint8

const (
	exact   segmentKind = iota // lit and nothing else
	suffix                     // anything, then lit
	prefix                     // lit, then anything
	glob                       // parts
	anyDirs                    // "**": any number of components, also none
)

// A part is one step of a glob: a literal, a set that takes one byte, or, when
// it has neither, a star.
type part struct {
	lit string
	set *byteSet
}

func (p part) star() bool { return p.lit == "" && p.set == nil }

// compileParts gives the parts the cheapest kind of segment that says the same.
func compileParts(parts []part) segment {
	switch {
	case len(parts) == 0:
		return segment{kind: exact}
	case len(parts) == 1 && parts[0].star():
		return segment{kind: suffix}
	case len(parts) == 1 && parts[0].set == nil:
		return segment{kind: exact, lit: parts[0].lit}
	case len(parts) == 2 && parts[0].star() && parts[1].set == nil:
		return segment{kind: suffix, lit: parts[1].lit}
	case len(parts) == 2 && parts[0].set == nil && parts[1].star():
		return segment{kind: prefix, lit: parts[0].lit}
	}
	return segment{kind: glob, parts: parts}
}

// match reports whether the segment accepts one component. anyDirs accepts
// every one; that it also accepts several, or none, is for its caller.
func (s *segment) match(name string) bool {
	switch s.kind {
	case exact:
		return name == s.lit
	case suffix:
		return strings.HasSuffix(name, s.lit)
	case prefix:
		return strings.HasPrefix(name, s.lit)
	case glob:
		return matchParts(s.parts, name)
	}
	return true
}

// matchParts goes through name once and, when stuck, lets the last star take
// one byte more. An earlier star need never be tried again: the later one can
// take whatever that would have added. So the time is at most the product of
// the lengths, whatever the pattern.
func matchParts(parts []part, name string) bool {
	p, n := 0, 0
	starP, starN := -1, 0
	for {
		if p == len(parts) {
			if n == len(name) {
				return true
			}
		} else if step := parts[p]; step.star() {
			p++
			if p == len(parts) {
				return true
			}
			starP, starN = p, n
			continue
		} else if step.set != nil {
			if n < len(name) && step.set.has(name[n]) {
				p, n = p+1, n+1
				continue
			}
		} else if strings.HasPrefix(name[n:], step.lit) {
			p, n = p+1, n+len(step.lit)
			continue
		}
		if starP < 0 || starN >= len(name) {
			return false
		}
		starN++
		p, n = starP, starN
	}
}

// ends tells the bytes with which a component that the segment accepts can
// begin and end. They may promise too much, never too little.
func (s *segment) ends() (first, last byteSet) {
	first.invert()
	last.invert()
	if s.kind == glob {
		if p := s.parts[0]; !p.star() {
			first = p.edge(0)
		}
		if p := s.parts[len(s.parts)-1]; !p.star() {
			last = p.edge(len(p.lit) - 1)
		}
		return first, last
	}
	lit := part{lit: s.lit}
	if s.lit != "" && (s.kind == exact || s.kind == prefix) {
		first = lit.edge(0)
	}
	if s.lit != "" && (s.kind == exact || s.kind == suffix) {
		last = lit.edge(len(s.lit) - 1)
	}
	return first, last
}

// edge is what the part, no star, accepts at index i of its literal, or as its set.
func (p part) edge(i int) byteSet {
	if p.set != nil {
		return *p.set
	}
	var s byteSet
	s.add(p.lit[i])
	return s
}
