package ignore

import (
	"errors"
	"path/filepath"
	"strings"
)

// A Pattern is one entry of the configuration's ignore list. It is gitignore
// syntax, as if it stood in an ignore file at the top of every source, with
// one thing more: a pattern that begins with a slash, or with a drive as in
// "C:/", is an absolute path, since a configuration lies in no source.
type Pattern struct {
	rule
}

// Text is the pattern as it is written.
func (p Pattern) Text() string { return p.text }

// Line is where the configuration has it, counted from 1.
func (p Pattern) Line() int { return p.line }

// Hiding returns the absolute pattern that leaves out path itself or a folder
// above it, or nil. path is absolute. Patterns that count from a source do not
// matter here: a source is asked for by name, and they begin to hold below it.
func Hiding(patterns []Pattern, path string, isDir bool) *Pattern {
	var rules []rule
	for _, p := range patterns {
		if p.absolute {
			rules = append(rules, p.rule)
		}
	}
	l := newList(rules)
	folders := strings.Split(absolute(filepath.ToSlash(path)), "/")
	for i, name := range folders {
		dir := strings.Join(folders[:i], "/")
		if r := l.find("", dir, name, isDir || i < len(folders)-1); r.verdict() == Ignored {
			return &Pattern{*r}
		}
	}
	return nil
}

// Why an entry of the configuration is refused, beside patterns that can
// never match. In an ignore file the same lines are legal, as they are in git.
var (
	errEmpty     = errors.New("the pattern is empty: take it out")
	errComment   = errors.New(`"#" begins a comment here: write "\#" for the character itself`)
	errLines     = errors.New("a pattern is one line: write one entry for each")
	errDot       = errors.New(`"." and ".." have no meaning in a pattern: write "/absolute/path", "~/path", or "name" to match it in every folder`)
	errBackslash = errors.New(`a backslash takes away a character's meaning and separates nothing: write "/" between folders, on Windows too`)
	errNothing   = errors.New("the pattern can match nothing: two slashes in a row, or a slash alone")
)

// NewPattern makes an entry of the configuration. text is what is written at
// line, expanded the same after "~" and variables were replaced. Unlike a line
// of an ignore file, one that can never match is an error.
func NewPattern(text, expanded string, line int) (Pattern, error) {
	line1 := trimSpaces(expanded)
	body := strings.TrimPrefix(line1, "!")
	switch {
	case body == "":
		return Pattern{}, errEmpty
	case line1[0] == '#':
		return Pattern{}, errComment
	case strings.ContainsAny(line1, "\n\r\x00"):
		return Pattern{}, errLines
	case hasDrive(body) && strings.HasPrefix(body[2:], `\`), strings.HasPrefix(body, `\\`):
		return Pattern{}, errBackslash
	}
	p, err := compile(line1)
	if err != nil {
		return Pattern{}, err
	}
	r := rule{pattern: p, line: line, text: text}
	if r.absolute = body[0] == '/' || hasDrive(body); r.absolute {
		negated := line1[:len(line1)-len(body)]
		// The leading slash anchors, also where the rest has none.
		if r.pattern, err = compile(negated + "/" + absolute(body)); err != nil {
			return Pattern{}, err
		}
	}
	return Pattern{r}, r.check()
}

// check refuses segments that no component of a path can be.
func (r *rule) check() error {
	if len(r.forms) == 0 {
		return errNothing
	}
	for _, form := range r.forms {
		for _, s := range form {
			if s.kind != exact {
				continue
			}
			switch s.lit {
			case "":
				return errNothing
			case ".", "..":
				return errDot
			}
		}
	}
	return nil
}

// absolute brings an absolute path or pattern, slash-separated, into the form
// in which both are compared: no leading slash, a drive as a first folder in
// upper case, since Windows takes "c:" and "C:" for the same.
func absolute(p string) string {
	p = strings.TrimLeft(p, "/")
	if hasDrive(p) {
		p = strings.ToUpper(p[:1]) + p[1:]
	}
	return p
}

// hasDrive reports whether p begins with a drive such as "C:" and a separator.
func hasDrive(p string) bool {
	return len(p) >= 3 && p[1] == ':' && (p[2] == '/' || p[2] == '\\') &&
		('a' <= p[0] && p[0] <= 'z' || 'A' <= p[0] && p[0] <= 'Z')
}
