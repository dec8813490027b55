package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/internal/config"
	"github.com/autocloudbackup/acb/internal/lock"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/scan"
)

// readingConfig is loadConfig for commands that only read what is backed up:
// that a source is not there, or not yet there again, or that none is named, is
// no matter.
func (a *app) readingConfig() (*config.Config, error) {
	env := config.System()
	cfg, err := config.Load(config.Find(a.configFile, env), env)
	if err != nil && !config.SourcesOnly(err) {
		return nil, &exitError{exitUsage, err}
	}
	return cfg, nil
}

// readManifest opens the manifest for reading, also while a run writes it;
// nil if there is none yet. One of an older acb is brought up to date first:
// whoever wants files back must not have to make a backup before.
func (a *app) readManifest(file string) (*manifest.Reader, error) {
	r, err := manifest.OpenReader(file)
	if errors.As(err, new(*manifest.OlderError)) {
		if err = a.upgrade(file); err == nil {
			r, err = manifest.OpenReader(file)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return r, err
}

// upgrade brings a manifest up to date.
func (a *app) upgrade(file string) error {
	held, err := lock.Acquire(filepath.Dir(file), "acb", a.now())
	if err != nil {
		return err
	}
	defer held.Release()
	s, err := manifest.Open(file)
	if err != nil {
		return err
	}
	return s.Close()
}

// view opens the manifest for reading, also while a run writes it.
func (a *app) view(cfg *config.Config) (*manifest.Reader, error) {
	r, err := a.readManifest(manifestFile(cfg))
	if err == nil && r == nil {
		err = noBackup(cfg)
	}
	return r, err
}

func noBackup(cfg *config.Config) error {
	return fmt.Errorf("there is no backup in %s yet: acb scan makes one; "+
		"if there is one on Drive, acb manifest rebuild brings back what is known of it", cfg.State)
}

// notEmpty returns the error of a manifest that holds nothing now: a run has
// begun one and did not get further, as where the state folder was lost.
func notEmpty(r *manifest.Reader, cfg *config.Config) error {
	now := r.At(manifest.Now)
	folders, err1 := now.Folders(manifest.Root)
	files, err2 := now.Files(manifest.Root)
	if err := errors.Join(err1, err2); err != nil || len(folders)+len(files) > 0 {
		return err
	}
	return noBackup(cfg)
}

// read opens what a command needs that only reads the manifest.
func (a *app) read() (*config.Config, *manifest.Reader, error) {
	cfg, err := a.readingConfig()
	if err != nil {
		return nil, nil, err
	}
	known, err := a.view(cfg)
	return cfg, known, err
}

// errNoPath is an argument as a variable of a script leaves it that is not set.
// It must not mean the folder that the script is in.
var errNoPath = errors.New(`the path is empty: write "." for the folder that you are in`)

// backedUp turns a path as a user writes it into one of the manifest: it
// counts from where the user is.
func backedUp(path string) (manifest.Path, error) {
	if path == "" {
		return "", errNoPath
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("%q: %w", path, err)
	}
	p, err := scan.PathOf(abs)
	if err != nil {
		return "", fmt.Errorf("%q: %w", path, err)
	}
	return p, nil
}

// globOf cuts an argument into the folder before its first wildcard, and the
// pattern below that; without one, pattern is "".
func globOf(arg string) (folder, pattern string) {
	i := strings.IndexAny(arg, "*?[")
	if i < 0 {
		return arg, ""
	}
	cut := strings.LastIndexAny(arg[:i], `/`+string(filepath.Separator))
	if cut < 0 {
		return ".", arg
	}
	return arg[:cut+1], filepath.ToSlash(arg[cut+1:])
}

// A viewing is a session that reads: configuration, log, manifest and Drive.
type viewing struct {
	*session
	known *manifest.Reader
	drive *remote.Drive
}

// openView makes a viewing for command. It takes no lock: a run may go on
// beside it.
func (a *app) openView(command string) (v *viewing, err error) {
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
	if v.known, err = a.view(cfg); err != nil {
		return nil, err
	}
	v.closers = append(v.closers, v.known)
	if err := a.openLog(v.session); err != nil {
		return nil, err
	}
	installation, err := backup.InstallationOf(v.known)
	if err != nil {
		return nil, err
	}
	v.drive, _, err = a.openDrive(v.session, installation, a.usual(false))
	return v, err
}
