package backup

import (
	"cmp"
	"time"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/scan"
)

// idHours is how long a reserved id is used again: a create that was under way
// when a run died may still arrive, and under the same id it is met and not
// doubled. Source: design §3.5.
const idHours = 24

// lateHours is how long after it was begun, or half-sent and given up, Drive is
// asked for the last time what became of something that nobody goes on with: it
// may have arrived late, or not have been seen at once. Drive names no time.
const lateHours = 2

// A place is where a file or a folder goes.
type place struct {
	folder manifest.FolderID
	name   string
}

// A look is what a file looks like, wherever it is.
type look struct{ size, modTime int64 }

func lookOf(st manifest.Stat) look { return look{st.Size, st.ModTime} }

// knownBy is what a file is known again by.
type knownBy int

const (
	both knownBy = iota
	looks
	placeOnly
)

// resume has what is planned now go on where an earlier run was stopped: an
// upload takes over the id that was reserved for it, and what was sent of it
// in a session. A half-sent file is known again by its looks, best at its
// place, for it may have been moved; remote proves that it is the same. What
// else is at a place, folders too, goes on with the id that was reserved there.
// What nobody goes on with is forgotten, unless this run has not looked there.
func (r *run) resume() error {
	if len(r.half) == 0 {
		return nil
	}
	byID := make(map[manifest.FileID]*manifest.Intent)
	byPlace := make(map[place]*manifest.Intent)
	byLook := make(map[look]*manifest.Intent)
	folders := make(map[place]*manifest.Intent)
	for i := range r.half {
		in := &r.half[i]
		switch {
		case in.Kind == manifest.UpdateFile:
			byID[in.FileID] = in
			continue
		case in.Kind == manifest.CreateFolder:
			folders[place{in.NewFolder.Parent, in.NewFolder.Name}] = in
			continue
		case in.Session.Address != "":
			byLook[lookOf(in.Session.Stat)] = in
		}
		byPlace[place{in.Folder, in.Name}] = in
	}
	was := make(map[manifest.FolderID]manifest.FolderID) // the number that the earlier run gave to a folder
	taken := make(map[*manifest.Intent]bool)
	find := func(op *plan.Op, by knownBy) *manifest.Intent {
		var in *manifest.Intent
		at := place{cmp.Or(was[op.Parent], op.Parent), op.Name}
		switch op.Kind {
		case plan.CreateFolder:
			in = folders[at]
		case plan.Update:
			in = byID[op.FileID]
		case plan.Upload, plan.Copy:
			in = byPlace[at]
			switch {
			case by != placeOnly && op.Kind == plan.Copy:
				return nil // what it is a copy of goes on
			case by == looks:
				in = byLook[lookOf(op.Stat)]
			case by == both && in != nil && (in.Session.Address == "" || lookOf(in.Session.Stat) != lookOf(op.Stat)):
				return nil
			}
		}
		if in == nil || taken[in] || r.journal.intents[op].seq != 0 {
			return nil
		}
		taken[in] = true
		if op.Kind == plan.CreateFolder {
			was[op.Folder] = in.NewFolder.ID
		}
		return in
	}
	for _, by := range []knownBy{both, looks, placeOnly} {
		for _, stage := range r.planned.Stages {
			for _, op := range stage {
				if in := find(op, by); in != nil {
					r.journal.goOn(op, in)
				}
			}
		}
		for _, h := range r.planned.Held {
			for _, op := range h.Ops {
				find(op, by)
			}
		}
	}
	return r.forget(taken)
}

// goOn lets op take over what was begun.
func (j *journal) goOn(op *plan.Op, in *manifest.Intent) {
	j.mu.Lock()
	defer j.mu.Unlock()
	b := begun{seq: in.Seq, hour: in.Hour}
	if op.Kind.Creates() {
		op.FileID = idOf(*in)
	}
	if in.Session.Address != "" {
		b.session = &in.Session
	}
	j.intents[op] = b
}

