package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// An install is acb set up for one tree: configuration, state folder, and the
// folder of its look-alike.
type install struct {
	acb    string // the binary
	dir    string // where all of it lies
	tree   string
	writes float64 // [limits] writes_per_second
	// front, if not nil, is what stands between acb and the look-alike.
	front *detour
}

func (in install) config() string { return filepath.Join(in.dir, "acb.toml") }
func (in install) drive() string  { return filepath.Join(in.dir, "drive") }
func (in install) state() string  { return filepath.Join(in.dir, "state") }

// write writes the configuration for a look-alike that is running.
func (in install) write(l *lookAlike) error {
	endpoint, credentials := l.URL, l.Credentials
	if in.front != nil {
		endpoint, credentials = googleBase, l.Google
	}
	token, err := json.Marshal(l.Token)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(in.state(), 0o700); err != nil {
		return err
	}
	if in.front != nil {
		if err := in.front.write(in.dir); err != nil {
			return err
		}
	}
	// A kept manifest may be older than "rehash": this measures the scan, not
	// the rehashing that is due now and then. Nor does it measure the copy of
	// the manifest that goes to Drive once a day: acb counts it apart, and
	// nothing that it is compared with keeps one.
	config := fmt.Sprintf(`backup = [%q]
state = %q
[drive]
credentials = "credentials.json"
token = "token.json"
host = "bench"
endpoint = %q
manifest_copy = "off"
[limits]
writes_per_second = %g
[safety]
rehash = "3650d"
max_delete = "100%%"
`, in.tree, in.state(), endpoint, in.writes)
	for name, b := range map[string][]byte{"acb.toml": []byte(config), "credentials.json": credentials, "token.json": token} {
		path := filepath.Join(in.dir, name)
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, b) {
			continue
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return fmt.Errorf("write configuration: %w", err)
		}
	}
	return nil
}

// scan is a run, to be measured.
func (in install) scan(flags ...string) command { return in.command("scan", flags...) }

// command is one of acb's commands, to be measured.
func (in install) command(name string, args ...string) command {
	c := command{args: append([]string{in.acb, name, "-q", "--config", in.config()}, args...)}
	if in.front != nil {
		c.env = in.front.env(in.dir)
	}
	return c
}

// withDrive runs f while the look-alike of the install is running and acb
// configured for it.
func (in install) withDrive(ctx context.Context, f func(*lookAlike) error) error {
	l, err := startLookAlike(ctx, in.drive())
	if err != nil {
		return err
	}
	defer l.Close()
	if err := in.write(l); err != nil {
		return err
	}
	return f(l)
}

// serving runs f while a look-alike with the state of the install runs in this
// process, where f can be its other hands, and acb is configured for it.
func (in install) serving(o drivetest.Options, f func(*drivetest.Server) error) error {
	o.Dir, o.NoSHA, o.TokenLife, o.LogSize = in.drive(), true, 24*time.Hour, -1
	d, err := drivetest.New(o)
	if err != nil {
		return err
	}
	s, err := drivetest.Listen(d)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := in.write(&lookAlike{greeting: greet(s, detour{})}); err != nil {
		return err
	}
	return f(s)
}

// settleRuns is how many runs it may take until one asks for nothing.
const settleRuns = 5

// settle runs acb until a run finds nothing at all: time stamps that were
// young when the last one met them are looked at again.
func (in install) settle(ctx context.Context, l *lookAlike) error {
	if _, err := l.stats(); err != nil {
		return err
	}
	for range settleRuns {
		if _, err := in.scan().run(ctx); err != nil {
			return err
		}
		s, err := l.stats()
		if err != nil {
			return err
		}
		if s.Total() == 0 {
			return nil
		}
	}
	return fmt.Errorf("settle %s: each of %d runs had requests to make", in.dir, settleRuns)
}
