package ignore

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// at builds the rules of a source at /home/ana/Documents: the configuration's
// patterns, then ignore files given as folder, content, folder, content.
func at(t *testing.T, config []string, files ...string) *Rules {
	t.Helper()
	var patterns []Pattern
	for i, text := range config {
		p, err := NewPattern(text, strings.Replace(text, "~/", "/home/ana/", 1), i+1)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		patterns = append(patterns, p)
	}
	r := New("/home/ana/Documents", "/home/ana/acb.toml", patterns)
	for ; len(files) > 0; files = files[2:] {
		var err error
		if r, err = r.Below(files[0], strings.NewReader(files[1])); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		why    string
		config []string
		files  []string // ignore files from the top down to dir
		dir    string
		name   string // with a slash at the end: a folder
		want   Verdict
	}{
		{"no rules", nil, nil, "", "a", Unmatched},
		{"a name, anywhere", []string{"*.tmp"}, nil, "a/b", "x.tmp", Ignored},
		{"a folder's name is no file's", []string{"node_modules/"}, nil, "", "node_modules", Unmatched},
		{"a folder's name", []string{"node_modules/"}, nil, "web", "node_modules/", Ignored},
		{"home is absolute", []string{"~/Documents/Virtual Machines/"}, nil, "", "Virtual Machines/", Ignored},
		{"absolute is not anywhere", []string{"~/Documents/Virtual Machines/"}, nil, "a", "Virtual Machines/", Unmatched},
		{"absolute, deeper", []string{"/home/*/Documents/a/*.o"}, nil, "a", "x.o", Ignored},
		{"absolute, another source", []string{"/home/ana/Pictures/raw"}, nil, "", "raw", Unmatched},
		{"absolute with **", []string{"/home/**/cache/"}, nil, "a/b", "cache/", Ignored},
		{"absolute, one component", []string{"/home"}, nil, "", "home/", Unmatched},
		{"a slash anchors at the source", []string{"build/out"}, nil, "build", "out", Ignored},
		{"a slash anchors at the source only", []string{"build/out"}, nil, "x/build", "out", Unmatched},
		{"the last line wins", []string{"*.log", "!keep.log"}, nil, "", "keep.log", Included},
		{"a file beats the configuration", []string{"*.log"}, []string{"", "!*.log"}, "a", "x.log", Included},
		{"the deeper file wins", nil, []string{"", "!x", "a", "x"}, "a/b", "x", Ignored},
		{"a file's base", nil, []string{"a", "/x"}, "a", "x", Ignored},
		{"a file's base is not its parent's", nil, []string{"a", "/x"}, "a/b", "x", Unmatched},
		{"a leading slash in a file is its folder's", nil, []string{"", "/home"}, "", "home", Ignored},
		{"bytes: two are no one", []string{"?"}, nil, "", "é", Unmatched},
		{"bytes: two are two", []string{"??"}, nil, "", "é", Ignored},
		{"not UTF-8", []string{"a?b"}, nil, "", "a\xffb", Ignored},
		{"braces are plain", []string{"{a,b}"}, nil, "", "a", Unmatched},
		{"case counts", []string{"*.TMP"}, nil, "", "x.tmp", Unmatched},
		{"everything but", []string{"*", "!*/", "!*.go"}, nil, "a", "x.go", Included},
		{"many rules: the last of a hundred", strings.Split(strings.Repeat("nothing ", 99)+"x*", " "), nil, "", "xy", Ignored},
	} {
		name, isDir := strings.CutSuffix(c.name, "/")
		if got := at(t, c.config, c.files...).Match(c.dir, name, isDir); got != c.want {
			t.Errorf("%s: %q and %q on %q in %q: %v, want %v", c.why, c.config, c.files, c.name, c.dir, got, c.want)
		}
	}
	var none *Rules
	if got := none.Match("a", "b", true); got != Unmatched {
		t.Errorf("no rules at all: %v", got)
	}
}

func TestDrives(t *testing.T) {
	p, err := NewPattern("c:/Users/*/AppData/", "c:/Users/*/AppData/", 1)
	if err != nil {
		t.Fatal(err)
	}
	l := newList([]rule{p.rule})
	if l.find(absolute("C:/Users/ana"), "", "AppData", true) == nil {
		t.Error("a drive's letter has no case")
	}
	if l.find(absolute("D:/Users/ana"), "", "AppData", true) != nil {
		t.Error("drives differ")
	}
	if top := absolute("//server/share/x"); top != "server/share/x" {
		t.Errorf("network share: %q", top)
	}
}

func TestHiding(t *testing.T) {
	for _, c := range []struct {
		patterns, path string
		isDir          bool
		want           string
	}{
		{"/home/ana/Documents/", "/home/ana/Documents", true, "/home/ana/Documents/"},
		{"/home/ana/Documents/", "/home/ana/Documents", false, ""},
		{"/home/ana/", "/home/ana/a.txt", false, "/home/ana/"},
		{"/home/* !/home/ana", "/home/ana/Documents", true, ""},
		{"/home/ana/Documents/x", "/home/ana/Documents", true, ""},
		{"Documents/ *", "/home/ana/Documents", true, ""},
		{"/home/ana", "/", true, ""},
	} {
		var patterns []Pattern
		for i, text := range strings.Fields(c.patterns) {
			p, err := NewPattern(text, text, i+1)
			if err != nil {
				t.Fatal(err)
			}
			patterns = append(patterns, p)
		}
		got := ""
		if p := Hiding(patterns, c.path, c.isDir); p != nil {
			got = p.Text()
		}
		if got != c.want {
			t.Errorf("%s on %s: %q, want %q", c.patterns, c.path, got, c.want)
		}
	}
}

