package manifest

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
)

// An IntentKind says which request an intent is about.
type IntentKind uint8

// The kinds of intent. Their numbers are stored: never renumber them.
const (
	CreateFile IntentKind = iota + 1
	UpdateFile
	CreateFolder
	ChangeItem // a move, a patch or a trash
)

// An Intent is a request that must not be repeated blindly, written down
// before it is sent: should its answer be lost, the ids tell what became of it.
type Intent struct {
	Seq    int64 // its number; Begin gives one to those with 0 and replaces the others
	Kind   IntentKind
	Folder FolderID // where the file is or will be
	Name   string
	FileID FileID // reserved, or of the file to be updated
	Stat   Stat   // of the content to be sent
	Hour   int32  // when the id was reserved, or a half-sent content given up, in hours since 1970
	Late   bool   // nobody goes on with it, but it may still arrive

	Flags        Flags   // the entry's, to be
	HeadRevision string  // UpdateFile: the revision that is to be replaced
	NewFolder    Folder  // CreateFolder: the folder; Folder, Name, FileID and Stat are then not used
	Change       Step    // ChangeItem: what its acknowledgement changes; Folder, Name and Stat are then not used
	Session      Session // CreateFile and UpdateFile: what was sent of the content, if that takes more than one request
}

// A StepKind says what a step does to the tree.
type StepKind uint8

// The kinds of step. Their numbers are stored: never renumber them.
const (
	Put        StepKind = iota + 1 // Entry is now in Folder, under its name
	Drop                           // the file Entry.FileID is no longer in Folder under Entry.Name
	Move                           // Put, and it is no longer in OldFolder under OldName
	PutFolder                      // Dir is new, or is what the folder of that ID is now
	DropFolder                     // the folder Dir.ID and all below it is gone
)

// An EndReason says in the history why a version is no longer what is there.
type EndReason string

// The reasons.
const (
	EndModified    EndReason = "modified"
	EndTouched     EndReason = "touched"
	EndMoved       EndReason = "moved"
	EndDeleted     EndReason = "deleted"
	EndRetired     EndReason = "retired"
	EndPurged      EndReason = "purged"      // trashed on Drive by the user's word
	EndUndone      EndReason = "undone"      // the run that made it was taken back
	EndRemoved     EndReason = "removed"     // for good: nothing brings it back
	EndLost        EndReason = "lost"        // Drive no longer had it
	EndOverwritten EndReason = "overwritten" // on Drive, by somebody else
)

// A Step is one change that Drive has acknowledged. It can be applied to any
// tree, and applied twice it changes nothing.
//
// Where Put or Move meets another FileID under that name, that one is
// *displaced*: kept apart, not forgotten, until a later step puts or drops it.
// So a swap may be acknowledged in any order and interrupted anywhere.
type Step struct {
	Kind      StepKind
	Folder    FolderID // of Put, Drop and Move
	Entry     Entry    // of Put and Move; of Drop only Name and FileID
	OldFolder FolderID // of Move
	OldName   string   // of Move
	Dir       Folder   // of PutFolder; of DropFolder only ID
	Reason    EndReason
	Intent    int64 // the intent it settles, or 0
}

