package droppath

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// plainQuotes rewrites each $'…' of bash and zsh, the way to write a line break
// in a name, to '…', which go-shellquote knows. It is false if a quote stays
// open.
func plainQuotes(line string) (string, bool) {
	if !strings.Contains(line, "$'") {
		return line, true
	}
	var out strings.Builder
	for i := 0; i < len(line); {
		n := 1
		switch {
		case line[i] == '\\' && i+1 < len(line):
			n = 2
		case line[i] == '\'':
			end := strings.IndexByte(line[i+1:], '\'')
			if end < 0 {
				return "", false
			}
			n = end + 2
		case line[i] == '"':
			n = closing(line[i+1:], '"') + 2
			if n == 1 {
				return "", false
			}
		case strings.HasPrefix(line[i:], "$'"):
			end := closing(line[i+2:], '\'')
			if end < 0 {
				return "", false
			}
			text := unescape(line[i+2 : i+2+end])
			out.WriteString("'" + strings.ReplaceAll(text, "'", `'\''`) + "'")
			i += end + 3
			continue
		}
		out.WriteString(line[i : i+n])
		i += n
	}
	return out.String(), true
}

// closing is where in s the first quote without a backslash is, or -1.
func closing(s string, quote byte) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case quote:
			return i
		}
	}
	return -1
}

// simple are the escapes of one letter.
var simple = map[byte]byte{'a': 7, 'b': 8, 'e': 27, 'E': 27, 'f': 12, 'n': '\n', 'r': '\r', 't': '\t', 'v': 11, '\\': '\\', '\'': '\'', '"': '"', '?': '?'}

// unescape reads the inside of $'…'. What is no escape keeps its backslash.
// Source: the bash manual, "ANSI-C Quoting".
func unescape(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out.WriteByte(s[i])
			continue
		}
		i++
		if b, ok := simple[s[i]]; ok {
			out.WriteByte(b)
			continue
		}
		var code uint64
		n := 0
		switch s[i] {
		case '0', '1', '2', '3', '4', '5', '6', '7':
			code, n = number(s[i:], 3, 8)
			n-- // its first digit is the letter here
		case 'x':
			code, n = number(s[i+1:], 2, 16)
		case 'u':
			code, n = number(s[i+1:], 4, 16)
		case 'U':
			code, n = number(s[i+1:], 8, 16)
		}
		switch {
		case s[i] >= '0' && s[i] <= '7' || s[i] == 'x' && n > 0:
			out.WriteByte(byte(code)) // a byte, maybe one of several of a letter
		case n > 0:
			out.Write(utf8.AppendRune(nil, rune(min(code, utf8.MaxRune+1))))
		default:
			out.WriteString(s[i-1 : i+1])
		}
		i += n
	}
	return out.String()
}

// number reads up to most digits from the front of s, and says how many.
func number(s string, most, base int) (value uint64, digits int) {
	for digits < min(most, len(s)) {
		next, err := strconv.ParseUint(s[:digits+1], base, 64)
		if err != nil {
			break
		}
		value = next
		digits++
	}
	return value, digits
}
