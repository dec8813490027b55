package backup

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

const (
	// commitEvery is how long an acknowledgement may wait to become durable.
	// Source: design §3.7.
	commitEvery = time.Second
	// foldEvery bounds the journal: so many steps are folded into the tree
	// in one go. Fewer would rewrite the row of a large folder too often.
	foldEvery = 20_000
)

// A journal makes durable what remote is about to do and what Drive
// acknowledged, and counts it. It is a run's remote.Journal.
type journal struct {
	*run
	mu      sync.Mutex // guards the rest: a ticker flushes beside remote
	intents map[*plan.Op]begun
	sent    map[int64]manifest.Intent // whose sessions have come further, by Seq
	steps   []manifest.Step
	undone  []int64 // intents that came to nothing
	pending int     // steps since the last fold
	wrote   bool
	heard   bool                                  // Drive has confirmed something
	costly  []Cost                                // the paths that cost the most bytes
	folders map[manifest.FolderID]manifest.FileID // as reserved or acknowledged in this run
}

// begun is what the journal holds of an operation that is under way.
type begun struct {
	seq     int64
	fresh   bool  // by this run, not an earlier one
	hour    int32 // as manifest.Intent has it
	session *manifest.Session
}

func newJournal(r *run) *journal {
	return &journal{
		run: r, intents: make(map[*plan.Op]begun), sent: make(map[int64]manifest.Intent),
		folders: make(map[manifest.FolderID]manifest.FileID),
	}
}

// Begin writes down the requests that must not be repeated blindly.
func (j *journal) Begin(ops []*plan.Op) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	intents := make([]manifest.Intent, len(ops))
	for i, op := range ops {
		intents[i] = j.intentOf(op)
	}
	if err := j.Store.Begin(intents); err != nil {
		return err
	}
	j.wrote = true
	for i, op := range ops {
		b := j.intents[op]
		b.fresh = b.fresh || b.seq == 0
		b.seq, b.hour = intents[i].Seq, intents[i].Hour
		j.intents[op] = b
	}
	return nil
}

// intentOf returns what to write down of op. What was begun before is begun
// again: by an earlier run, under another id, or with its content.
func (j *journal) intentOf(op *plan.Op) manifest.Intent {
	b := j.intents[op]
	before := b.seq
	if b.hour == 0 {
		b.hour = hour(j.Scan.Now())
	}
	in := manifest.Intent{Seq: before, Folder: op.Parent, Name: op.Name, FileID: op.FileID, Stat: op.Stat, Hour: b.hour}
	if b.session != nil && b.session.FileID == op.FileID {
		in.Session = *b.session
	}
	if op.File != nil && op.File.New != nil {
		in.Flags = op.File.New.Flags &^ manifest.Lost
	}
	switch op.Kind {
	case plan.CreateFolder:
		in.Kind, in.NewFolder = manifest.CreateFolder, op.Dir.New.Folder
		in.NewFolder.FileID = op.FileID
		in.NewFolder.Flags &^= manifest.Lost
	case plan.Copy, plan.Upload:
		in.Kind = manifest.CreateFile
	case plan.MoveFolder, plan.MoveFile, plan.Patch, plan.TrashFile, plan.TrashFolder:
		if before == 0 {
			content := manifest.Content{FileID: op.FileID}
			if op.Old != nil {
				content = *op.Old
			}
			in.Kind, in.Change = manifest.ChangeItem, j.stepsOf(remote.Ack{Op: op, Content: content, Stat: op.Stat})[0]
			break
		}
		// Somebody else has replaced the content on Drive, so that it is sent
		// again. Until that is acknowledged, the manifest has the item where
		// it was.
		fallthrough
	case plan.Update:
		in.Kind, in.HeadRevision = manifest.UpdateFile, op.Old.HeadRevision
		in.Folder, in.Name = op.File.Old.In.ID, op.File.Old.Name
	}
	return in
}

// Done takes an acknowledgement.
func (j *journal) Done(ack remote.Ack) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	steps := j.stepsOf(ack)
	steps[len(steps)-1].Intent = j.over(ack.Op)
	j.steps = append(j.steps, steps...)
	j.heard = true
	if j.edit != nil && j.edit.acked != nil {
		j.edit.acked(ack)
	}
	j.acked(ack)
	j.progress.done()
	return nil
}

