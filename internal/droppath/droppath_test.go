package droppath

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestResolve(t *testing.T) {
	for _, c := range []struct{ name, line, want string }{ // want: paths joined by |; they alone exist
		{"bare", `/home/ana/cv.pdf`, `/home/ana/cv.pdf`},
		{"bare, spaces raw", `/home/ana/My Documents/cv 1.pdf`, `/home/ana/My Documents/cv 1.pdf`},
		{"line end", "/a/b\r\n", `/a/b`},
		{"macOS Terminal puts a space behind", `/a/b `, `/a/b`},
		{"a name that ends in a space", `/a/b `, `/a/b `},
		{"single quotes (GNOME Terminal)", `'/home/ana/My Documents/cv.pdf' `, `/home/ana/My Documents/cv.pdf`},
		{"single quotes, apostrophe", `'/home/ana/it'\''s.txt'`, `/home/ana/it's.txt`},
		{"single quotes, dollar", `'/home/ana/$HOME (1).txt'`, `/home/ana/$HOME (1).txt`},
		{"double quotes (cmd)", `"C:\Users\ana\My Documents\cv.pdf"`, `C:\Users\ana\My Documents\cv.pdf`},
		{"double quotes, Unix", `"/home/ana/My \$5 \"x\".txt"`, `/home/ana/My $5 "x".txt`},
		{"double quotes, nothing escaped", `"/home/ana/My $5.txt"`, `/home/ana/My $5.txt`},
		{"all escaped (macOS Terminal)", `/Users/ana/It\'s\ \$5\ \(1\)\ \&\ more.txt`, `/Users/ana/It's $5 (1) & more.txt`},
		{"spaces only (WezTerm)", `/home/ana/My\ Documents/cv.pdf`, `/home/ana/My Documents/cv.pdf`},
		{"spaces only, dollar", `/home/ana/My\ $5\ note.txt`, `/home/ana/My $5 note.txt`},
		{"spaces only, bracket", `/home/ana/copy\ (1).txt`, `/home/ana/copy (1).txt`},
		{"spaces only, apostrophe", `/home/ana/it's\ mine.txt`, `/home/ana/it's mine.txt`},
		{"spaces only, backslash", `/home/ana/a\b\ c.txt`, `/home/ana/a\b c.txt`},
		{"URI", `file:///home/ana/My%20Documents/100%25.txt`, `/home/ana/My Documents/100%.txt`},
		{"URI, UTF-8 and plus", `file:///home/ana/%C3%BCber+.txt`, `/home/ana/über+.txt`},
		{"URI, not UTF-8", `file:///home/ana/caf%E9`, "/home/ana/caf\xe9"},
		{"URI, host", `FILE://localhost/home/ana/a.txt`, `/home/ana/a.txt`},
		{"URI, no host", `file:/home/ana/a.txt`, `/home/ana/a.txt`},
		{"URI, raw", `file:///home/ana/100%.txt`, `/home/ana/100%.txt`},
		{"URI, drive", `file:///C:/Users/ana/a%20b.txt`, `C:\Users\ana\a b.txt`},
		{"URI, server", `file://nas/share/a.txt`, `\\nas\share\a.txt`},
		{"URI, quoted", `'file:///home/ana/a%20b'`, `/home/ana/a b`},
		{"ANSI-C", `$'/home/ana/two\nlines\'s \x41\102\u00fc'`, "/home/ana/two\nlines's ABü"},
		{"ANSI-C inside", `/home/ana/$'a\tb'/c\ d`, "/home/ana/a\tb/c d"},
		{"ANSI-C bytes", `$'caf\351 \303\274 \q'`, "caf\xe9 ü \\q"},
		{"PowerShell", `& 'C:\Users\ana\it''s here.txt'`, `C:\Users\ana\it's here.txt`},
		{"PowerShell, double", `& "C:\Program Files\a.txt"`, `C:\Program Files\a.txt`},
		{"PowerShell, quotes alone", `'C:\Users\ana\a b.txt'`, `C:\Users\ana\a b.txt`},
		{"Windows, bare", `C:\Users\ana\new.txt`, `C:\Users\ana\new.txt`},
		{"Windows, share", `\\nas\share\a b.txt`, `\\nas\share\a b.txt`},
		{"Windows to WSL", `C:\Users\ana\a.txt`, `/mnt/c/Users/ana/a.txt`},
		{"Windows to WSL, quoted", `"D:\My Files\a.txt"`, `/mnt/d/My Files/a.txt`},
		{"Windows to WSL, URI", `file:///C:/Users/a%20b`, `/mnt/c/Users/a b`},
		{"Git Bash", `'/c/Users/ana/a b.txt'`, `C:\Users\ana\a b.txt`},
		{"Cygwin", `/cygdrive/d/a\ b`, `D:\a b`},
		{"WSL to Windows", `/mnt/c/Users/ana`, `C:\Users\ana`},
		{"a name that looks quoted", `'/a'`, `'/a'`},
		{"a name that looks escaped", `/a\ b`, `/a\ b`},
		{"a name that starts with &", `& a`, `& a`},
		{"tilde is a letter", `~ana/x`, `~ana/x`},

		{"two, bare", `/a/b /c/d`, `/a/b|/c/d`},
		{"two, single quotes", `'/a/b c' '/it'\''s'`, `/a/b c|/it's`},
		{"two, without space between them no two", `'/a''/b'`, `/a/b`},
		{"two, one quoted (Windows)", `"C:\a b\c" D:\it's`, `C:\a b\c|D:\it's`},
		{"two, PowerShell", `'C:\it''s' 'C:\b'`, `C:\it's|C:\b`},
		{"two, spaces only", `/a\ (1) /it's\ $b`, `/a (1)|/it's $b`},
		{"two, URIs", "file:///a%20b\r\nfile:///c\r\n", `/a b|/c`},
		{"two, to WSL", `C:\a "D:\b c"`, `/mnt/c/a|/mnt/d/b c`},
		{"the same twice", `/a /a`, `/a|/a`},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := strings.Split(c.want, "|")
			got, ok := Resolve(c.line, func(p string) bool { return slices.Contains(want, p) })
			if !ok || !slices.Equal(got, want) {
				t.Errorf("Resolve(%q) = %q, %t; want %q", c.line, got, ok, want)
			}
		})
	}
}

