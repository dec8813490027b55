package manifest

import (
	"errors"
	"fmt"
	"os"
)

// applicationID marks the file as a manifest of acb, for file(1) and for Open.
const applicationID = 0x61636201 // "acb", 1

// migrations[n] turns schema version n into n+1; they run one way, at Open. A
// version once released is never changed.
var migrations = []migration{{schema: schema1}, {schema: schema2}, {schema: schema3, fill: indexAll}, {fill: (*conn).seal4}, {schema: schema5}, {fill: (*conn).schema6}}

// A migration is statements, and then what statements cannot do, if anything.
// One that changes what is under the seal (seal.go) ends with sealing it anew.
type migration struct {
	schema string
	fill   func(*conn) error
}

// The tree is two tables because of how SQLite stores rows: what a scan reads
// of a folder must be small enough to lie in its page and beside its siblings.
// Names are TEXT for people who look with sqlite3, but may be any bytes.
const schema1 = `
CREATE TABLE meta (
	key   TEXT PRIMARY KEY,
	value TEXT NOT NULL
) WITHOUT ROWID;

-- one row a folder; siblings lie side by side. files is the record of its files
-- and symlinks (row.go), sum a checksum of the columns before it.
CREATE TABLE folder (
	parent     INTEGER NOT NULL,
	id         INTEGER NOT NULL,
	name       TEXT    NOT NULL,
	file_id    TEXT    NOT NULL,
	flags      INTEGER NOT NULL,
	fs         INTEGER NOT NULL,
	mode       INTEGER NOT NULL,
	inode      INTEGER NOT NULL,
	birth      INTEGER NOT NULL,
	mtime      INTEGER NOT NULL,
	subfolders INTEGER NOT NULL,
	since      INTEGER NOT NULL,
	sum        INTEGER NOT NULL,
	files      BLOB    NOT NULL,
	PRIMARY KEY (parent, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX folder_id ON folder (id);
CREATE INDEX folder_inode ON folder (fs, inode);

-- what Drive holds for the files of folder id, in the same order (content.go)
CREATE TABLE content (
	id     INTEGER PRIMARY KEY,
	record BLOB NOT NULL
);

CREATE TABLE fs (
	id       INTEGER PRIMARY KEY,
	identity TEXT NOT NULL UNIQUE
);

CREATE TABLE source (
	path   TEXT PRIMARY KEY,
	folder INTEGER NOT NULL,
	fs     INTEGER NOT NULL,
	inode  INTEGER NOT NULL,
	files  INTEGER NOT NULL,
	run    INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE run (
	id         INTEGER PRIMARY KEY,
	started    INTEGER NOT NULL,
	ended      INTEGER,
	kind       TEXT    NOT NULL,
	complete   INTEGER NOT NULL DEFAULT 0,
	conditions TEXT    NOT NULL DEFAULT '',
	counters   TEXT    NOT NULL DEFAULT '{}'
);

-- the journal: what is begun, what is acknowledged and not yet in the tree
CREATE TABLE intent (
	seq    INTEGER PRIMARY KEY,
	record BLOB NOT NULL
);
CREATE TABLE step (
	seq    INTEGER PRIMARY KEY,
	run    INTEGER NOT NULL,
	record BLOB NOT NULL
);
CREATE TABLE displaced (
	file_id TEXT PRIMARY KEY,
	folder  INTEGER NOT NULL,
	record  BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE reserved (
	file_id TEXT PRIMARY KEY,
	at      INTEGER NOT NULL
) WITHOUT ROWID;

-- what was: true from run from_run until run to_run
CREATE TABLE folder_was (
	folder   INTEGER NOT NULL,
	parent   INTEGER NOT NULL,
	name     TEXT    NOT NULL,
	from_run INTEGER NOT NULL,
	to_run   INTEGER NOT NULL
);
CREATE INDEX folder_was_folder ON folder_was (folder);
CREATE INDEX folder_was_parent ON folder_was (parent, name);
CREATE TABLE entry_was (
	folder        INTEGER NOT NULL,
	name          TEXT    NOT NULL,
	from_run      INTEGER NOT NULL,
	to_run        INTEGER NOT NULL,
	file_id       TEXT    NOT NULL,
	head_revision TEXT    NOT NULL,
	size          INTEGER NOT NULL,
	md5           BLOB,
	blake3        BLOB,
	mtime         INTEGER NOT NULL,
	mode          INTEGER NOT NULL,
	kind          INTEGER NOT NULL,
	end_reason    TEXT    NOT NULL
);
CREATE INDEX entry_was_name ON entry_was (folder, name);
`

