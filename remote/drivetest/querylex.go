package drivetest

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

func (p *queryParser) space() {
	for p.i < len(p.s) && (p.s[p.i] == ' ' || p.s[p.i] == '\t' || p.s[p.i] == '\n') {
		p.i++
	}
}

func (p *queryParser) char(c byte) bool {
	p.space()
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

// word takes a keyword, if it comes next.
func (p *queryParser) word(w string) bool {
	p.space()
	rest := p.s[p.i:]
	if !strings.HasPrefix(rest, w) || len(rest) > len(w) && isNameByte(rest[len(w)]) {
		return false
	}
	p.i += len(w)
	return true
}

func (p *queryParser) name() string {
	p.space()
	start := p.i
	for p.i < len(p.s) && isNameByte(p.s[p.i]) {
		p.i++
	}
	return p.s[start:p.i]
}

func isNameByte(c byte) bool {
	return c == '.' || c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func (p *queryParser) operatorAhead() bool {
	p.space()
	return p.i < len(p.s) && strings.IndexByte("=!<>", p.s[p.i]) >= 0
}

func (p *queryParser) operator() string {
	p.space()
	for _, op := range []string{"!=", "<=", ">=", "=", "<", ">"} {
		if strings.HasPrefix(p.s[p.i:], op) {
			p.i += len(op)
			return op
		}
	}
	for _, op := range []string{"contains", "has"} {
		if p.word(op) {
			return op
		}
	}
	return ""
}

// quoted reads 'text'; \' and \\ are the escapes.
func (p *queryParser) quoted() (string, bool) {
	if p.i >= len(p.s) || p.s[p.i] != '\'' {
		return "", false
	}
	var b strings.Builder
	for i := p.i + 1; i < len(p.s); i++ {
		switch p.s[i] {
		case '\'':
			p.i = i + 1
			return b.String(), utf8.ValidString(b.String())
		case '\\':
			i++
			if i >= len(p.s) || p.s[i] != '\'' && p.s[i] != '\\' {
				return "", false
			}
		}
		b.WriteByte(p.s[i])
	}
	return "", false
}

// maxPrefix is the longest word prefix that name contains finds. Source: a
// limit that clients met; the guide is silent.
const maxPrefix = 26

// hasPrefixes says whether each word of v begins a word of name. Words need
// not be neighbours, punctuation separates and is ignored.
func hasPrefixes(name, v string) bool {
	have, want := words(name), words(v)
	if len(want) == 0 {
		return false
	}
	for _, w := range want {
		if utf8.RuneCountInString(w) > maxPrefix || !slices.ContainsFunc(have, func(h string) bool { return strings.HasPrefix(h, w) }) {
			return false
		}
	}
	return true
}

// hasTokens says whether s holds the words of v whole; a phrase in double
// quotes must stand together.
func hasTokens(s, v string) bool {
	have := " " + strings.Join(words(s), " ") + " "
	if len(v) > 2 && v[0] == '"' && v[len(v)-1] == '"' {
		return strings.Contains(have, " "+strings.Join(words(v), " ")+" ")
	}
	want := words(v)
	for _, w := range want {
		if !strings.Contains(have, " "+w+" ") {
			return false
		}
	}
	return len(want) > 0
}

func words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}
