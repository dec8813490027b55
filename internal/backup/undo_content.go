package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// oldContents fetches what files held before. Drive gives a revision out only
// when it is pinned; the pins are let go of, and the revisions with them, of
// those contents that are what their files hold again.
type oldContents struct {
	*run
	ctx    context.Context
	was    map[manifest.FileID]*manifest.Version // what files held before
	pinned map[manifest.FileID]remote.Blob       // by us
	back   []restored                            // of those, what files hold again
	gone   map[manifest.FileID]error
}

func (o *oldContents) blob(id manifest.FileID) remote.Blob {
	return remote.Blob{FileID: id, Revision: o.was[id].HeadRevision, Size: o.was[id].Size}
}

// pin pins the contents that the plan's updates need.
func (o *oldContents) pin(p *plan.Plan) error {
	o.pinned, o.gone = map[manifest.FileID]remote.Blob{}, map[manifest.FileID]error{}
	var blobs []remote.Blob
	for _, stage := range p.Stages {
		for _, op := range stage {
			if op.Kind == plan.Update {
				blobs = append(blobs, o.blob(op.FileID))
			}
		}
	}
	if len(blobs) == 0 {
		return nil
	}
	found, hidden, err := o.Drive.LookAt(o.ctx, blobs)
	if err != nil {
		return err
	}
	known, err := o.pins()
	if err != nil {
		return err
	}
	var pins []remote.Blob
	had := slices.Clone(known)
	for _, b := range blobs {
		ours := slices.IndexFunc(known, func(p pin) bool { return p.Blob == b })
		switch rev, ok := found[b]; {
		case hidden[b] != nil:
			o.gone[b.FileID] = hidden[b]
		case !ok:
			o.gone[b.FileID] = errors.New("what it held before is no longer on Drive")
		case !rev.Pinned:
			pins = append(pins, b)
			if ours < 0 {
				known = append(known, pin{Blob: b})
			}
		case ours >= 0:
			o.pinned[b.FileID] = b
			known[ours].Stays = false
		}
	}
	if !slices.Equal(known, had) {
		if err := o.keepPins(known); err != nil { // before Drive hears of them
			return err
		}
	}
	failed, err := o.Drive.Pin(o.ctx, pins)
	var kept []manifest.Revised
	for _, b := range pins {
		if e := failed[b]; e != nil {
			o.gone[b.FileID] = e
		} else if err == nil {
			o.pinned[b.FileID] = b
			kept = append(kept, manifest.Revised{FileID: b.FileID, Was: b.Revision, Now: b.Revision, Kept: true})
		}
	}
	return errors.Join(err, o.Store.Revise(kept))
}

// acked takes in that Drive has confirmed an operation.
func (o *oldContents) acked(a remote.Ack) {
	if b, ok := o.pinned[a.Op.FileID]; ok && a.Op.Kind == plan.Update {
		delete(o.pinned, a.Op.FileID)
		o.back = append(o.back, restored{b, a.Content})
	}
}

// open fetches the content for an update into a file of its own.
func (o *oldContents) open(op *plan.Op) (_ remote.Content, err error) {
	if err := o.gone[op.FileID]; err != nil {
		return nil, err
	}
	dir := o.undoDir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, "")
	if err != nil {
		return nil, err
	}
	c := &fetched{File: f, stat: op.Stat}
	b, proof := o.blob(op.FileID), o.was[op.FileID].Proof()
	_, err = o.Drive.Download(o.ctx, b, 0, b.Size, io.MultiWriter(f, proof))
	if err == nil && !proof.Holds() {
		err = errors.New("another content arrived than was saved")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("fetch what it held before: %w", err), c.Close())
	}
	return c, nil
}

// undoDir holds what an undo fetches until it is sent: beside the manifest,
// where the next run of any kind clears away what one leaves that is killed.
func (b *Backup) undoDir() string { return filepath.Join(filepath.Dir(b.Store.Path()), "undo") }

// letGo lets Drive drop the revisions that were pinned here, but for those that
// did not get to be what their files hold.
func (o *oldContents) letGo() error {
	stay := make([]manifest.Content, 0, len(o.pinned))
	for id, b := range o.pinned {
		o.Log.Warn("pinned revision stays", "id", string(id), "revision", b.Revision)
		stay = append(stay, manifest.Content{FileID: id, HeadRevision: b.Revision})
	}
	back := o.back
	o.pinned, o.back = nil, nil
	return errors.Join(o.leavePins(stay), o.unpin(context.WithoutCancel(o.ctx), back))
}

// fetched is a content that lies in a file only until it is sent.
type fetched struct {
	*os.File
	stat manifest.Stat // as it was when it was backed up
}

// Stat returns the stat that the content had.
func (f *fetched) Stat() (manifest.Stat, error) { return f.stat, nil }

// Close removes the file.
func (f *fetched) Close() error { return errors.Join(f.File.Close(), os.Remove(f.Name())) }