// schema2 keeps of a folder that is gone what it takes to bring it back, and
// finds the versions of a file wherever it was.
const schema2 = `
ALTER TABLE folder_was ADD COLUMN file_id TEXT NOT NULL DEFAULT '';
ALTER TABLE folder_was ADD COLUMN mode INTEGER NOT NULL DEFAULT 0;
ALTER TABLE folder_was ADD COLUMN mtime INTEGER NOT NULL DEFAULT 0;
CREATE INDEX entry_was_file ON entry_was (file_id);
`

const schema3 = `
-- the folders that hold a content of 256 KiB or more, by its size and the first
-- eight bytes of its BLAKE3 (large.go)
CREATE TABLE large (
	size   INTEGER NOT NULL,
	hash   INTEGER NOT NULL,
	folder INTEGER NOT NULL,
	PRIMARY KEY (size, hash, folder)
) WITHOUT ROWID;
`

// schema5 tells of a past content whether Drive keeps it for good.
const schema5 = `ALTER TABLE entry_was ADD COLUMN kept INTEGER NOT NULL DEFAULT 0`

// schema6 drops how many files a source had, as the tree itself tells; and it
// says of each folder and file whether it is unmet, not of all in meta.
func (c *conn) schema6() error {
	if err := c.sealIs(sealed4); err != nil {
		return err
	}
	if err := c.script("ALTER TABLE source DROP COLUMN files"); err != nil {
		return err
	}
	const metaRebuilt = "rebuilt" // from when a manifest was made anew until a scan was complete
	rebuilt, err := c.one("SELECT value FROM meta WHERE key = ? AND value <> ''", metaRebuilt)
	if err == nil && rebuilt != nil {
		err = c.unmeetAll()
	}
	if err == nil {
		err = c.exec("DELETE FROM meta WHERE key = ?", metaRebuilt)
	}
	if err != nil {
		return err
	}
	return c.seal()
}

// unmeetAll marks all as not met on this disk yet.
func (c *conn) unmeetAll() error {
	ids, err := c.folderIDs()
	r := reading(c)
	for _, id := range ids {
		if err != nil {
			return err
		}
		var w folderWork
		var files []Entry
		if w.row, _, err = r.Row(id); err == nil {
			files, err = r.Entries(w.row)
		}
		var damaged *DamagedError
		if errors.As(err, &damaged) {
			err = nil // what it holds is unknown
			continue
		}
		if id != Root && !w.row.Flags.Has(Prefix) {
			w.row.Flags |= Unmet
		}
		for i := range files {
			files[i].Flags |= Unmet
		}
		if err == nil {
			err = w.write(c, files)
		}
	}
	return err
}

// migrate brings the schema up to the newest of steps, or says why it cannot.
// Before it changes a database that holds anything, it copies it to
// PATH.vN, N being the version it had.
func (c *conn) migrate(steps []migration) error {
	version, err := c.version(len(steps))
	if err != nil || version == len(steps) {
		return err
	}
	if version > 0 {
		if err := c.copyTo(fmt.Sprintf("%s.v%d", c.path, version)); err != nil {
			return err
		}
	}
	return c.tx(func() error {
		for ; version < len(steps); version++ {
			err := c.script(steps[version].schema)
			if fill := steps[version].fill; err == nil && fill != nil {
				err = fill(c)
			}
			if err != nil {
				return fmt.Errorf("migrate from version %d: %w", version, err)
			}
		}
		return c.script(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, len(steps)))
	})
}

// version returns the schema version of the database, 0 if it is empty, or an
// error if it is not acb's or newer than newest.
func (c *conn) version(newest int) (int, error) {
	id, err := c.number("PRAGMA application_id")
	if err != nil {
		return 0, err
	}
	version, err := c.number("PRAGMA user_version")
	if err != nil {
		return 0, err
	}
	tables, err := c.number("SELECT count(*) FROM sqlite_schema")
	switch {
	case err != nil:
		return 0, err
	case id != applicationID && (id != 0 || version != 0 || tables != 0):
		return 0, fmt.Errorf("manifest %s: this is another program's database; move it away or name another state folder", c.path)
	case version < 0 || version == 0 && tables > 0: // as no acb has left it
		return 0, &BrokenError{Path: c.path, What: fmt.Sprintf("it says to be of version %d", version)}
	case version > int64(newest):
		return 0, fmt.Errorf("manifest %s: written by a newer acb (version %d, this one knows %d): use the newer acb", c.path, version, newest)
	}
	return int(version), nil
}

// copyTo writes a copy of the database, as it is now, to a file that only its
// owner can read. An older copy of that name is replaced.
func (c *conn) copyTo(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) // VACUUM INTO takes an empty file
	if err == nil {
		err = f.Close()
	}
	if err == nil {
		err = c.exec("VACUUM INTO ?", path)
	}
	if err != nil {
		return fmt.Errorf("copy the manifest before its format changes: %w", err)
	}
	return nil
}