func TestResolveRefuses(t *testing.T) {
	there := map[string]bool{"/home/ana": true, "/a": true, "/b": true, "/etc/passwd": true}
	for _, line := range []string{"", "\n", "   ", "''", "&", "& ", "$HOME", "~", "~ana", "/ho*", "`/a`", "$(/a)", "/a;", "/a /gone", "/gone /b", "'/a", `"/a`, `$'/a`, `/a\`,
		"file://nas/etc/passwd", "file://", "file:", "http:///a"} {
		if got, ok := Resolve(line, func(p string) bool { return there[p] }); ok || got != nil {
			t.Errorf("Resolve(%q) = %q, %t", line, got, ok)
		}
	}
}

// Where a line can be read in two ways and both exist, the plainer one wins.
func TestPlainerReadingWins(t *testing.T) {
	for _, c := range []struct {
		line, want string
		there      []string
	}{
		{`'/a'`, `'/a'`, []string{`/a`, `'/a'`}},
		{`/a\ b`, `/a\ b`, []string{`/a b`, `/a\ b`}},
		{`/a /b`, `/a /b`, []string{`/a`, `/b`, `/a /b`}},
		{`file:/a%20b`, `/a b`, []string{`/a b`, `/a%20b`}},
		{`C:\a`, `C:\a`, []string{`C:\a`, `/mnt/c/a`}},
	} {
		got, ok := Resolve(c.line, func(p string) bool { return slices.Contains(c.there, p) })
		if !ok || !slices.Equal(got, []string{c.want}) {
			t.Errorf("Resolve(%q) = %q, %t; want %q", c.line, got, ok, c.want)
		}
	}
}

// styles are how programs write a path; each must be read back.
var styles = map[string]func(p string) string{
	"bare":     func(p string) string { return p },
	"trailing": func(p string) string { return "'" + strings.ReplaceAll(p, "'", `'\''`) + "' " },
	"single":   func(p string) string { return "'" + strings.ReplaceAll(p, "'", `'"'"'`) + "'" },
	"double": func(p string) string {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(p) + `"`
	},
	"URI":          func(p string) string { return (&url.URL{Scheme: "file", Path: p}).String() },
	"spaces":       func(p string) string { return strings.ReplaceAll(p, " ", `\ `) },
	"PowerShell":   func(p string) string { return "& '" + strings.ReplaceAll(p, "'", "''") + "'" },
	"ANSI-C octal": func(p string) string { return ansi(p, `\%03o`) },
	"ANSI-C hex":   func(p string) string { return ansi(p, `\x%02x`) },
	"backslashes": func(p string) string {
		var out strings.Builder
		for _, b := range []byte(p) {
			if b < 0x80 {
				out.WriteByte('\\')
			}
			out.WriteByte(b)
		}
		return out.String()
	},
}

func ansi(p, form string) string {
	var out strings.Builder
	for _, b := range []byte(p) {
		fmt.Fprintf(&out, form, b)
	}
	return "$'" + out.String() + "'"
}

func FuzzResolve(f *testing.F) {
	for _, p := range []string{"/a", "/My $5 (1).txt", "/it's", `/a\b\ c`, "/caf\xe9", "/two  spaces", "/100%25", "/`x` \"y\"", "/$'x'", "/"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		Resolve(p, func(string) bool { return false }) // any line at all: no panic
		p = "/" + strings.Trim(strings.NewReplacer("\x00", "", "\n", "", "\r", "").Replace(p), "/")
		for name, write := range styles {
			got, ok := Resolve(write(p), func(q string) bool { return q == p })
			if !ok || !slices.Equal(got, []string{p}) {
				t.Fatalf("%s: %q, written %q, is read as %q", name, p, write(p), got)
			}
		}
	})
}
