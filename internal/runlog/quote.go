package runlog

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// mark opens a quoted byte: U+201B, and then two upper case hex digits.
const mark = '\u201b'

// Quote makes s valid UTF-8, and so fit for JSON, without making two strings
// one: each byte that is not UTF-8 becomes U+201B and its two hex digits, the
// form that names have on Drive. A U+201B in s that two such digits follow by
// nature has its own three bytes quoted. Reading every U+201B with two hex
// digits as that byte gives s back.
func Quote(s string) string {
	if utf8.ValidString(s) && !strings.ContainsRune(s, mark) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || r == mark && hexPair(s[i+n:]) {
			for _, b := range []byte(s[i : i+n]) {
				fmt.Fprintf(&out, "%c%02X", mark, b)
			}
		} else {
			out.WriteString(s[i : i+n])
		}
		i += n
	}
	return out.String()
}

// hexPair reports whether s begins with two upper case hex digits.
func hexPair(s string) bool {
	const hex = "0123456789ABCDEF"
	return len(s) >= 2 && strings.IndexByte(hex, s[0]) >= 0 && strings.IndexByte(hex, s[1]) >= 0
}
