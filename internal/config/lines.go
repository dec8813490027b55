package config

import (
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// keyLines tells the line of each key of a TOML document that has been found
// valid: toml keeps no lines of keys. Tables and dotted keys are there under
// their full path, elements of arrays as with element. A key that is met again,
// as in a table opened twice by dotted keys, has the line where it was first met.
func keyLines(src string) map[string]int {
	f := finder{src: src, line: 1, lines: map[string]int{}}
	var table []string
	for f.space(true); f.pos < len(src); f.space(true) {
		if src[f.pos] != '[' {
			f.pair(table)
			continue
		}
		for f.pos < len(src) && src[f.pos] == '[' {
			f.step()
		}
		table = f.key(nil)
		for f.pos < len(src) && src[f.pos] == ']' {
			f.step()
		}
	}
	return f.lines
}

// pathOf is the name of a key in keyLines; a quoted key may hold a dot.
func pathOf(parts ...string) string { return strings.Join(parts, "\x00") }

// element is the name in keyLines of an array's element.
func element(path string, i int) string { return pathOf(path, "["+strconv.Itoa(i)) }

// A finder goes through the document once.
type finder struct {
	src   string
	pos   int
	line  int
	lines map[string]int
}

// step goes one byte on.
func (f *finder) step() {
	if f.src[f.pos] == '\n' {
		f.line++
	}
	f.pos++
}

// to goes on until text begins here, or to the end.
func (f *finder) to(text string) {
	for f.pos < len(f.src) && !strings.HasPrefix(f.src[f.pos:], text) {
		f.step()
	}
}

// space skips blanks, and with lines also ends of lines and comments.
func (f *finder) space(lines bool) {
	for f.pos < len(f.src) {
		switch c := f.src[f.pos]; {
		case c == ' ' || c == '\t' || lines && (c == '\r' || c == '\n'):
			f.step()
		case lines && c == '#':
			f.to("\n")
		default:
			return
		}
	}
}

// pair reads a key, its "=" and its value.
func (f *finder) pair(table []string) {
	path := f.key(table)
	if f.pos < len(f.src) {
		f.step() // the "="
	}
	f.space(false)
	f.value(path)
}

// key reads a bare, quoted or dotted key below table, and all behind it that
// is space. Each part is noted.
func (f *finder) key(table []string) []string {
	path := table[:len(table):len(table)]
	for {
		f.space(false)
		line, start := f.line, f.pos
		switch {
		case f.pos < len(f.src) && (f.src[f.pos] == '"' || f.src[f.pos] == '\''):
			f.text()
			path = append(path, unquote(f.src[start:f.pos]))
		default:
			for f.pos < len(f.src) && !strings.ContainsRune(" \t\r\n.=]", rune(f.src[f.pos])) {
				f.step()
			}
			path = append(path, f.src[start:f.pos])
		}
		f.note(pathOf(path...), line)
		f.space(false)
		if f.pos >= len(f.src) || f.src[f.pos] != '.' {
			return path
		}
		f.step()
	}
}

func (f *finder) note(path string, line int) {
	if _, known := f.lines[path]; !known {
		f.lines[path] = line
	}
}

// unquote gives a quoted key its meaning, by the rules of TOML itself.
func unquote(quoted string) string {
	var v struct{ K string }
	if _, err := toml.Decode("K = "+quoted, &v); err != nil {
		return quoted
	}
	return v.K
}

// value skips a value and notes the keys and elements inside.
func (f *finder) value(path []string) {
	if f.pos >= len(f.src) {
		return
	}
	switch f.src[f.pos] {
	case '"', '\'':
		f.text()
	case '[':
		f.step()
		for i := 0; f.more(']'); i++ {
			at := element(pathOf(path...), i)
			f.note(at, f.line)
			f.value([]string{at})
		}
	case '{':
		f.step()
		for f.more('}') {
			f.pair(path)
		}
	default:
		for f.pos < len(f.src) && !strings.ContainsRune(",]}#\r\n", rune(f.src[f.pos])) {
			f.step()
		}
	}
}

// more skips what stands between elements and reports whether one follows;
// otherwise it has gone past the end.
func (f *finder) more(end byte) bool {
	for f.space(true); f.pos < len(f.src) && f.src[f.pos] == ','; f.space(true) {
		f.step()
	}
	if f.pos < len(f.src) && f.src[f.pos] == end {
		f.step()
		return false
	}
	return f.pos < len(f.src)
}

// text skips a string of any of the four kinds.
func (f *finder) text() {
	quote := f.src[f.pos : f.pos+1]
	escapes := quote == `"`
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(f.src[f.pos:], triple) {
		quote = triple
	}
	f.pos += len(quote)
	for f.pos < len(f.src) && !strings.HasPrefix(f.src[f.pos:], quote) {
		if escapes && f.src[f.pos] == '\\' && f.pos+1 < len(f.src) {
			f.step()
		}
		f.step()
	}
	f.pos = min(f.pos+len(quote), len(f.src))
	// A string of three quotes may hold up to two more at its end.
	for len(quote) == 3 && f.pos < len(f.src) && f.src[f.pos] == quote[0] {
		f.pos++
	}
}
