// Package droppath finds the files that a person dropped onto the terminal.
//
// A terminal writes a dropped file's path as if it had been typed, and each
// writes it in its own way: bare, quoted for a POSIX shell, for PowerShell, for
// cmd, with only the spaces escaped, as an address. Nothing says which way it
// was. So the line is read in one way after the other, and the first reading
// that names what exists is taken.
//
// Nothing is ever expanded: $HOME, ~ana, * and `date` are names like any other.
package droppath

import (
	"strings"

	"github.com/kballard/go-shellquote"
)

// A reading is one way to take a line: the words in it, or none if the line
// cannot be read so.
type reading func(line string) []string

// ladder holds the readings, the least inventive first: a file that is really
// called 'a' with its quotes is found before one called a.
var ladder = []reading{
	literal,
	strings.Fields,
	windowsWords,
	posixWords,
	spacesOnly,
	spacesOnlyWords,
}

// Resolve returns the paths that line names, in its order, or ok = false if no
// reading of it names something that exists, as exists says. Several paths are
// found if each of them is there. A path comes back as it was given to exists:
// it may be relative, if line was.
func Resolve(line string, exists func(path string) bool) (paths []string, ok bool) {
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	trimmed := strings.TrimSpace(line)
	lines := []string{line, trimmed}
	if called, ok := strings.CutPrefix(trimmed, "& "); ok {
		lines = append(lines, strings.TrimSpace(called)) // PowerShell's way to call a quoted name
	}
	for _, read := range ladder {
		for _, l := range lines {
			if paths := find(read(l), exists); len(paths) > 0 {
				return paths, true
			}
		}
	}
	return nil, false
}

// find returns what the words name, if each of them names something.
func find(words []string, exists func(string) bool) []string {
	var paths []string
	for _, word := range words {
		found := false
		for _, form := range forms(word) {
			if form != "" && exists(form) {
				paths, found = append(paths, form), true
				break
			}
		}
		if !found {
			return nil
		}
	}
	return paths
}

func literal(line string) []string { return []string{line} }

// windowsWords reads quotes but no escapes, so that backslashes stay: those of
// cmd, and those of PowerShell, in which a doubled quote stands for one.
func windowsWords(line string) []string {
	var words []string
	var word strings.Builder
	var quote byte // the open one, or 0
	begun := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quote != 0 && c == quote && i+1 < len(line) && line[i+1] == quote:
			word.WriteByte(c)
			i++
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && !begun && (c == '\'' || c == '"'): // elsewhere it is an apostrophe
			quote, begun = c, true
		case quote == 0 && c == ' ':
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteByte(c)
			begun = true
		}
	}
	if quote != 0 {
		return nil
	}
	if begun {
		words = append(words, word.String())
	}
	return words
}

// posixWords reads as sh and bash do, without expanding anything.
func posixWords(line string) []string {
	plain, ok := plainQuotes(line)
	if !ok {
		return nil
	}
	words, err := shellquote.Split(plain)
	if err != nil {
		return nil
	}
	return words
}

// spacesOnly reads the line as one path in which a backslash stands before each
// space and all else is raw: WezTerm's default outside Windows.
// Source: its manual, quote_dropped_files.
func spacesOnly(line string) []string {
	return []string{strings.ReplaceAll(line, `\ `, " ")}
}

// spacesOnlyWords is spacesOnly for several paths, between bare spaces.
func spacesOnlyWords(line string) []string {
	const space = "\x00" // in no path
	words := strings.Fields(strings.ReplaceAll(line, `\ `, space))
	for i, w := range words {
		words[i] = strings.ReplaceAll(w, space, " ")
	}
	return words
}
