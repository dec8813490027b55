package config

import (
	"log/slog"
	"path/filepath"
	"time"

	"github.com/autocloudbackup/acb/internal/bwlimit"
	"github.com/autocloudbackup/acb/internal/ignore"
	"github.com/autocloudbackup/acb/internal/schedule"
)

// A Config is what acb.toml says, with defaults filled in. Every path in it is
// absolute and clean.
type Config struct {
	File     string // the configuration file itself
	Sources  []Source
	Ignore   []ignore.Pattern // in the order of the list: later ones win
	State    string           // the folder for manifest, lock, token and logs
	Drive    Drive
	Schedule Schedule
	Limits   Limits
	Safety   Safety
	Log      Log
}

// A Source is a folder or file to back up.
type Source struct {
	Configured string // as it is written in the file
	Path       string // absolute and clean, symlinks not resolved
	Line       int    // where the file has it, counted from 1
}

// Drive says where backups go and who signs in.
type Drive struct {
	Credentials string // Google's JSON: OAuth client or service account key
	Token       string // the token file, in the JSON form of x/oauth2
	Folder      string // the top folder on Drive
	Host        string // the folder of this machine below it
	SharedDrive string // id of a shared drive; empty means My Drive
	Endpoint    Endpoint
	// ManifestCopy is the largest copy of the manifest that is kept on Drive,
	// in bytes as they are sent; 0 keeps none there.
	ManifestCopy int64
}

// An Endpoint is a server that speaks Drive v3, or the built-in look-alike.
// Exactly one of the fields is set.
type Endpoint struct {
	URL      string // scheme and host, no slash at the end
	Embedded string // the folder in which the look-alike keeps its state
}

// Schedule says when `acb run` makes a backup.
type Schedule struct {
	Cron    schedule.Schedule // zero: no line is configured
	Verify  schedule.Schedule // when it compares Drive with the manifest; zero: never
	CatchUp bool              // a run missed while the machine was off is made up for
	Jitter  time.Duration     // each run starts up to this much later
}

// Limits bound what a run takes.
type Limits struct {
	Upload          bwlimit.Timetable
	Transfers       int     // uploads at a time, at least 1
	WritesPerSecond float64 // sustained writes on Drive; 0: only as Drive's answers demand
}

// Safety holds what keeps a mistake from reaching the backup.
type Safety struct {
	MaxDelete float64 // share of a source's files, 0 to 1, above which deletions are held back; 1 is off
	MaxModify float64 // likewise for updates
	OnDelete  OnDelete
	// KeepRevisions has Drive keep every version for good.
	KeepRevisions bool
	Rehash        time.Duration // every file is read again at least this often
	CheckDrive    time.Duration // Drive is asked at least this often what others did there; 0: never
	CrossDevices  bool          // enter mount points inside a source
}

// OnDelete says what becomes on Drive of a file that was deleted on disk.
type OnDelete string

const (
	Trash OnDelete = "trash" // into Drive's bin
	Keep  OnDelete = "keep"  // it stays where it is
)

// Log says where run logs go and how long they stay.
type Log struct {
	Dir      string
	KeepDays int // logs older than this are removed
	KeepRuns int // and those of all but this many runs
	Level    slog.Level
}

// GoogleEndpoint is where Drive itself answers.
const GoogleEndpoint = "https://www.googleapis.com"

// Default returns the configuration of a file, at path, that sets nothing. It
// has no sources, so Load would refuse it. Its Host is empty if the system
// does not tell a name.
func Default(file string, env Env) Config {
	c := Config{
		File:  file,
		State: filepath.Join(env.StateHome, "acb"),
		Drive: Drive{
			Credentials: filepath.Join(filepath.Dir(file), "credentials.json"),
			Folder:      "Auto Cloud Backup",
			Host:        env.Hostname,
			Endpoint:    Endpoint{URL: GoogleEndpoint},

			ManifestCopy: 64 << 20,
		},
		Schedule: Schedule{CatchUp: true},
		Limits: Limits{
			Transfers: 4,
			// What one Google account bears, sustained.
			WritesPerSecond: 3,
		},
		Safety: Safety{
			MaxDelete:  0.25,
			MaxModify:  0.5,
			OnDelete:   Trash,
			Rehash:     30 * day,
			CheckDrive: 7 * day,
		},
		Log: Log{KeepDays: 90, KeepRuns: 1000},
	}
	c.followState()
	return c
}

// followState puts what was given no place of its own into the state folder.
func (c *Config) followState() {
	if c.Drive.Token == "" {
		c.Drive.Token = filepath.Join(c.State, "token.json")
	}
	if c.Log.Dir == "" {
		c.Log.Dir = filepath.Join(c.State, "logs")
	}
}
