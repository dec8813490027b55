package ignore

import "strings"

// A pattern is one line of gitignore, understood.
type pattern struct {
	negated  bool // began with "!"
	dirOnly  bool // ended with "/"
	anchored bool // held a slash elsewhere: all of the path below the base counts

	// forms are the ways to match, any of which will do: two where "**" is
	// glued to the text before it, else one; none in a pattern that can never
	// match. The last segment of a form is for the name, those before it are
	// for the folders, and only those may be anyDirs.
	forms [][]segment
}

// compile gives a line its meaning; the line is no comment and has lost its
// trailing spaces. Of a line with an error git says nothing and matches
// nothing, and so does the pattern.
func compile(line string) (pattern, error) {
	var p pattern
	line, p.negated = strings.CutPrefix(line, "!")
	line, p.dirOnly = strings.CutSuffix(line, "/")
	p.anchored = strings.Contains(line, "/")
	if line == "" {
		return p, nil
	}
	line = strings.TrimPrefix(line, "/")
	s := splitter{line: line, anchored: p.anchored, head: strings.IndexAny(line, `*?[\`)}
	if err := s.split(0, nil, nil); err != nil {
		return p, err
	}
	p.forms = s.forms
	return p, nil
}

// matchPath reports whether the pattern accepts name in the folder that the
// cursor leads to.
func (p *pattern) matchPath(folders cursor, name string) bool {
	for _, form := range p.forms {
		last := len(form) - 1
		if form[last].match(name) && (!p.anchored || matchDirs(form[:last], folders)) {
			return true
		}
	}
	return false
}

// A splitter cuts a pattern into segments. The zero position of a pattern is
// behind its leading slash.
type splitter struct {
	line     string
	anchored bool
	head     int // where the first special character is; negative without any
	forms    [][]segment
}

// split reads the line from i on, behind the finished segments and the parts
// of the segment at hand, and adds the forms that come of it.
func (s *splitter) split(i int, done []segment, cur []part) error {
	var text []byte // literal text not yet in cur
	flush := func() {
		if len(text) > 0 {
			cur = append(cur, part{lit: string(text)})
			text = nil
		}
	}
	for i < len(s.line) {
		switch c := s.line[i]; c {
		case '/':
			flush()
			done, cur = append(done, compileParts(cur)), nil
			i++
		case '\\':
			switch {
			case i+1 == len(s.line):
				return errTrailingEsc
			case s.line[i+1] != '/':
				text = append(text, s.line[i+1])
				i++
			}
			i++
		case '?':
			flush()
			var any byteSet
			any.invert()
			cur = append(cur, part{set: &any})
			i++
		case '[':
			set, n, err := parseClass(s.line[i+1:])
			if err != nil {
				return err
			}
			flush()
			cur = append(cur, part{set: &set})
			i += 1 + n
		case '*':
			flush()
			end := s.stars(i)
			if s.spans(i, end) {
				return s.splitSpan(i, end, done, cur)
			}
			cur = append(cur, part{})
			i = end
		default:
			text = append(text, c)
			i++
		}
	}
	flush()
	s.forms = append(s.forms, append(done, compileParts(cur)))
	return nil
}

// stars returns the end of the run of stars that begins at i.
func (s *splitter) stars(i int) int {
	for i < len(s.line) && s.line[i] == '*' {
		i++
	}
	return i
}

// spans reports whether the stars line[i:end] match across slashes: two or
// more that make up a whole component. git compares literal text at the head
// of a pattern first and looks only at what is behind it, so there stars count
// as the beginning of a component even when text is glued to them.
func (s *splitter) spans(i, end int) bool {
	return s.anchored && end-i >= 2 &&
		(i == 0 || i == s.head || s.line[i-1] == '/') &&
		(end == len(s.line) || s.line[end] == '/' || strings.HasPrefix(s.line[end:], `\/`))
}

// splitSpan goes on behind stars that span folders. In words of plain
// segments, with "**" for any number of folders or none:
//
//	a/**/b   a, **, b
//	a/**     a, **, *              at least one component
//	a/**\/b  a, *, **, b           the slash has to be there
//	a**/b    ab  or  a*, **, b
//	a**      a*  or  a*, **, *
func (s *splitter) splitSpan(i, end int, done []segment, cur []part) error {
	for end < len(s.line) && s.line[end] == '/' { // of "**/**" the second is enough
		next := s.stars(end + 1)
		if !s.spans(end+1, next) {
			break
		}
		end = next
	}
	glued := len(cur) > 0
	star := []part{{}}
	starred := compileParts(append(cur[:len(cur):len(cur)], part{}))
	dirs := segment{kind: anyDirs}
	done = done[:len(done):len(done)] // two forms may grow from here
	switch {
	case end == len(s.line) && glued:
		s.forms = append(s.forms, append(done, starred),
			append(done, starred, dirs, compileParts(star)))
		return nil
	case end == len(s.line):
		s.forms = append(s.forms, append(done, dirs, compileParts(star)))
		return nil
	case s.line[end] == '\\':
		return s.split(end+2, append(done, starred, dirs), nil)
	case glued:
		if err := s.split(end+1, done, cur[:len(cur):len(cur)]); err != nil {
			return err
		}
		return s.split(end+1, append(done, starred, dirs), nil)
	}
	return s.split(end+1, append(done, dirs), nil)
}
