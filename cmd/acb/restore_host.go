package main

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/manifest"
)

// openHost makes a viewing of another machine's backup: its manifest is made
// anew in a temporary folder, from what Drive has.
func (a *app) openHost(ctx context.Context, host string) (v *viewing, err error) {
	cfg, err := a.readingConfig()
	if err != nil {
		return nil, err
	}
	opening := &viewing{session: &session{config: cfg}}
	defer func() {
		if err != nil {
			opening.Close()
		}
	}()
	v = opening
	if err := a.openLog(v.session); err != nil {
		return nil, err
	}
	r, found, err := a.finding(ctx, v.session, backup.HostWish{Name: host})
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "acb-")
	if err != nil {
		return nil, err
	}
	v.closers = append(v.closers, closer(func() error { return os.RemoveAll(dir) }))
	a.say("listing %s", plain(found.Folder+"/"+found.Name))
	file := filepath.Join(dir, "manifest.db")
	made, err := r.Build(ctx, found, file)
	if err != nil {
		return nil, err
	}
	a.tellLeft(made.Left)
	if v.known, err = manifest.OpenReader(file); err != nil {
		return nil, err
	}
	v.closers = append(v.closers, v.known)
	v.drive = r.Drive
	return v, nil
}

// theirs turns a path of another machine, as that one writes it or as Drive
// has it below its folder, into one of its manifest.
func theirs(arg string) (manifest.Path, error) {
	p := arg
	switch {
	case p == "":
		return "", errors.New("the path is empty: without a path, everything is restored")
	case len(p) > 2 && p[1] == ':' && (p[2] == '\\' || p[2] == '/'): // C:\Users
		p = strings.ToUpper(p[:1]) + strings.ReplaceAll(p[2:], `\`, "/")
	case strings.HasPrefix(p, `\\`): // \\server\share
		p = "UNC/" + strings.ReplaceAll(p[2:], `\`, "/")
	}
	return manifest.Path(path.Clean("/" + p)[1:]), nil
}
