package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// A Problem is one thing that is wrong in the file.
type Problem struct {
	File string
	Line int    // counted from 1
	Key  string // such as "drive.folder"; "" where the file is no TOML
	Err  error  // what is wrong and what to do
}

func (p *Problem) Error() string {
	if p.Key == "" {
		return fmt.Sprintf("%s:%d: %v", p.File, p.Line, p.Err)
	}
	return fmt.Sprintf("%s:%d: %s: %v", p.File, p.Line, p.Key, p.Err)
}

func (p *Problem) Unwrap() error { return p.Err }

// Problems is all that is wrong in a file, in the order of its lines: one
// message a line.
type Problems []*Problem

func (ps Problems) Error() string {
	texts := make([]string, len(ps))
	for i, p := range ps {
		texts[i] = p.Error()
	}
	return strings.Join(texts, "\n")
}

// Unwrap lets errors.Is and errors.As look at each problem.
func (ps Problems) Unwrap() []error {
	errs := make([]error, len(ps))
	for i, p := range ps {
		errs[i] = p
	}
	return errs
}

func (ps Problems) sort() {
	slices.SortStableFunc(ps, func(a, b *Problem) int {
		return cmp.Or(a.Line-b.Line, strings.Compare(a.Key, b.Key))
	})
}

// A MissingSourceError says that a source is not there. It is a mistake in a
// configuration that was never run; later it may be a disk that is not
// mounted, and then it is for the guards to see that nothing is lost by it.
type MissingSourceError struct {
	Source Source
}

func (e *MissingSourceError) Error() string {
	return fmt.Sprintf("no such file or folder: %s: correct the path, or mount the disk it is on", e.Source.Path)
}

// Is makes the error an fs.ErrNotExist.
func (e *MissingSourceError) Is(target error) bool { return target == fs.ErrNotExist }

// MissingOnly returns the sources that err, from [Load], reports as missing,
// and whether that is all it reports: then Load has returned the Config, too.
func MissingOnly(err error) (missing []Source, only bool) {
	var ps Problems
	if !errors.As(err, &ps) {
		return nil, false
	}
	only = true
	for _, p := range ps {
		var m *MissingSourceError
		if errors.As(p.Err, &m) {
			missing = append(missing, m.Source)
		} else {
			only = false
		}
	}
	return missing, only
}

// ErrNoSources says that the configuration names nothing to back up.
var ErrNoSources = errors.New(`the key is missing: name the folders to back up, such as backup = ["~/Documents"]`)

// SourcesOnly reports whether all that err, from [Load], reports are missing
// sources, or that none is named: then Load has returned the Config, too, and
// it will do for what backs nothing up.
func SourcesOnly(err error) bool {
	var ps Problems
	if !errors.As(err, &ps) {
		return false
	}
	return !slices.ContainsFunc(ps, func(p *Problem) bool {
		var m *MissingSourceError
		return !errors.As(p.Err, &m) && !errors.Is(p.Err, ErrNoSources)
	})
}