func TestExplain(t *testing.T) {
	r := at(t, []string{"*.tmp", "~/Documents/x"}, "", "# mine\n*.o\n", "a/b", "!keep.o  \n")
	for _, c := range []struct {
		dir, name string
		want      Reason
	}{
		{"", "y", Reason{}},
		{"a/b", "x.tmp", Reason{Ignored, "/home/ana/acb.toml", 1, "*.tmp"}},
		{"", "x", Reason{Ignored, "/home/ana/acb.toml", 2, "~/Documents/x"}},
		{"a/b/c", "x.o", Reason{Ignored, "/home/ana/Documents/.acbignore", 2, "*.o"}},
		{"a/b/c", "keep.o", Reason{Included, "/home/ana/Documents/a/b/.acbignore", 1, "!keep.o"}},
	} {
		rules := r
		if c.dir == "" {
			rules = r.up // what holds outside of a/b
		}
		c.want.File = filepath.FromSlash(c.want.File)
		got := rules.Explain(c.dir, c.name, false)
		got.File = filepath.FromSlash(got.File)
		if got != c.want {
			t.Errorf("%s in %q: %+v, want %+v", c.name, c.dir, got, c.want)
		}
	}
}

func TestBelow(t *testing.T) {
	r := at(t, []string{"*.tmp"})
	if same, err := r.Below("a", strings.NewReader("# nothing\n\n[open\n")); err != nil || same != r {
		t.Errorf("a file without patterns: %p, %v; want %p shared", same, err, r)
	}
	if _, err := r.Below("a", strings.NewReader(strings.Repeat("#", MaxFile))); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	_, err := r.Below("a/b", strings.NewReader(strings.Repeat("#", MaxFile+1)))
	if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), filepath.FromSlash("/home/ana/Documents/a/b/.acbignore")) {
		t.Errorf("over the limit: %v", err)
	}
	if _, err := r.Below("a", iotest.ErrReader(io.ErrUnexpectedEOF)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("unreadable: %v", err)
	}
}

func TestNewPatternRefuses(t *testing.T) {
	for text, want := range map[string]error{
		"": errEmpty, "!": errEmpty, "  ": errEmpty, "# x": errComment, "a\nb": errLines, "a\x00": errLines,
		"[a": errOpenClass, "[[:letters:]]": errUnknownClass, `a\`: errTrailingEsc, "/": errNothing, "a//b": errNothing,
		"./a": errDot, "a/../b": errDot, "..": errDot, `C:\Users\x`: errBackslash, `!\\server\x`: errBackslash,
	} {
		if _, err := NewPattern(text, text, 1); err != want {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
	for _, text := range []string{`\#x`, `\!x`, "!/a", "a b", "**", "/**", `a\ `, "*.tmp  ", "C:/x", "...", ".*", `$RECYCLE.BIN/`, "~$*"} {
		if _, err := NewPattern(text, text, 1); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzRules holds the laws that any content keeps: no panic, a line added at
// the end wins, "!" turns a verdict round, and a folder without an ignore file
// of its own is like its parent's.
func FuzzRules(f *testing.F) {
	f.Add("*.o\n!/a/**/b\n", "a/x", "b", true)
	f.Add("a**/b\\/c[!x]\r\n**", "", "a\xffb", false)
	f.Add("\xef\xbb\xbf[[:alpha:]-z]*?\\ ", "a", "é ", false)
	f.Fuzz(func(t *testing.T, content, dir, name string, isDir bool) {
		name = strings.ReplaceAll(name, "/", "")
		dir = strings.Join(strings.FieldsFunc(dir, func(r rune) bool { return r == '/' }), "/")
		if name == "" || len(content) > MaxFile/2 {
			return
		}
		top := New("/src", "acb.toml", nil)
		below := func(content string) *Rules {
			r, err := top.Below("", strings.NewReader(content))
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		r := below(content)
		before := r.Match(dir, name, isDir)
		if why := r.Explain(dir, name, isDir); why.Verdict != before || (why.Line > 0) != (before != Unmatched) {
			t.Fatalf("Match %v, Explain %+v", before, why)
		}
		if got := below(content+"\n*\n").Match(dir, name, isDir); got != Ignored {
			t.Fatalf("with * at the end: %v", got)
		}
		if got := below(content+"\n!/**\n").Match(dir, name, isDir); got != Included {
			t.Fatalf("with !/** at the end: %v", got)
		}
		if line := lastLine(content); line != "" && line[0] != '!' && line[0] != '#' {
			plain, turned := below(line).Match(dir, name, isDir), below("!"+line).Match(dir, name, isDir)
			if (plain == Ignored) != (turned == Included) {
				t.Fatalf("%q: %v, with ! %v", line, plain, turned)
			}
		}
	})
}

func lastLine(content string) string {
	line := content[strings.LastIndexByte(content, '\n')+1:]
	return strings.TrimPrefix(line, "\xef\xbb\xbf")
}
