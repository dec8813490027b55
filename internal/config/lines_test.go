package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

func TestKeyLines(t *testing.T) {
	for _, c := range []struct{ why, src, want string }{
		{"plain", "a = 1\n\n# c = 2\nb = 2 # d = 3\n", "a:1 b:4"},
		{"returns", "a = 1\r\nb = 2\r\n", "a:1 b:2"},
		{"table", "[t]\na = 1\n[t.u]\nb = 2", "t:1 t.a:2 t.u:3 t.u.b:4"},
		{"table with spaces", "[ t . 'u' ]  # x\n a=1", "t:1 t.u:1 t.u.a:2"},
		{"list of tables", "[[t]]\na = 1\n[[t]]\na = 2\nb = 3", "t:1 t.a:2 t.b:5"},
		{"dotted", "t.a = 1\nt . b = 2", "t:1 t.a:1 t.b:2"},
		{"inline", "t = { a = 1, u = { b = '}' }, c.d = [1] }\ne = 1", "t:1 t.a:1 t.u:1 t.u.b:1 t.c:1 t.c.d:1 t.c.d.[0:1 e:2"},
		{"quoted", "\"a_b\" = 1\n'c.d' = 2\n\"\\u0065\" = 3\n\"q\\\"=\" = 4\n\"\" = 5", `a_b:1 c.d:2 e:3 q"=:4 :5`},
		{"array", "a = [ # x = 1\n  'one', \"]\",\n\n  'two',\n]\nb = 1", "a:1 a.[0:2 a.[1:2 a.[2:4 b:6"},
		{"array in array", "a = [[1],\n[2, 3]]\nb = 1", "a:1 a.[0:1 a.[0.[0:1 a.[1:2 a.[1.[0:2 a.[1.[1:2 b:3"},
		{"tables in an array", "a = [{b = 1},\n{b = 2}]", "a:1 a.[0:1 a.[0.b:1 a.[1:2 a.[1.b:2"},
		{"many elements", "a = [" + strings.Repeat("\n1,", 11) + "]", "a:1 a.[0:2 a.[1:3 a.[2:4 a.[3:5 a.[4:6 a.[5:7 a.[6:8 a.[7:9 a.[8:10 a.[9:11 a.[10:12"},
		{"long text", "a = \"\"\"\nb = 1\n\\\"\"\"\nc = 2\"\"\"\"\"\nd = 1", "a:1 d:5"},
		{"long literal", "a = '''\nb = 1\n\\'''\nd = 1", "a:1 d:4"},
		{"empty texts", "a = \"\"\nb = ''\nc = \"\"\"\"\"\"\nd = 1", "a:1 b:2 c:3 d:4"},
		{"dates", "a = 1979-05-27 07:32:00 # x\nb = [1979-05-27,\n07:32:00]", "a:1 b:2 b.[0:2 b.[1:3"},
		{"empty", "", ""},
	} {
		if _, err := toml.Decode(c.src, new(map[string]any)); err != nil {
			t.Errorf("%s: %v", c.why, err)
		}
		want := map[string]int{}
		for _, entry := range strings.SplitAfter(c.want, " ") {
			name, line, ok := cutLast(strings.TrimSuffix(entry, " "))
			if !ok {
				continue
			}
			want[name] = line
		}
		got := map[string]int{}
		for path, line := range keyLines(c.src) {
			got[strings.ReplaceAll(path, "\x00", ".")] = line
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %q\n got %v\nwant %v", c.why, c.src, got, want)
		}
	}
}

// cutLast takes "name:12" apart.
func cutLast(entry string) (name string, line int, ok bool) {
	i := strings.LastIndexByte(entry, ':')
	if i < 0 {
		return "", 0, false
	}
	for _, c := range entry[i+1:] {
		line = 10*line + int(c-'0')
	}
	return entry[:i], line, true
}

// FuzzKeyLines holds the finder against what toml itself found in the same
// document: every key has a line, and that line is in the document.
func FuzzKeyLines(f *testing.F) {
	f.Add("a.'b' = [1, {c = \"\"\"\nx\"\"\"}] # d\n[t.\"\\u0065\"]\ng = 1979-05-27 07:32:00\n[[u]]\n[[u]]\nk = 1")
	f.Fuzz(func(t *testing.T, src string) {
		var doc map[string]any
		meta, err := toml.Decode(src, &doc)
		if err != nil {
			return
		}
		lines := map[string]int{} // without the numbers of elements, which toml leaves out
		for path, line := range keyLines(src) {
			lines[withoutElements(strings.Split(path, "\x00"))] = line
		}
		for _, k := range meta.Keys() {
			line, found := lines[withoutElements(k)]
			if !found || line < 1 || line > 1+strings.Count(src, "\n") {
				t.Fatalf("%q: key %q: line %d, found %v\nall %v", src, k, line, found, lines)
			}
		}
	})
}

func withoutElements(path []string) string {
	return pathOf(slices.DeleteFunc(slices.Clone(path), regexp.MustCompile(`^\[\d+$`).MatchString)...)
}
