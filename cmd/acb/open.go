package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/internal/config"
	"github.com/autocloudbackup/acb/internal/ignore"
	"github.com/autocloudbackup/acb/internal/lock"
	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/internal/runlog"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/auth"
	"github.com/autocloudbackup/acb/remote/drivetest"
	"github.com/autocloudbackup/acb/scan"
	"golang.org/x/oauth2"
)

// A session is an acb that is ready to run: configuration, lock, manifest,
// log and Drive. No request has left.
type session struct {
	*backup.Backup
	config  *config.Config
	binding backup.Binding
	log     *runlog.Log
	closers []io.Closer // in the order of opening
}

// Close closes what open opened, the lock last.
func (s *session) Close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i].Close())
	}
	return errors.Join(errs...)
}

type closer func() error

func (c closer) Close() error { return c() }

// loadConfig reads and checks the configuration. A source that is missing is
// refused only if no manifest says that it was ever there.
func (a *app) loadConfig() (*config.Config, error) {
	env := config.System()
	cfg, err := config.Load(config.Find(a.configFile, env), env)
	if cfg != nil && a.bwlimit.given {
		cfg.Limits.Upload = a.bwlimit.Timetable
	}
	missing, only := config.MissingOnly(err)
	if err == nil {
		return cfg, nil
	}
	if !only {
		return nil, &exitError{exitUsage, err}
	}
	known, knownErr := a.knownSources(manifestFile(cfg))
	if knownErr != nil {
		return nil, knownErr
	}
	for _, m := range missing {
		p, pathErr := scan.PathOf(m.Path)
		if pathErr != nil || !known[p] {
			return nil, &exitError{exitUsage, err}
		}
	}
	return cfg, nil
}

func manifestFile(cfg *config.Config) string { return filepath.Join(cfg.State, "manifest.db") }

// knownSources returns the sources that a run has completed.
func (a *app) knownSources(file string) (map[manifest.Path]bool, error) {
	known := make(map[manifest.Path]bool)
	r, err := a.readManifest(file)
	if r == nil {
		return known, err
	}
	defer r.Close()
	sources, err := r.Sources()
	for _, s := range sources {
		known[s.Path] = true
	}
	return known, err
}

// open makes a session for command, as in "acb scan".
func (a *app) open(command string, dryRun bool) (*session, error) {
	return a.openAs(command, a.usual(dryRun))
}

// A signer returns a client that signs every request in, and the source of its
// tokens, which may be nil.
type signer func(*config.Config, *remote.Line) (*http.Client, *auth.Source, error)

// usual signs in with the token file.
func (a *app) usual(dryRun bool) signer {
	return func(cfg *config.Config, line *remote.Line) (*http.Client, *auth.Source, error) {
		return a.signedIn(cfg, line, dryRun)
	}
}

// openAs is open with a sign-in of its own.
func (a *app) openAs(command string, sign signer) (s *session, err error) {
	cfg, err := a.loadConfig()
	if err != nil {
		return nil, err
	}
	opening := &session{config: cfg}
	defer func() {
		if err != nil {
			opening.Close()
		}
	}()
	s = opening // what an error return leaves as nil
	held, err := lock.Acquire(cfg.State, command, a.now())
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, closer(held.Release))

	if err := a.openLog(s); err != nil {
		return nil, err
	}
	store, err := manifest.Open(manifestFile(cfg))
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, store)
	installation, err := backup.Installation(store)
	if err != nil {
		return nil, err
	}
	drive, tokens, err := a.openDrive(s, installation, sign)
	if err != nil {
		return nil, err
	}
	sources, err := sourcesOf(cfg)
	if err != nil {
		return nil, err
	}
	s.Backup = &backup.Backup{
		Sources: sources,
		Scan: scan.Options{
			Rehash: cfg.Safety.Rehash, CrossDevices: cfg.Safety.CrossDevices,
			Own: ownFiles(cfg), Now: a.now,
		},
		Limits: plan.Options{
			MaxDelete: cfg.Safety.MaxDelete, MaxModify: cfg.Safety.MaxModify,
			Keep: cfg.Safety.OnDelete == config.Keep,
		},
		Store: store, Drive: drive, Log: s.log.Logger, TokenRequests: tokens,
		CopyLimit:  cfg.Drive.ManifestCopy,
		Binding:    s.binding,
		CheckDrive: cfg.Safety.CheckDrive, KeepRevisions: cfg.Safety.KeepRevisions,
	}
	return s, nil
}