// forget settles what nobody has taken, but for half-sent files in places that
// this run did not look at, and what may still arrive.
func (r *run) forget(taken map[*manifest.Intent]bool) error {
	known, err := r.Store.Reader()
	if err != nil {
		return err
	}
	defer known.Close()
	var seqs []int64
	var late []manifest.Intent
	for i := range r.half {
		in := &r.half[i]
		if taken[in] || in.Late && r.early(in) {
			continue
		}
		if in.Session.Address != "" {
			path, err := pathOf(known, in.Folder, in.Name)
			if err != nil {
				return err
			}
			young := r.started.Sub(time.Unix(0, in.Session.Begun)) < remote.SessionLife
			if young && r.overlooked(path) {
				continue
			}
			r.Log.Info("half-sent upload given up: there is nothing to be sent there any more", "path", string(path), "id", string(in.FileID))
			in.Session, in.Hour = manifest.Session{}, hour(r.started) // its last chunk may have been under way just now
		}
		if in.Late || !r.early(in) {
			seqs = append(seqs, in.Seq)
			continue
		}
		in.Late = true
		late = append(late, *in)
	}
	err = r.Store.Settle(seqs...)
	if err == nil && len(late) > 0 {
		err = r.Store.Begin(late)
	}
	return err
}

// early reports whether it is too early to say that what an intent is about will
// never be on Drive.
func (r *run) early(in *manifest.Intent) bool {
	age := hour(r.started) - in.Hour
	return age >= 0 && age < lateHours
}

// overlooked reports whether this run cannot say that there is nothing to be
// sent from path.
func (r *run) overlooked(path manifest.Path) bool {
	if r.named() {
		return true
	}
	for i, s := range r.Backup.Sources {
		if path.Within(s.Path) && (s.Exclude != nil || r.looked.Sources[i].State != scan.OK) {
			return true
		}
	}
	for _, p := range r.looked.Unknown {
		if path.Within(p) {
			return true
		}
	}
	for _, s := range r.looked.Skips {
		if path.Within(s.Path) && s.Class != scan.Special && s.Class != scan.OwnFile {
			return true
		}
	}
	return false
}

// pathOf returns the path of name in a folder, as far as the manifest knows it.
func pathOf(known *manifest.Reader, in manifest.FolderID, name string) (manifest.Path, error) {
	path := manifest.Path(name)
	for in != manifest.Root {
		row, ok, err := known.Row(in)
		if err != nil || !ok {
			return path, err
		}
		path = manifest.Path(row.Name).Join(string(path))
		in = row.Parent
	}
	return path, nil
}

// sentBefore counts the bytes of what is gone on with that Drive has.
func (j *journal) sentBefore() (n int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, b := range j.intents {
		if b.session != nil {
			n += b.session.Sent
		}
	}
	return n
}

// KeepSession writes down how far an upload has come: at once when it begins,
// so that a later run can go on with it, and then with the next commit.
func (j *journal) KeepSession(op *plan.Op, s manifest.Session) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	b := j.intents[op]
	first := b.session == nil || b.session.Address != s.Address
	b.session = &s
	j.intents[op] = b
	in := j.intentOf(op)
	j.sent[in.Seq] = in
	if first {
		return j.writeSent()
	}
	return nil
}

// Session returns what is known of a half-sent upload.
func (j *journal) Session(op *plan.Op) manifest.Session {
	j.mu.Lock()
	defer j.mu.Unlock()
	return *cmp.Or(j.intents[op].session, &manifest.Session{})
}

// writeSent makes durable how far uploads have come.
func (j *journal) writeSent() error {
	if len(j.sent) == 0 {
		return nil
	}
	var list []manifest.Intent
	for _, in := range j.sent {
		list = append(list, in)
	}
	clear(j.sent)
	return j.Store.Begin(list)
}
