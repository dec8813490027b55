package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/autocloudbackup/acb/internal/ignore"
)

// setPath reads a path, which may begin with "~", hold variables, and be
// relative to the configuration's folder.
func (l *loader) setPath(v value, to *string) {
	s, ok := l.text(v)
	if !ok {
		return
	}
	path, err := l.env.expand(s)
	if err == nil {
		err = checkPath(path)
	}
	if err != nil {
		l.fail(v, "%w", err)
		return
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(l.config.File), path)
	}
	*to = filepath.Clean(path)
}

func (l *loader) setSources(v value) {
	elems := l.texts(v)
	if list, ok := v.v.([]any); ok && len(list) == 0 {
		l.fail(v, `the list is empty: name the folders to back up, such as ["~/Documents"]`)
	}
	for _, e := range elems {
		s := Source{Line: l.line(e.path)}
		if l.setPath(e, &s.Path); s.Path != "" {
			s.Configured = e.v.(string)
			l.config.Sources = append(l.config.Sources, s)
		}
	}
}

func (l *loader) setIgnore(v value) {
	for _, e := range l.texts(v) {
		s, ok := e.v.(string)
		if !ok {
			l.fail(e, `%s: write a pattern in quotes`, describe(e.v))
			continue
		}
		expanded, err := l.env.expandPattern(s)
		if err != nil {
			l.fail(e, "%w", err)
			continue
		}
		p, err := ignore.NewPattern(s, expanded, l.line(e.path))
		if err != nil {
			l.fail(e, "%q: %w", s, err)
			continue
		}
		l.config.Ignore = append(l.config.Ignore, p)
	}
}

// checkTogether looks at what no key can see alone.
func (l *loader) checkTogether() {
	c := &l.config
	if _, written := l.lines["backup"]; !written {
		l.failAt(1, "backup", ErrNoSources)
	}
	if _, written := l.lines[pathOf("drive", "host")]; !written {
		if err := checkName(c.Drive.Host); err != nil || c.Drive.Host == "" {
			l.failAt(1, "drive.host", errors.New(`this machine has no name that could be a folder's on Drive: write host = "NAME" below [drive]`))
		}
	}
	if c.Drive.Token == c.Drive.Credentials {
		line := l.line(pathOf("drive", "token"))
		l.failAt(line, "drive.token", errors.New("the token would be written over the credentials: name another file"))
	}
}

// A location is where a source really is.
type location struct {
	Source
	info     fs.FileInfo
	resolved string // Path without symlinks
}

// checkSources looks for the sources on disk, and for one that is met twice.
// A source that may not be looked at is no mistake of the configuration; what
// becomes of it is for the scan to say.
func (l *loader) checkSources() {
	var seen []location
	for _, s := range l.config.Sources {
		at := location{Source: s, resolved: s.Path}
		info, err := os.Stat(s.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
			l.failAt(s.Line, "backup", &MissingSourceError{s})
		case err == nil:
			at.info = info
			if real, err := filepath.EvalSymlinks(s.Path); err == nil {
				at.resolved = real
			}
			if !info.IsDir() && !info.Mode().IsRegular() {
				l.failSource(s, "%s is neither a file nor a folder: take it out", s.Path)
			}
		}
		if p := ignore.Hiding(l.config.Ignore, s.Path, err == nil && info.IsDir()); p != nil {
			l.failSource(s, "%s is left out by %q in line %d: take one of the two out", s.Configured, p.Text(), p.Line())
		}
		for _, other := range seen {
			l.checkPair(other, at)
		}
		seen = append(seen, at)
	}
}

// checkPair refuses b, the later one, if it and a are the same or one lies in
// the other: its files would be there twice.
func (l *loader) checkPair(a, b location) {
	switch {
	case a.Path == b.Path || a.same(b):
		l.failSource(b.Source, "%s is the same as %s in line %d: take one of them out", b.Configured, a.Configured, a.Line)
	case a.holds(b):
		l.failSource(b.Source, "%s lies in %s, which line %d backs up already: take one of them out", b.Configured, a.Configured, a.Line)
	case b.holds(a):
		l.failSource(b.Source, "%s, from line %d, lies in %s: take one of them out", a.Configured, a.Line, b.Configured)
	}
}

func (l *loader) failSource(s Source, format string, args ...any) {
	l.failAt(s.Line, "backup", fmt.Errorf(format, args...))
}

// same reports whether both are one folder, under whatever names. Two names
// of one file are two files to a backup.
func (a location) same(b location) bool {
	if a.resolved == b.resolved {
		return true
	}
	return a.info != nil && b.info != nil && a.info.IsDir() && os.SameFile(a.info, b.info)
}

// holds reports whether b is below a, as written or as it really is. Folders
// are compared by identity too, since file systems may not tell case apart.
func (a location) holds(b location) bool {
	if below(a.Path, b.Path) || below(a.resolved, b.resolved) {
		return true
	}
	if a.info == nil || !a.info.IsDir() {
		return false
	}
	for dir := b.resolved; ; {
		up := filepath.Dir(dir)
		if up == dir {
			return false
		}
		dir = up
		if info, err := os.Stat(dir); err == nil && os.SameFile(a.info, info) {
			return true
		}
	}
}

// below reports whether path is in dir; both are absolute and clean.
func below(dir, path string) bool {
	if !os.IsPathSeparator(dir[len(dir)-1]) {
		dir += string(filepath.Separator)
	}
	return len(path) > len(dir) && strings.HasPrefix(path, dir)
}
