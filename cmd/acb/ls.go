package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/autocloudbackup/acb/manifest"
)

// lsFlags are the flags of "acb ls".
type lsFlags struct {
	at        string
	long      bool
	links     bool
	recursive bool
	json      bool
}

func (a *app) lsCommand() *cobra.Command {
	var f lsFlags
	cmd := &cobra.Command{
		Use:   "ls [PATH]...",
		Short: "List what is backed up, as of now or of a moment; asks nobody",
		Long: `Ls lists what is backed up of a file or folder, whether it is there now or not;
without a PATH, the folders that are backed up. A folder ends with a slash. It
works while a backup runs, and sends nothing.

` + exitCodesHelp,
		Example: `  acb ls -l ~/Documents
  acb ls --at "2026-11-20 18:00" ~/Photos
  acb ls --json ~/Documents/thesis.odt   size, sums, versions, link`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.telling(cmd.Context(), func() error { return a.ls(f, args) })
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.at, "at", "", "what was there at that `moment`, or after the run of that number")
	fl.BoolVarP(&f.long, "long", "l", false, "with mode, size and time")
	fl.BoolVar(&f.links, "link", false, "with the address on Drive")
	fl.BoolVarP(&f.recursive, "recursive", "R", false, "with all that is below")
	fl.BoolVar(&f.json, "json", false, "print one JSON object a line")
	return cmd
}

func (a *app) ls(f lsFlags, args []string) error {
	cfg, known, err := a.read()
	if err != nil {
		return err
	}
	defer known.Close()
	if f.at == "" && len(args) == 0 {
		if err := notEmpty(known, cfg); err != nil {
			return err
		}
	}
	run, err := a.runAt(known, f.at)
	if err != nil {
		return err
	}
	l := &lister{app: a, known: known, view: known.At(run), flags: f}
	if len(args) == 0 {
		return l.tops()
	}
	for _, arg := range args {
		p, err := backedUp(arg)
		if err != nil {
			return &exitError{exitUsage, err}
		}
		if err := l.list(p); err != nil {
			return err
		}
	}
	return nil
}

// A lister lists parts of a view.
type lister struct {
	*app
	known *manifest.Reader
	view  manifest.View
	flags lsFlags

	room    []byte            // for a line
	endedIn manifest.FolderID // see before
	ended   map[string]int
}

// list lists what was at a path.
func (l *lister) list(p manifest.Path) error {
	dir, file, found, err := l.view.Lookup(p)
	switch {
	case err != nil:
		return err
	case !found:
		return &exitError{exitPartial, fmt.Errorf("%s: nothing is backed up there; acb find NAME looks for names at any time", shown(p))}
	case file != nil:
		return l.file(p, *file)
	case l.flags.recursive:
		return l.below(p, dir.ID)
	}
	folders, err := l.view.Folders(dir.ID)
	if err != nil {
		return err
	}
	files, err := l.view.Files(dir.ID)
	if err != nil {
		return err
	}
	for _, d := range folders {
		if err := l.folder(p.Join(d.Name), d); err != nil {
			return err
		}
	}
	return l.files(p, files)
}

// below lists all that was in a folder at p, and further down.
func (l *lister) below(p manifest.Path, id manifest.FolderID) error {
	return l.view.Walk(id, func(at manifest.Path, d manifest.FolderVersion, files []manifest.Version) error {
		if at != p {
			if err := l.folder(at, d); err != nil {
				return err
			}
		}
		return l.files(at, files)
	})
}

// tops lists the topmost folders and files that are backed up for themselves.
func (l *lister) tops() error {
	var down func(p manifest.Path, id manifest.FolderID) error
	down = func(p manifest.Path, id manifest.FolderID) error {
		folders, err := l.view.Folders(id)
		if err != nil {
			return err
		}
		for _, d := range folders {
			at := p.Join(d.Name)
			if d.Flags.Has(manifest.Prefix) {
				err = down(at, d.ID)
			} else {
				err = l.folder(at, d)
				if err == nil && l.flags.recursive {
					err = l.below(at, d.ID)
				}
			}
			if err != nil {
				return err
			}
		}
		files, err := l.view.Files(id)
		if err != nil {
			return err
		}
		return l.files(p, files)
	}
	return down("", manifest.Root)
}

func (l *lister) files(in manifest.Path, files []manifest.Version) error {
	for _, file := range files {
		if err := l.file(in.Join(file.Name), file); err != nil {
			return err
		}
	}
	return nil
}

func (l *lister) folder(p manifest.Path, d manifest.FolderVersion) error {
	if l.flags.json {
		return l.put(jsonEntry{
			Type: manifest.Dir.String(), Path: exact(p), Modified: moment(d.ModTime), Mode: fmt.Sprintf("%04o", d.Mode),
			ID: string(d.FileID), Link: folderLink(d.FileID), Since: int64(d.From), Flags: flagNames(d.Flags),
		})
	}
	return l.line(l.details("d", d.Mode, -1, d.ModTime), shown(p)+"/", d.Flags, folderLink, d.FileID)
}

func (l *lister) file(p manifest.Path, v manifest.Version) error {
	if l.flags.json {
		before, err := l.before(v.Folder)
		if err != nil {
			return err
		}
		e := entryJSON(p, v)
		e.Versions = before[v.Name]
		if v.To == manifest.Now {
			e.Versions++
		}
		return l.put(e)
	}
	kind := "-"
	if v.Kind == manifest.Symlink {
		kind = "l"
	}
	return l.line(l.details(kind, v.Mode, v.Size, v.ModTime), shown(p), v.Flags, fileLink, v.FileID)
}

// before returns how many versions of each file of a folder have ended.
func (l *lister) before(in manifest.FolderID) (map[string]int, error) {
	if l.ended != nil && l.endedIn == in {
		return l.ended, nil
	}
	were, err := l.known.EntriesWere(in, "")
	l.endedIn, l.ended = in, map[string]int{}
	for _, v := range were {
		l.ended[v.Name]++
	}
	return l.ended, err
}

// details are mode, size and time of an entry, if they are asked for; a folder
// has no size, which is -1.
func (l *lister) details(kind string, mode uint32, size, mtime int64) string {
	if !l.flags.long {
		return ""
	}
	of := "-"
	if size >= 0 {
		of = humanize.IBytes(uint64(size))
	}
	at := time.Unix(0, mtime).In(l.now().Location()).Format("2006-01-02 15:04")
	if mtime == 0 {
		at = strings.Repeat(" ", len(at)-1) + "-"
	}
	return fmt.Sprintf("%s %8s  %s  ", modeText(kind, mode), of, at)
}

// line writes one entry for a person.
func (l *lister) line(details, name string, flags manifest.Flags, link func(manifest.FileID) string, id manifest.FileID) error {
	b := append(append(l.room[:0], details...), name...)
	if names := flagNames(flags); len(names) > 0 {
		b = fmt.Appendf(b, "  (%s)", strings.Join(names, ", "))
	}
	if l.flags.links {
		b = append(append(b, "  "...), link(id)...)
	}
	l.room = append(b, '\n')
	if _, err := l.out.Write(l.room); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

func (l *lister) put(e jsonEntry) error {
	enc := json.NewEncoder(l.out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}
