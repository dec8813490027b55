package droppath

import (
	"net/url"
	"strings"
)

// forms are the paths that one word may stand for, itself first. They are for
// all systems alike: on the wrong one, they do not exist.
func forms(word string) []string {
	all := []string{word}
	for _, p := range fromURI(word) {
		all = append(all, p)
		all = append(all, otherSide(p)...)
	}
	return append(all, otherSide(word)...)
}

// fromURI reads a file URI, with and without percent escapes, as some write
// the name raw. A host makes it a network path, never a path on this machine.
// Source: RFC 8089, with its appendix E on drive letters and hosts.
func fromURI(word string) []string {
	const scheme = "file:"
	if len(word) < len(scheme) || !strings.EqualFold(word[:len(scheme)], scheme) {
		return nil
	}
	raw := word[len(scheme):]
	host := ""
	if rest, ok := strings.CutPrefix(raw, "//"); ok {
		slash := strings.IndexByte(rest, '/')
		if slash < 0 {
			return nil
		}
		host, raw = rest[:slash], rest[slash:]
	}
	paths := []string{raw}
	if plain, err := url.PathUnescape(raw); err == nil && plain != raw {
		paths = []string{plain, raw}
	}
	var out []string
	for _, p := range paths {
		switch {
		case host != "" && !strings.EqualFold(host, "localhost"):
			out = append(out, `\\`+host+backslashes(p))
		case len(p) > 3 && drive(p[1:]):
			out = append(out, backslashes(p[1:]), p) // on Unix a folder may be called a:
		default:
			out = append(out, p)
		}
	}
	return out
}

// otherSide gives a path as it is called across the border between Windows and
// a Unix on top of it: WSL has C:\ at /mnt/c, Git Bash at /c, Cygwin at
// /cygdrive/c.
func otherSide(p string) []string {
	if drive(p) {
		letter, rest := strings.ToLower(p[:1]), strings.ReplaceAll(p[2:], `\`, "/")
		return []string{"/mnt/" + letter + rest}
	}
	var out []string
	for _, mount := range []string{"/mnt", "/cygdrive", ""} {
		rest, ok := strings.CutPrefix(p, mount+"/")
		if ok && len(rest) >= 2 && letter(rest[0]) && rest[1] == '/' {
			out = append(out, backslashes(strings.ToUpper(rest[:1])+":"+rest[1:]))
		}
	}
	return out
}

// drive reports whether p starts with a drive and a slash of either kind.
func drive(p string) bool {
	return len(p) >= 3 && letter(p[0]) && p[1] == ':' && (p[2] == '\\' || p[2] == '/')
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func backslashes(p string) string { return strings.ReplaceAll(p, "/", `\`) }
