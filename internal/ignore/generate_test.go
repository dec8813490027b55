package ignore

import (
	"math/rand/v2"
	"strings"
)

// testPaths is a tree whose names are made of what patterns are made of. A
// trailing slash says folder; parents are made on the way.
func testPaths() []string {
	paths := []string{
		"foobar", "foox/bar", "foox/y/bar", "foo/bar", "foo/x/bar", "foo/x/y/bar/", "foo.txt", "foo.o", "foo.txt.bak",
		"a/b/c/d/e", "a/b/c.txt", "a/b/foo/", "a/foo/bar", "a/foo/x/bar", "a/x/b/", "a/x/y/b", "a/ab/b", "a/bar",
		"b/a/b/a", "b/a/foo.txt", "b/foo/a/", "b/foo.d/x.txt", "b/c/d/e/f/a", "ab/c/", "abc/x.log", "ab.log/keep.log",
		"build/out/x.o", "build/keep/x.o", "src/build/out.o", "src/a/b.c", "src/a/test/b.c", "src/test/a.c", "docs/a.md/",
		"doc/frotz/", "a/doc/frotz", "keep.log", "logs/x.log", "logs/keep.log", "logs/sub/x.log", "x/logs/debug.log",
		" lead", "trail ", "mid dle", "trail  ", "a /b", "tab\t", "#hash", "!bang", "\\back", "a\\b", "star*", "q?", "[br]",
		"[", "]", "a]", "a-", "-", "^x", "!x", "a!", "cr\r", "new\nline", "~tilde", "$doc", "{a,b}", "{a}", "a,b", "a+b",
		"é/a.txt", "x/é", "éa", "aé", "日本/語.txt", "\xff", "a\xffb", "\xc3", "x\xa9", "ü.txt", "A", "FOO.TXT", "Foo/Bar",
		".hidden", ".config/x", ".a.b", "a.b.c", "..x", "x..", "9", "09", "a9", "0/9", "Z", "z_", "_", "a_b", "f(o)", "a'b", "a\"b",
		"node_modules/x/index.js", "src/node_modules/y", "tmp.tmp", "x.tmp/", "x.tmp/y", "deep/a/deep/a/deep/a.txt",
	}
	for _, a := range []string{"a", "b", "foo", "x"} {
		for _, b := range []string{"a", "ab", "foo", "foo.txt", "x.o/"} {
			paths = append(paths, "t/"+a+"/"+b, "foo/"+a+"/q/"+b)
		}
	}
	return paths
}

// kinds are the families of rule sets.
var kinds = []struct {
	name string
	make func(*rand.Rand) ruleSet
}{
	{"anchors", lines(func(r *rand.Rand) string { return pick(r, "", "/", "") + join(r, "/", word, 1, 3) + pick(r, "", "/") })},
	{"double star", lines(func(r *rand.Rand) string {
		return pick(r, "", "/", "", "!") + join(r, pick(r, "/", "/", "/", "", "\\/"), func(r *rand.Rand) string {
			return pick(r, "**", "**", "***", "*", word(r), word(r)+"**", "**"+word(r), "?", "[a-z]**", "\\"+word(r)+"**")
		}, 1, 5) + pick(r, "", "/", "/**", "/**/*")
	})},
	{"folders only", lines(func(r *rand.Rand) string { return pick(r, "", "!", "/") + join(r, "/", piece, 1, 2) + "/" })},
	{"escapes", lines(func(r *rand.Rand) string {
		return pick(r, "", "!", "/") + join(r, "", func(r *rand.Rand) string {
			return pick(r, "\\", "\\", "") + pick(r, "#", "!", "*", "?", "[", "]", "\\", "/", " ", "a", "b", "é", "~", "\xff", word(r))
		}, 1, 4)
	})},
	{"classes", lines(func(r *rand.Rand) string {
		return pick(r, "", "*", "/") + join(r, "", classOrWord, 1, 3) + pick(r, "", "*", "/")
	})},
	{"spaces and returns", lines(func(r *rand.Rand) string {
		return pick(r, "", " ", "\t") + word(r) + join(r, "", func(r *rand.Rand) string { return pick(r, " ", "\\ ", "\\", "\t", "\r", "") }, 0, 3)
	})},
	{"globs", lines(func(r *rand.Rand) string { return pick(r, "", "/", "!") + join(r, "/", piece, 1, 3) })},
	{"negation", negation},
	{"comments and marks", func(r *rand.Rand) ruleSet {
		mark := pick(r, "\xef\xbb\xbf", "", "\xef\xbb", "\xef\xbb\xbf\xef\xbb\xbf")
		return ruleSet{"": mark + join(r, pick(r, "\n", "\r\n", "\n\n", "\r"), func(r *rand.Rand) string {
			return pick(r, "#", "\\#", "##", " #", "", "!", "!#", "\x00", "a\x00b") + pick(r, "hash", "bang", word(r), "")
		}, 1, 6) + pick(r, "", "\n", "\r", "\r\n")}
	}},
	{"random bytes", lines(func(r *rand.Rand) string {
		return join(r, "", func(r *rand.Rand) string {
			return pick(r, "*", "**", "?", "[", "]", "!", "-", "\\", "/", "/", "a", "b", "foo", ".", "#", " ", "é", "\xc3", "^", ":", "[:", ":]", "x", "{", ",", "}")
		}, 1, 9)
	})},
	{"nested files", func(r *rand.Rand) ruleSet {
		set := ruleSet{}
		for _, folder := range []string{configLevel, "", "a", "a/b", "foo", "foo/x", "b", "src", "logs", "t/foo", "é"} {
			if r.IntN(3) > 0 {
				set[folder] = negation(r)[""]
			}
		}
		return set
	}},
}

