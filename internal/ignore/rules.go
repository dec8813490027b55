package ignore

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// FileName is what an ignore file is called.
const FileName = ".acbignore"

// MaxFile is the largest ignore file that is read, in bytes. People write a
// few hundred bytes; a file this large is a mistake, and is said to be one.
const MaxFile = 1 << 20

// ErrTooLarge is the cause when an ignore file is larger than [MaxFile].
var ErrTooLarge = errors.New("larger than 1 MiB, so it is hardly meant as a list of patterns: make it smaller, or rename it")

// A Verdict is what the rules say about a name.
type Verdict uint8

const (
	Unmatched Verdict = iota // no rule says anything: it is backed up
	Ignored                  // left out, and if it is a folder, with all below it
	Included                 // a rule with "!" took it in again
)

// Rules are those that hold for the names in one folder. They never change and
// may be used by any number of goroutines. A nil *Rules has no rules.
type Rules struct {
	up   *Rules // the next weaker level
	root string // the source's folder, as the configuration has it
	top  string // the same as a [cursor] wants it
	base string // the folder below root that this level counts from; "" is root
	list *list
	file string // the configuration file; "" where list is from an ignore file
}

// New returns the rules for the top of the source at root, an absolute path,
// as the configuration in file gives them.
func New(root, file string, patterns []Pattern) *Rules {
	rules := make([]rule, len(patterns))
	for i, p := range patterns {
		rules[i] = p.rule
	}
	return &Rules{root: root, top: absolute(filepath.ToSlash(root)), list: newList(rules), file: file}
}

// Below returns the rules that hold in the folder dir, a slash-separated path
// below the source, and further down, where content is its ignore file; r must
// be what holds there without it. If the file holds no pattern that is r
// itself, so that folders share rules. content is read to its end.
//
// With an error, from reading or [ErrTooLarge], nothing is known of what the
// folder's owner wants left out: the caller should treat the folder as unread.
func (r *Rules) Below(dir string, content io.Reader) (*Rules, error) {
	b, err := io.ReadAll(io.LimitReader(content, MaxFile+1))
	if err == nil && len(b) > MaxFile {
		err = ErrTooLarge
	}
	below := &Rules{up: r, base: dir}
	if r != nil {
		below.root, below.top = r.root, r.top
	}
	if err != nil {
		return nil, fmt.Errorf("read ignore file %s: %w", below.path(), err)
	}
	below.list = newList(parseFile(b))
	if len(below.list.rules) == 0 {
		return r, nil
	}
	return below, nil
}

// Match gives the verdict on name, which is in the folder dir: the one that r
// is for, or any below it without an ignore file of its own. dir is
// slash-separated and counts from the source, whose top is "". A symlink is no
// folder, wherever it leads. Match allocates nothing.
//
// The verdict is about this name alone: the caller asks only where no folder
// above is ignored.
func (r *Rules) Match(dir, name string, isDir bool) Verdict {
	found, _ := r.find(dir, name, isDir)
	return found.verdict()
}

// A Reason is the line that a verdict rests on.
type Reason struct {
	Verdict Verdict
	File    string // the ignore file or the configuration; "" if no rule matched
	Line    int    // counted from 1
	Pattern string // as it is written there
}

// Explain is Match with the line that decides.
func (r *Rules) Explain(dir, name string, isDir bool) Reason {
	found, level := r.find(dir, name, isDir)
	if found == nil {
		return Reason{}
	}
	return Reason{found.verdict(), level.path(), found.line, found.text}
}

// find returns the rule that decides on a name and the level it belongs to.
func (r *Rules) find(dir, name string, isDir bool) (*rule, *Rules) {
	for ; r != nil; r = r.up {
		below := dir
		if r.base != "" {
			below = strings.TrimPrefix(dir[len(r.base):], "/")
		}
		if found := r.list.find(r.top, below, name, isDir); found != nil {
			return found, r
		}
	}
	return nil, nil
}

// path names the file that the level's rules stand in.
func (r *Rules) path() string {
	if r.file != "" {
		return r.file
	}
	return filepath.Join(r.root, filepath.FromSlash(r.base), FileName)
}

func (r *rule) verdict() Verdict {
	switch {
	case r == nil:
		return Unmatched
	case r.negated:
		return Included
	}
	return Ignored
}