// Begin makes intents durable and fills in their numbers. Only then may their
// requests be sent.
func (s *Store) Begin(intents []Intent) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.record(func() error {
		for i := range intents {
			in := &intents[i]
			if in.Seq == 0 {
				s.intent++
				in.Seq = s.intent
			}
			if err := s.c.exec("REPLACE INTO intent VALUES (?, ?)", in.Seq, sealed(in.Seq, in.encode())); err != nil {
				return err
			}
			if err := s.keepFolderID(in.NewFolder.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// Unsettled returns the intents that nothing has settled, in the order of
// their numbers. A run begins with asking Drive what became of them.
func (s *Store) Unsettled() (list []Intent, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.c.query("SELECT seq, record FROM intent ORDER BY seq", func(v []driver.Value) error {
		in := Intent{Seq: integer(v[0])}
		body, wrong := unsealed(in.Seq, blob(v[1]))
		if wrong != "" || !in.decode(body) {
			return damagedJournal(s.path, "intent", in.Seq)
		}
		list = append(list, in)
		return nil
	})
	return list, err
}

// Settle forgets intents: Drive was asked, and nothing is left to be done.
func (s *Store) Settle(seqs ...int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.c.tx(func() error { return s.settle(seqs...) })
}

// settle deletes in ranges: what begins together mostly ends together.
func (s *Store) settle(seqs ...int64) error {
	seqs = slices.Sorted(slices.Values(seqs))
	for len(seqs) > 0 {
		n := 1
		for n < len(seqs) && seqs[n] == seqs[n-1]+1 {
			n++
		}
		if err := s.c.exec("DELETE FROM intent WHERE seq BETWEEN ? AND ?", seqs[0], seqs[n-1]); err != nil {
			return err
		}
		seqs = seqs[n:]
	}
	return nil
}

// stepsInRow is how many steps share a row of the journal: so many that the
// database's own work is shared too, few enough to fit on a page or two.
const stepsInRow = 32

// Ack makes steps that Drive has acknowledged durable, in one transaction,
// together with the end of the intents that they settle. Readers see them
// after the next Fold. A step into a folder that does not exist is an error.
func (s *Store) Ack(steps []Step) error {
	if len(steps) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ack(steps)
}

func (s *Store) ack(steps []Step) error {
	return s.record(func() error {
		seq, err := s.c.number("SELECT max(seq) FROM step")
		if err != nil {
			return err
		}
		var settled []int64
		for some := range slices.Chunk(steps, stepsInRow) {
			seq++
			record := make([]byte, recordHead, 256*len(some))
			for i := range some {
				st := &some[i]
				if err := s.placed(st); err != nil {
					return err
				}
				if err := s.keepFolderID(st.Dir.ID); err != nil {
					return err
				}
				if st.Intent != 0 {
					settled = append(settled, st.Intent)
				}
				record = st.append(record)
			}
			if err := s.c.exec("INSERT INTO step VALUES (?, ?, ?)", seq, int64(s.run.id), sealed(seq, record)); err != nil {
				return err
			}
		}
		return s.settle(settled...)
	})
}

// record runs f in a transaction that also writes the run's row, if it is the
// run's first.
func (s *Store) record(f func() error) error {
	if !s.run.begun {
		return errors.New("write manifest: no run has begun")
	}
	err := s.change(func() error {
		if err := s.writeRun(); err != nil {
			return err
		}
		return f()
	})
	if err == nil {
		s.run.written = true
	}
	return err
}

// placed makes sure that the folder which a step puts something in exists, in
// the tree or in the journal.
func (s *Store) placed(st *Step) error {
	into := st.Folder
	switch st.Kind {
	case PutFolder:
		s.unfolded[st.Dir.ID] = true
		if into = st.Dir.Parent; st.Dir.ID == Root && into == 0 {
			return nil
		}
	case Put, Move:
		if k := st.Entry.Kind; st.Entry.Name == "" || st.Entry.FileID == "" || (k != File && k != Symlink) {
			return fmt.Errorf("write manifest: %q with id %q is neither a file nor a symlink on Drive", st.Entry.Name, st.Entry.FileID)
		}
	case Drop, DropFolder:
		return nil
	default:
		return fmt.Errorf("write manifest: no such step: %d", st.Kind)
	}
	if s.unfolded[into] {
		return nil
	}
	there, err := s.c.number("SELECT count(*) FROM folder WHERE id = ?", int64(into))
	if err == nil && there == 0 {
		err = fmt.Errorf("write manifest: there is no folder %d to put %q into", into, st.Entry.Name+st.Dir.Name)
	}
	return err
}

// keepFolderID sees to it that id is never given out again.
func (s *Store) keepFolderID(id FolderID) error {
	if int64(id) <= s.folders {
		return nil
	}
	s.folders = int64(id) // stays so should the transaction fail, which only skips numbers until the next Open
	s.reseal = true
	return s.c.exec("REPLACE INTO meta VALUES (?, ?)", metaFolders, fmt.Sprint(id))
}
