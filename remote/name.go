package remote

import (
	"strings"
	"unicode/utf8"

	"github.com/autocloudbackup/acb/manifest"
)

// quote marks a byte that a name on Drive cannot hold as it is: quote and two
// upper-case hexadecimal digits. Source: rclone's manual on invalid UTF-8, so
// that rclone brings such names back as well.
const quote = "\u201b"

// linkSuffix ends the name of a small file that stands for a symbolic link and
// holds its target. Source: rclone's --links.
const linkSuffix = ".rclonelink"

// EncodeName returns how a name on disk is written on Drive: byte for byte,
// but invalid UTF-8 quoted, for JSON cannot carry it, and quoted likewise a
// quote that would otherwise be read as one. No two names on disk of one kind
// have the same name on Drive.
func EncodeName(name string, kind manifest.Kind) string {
	if kind == manifest.Symlink {
		name += linkSuffix
	}
	if utf8.ValidString(name) && !strings.Contains(name, quote) {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); {
		r, n := utf8.DecodeRuneInString(name[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			quoteByte(&b, name[i])
		case name[i:i+n] == quote && isHex(name[i+n:]):
			for _, c := range []byte(quote) {
				quoteByte(&b, c)
			}
		default:
			b.WriteString(name[i : i+n])
		}
		i += n
	}
	return b.String()
}

// DecodeName returns the name on disk of what is called name on Drive.
func DecodeName(name string, kind manifest.Kind) string {
	if strings.Contains(name, quote) {
		var b strings.Builder
		for i := 0; i < len(name); {
			if rest := name[i:]; strings.HasPrefix(rest, quote) && isHex(rest[len(quote):]) {
				b.WriteByte(unhex(rest[len(quote)])<<4 | unhex(rest[len(quote)+1]))
				i += len(quote) + 2
				continue
			}
			b.WriteByte(name[i])
			i++
		}
		name = b.String()
	}
	if kind == manifest.Symlink {
		name = strings.TrimSuffix(name, linkSuffix)
	}
	return name
}

func quoteByte(b *strings.Builder, c byte) {
	const digits = "0123456789ABCDEF"
	b.WriteString(quote)
	b.WriteByte(digits[c>>4])
	b.WriteByte(digits[c&15])
}

// isHex reports whether s begins with two upper-case hexadecimal digits.
func isHex(s string) bool {
	return len(s) >= 2 && unhex(s[0]) < 16 && unhex(s[1]) < 16
}

// unhex returns the value of a digit, 16 for what is none.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 16
}