// openLog begins the log of this run and takes old ones away. What is logged
// goes on to its end, whoever watches.
func (a *app) openLog(s *session) (err error) {
	outlivePipe()
	cfg := s.config
	id := runlog.NewID(a.now())
	s.log, err = runlog.Open(cfg.Log.Dir, id, runlog.Options{Level: cfg.Log.Level, OnError: func(err error) { a.warn("%v", err) }})
	if err != nil {
		return err
	}
	s.closers = append(s.closers, s.log)
	if _, err := runlog.Prune(cfg.Log.Dir, runlog.Keep{Age: time.Duration(cfg.Log.KeepDays) * 24 * time.Hour, Count: cfg.Log.KeepRuns}, id, a.now()); err != nil {
		a.warn("%v", err)
	}
	return nil
}

// openDrive makes the Drive that the configuration names: Google's, another
// server, or the look-alike in this process.
func (a *app) openDrive(s *session, installation string, sign signer) (*remote.Drive, func() int64, error) {
	cfg := s.config
	s.binding.Machine = a.machine(installation)
	opts := remote.Options{
		Endpoint: cfg.Drive.Endpoint.URL, Folder: cfg.Drive.Folder, Host: cfg.Drive.Host,
		Installation: installation, SharedDrive: cfg.Drive.SharedDrive,
		WritesPerSecond: cfg.Limits.WritesPerSecond, Transfers: cfg.Limits.Transfers,
		UserAgent: "acb/" + version, Now: a.now, Log: s.log.Logger,
	}
	if upload := cfg.Limits.Upload; !upload.IsZero() {
		opts.Line = remote.NewLine(func(at time.Time) int64 { return int64(upload.At(at)) }, a.now)
	}
	tokens := func() int64 { return 0 }
	if dir := cfg.Drive.Endpoint.Embedded; dir != "" {
		srv, err := serveEmbedded(dir)
		if err != nil {
			return nil, nil, err
		}
		s.closers = append(s.closers, srv)
		opts.Endpoint, opts.Client = srv.URL, &http.Client{Transport: &oauth2.Transport{
			Base:   opts.Line.Limit(srv.Transport()),
			Source: oauth2.StaticTokenSource(&oauth2.Token{AccessToken: srv.Token(drivetest.Ask{}).AccessToken}),
		}}
	} else {
		var err error
		var source *auth.Source
		opts.Client, source, err = sign(cfg, opts.Line)
		if err != nil {
			return nil, nil, err
		}
		if source != nil {
			tokens, s.binding.Client = source.TokenRequests, source.Client()
		}
	}
	drive, err := remote.New(opts)
	return drive, tokens, err
}

// serveEmbedded serves the look-alike with its state in dir.
func serveEmbedded(dir string) (*drivetest.Server, error) {
	d, err := drivetest.New(drivetest.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	srv, err := drivetest.Listen(d)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return srv, nil
}

// sourcesOf returns the configured sources with their rules.
func sourcesOf(cfg *config.Config) ([]scan.Source, error) {
	var list []scan.Source
	for _, s := range cfg.Sources {
		p, err := scan.PathOf(s.Path)
		if err != nil {
			return nil, err
		}
		list = append(list, scan.Source{Path: p, Root: s.Path, Rules: ignore.New(s.Path, cfg.File, cfg.Ignore)})
	}
	return list, nil
}

// ownFiles names what is acb's own and never backed up.
func ownFiles(cfg *config.Config) []string {
	own := []string{cfg.State, cfg.Log.Dir, cfg.Drive.Token, cfg.Drive.Token + ".lock", cfg.Drive.Credentials}
	if dir := cfg.Drive.Endpoint.Embedded; dir != "" {
		own = append(own, dir)
	}
	return own
}

// warn says what went wrong without stopping anything.
func (a *app) warn(format string, args ...any) {
	fmt.Fprintf(a.err, "acb: "+format+"\n", args...)
}
