package ignore

import (
	"bytes"
	"math/bits"
	"strings"
)

// A rule is a pattern with the line it came from.
type rule struct {
	pattern
	absolute bool // counts from the top of the file system, not of the source
	line     int
	text     string
}

// A list holds the rules of one file, or of the configuration, in order. A
// name is held against few of them: the first and the last byte of a name
// each allow a set of rules, and only what is in both is tried.
type list struct {
	rules []rule
	ends  []endSets // one for each 64 rules
}

type endSets struct {
	first, last [256]uint64 // by byte: the rules that a name with this end can match
	dirOnly     uint64
}

// newList keeps rules that can match something.
func newList(rules []rule) *list {
	var l list
	for _, r := range rules {
		if len(r.forms) > 0 {
			l.rules = append(l.rules, r)
		}
	}
	l.ends = make([]endSets, (len(l.rules)+63)/64)
	for i := range l.rules {
		l.index(i)
	}
	return &l
}

// index enters rule i into the sets.
func (l *list) index(i int) {
	e, bit := &l.ends[i/64], uint64(1)<<(i%64)
	if l.rules[i].dirOnly {
		e.dirOnly |= bit
	}
	for _, form := range l.rules[i].forms {
		first, last := form[len(form)-1].ends()
		for b := range 256 {
			if first.has(byte(b)) {
				e.first[b] |= bit
			}
			if last.has(byte(b)) {
				e.last[b] |= bit
			}
		}
	}
}

// find returns the last rule that matches name in the folder dir below the
// list's base, or nil. above is the base's own place in the file system, for
// absolute rules.
func (l *list) find(above, dir, name string, isDir bool) *rule {
	if name == "" {
		return nil
	}
	for w := len(l.ends) - 1; w >= 0; w-- {
		e := &l.ends[w]
		maybe := e.first[name[0]] & e.last[name[len(name)-1]]
		if !isDir {
			maybe &^= e.dirOnly
		}
		for maybe != 0 {
			i := bits.Len64(maybe) - 1
			maybe &^= 1 << i
			r := &l.rules[w*64+i]
			folders := cursor{below: dir}
			if r.absolute {
				folders.above = above
			}
			if r.matchPath(folders, name) {
				return r
			}
		}
	}
	return nil
}

// parseFile reads the content of an ignore file as git does: a byte order mark
// and the return before each newline are dropped, a line ends at a NUL byte.
func parseFile(content []byte) []rule {
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	var rules []rule
	n := 0
	for raw := range bytes.Lines(content) {
		n++
		raw = bytes.TrimSuffix(bytes.TrimSuffix(raw, []byte("\n")), []byte("\r"))
		raw, _, _ = bytes.Cut(raw, []byte{0})
		if len(raw) == 0 || raw[0] == '#' {
			continue
		}
		text := trimSpaces(string(raw))
		p, err := compile(text)
		if err != nil {
			continue // git says nothing either; the pattern matches nothing
		}
		rules = append(rules, rule{pattern: p, line: n, text: text})
	}
	return rules
}

// trimSpaces drops trailing spaces, other than one that a backslash keeps.
func trimSpaces(line string) string {
	trimmed := strings.TrimRight(line, " ")
	if len(trimmed) == len(line) {
		return line
	}
	escapes := len(trimmed) - len(strings.TrimRight(trimmed, `\`))
	if escapes%2 == 1 {
		return line[:len(trimmed)+1]
	}
	return trimmed
}