// lines makes rule sets of one file with one to six lines.
func lines(line func(*rand.Rand) string) func(*rand.Rand) ruleSet {
	return func(r *rand.Rand) ruleSet { return ruleSet{"": join(r, "\n", line, 1, 6) + "\n"} }
}

// negation takes away and gives back, the idioms of allow lists included.
func negation(r *rand.Rand) ruleSet {
	allow := pick(r, "", "", "*\n!*/\n!*.log\n", "/*\n!/foo\n/foo/*\n!/foo/x\n", "*\n!a/**\n", "logs/*\n!logs/keep.log\n", "**/b\n!a/**/b\n")
	return ruleSet{"": allow + join(r, "\n", func(r *rand.Rand) string {
		return pick(r, "", "!") + pick(r, "", "", "/", "**/") + join(r, "/", piece, 1, 2) + pick(r, "", "/", "/**")
	}, 1, 6)}
}

func word(r *rand.Rand) string {
	return pick(r, "a", "b", "ab", "abc", "foo", "bar", "x", "y", "foo.txt", "build", "src", "logs", "x.log", "keep.log", "é", "日本",
		"\xff", "A", ".hidden", "t", "q", "doc", "frotz", "{a,b}", "c", "d", "node_modules", "9", "-", "a-", "FOO.TXT")
}

func piece(r *rand.Rand) string {
	return pick(r, word(r), word(r), "*", "*."+pick(r, "o", "txt", "log", "tmp", "b*"), word(r)+"*", "*"+word(r), "?", "??", "?oo", "f?o*",
		"*a*", "*o*.*", "[a-f]*", "[!a]", ".*", "*.*", "?*", "*?", "*?x*", class(r), "*b*c*", "a?b", "\xc3?", "?\xa9")
}

func class(r *rand.Rand) string {
	return "[" + pick(r, "", "", "!", "^") + pick(r, "", "]", "-", "]-a") + join(r, "", func(r *rand.Rand) string {
		return pick(r, "a", "b", "f", "o", "x", "a-c", "a-z", "0-9", "A-Z", "\\]", "\\-", "-", "[:alpha:]", "[:digit:]", "[:upper:]", "[:punct:]",
			"[:space:]", "[:nope:]", "[:", "[", "/", "é", "\x80-\xff", "z-a", "\\a-\\c", "!", "^", ".", "*", "?", " ")
	}, 0, 3) + pick(r, "]", "]", "]", "]", "]", "-]", "")
}

func classOrWord(r *rand.Rand) string { return pick(r, class(r), class(r), word(r), "*", "?") }

func pick(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }

// join makes lo to hi pieces and joins them.
func join(r *rand.Rand, sep string, one func(*rand.Rand) string, lo, hi int) string {
	pieces := make([]string, lo+r.IntN(hi-lo+1))
	for i := range pieces {
		pieces[i] = one(r)
	}
	return strings.Join(pieces, sep)
}
