package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/autocloudbackup/acb/manifest"
)

// findFlags are the flags of "acb find".
type findFlags struct {
	in   string
	gone bool
	json bool
}

func (a *app) findCommand() *cobra.Command {
	var f findFlags
	cmd := &cobra.Command{
		Use:   "find NAME...",
		Short: "Look for names among all that is or was backed up; asks nobody",
		Long: `Find looks for files and folders whose name holds NAME, or matches it if it has
*, ? or [ in it; capitals do not matter. A NAME with a slash is compared with the
end of the path. It finds what is backed up now and what was, with the time
until which it was there. It works while a backup runs, and sends nothing.

` + exitCodesHelp,
		Example: `  acb find thesis
  acb find '*.jpg' --in ~/Photos
  acb find 'letters/*.odt' --gone`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.telling(cmd.Context(), func() error { return a.find(f, args) })
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.in, "in", "", "look below this `folder` only")
	fl.BoolVar(&f.gone, "gone", false, "look only for what is not there any more")
	fl.BoolVar(&f.json, "json", false, "print one JSON object a line")
	return cmd
}

func (a *app) find(f findFlags, args []string) error {
	_, known, err := a.read()
	if err != nil {
		return err
	}
	defer known.Close()
	s := &searcher{lister: lister{app: a, known: known, view: known.At(manifest.Now), flags: lsFlags{long: true, json: f.json}}, runs: map[manifest.RunID]time.Time{}}
	if f.in != "" {
		if s.in, err = backedUp(f.in); err != nil {
			return &exitError{exitUsage, err}
		}
	}
	for _, arg := range args {
		w, err := newWanted(arg)
		if err != nil {
			return err
		}
		s.wanted = append(s.wanted, w)
	}
	if !f.gone {
		if err := s.now(); err != nil {
			return err
		}
	}
	if err := s.gone(); err != nil {
		return err
	}
	if s.found == 0 {
		return &exitError{exitPartial, fmt.Errorf("nothing of that name is or was backed up: %s", strings.Join(args, ", "))}
	}
	return nil
}

// wanted is a name that is looked for.
type wanted struct {
	text    string // in small letters
	pattern bool
	path    bool // the end of the path counts
}

func newWanted(arg string) (wanted, error) {
	w := wanted{text: strings.ToLower(arg), pattern: strings.ContainsAny(arg, "*?["), path: strings.Contains(arg, "/")}
	if w.path {
		w.text, w.pattern = "**/"+strings.TrimPrefix(w.text, "/"), true
	}
	if w.pattern && !doublestar.ValidatePattern(w.text) {
		return w, &exitError{exitUsage, fmt.Errorf("%q: this pattern is not valid", arg)}
	}
	return w, nil
}

func (w wanted) meets(p manifest.Path, name string) bool {
	if w.path {
		name = string(p)
	}
	name = strings.ToLower(name)
	if w.pattern {
		return doublestar.MatchUnvalidated(w.text, name)
	}
	return strings.Contains(name, w.text)
}

// A searcher looks for names.
type searcher struct {
	lister
	wanted []wanted
	in     manifest.Path
	found  int
	runs   map[manifest.RunID]time.Time // when they began
}

func (s *searcher) meets(p manifest.Path, name string) bool {
	if !p.Within(s.in) {
		return false
	}
	for _, w := range s.wanted {
		if w.meets(p, name) {
			s.found++
			return true
		}
	}
	return false
}

// now looks through what is backed up.
func (s *searcher) now() error {
	return s.view.Walk(manifest.Root, func(p manifest.Path, d manifest.FolderVersion, files []manifest.Version) error {
		if d.ID != manifest.Root && !d.Flags.Has(manifest.Prefix) && s.meets(p, d.Name) {
			if err := s.folder(p, d); err != nil {
				return err
			}
		}
		for _, file := range files {
			if at := p.Join(file.Name); s.meets(at, file.Name) {
				if err := s.file(at, file); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// gone looks through what was.
func (s *searcher) gone() error {
	return s.known.Vanished(func(v manifest.Version) error {
		if v.Reason == manifest.EndMoved {
			return nil // it is found where it is
		}
		if !slices.ContainsFunc(s.wanted, func(w wanted) bool { return w.path || w.meets("", v.Name) }) {
			return nil // wherever it was
		}
		dir, there, err := s.known.At(v.To - 1).PathOf(v.Folder)
		if err != nil || !there {
			return err
		}
		p := dir.Join(v.Name)
		if !s.meets(p, v.Name) {
			return nil
		}
		if s.flags.json {
			return s.put(entryJSON(p, v))
		}
		at, err := s.began(v.To)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s %8s  %s  %s  (%s, run %d, %s)\n", modeText("-", v.Mode), humanize.IBytes(uint64(v.Size)),
			time.Unix(0, v.ModTime).In(at.Location()).Format("2006-01-02 15:04"), shown(p), v.Reason, v.To, at.Format("2006-01-02 15:04"))
		return nil
	})
}

// began returns when a run began.
func (s *searcher) began(id manifest.RunID) (time.Time, error) {
	if t, ok := s.runs[id]; ok {
		return t, nil
	}
	run, _, err := s.known.Run(id)
	t := run.Started.In(s.app.now().Location())
	s.runs[id] = t
	return t, err
}
