package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxFile is the largest configuration that is read, in bytes; it keeps a
// wrong --config from filling the memory.
const maxFile = 1 << 20

// Load reads the configuration in file and checks it, the sources on disk
// included. The error is Problems, in the order of the lines, or comes from
// reading the file. If the only problems are missing sources, or that there is
// none, Load returns the Config as well; see [MissingOnly] and [SourcesOnly].
func Load(file string, env Env) (*Config, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	src, err := read(file)
	if err != nil {
		return nil, err
	}
	l, err := decode(file, src, env)
	if err != nil {
		return nil, err
	}
	l.checkSources()
	if len(l.problems) == 0 {
		return &l.config, nil
	}
	l.problems.sort()
	if SourcesOnly(l.problems) {
		return &l.config, l.problems
	}
	return nil, l.problems
}

// read returns the text of the file.
func read(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("read configuration: %w: write one after acb.toml.example, or name it with --config", err)
		}
		return "", fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("read configuration: %w", err)
	}
	if info.IsDir() {
		return "", fmt.Errorf("read configuration: %s is a folder: name the file in it", file)
	}
	if err := checkMode(file, info); err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", fmt.Errorf("read configuration: %w", err)
	}
	if len(b) > maxFile {
		return "", fmt.Errorf("read configuration: %s is larger than 1 MiB, so it is hardly one: name another with --config", file)
	}
	return string(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))), nil
}

// A loader fills a Config and gathers what is wrong.
type loader struct {
	config   Config
	env      Env
	lines    map[string]int
	problems Problems
}

// decode reads everything but the sources on disk.
func decode(file, src string, env Env) (*loader, error) {
	var doc map[string]any
	if _, err := toml.Decode(src, &doc); err != nil {
		return nil, Problems{syntaxProblem(file, src, err)}
	}
	l := &loader{config: Default(file, env), env: env, lines: keyLines(src)}
	l.config.Drive.Token, l.config.Log.Dir = "", "" // until state is known
	l.table(doc, "")
	l.config.followState()
	l.checkTogether()
	return l, nil
}

// syntaxProblem places what toml cannot read.
func syntaxProblem(file, src string, err error) *Problem {
	p := &Problem{File: file, Line: 1, Err: err}
	var pe toml.ParseError
	if !errors.As(err, &pe) {
		return p
	}
	// Its own line is the next one where the end of a line is what is wrong.
	// The parser gives a position before the start for some first characters.
	p.Line = 1 + strings.Count(src[:max(0, min(pe.Position.Start, len(src)))], "\n")
	p.Err = errors.New(pe.Message)
	line := strings.Split(src, "\n")[p.Line-1]
	if strings.Contains(line, `\`) && strings.Contains(line, `"`) {
		p.Err = fmt.Errorf("%w: in double quotes a backslash begins an escape: write 'C:\\Users' in single quotes, or \"C:/Users\"", p.Err)
	}
	return p
}

// table goes through a table of the document. within is its name, "" for the
// top level.
func (l *loader) table(doc map[string]any, within string) {
	for name, v := range doc {
		at := value{v: v, key: toml.Key{name}.String(), path: pathOf(name)} // quoted where it has to be
		if within != "" {
			at.key, at.path = within+"."+at.key, pathOf(within, name)
		}
		k := slices.IndexFunc(keys, func(k key) bool { return k.name == at.key })
		sub, isTable := v.(map[string]any)
		switch {
		case k >= 0:
			keys[k].set(l, at)
		case within != "" || !slices.Contains(tables(), name):
			l.unknown(at, isTable && within == "")
		case isTable:
			l.table(sub, name)
		default:
			l.fail(at, "%s, but it is a table: write [%s] on a line of its own and its keys below", describe(v), name)
		}
	}
}

// fail notes a problem with a value.
func (l *loader) fail(v value, format string, args ...any) {
	l.failAt(l.line(v.path), v.key, fmt.Errorf(format, args...))
}

func (l *loader) failAt(line int, key string, err error) {
	l.problems = append(l.problems, &Problem{File: l.config.File, Line: line, Key: key, Err: err})
}

// line is where a path of keyLines stands; what is nowhere in the file is
// missing from its first line on.
func (l *loader) line(path string) int { return max(l.lines[path], 1) }