// stepsOf says what an acknowledgement changes in the tree.
func (j *journal) stepsOf(ack remote.Ack) []manifest.Step {
	op := ack.Op
	switch op.Kind {
	case plan.CreateFolder, plan.MoveFolder:
		dir := op.Dir.New.Folder
		dir.FileID = ack.Content.FileID
		dir.Flags &^= manifest.Lost
		j.folders[dir.ID] = dir.FileID
		return []manifest.Step{{Kind: manifest.PutFolder, Dir: dir, Reason: manifest.EndMoved}}
	case plan.TrashFolder:
		return []manifest.Step{{Kind: manifest.DropFolder, Dir: op.Dir.Old.Folder, Reason: j.takenAway()}}
	case plan.TrashFile:
		old := op.File.Old
		return []manifest.Step{{Kind: manifest.Drop, Folder: old.In.ID, Entry: old.Entry, Reason: j.takenAway()}}
	}
	e := j.entryOf(ack)
	switch old := op.File.Old; op.Kind {
	case plan.MoveFile:
		return []manifest.Step{{
			Kind: manifest.Move, Folder: op.Parent, Entry: e,
			OldFolder: old.In.ID, OldName: old.Name, Reason: manifest.EndMoved,
		}}
	case plan.Patch:
		return []manifest.Step{{Kind: manifest.Put, Folder: op.Parent, Entry: e, Reason: manifest.EndTouched}}
	case plan.Copy, plan.Upload:
		put := manifest.Step{Kind: manifest.Put, Folder: op.Parent, Entry: e, Reason: manifest.EndModified}
		if old == nil {
			return []manifest.Step{put}
		}
		lost := manifest.Step{Kind: manifest.Drop, Folder: old.In.ID, Entry: old.Entry, Reason: manifest.EndLost}
		return []manifest.Step{lost, put}
	}
	return []manifest.Step{{Kind: manifest.Put, Folder: op.Parent, Entry: e, Reason: manifest.EndModified}}
}

// takenAway is why what this run trashes has ended.
func (r *run) takenAway() manifest.EndReason {
	if r.edit != nil {
		return r.edit.reason
	}
	return manifest.EndDeleted
}

// entryOf returns the entry that Drive now holds.
func (j *journal) entryOf(ack remote.Ack) manifest.Entry {
	e := ack.Op.File.New.Entry
	e.Flags &^= manifest.Lost
	e.Content = ack.Content
	if ack.Op.Kind.Sends() {
		if e.Stat != ack.Stat {
			// It changed between scan and send. What was sent is what this
			// stat describes, but nobody knows how young the stamp was.
			e.Stat = ack.Stat
			e.Flags |= manifest.Racy
		}
		e.Day = day(j.Scan.Now())
	}
	return e
}

// over forgets an operation whose intent is settled, and returns its number.
func (j *journal) over(op *plan.Op) int64 {
	seq := j.intents[op].seq
	delete(j.intents, op)
	delete(j.sent, seq)
	return seq
}

// hour numbers the hours, as manifest.Intent has them.
func hour(t time.Time) int32 { return int32(t.Unix() / (60 * 60)) }

// day numbers the days of contents read, as manifest.Entry has them.
func day(t time.Time) int32 { return int32(t.Unix() / (24 * 60 * 60)) }

// Failed notes an operation that is given up for this run. Unless Drive has
// certainly not done it, the next run asks what became of it.
func (j *journal) Failed(op *plan.Op, err error, undone bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, gone := remote.IsLost(err)
	if b := j.intents[op]; b.seq != 0 && undone && (gone || b.fresh) {
		j.undone = append(j.undone, j.over(op))
	}
	j.fail(op, err)
	j.progress.done()
}

// local writes the changes that need no request.
func (j *journal) local(c manifest.Changes) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, f := range c.Folders {
		j.steps = append(j.steps, manifest.Step{Kind: manifest.PutFolder, Dir: f.New.Folder, Reason: reasonOf(f.Kind)})
	}
	for _, f := range c.Files {
		j.steps = append(j.steps, manifest.Step{Kind: manifest.Put, Folder: f.New.In.ID, Entry: f.New.Entry, Reason: reasonOf(f.Kind)})
		j.countLocal(f.Kind)
	}
	return j.write()
}

func reasonOf(k manifest.ChangeKind) manifest.EndReason {
	if k == manifest.Retire {
		return manifest.EndRetired
	}
	return manifest.EndTouched
}

// flush makes durable what was acknowledged.
func (j *journal) flush() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.write()
}

func (j *journal) write() error {
	if len(j.steps)+len(j.undone)+len(j.sent) == 0 {
		return nil
	}
	j.wrote = true
	if err := errors.Join(j.Store.Ack(j.steps), j.Store.Settle(j.undone...), j.writeSent()); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	j.undone = j.undone[:0]
	j.pending += len(j.steps)
	clear(j.steps)
	j.steps = j.steps[:0]
	if j.pending < foldEvery {
		return nil
	}
	j.pending = 0
	return j.Store.Fold()
}

// tick flushes every second until done is called, which flushes once more and
// returns the first error.
func (j *journal) tick(stop context.CancelCauseFunc) (done func() error) {
	ended, quit := make(chan error), make(chan struct{})
	go func() {
		t := time.NewTicker(commitEvery)
		defer t.Stop()
		heap := newHeapRoom()
		defer heap.close()
		var first error
		for {
			select {
			case <-t.C:
				heap.adjust()
				if err := j.flush(); err != nil && first == nil {
					first = err
					stop(err) // a run that cannot remember must not go on
				}
			case <-quit:
				ended <- first
				return
			}
		}
	}()
	return func() error {
		close(quit)
		return also(<-ended, j.flush())
	}
}

// folder returns Drive's id of a folder.
func (j *journal) folder(id manifest.FolderID) (manifest.FileID, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if f, ok := j.folders[id]; ok {
		return f, nil
	}
	row, ok, err := j.Store.Row(id)
	if err != nil {
		return "", err
	}
	if !ok || row.FileID == "" {
		return "", fmt.Errorf("folder %d is not on Drive", id)
	}
	return row.FileID, nil
}
