package manifest

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
)

// A RunID numbers the runs of one manifest, from 1.
type RunID int64

// A Run is one run as the history has it.
type Run struct {
	ID      RunID
	Kind    string    // what was run: "scan", "path", "verify"...
	Started time.Time // UTC
	Ended   time.Time // zero if it was interrupted or is still on
	RunSummary
}

// A RunSummary says how a run ended.
type RunSummary struct {
	Complete   bool            // all that it should save is saved; see Reader.LastSuccess
	Conditions []string        // what held something back or failed, in one word each
	Counters   json.RawMessage // an object, as the summary line of --json has it
	Sources    []Source        // those that were scanned; LastRuns does not fill it
}

// A Source is a configured source as its last scan found it: what the guards
// compare with.
type Source struct {
	Path   Path
	Folder FolderID
	FS     FS
	Inode  uint64 // of its root folder
	Run    RunID  // the first run that found just this; the store sets it
}

// A pendingRun is the run that is on. Its row is written with its first
// change, so that a run which changed nothing is one row in one transaction.
type pendingRun struct {
	id      RunID // of the last run, also if none is on
	kind    string
	started time.Time
	begun   bool
	written bool
}

// BeginRun begins a run of the given kind. It writes nothing yet.
func (s *Store) BeginRun(kind string, at time.Time) RunID {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.run.id
	if !s.run.begun || s.run.written {
		id++ // else the run before left nothing behind, and its number is free
	}
	s.run = pendingRun{id: id, kind: kind, started: at, begun: true}
	return id
}

// writeRun writes the row of the run that is on, within a transaction.
func (s *Store) writeRun() error {
	if s.run.written {
		return nil
	}
	return s.c.exec("INSERT INTO run (id, started, kind) VALUES (?, ?, ?)", int64(s.run.id), s.run.started.UnixNano(), s.run.kind)
}

// EndRun writes how the run ended, and what is new of its sources. The caller
// has folded before.
func (s *Store) EndRun(id RunID, at time.Time, sum RunSummary) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.run.begun || s.run.id != id {
		return fmt.Errorf("end run %d: it is not the run that is on", id)
	}
	if sum.Counters == nil {
		sum.Counters = json.RawMessage("{}")
	}
	err := s.record(func() error {
		for i := range sum.Sources {
			if err := s.putSource(&sum.Sources[i]); err != nil {
				return err
			}
		}
		complete := int64(0)
		if sum.Complete {
			complete = 1
		}
		return s.c.exec("UPDATE run SET ended = ?, complete = ?, conditions = ?, counters = ? WHERE id = ?",
			at.UnixNano(), complete, strings.Join(sum.Conditions, " "), string(sum.Counters), int64(id))
	})
	if err == nil {
		s.run.begun = false
	}
	return err
}

// RecountRun replaces the counters of a run that has ended.
func (s *Store) RecountRun(id RunID, counters json.RawMessage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.change(func() error {
		return s.c.exec("UPDATE run SET counters = ? WHERE id = ?", string(counters), int64(id))
	})
}

// putSource writes a source if something of it is new.
func (s *Store) putSource(src *Source) error {
	same, err := s.c.number("SELECT count(*) FROM source WHERE path = ? AND folder = ? AND fs = ? AND inode = ?",
		string(src.Path), int64(src.Folder), int64(src.FS), int64(src.Inode))
	if err != nil || same == 1 {
		return err
	}
	s.reseal = true
	return s.c.exec("REPLACE INTO source VALUES (?, ?, ?, ?, ?)",
		string(src.Path), int64(src.Folder), int64(src.FS), int64(src.Inode), int64(s.run.id))
}

// Sources returns the sources as their last scans found them.
func (r *Reader) Sources() (list []Source, err error) {
	err = r.c.query("SELECT path, folder, fs, inode, run FROM source ORDER BY path", func(v []driver.Value) error {
		list = append(list, Source{
			Path: Path(text(v[0])), Folder: FolderID(integer(v[1])), FS: FS(integer(v[2])),
			Inode: uint64(integer(v[3])), Run: RunID(integer(v[4])),
		})
		return nil
	})
	return list, err
}

const selectRun = "SELECT id, kind, started, ended, complete, conditions, counters FROM run "

// LastRuns returns the last n runs, the newest first.
func (r *Reader) LastRuns(n int) ([]Run, error) {
	return r.runs(selectRun+"ORDER BY id DESC LIMIT ?", int64(n))
}

// RunsSince returns the runs that began at a time or later, the newest first.
func (r *Reader) RunsSince(at time.Time) ([]Run, error) {
	return r.runs(selectRun+"WHERE started >= ? ORDER BY id DESC", nanos(at))
}

// Run returns the run of that number, and whether there is one.
func (r *Reader) Run(id RunID) (Run, bool, error) {
	return first(r.runs(selectRun+"WHERE id = ?", int64(id)))
}

// RunAt returns the newest run that had begun at a time, and whether there is
// one: what it saved is what the disk held then.
func (r *Reader) RunAt(at time.Time) (Run, bool, error) {
	return first(r.runs(selectRun+"WHERE started <= ? ORDER BY started DESC, id DESC LIMIT 1", nanos(at)))
}

// nanos is a time in nanoseconds since 1970, or the nearest that can be told in
// them.
func nanos(at time.Time) int64 {
	switch {
	case at.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case at.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return at.UnixNano()
}

// LastSuccess returns the newest complete run of the given kind, and whether there is one.
func (r *Reader) LastSuccess(kind string) (Run, bool, error) {
	return first(r.runs(selectRun+"WHERE complete = 1 AND kind = ? ORDER BY id DESC LIMIT 1", kind))
}

// LastRun returns the newest run of the given kind, and whether there is one.
func (r *Reader) LastRun(kind string) (Run, bool, error) {
	return first(r.runs(selectRun+"WHERE kind = ? ORDER BY id DESC LIMIT 1", kind))
}

// LastEnded returns the newest run of the given kind that has ended, however,
// and whether there is one.
func (r *Reader) LastEnded(kind string) (Run, bool, error) {
	return first(r.runs(selectRun+"WHERE ended IS NOT NULL AND kind = ? ORDER BY id DESC LIMIT 1", kind))
}

func first(list []Run, err error) (Run, bool, error) {
	if err != nil || len(list) == 0 {
		return Run{}, false, err
	}
	return list[0], true, nil
}

func (r *Reader) runs(query string, args ...driver.Value) (list []Run, err error) {
	err = r.c.query(query, func(v []driver.Value) error {
		run := Run{ID: RunID(integer(v[0])), Kind: text(v[1]), Started: time.Unix(0, integer(v[2])).UTC()}
		if v[3] != nil {
			run.Ended = time.Unix(0, integer(v[3])).UTC()
		}
		run.Complete = integer(v[4]) == 1
		run.Conditions = strings.Fields(text(v[5]))
		run.Counters = json.RawMessage(text(v[6]))
		list = append(list, run)
		return nil
	}, args...)
	return list, err
}
