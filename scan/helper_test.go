//go:build linux

package scan

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/manifest"
)

// commit writes what a scan saw into the manifest, as a backup does when Drive
// has acknowledged everything.
func commit(t testing.TB, s *manifest.Store, res *Result) manifest.Changes {
	t.Helper()
	return commitWith(t, s, res, hashOf)
}

// commitPlain is commit for contents whose hash does not matter.
func commitPlain(t testing.TB, s *manifest.Store, res *Result) manifest.Changes {
	t.Helper()
	return commitWith(t, s, res, func(testing.TB, manifest.Path, manifest.Kind) manifest.Hash { return manifest.Hash{1} })
}

func commitWith(t testing.TB, s *manifest.Store, res *Result, hashOf func(testing.TB, manifest.Path, manifest.Kind) manifest.Hash) manifest.Changes {
	t.Helper()
	changes := manifest.Diff(res.Observation)
	acknowledge(t, s, stepsOf(t, changes, hashOf))
	return changes
}

// stepsOf lists what an acknowledgement of each change does to the manifest.
func stepsOf(t testing.TB, changes manifest.Changes, hashOf func(testing.TB, manifest.Path, manifest.Kind) manifest.Hash) []manifest.Step {
	t.Helper()
	var steps []manifest.Step
	for _, c := range changes.Folders {
		switch c.Kind {
		case manifest.Deleted, manifest.Keep:
		default:
			steps = append(steps, manifest.Step{Kind: manifest.PutFolder, Dir: c.New.Folder})
		}
	}
	for _, c := range changes.Files {
		switch c.Kind {
		case manifest.Keep:
		case manifest.Deleted:
			steps = append(steps, manifest.Step{Kind: manifest.Drop, Folder: c.Old.In.ID, Entry: c.Old.Entry, Reason: manifest.EndDeleted})
		case manifest.Moved:
			steps = append(steps, manifest.Step{Kind: manifest.Move, Folder: c.New.In.ID, Entry: c.New.Entry,
				OldFolder: c.Old.In.ID, OldName: c.Old.Name, Reason: manifest.EndMoved})
		default:
			e := c.New.Entry
			switch c.Kind {
			case manifest.Created:
				e.FileID = manifest.FileID(fmt.Sprint("id", nextID.Add(1)))
			case manifest.Modified:
				e.FileID = c.Old.FileID
			}
			if e.Hash.IsZero() && !e.Flags.Has(manifest.Retired) {
				e.Hash = hashOf(t, c.New.Path(), e.Kind) // what an upload would have read
			}
			steps = append(steps, manifest.Step{Kind: manifest.Put, Folder: c.New.In.ID, Entry: e, Reason: manifest.EndModified})
		}
	}
	for _, c := range changes.Folders {
		if c.Kind == manifest.Deleted {
			steps = append(steps, manifest.Step{Kind: manifest.DropFolder, Dir: manifest.Folder{ID: c.Old.ID}, Reason: manifest.EndDeleted})
		}
	}
	return steps
}

// acknowledge writes steps into the manifest.
func acknowledge(t testing.TB, s *manifest.Store, steps []manifest.Step) {
	t.Helper()
	s.BeginRun("scan", time.Unix(0, 0))
	if err := s.Ack(steps); err != nil {
		t.Fatal(err)
	}
	if err := s.Fold(); err != nil {
		t.Fatal(err)
	}
}

var nextID atomic.Int64

func openStore(t testing.TB) *manifest.Store {
	t.Helper()
	s, err := manifest.Open(filepath.Join(t.TempDir(), "manifest.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func source(t testing.TB, root string) Source {
	t.Helper()
	p, err := PathOf(root)
	if err != nil {
		t.Fatal(err)
	}
	return Source{Path: p, Root: root}
}

// later is a clock that stands an hour ahead, so that no stamp is too young.
func later() time.Time { return time.Now().Add(time.Hour) }

func mustTree(t testing.TB, s *manifest.Store, sources []Source, opts Options) *Result {
	t.Helper()
	if opts.Now == nil {
		opts.Now = later
	}
	res, err := Tree(t.Context(), s, sources, opts)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// rowsByInode returns the known folders with an inode number.
func rowsByInode(t testing.TB, s *manifest.Store, inode uint64) (rows []manifest.Row) {
	t.Helper()
	r, err := s.Reader()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	err = r.Walk(manifest.Root, func(_ manifest.Path, row manifest.Row, _ []manifest.Entry) error {
		if row.Inode == inode {
			rows = append(rows, row)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
