package manifest

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// writerCacheKiB is the writer's page cache; see readerCacheKiB.
const writerCacheKiB = 4096

// A Store is the manifest opened for writing. There is one at a time; the
// lock on the state folder sees to that. Its methods may be called from
// several goroutines.
//
// All that a run changes goes through its journal (see Begin, Ack and Fold),
// so that a crash at any instant leaves each acknowledged step.
type Store struct {
	path       string
	lastFolder atomic.Int64 // the highest FolderID given out

	mu       sync.Mutex // guards all below, and what is between BEGIN and COMMIT
	c        *conn
	run      pendingRun
	intent   int64 // the last intent's number
	folders  int64 // the highest FolderID that meta has
	unfolded map[FolderID]bool
	reseal   bool // what is under the seal changes in the transaction at hand
	systems  map[string]FS
}

// Open opens the manifest at path for writing, makes it if there is none, brings an
// older one up to date and folds what an interrupted run left in the journal.
// The file and its folder, if it has to be made, are for their owner only.
func Open(path string) (*Store, error) { return open(path, migrations) }

func open(path string, steps []migration) (*Store, error) {
	path, err := filepath.Abs(path) // SQLite resolves what is relative at some later time
	if err != nil {
		return nil, fmt.Errorf("open manifest: %w", err)
	}
	if err := errors.Join(prepare(path, steps), LogHolds(path)); err != nil {
		return nil, err
	}
	log, err := os.Stat(path + "-wal")
	interrupted := err == nil && log.Size() > 0
	c, err := connect(path, "mode=rw&_txlock=immediate", writerCacheKiB)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, c: c, unfolded: map[FolderID]bool{}, systems: map[string]FS{}}
	if err := s.start(steps, interrupted); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return s, nil
}

// start makes a connection ready for writing and reads where numbers go on.
// interrupted says that a process before left a log.
func (s *Store) start(steps []migration, interrupted bool) error {
	if _, err := s.c.version(len(steps)); err != nil { // before anything is written
		return err
	}
	// An acknowledged step must survive a power cut: synchronous=FULL syncs the log at each commit, and
	// fullfsync has macOS take that out of the disk's own memory, as it needs to be told.
	// Source: sqlite.org/pragma.html#pragma_synchronous, #pragma_fullfsync
	if err := s.c.script("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON"); err != nil {
		return err
	}
	if interrupted {
		// The log begins anew: SQLite may go on in it with the same salts, and then LogHolds
		// could not tell what lies behind its end from commits that were lost. Where somebody
		// reads, it goes on: they are not waited for.
		if err := s.c.script(fmt.Sprint("PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA busy_timeout = ", busyTimeout)); err != nil {
			return err
		}
	}
	if err := s.c.migrate(steps); err != nil {
		return err
	}
	if err := s.c.sealHolds(); err != nil {
		return err
	}
	if err := s.plantRoot(); err != nil {
		return err
	}
	last, err := s.c.number("SELECT max(id) FROM run")
	if err != nil {
		return err
	}
	s.run.id = RunID(last)
	if s.intent, err = s.c.number("SELECT max(seq) FROM intent"); err != nil {
		return err
	}
	if s.folders, err = s.c.number("SELECT CAST(value AS INTEGER) FROM meta WHERE key = ?", metaFolders); err != nil {
		return err
	}
	s.lastFolder.Store(s.folders)
	err = s.c.query("SELECT id, identity FROM fs", func(v []driver.Value) error {
		s.systems[text(v[1])] = FS(integer(v[0]))
		return nil
	})
	if err != nil {
		return err
	}
	return s.Fold()
}

// plantRoot writes the folder that every path is below, once.
func (s *Store) plantRoot() error {
	there, err := s.c.number("SELECT count(*) FROM folder WHERE id = ?", int64(Root))
	if err != nil || there == 1 {
		return err
	}
	return s.change(func() error {
		if err := s.keepFolderID(Root); err != nil {
			return err
		}
		root := folderWork{isNew: true}
		root.row.ID = Root
		return root.write(s.c, nil)
	})
}

// metaFolders is the key of the highest FolderID that the journal or the tree
// ever held.
const metaFolders = "last_folder"

// Path returns the database file.
func (s *Store) Path() string { return s.path }

// Reader opens a Reader of the manifest as it is now.
func (s *Store) Reader() (*Reader, error) { return OpenReader(s.path) }

// Close closes the manifest. Steps that were acknowledged stay in the journal
// until the next Fold or Open.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.c.close()
}

// NextFolderID returns a number that no folder ever had.
func (s *Store) NextFolderID() FolderID { return FolderID(s.lastFolder.Add(1)) }

// FS returns the number of the file system with the given identity (a UUID or
// volume serial), and gives it one if it is new.
func (s *Store) FS(identity string) (FS, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id, ok := s.systems[identity]; ok {
		return id, nil
	}
	err := s.change(func() error {
		s.reseal = true
		return s.c.exec("INSERT INTO fs (identity) VALUES (?)", identity)
	})
	if err != nil {
		return 0, err
	}
	id, err := s.c.number("SELECT id FROM fs WHERE identity = ?", identity)
	if err != nil {
		return 0, err
	}
	s.systems[identity] = FS(id)
	return FS(id), nil
}

// Meta returns the value kept under a key, or "".
func (s *Store) Meta(key string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return reading(s.c).Meta(key)
}

// Row returns a folder as the last Fold left it, and whether it is there.
// Unlike a Reader, it keeps the log of the database from growing.
func (s *Store) Row(id FolderID) (Row, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return reading(s.c).Row(id)
}

// SetMeta keeps values under their keys; an empty value removes its key.
// The keys of the store's own are refused.
func (s *Store) SetMeta(values map[string]string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.change(func() error {
		s.reseal = true
		for key, value := range values {
			err := error(nil)
			switch {
			case key == metaFolders || key == metaSeal:
				err = fmt.Errorf("manifest: the key %q is the store's own", key)
			case value == "":
				err = s.c.exec("DELETE FROM meta WHERE key = ?", key)
			default:
				err = s.c.exec("REPLACE INTO meta VALUES (?, ?)", key, value)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}
