// Package scan compares a tree on disk with what the manifest knows of it and
// returns the differences, and what it had to skip with the reasons.
//
// The walk goes folder by folder, several at a time: one listing, one stat for
// each child relative to an open handle, and the manifest's record of that
// folder, both in name order, compared on the spot. What is unchanged is
// dropped at once, so that memory follows the changes and the largest folder.
//
// Everything is in one of three states. What was seen is present. What was not
// in a complete listing of its folder is absent. All else is unknown and keeps
// what it had: no error ever makes anything absent.
package scan

import (
	"time"

	"github.com/autocloudbackup/acb/internal/ignore"
	"github.com/autocloudbackup/acb/manifest"
)

// A Source is one folder or file that the configuration names.
type Source struct {
	Path manifest.Path // where it is kept, as configured
	Root string        // the same as the system writes it, absolute; if it is a link, it is resolved once
	// Rules say which names are left out and Exclude which are left out of
	// this run only; both count from Root. Nil hides nothing.
	Rules, Exclude *ignore.Rules
	// Accept takes the file system that the source is on now for the right one.
	Accept bool

	link bool // keep the link itself
}

// Options tunes a scan; the zero value of each field but Now is its default.
type Options struct {
	Walkers int           // folders read at a time; 0 means 4
	Hashers int           // files hashed at a time; 0 means GOMAXPROCS
	Settle  time.Duration // a time stamp younger than this is not trusted; 0 means 3s
	Rehash  time.Duration // every content is read again within this time; 0 means 30 days, less than 0 never
	// CrossDevices enters what is mounted inside a source.
	CrossDevices bool
	// Own lists acb's own files and folders. They are known by identity and
	// left out whatever else holds.
	Own []string
	Now func() time.Time
	// Progress is told now and then how far the scan is, from any goroutine
	// but one at a time.
	Progress func(Progress)

	system system // nil means native
}

// Progress is how far a scan is.
type Progress struct {
	Folders, Files int   // walked
	ToHash, Hashed int64 // bytes
}

// A Result is what a scan saw.
type Result struct {
	manifest.Observation
	Sources   []SourceResult // as the sources were given
	Outside   Counts         // what is known above and outside all sources
	Skips     []Skip         // by path
	BytesRead int64          // of contents
}

// A SourceResult says how one source fared.
type SourceResult struct {
	State  State
	Reason string            // why State is what it is, if it is not OK
	Folder manifest.FolderID // of the source, or of what holds it if it is a file; 0 if it could not be opened
	FS     manifest.FS       // that it is on now
	Inode  uint64
	// Doubt says that something in it could not be looked at this time: what
	// has left its place, in this source or another, may be there.
	Doubt bool
	// Partly says that a known folder in it was not looked at.
	Partly bool
	Counts
}

// A State says whether a source could be scanned.
type State uint8

// The states. In all but OK and Empty nothing is absent in the source.
const (
	OK       State = iota
	Empty          // nothing is in it, although something was: the absences are listed, and are to be doubted
	Missing        // there is nothing of that name
	Replaced       // a file where a folder was, or the reverse, or neither
	OtherFS        // on another file system than last time; scanned, see Source.Accept
	Unlisted       // it could not be opened or listed
)

var stateNames = [...]string{"ok", "empty", "missing", "replaced", "on another file system", "unreadable"}

// String returns the state as messages use it.
func (s State) String() string { return stateNames[s] }

// Counts counts files and symlinks, each in one of the first five or in a
// FileDiff, and apart from them names.
type Counts struct {
	Unchanged, UnchangedBytes int64
	Unknown                   int64 // known, and not looked at in this run
	Retired                   int64 // kept although hidden
	Pinned                    int64 // hidden, pinned and so left as they are
	Skipped                   int64 // not known and not readable, or of no kind that is backed up

	Folders int64 // listed
	Ignored int64 // names met and not entered
	Own     int64 // names of acb's own
}

func (c *Counts) add(d *Counts) {
	c.Unchanged += d.Unchanged
	c.UnchangedBytes += d.UnchangedBytes
	c.Unknown += d.Unknown
	c.Retired += d.Retired
	c.Pinned += d.Pinned
	c.Skipped += d.Skipped
	c.Folders += d.Folders
	c.Ignored += d.Ignored
	c.Own += d.Own
}

// A Skip is a name that could not be looked at or read, and why.
type Skip struct {
	Path   manifest.Path
	Source int // -1 above or outside all sources
	Class  Class
	Reason string // in words, with the system's own error where there is one
}

// A Class says why something was skipped.
type Class uint8

// The classes.
const (
	Unreadable Class = iota + 1 // the system refused or failed
	Changing                    // changed while it was being read, three times
	Vanished                    // in the listing, then gone
	Special                     // a socket, pipe or device: never backed up
	Mountpoint                  // another file system is mounted there, and is not entered
	ForeignFS                   // known from another file system than the one that is there now
	Damaged                     // what the manifest holds about it fails its checksum
	BadRules                    // its ignore file could not be read
	NotThere                    // a target that does not exist
	OwnFile                     // a target that is acb's own
)

var classNames = [...]string{"", "unreadable", "changing", "vanished", "special", "mountpoint", "foreign", "damaged", "rules", "missing", "own"}

// String returns the class as logs and --json use it.
func (c Class) String() string { return classNames[c] }

const (
	defaultWalkers = 4
	// defaultSettle covers file systems that keep times in steps of two
	// seconds (FAT), and the tick of the kernel's clock.
	defaultSettle = 3 * time.Second
	defaultRehash = 30 * 24 * time.Hour
)

func (o Options) withDefaults() Options {
	if o.Walkers <= 0 {
		o.Walkers = defaultWalkers
	}
	if o.Settle == 0 {
		o.Settle = defaultSettle
	}
	if o.Rehash == 0 {
		o.Rehash = defaultRehash
	}
	if o.system == nil {
		o.system = native
	}
	return o
}
