package backup

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// oldContents fetches what files held before. Drive gives a revision out only
// when it is pinned; the pins are let go of when their contents are what the
// files hold again.
type oldContents struct {
	*run
	ctx    context.Context
	blobs  map[manifest.FileID]remote.Blob // by file
	pinned []remote.Blob                   // by us
	gone   map[manifest.FileID]error
}

// pin pins the contents that the plan's updates need.
func (o *oldContents) pin(p *plan.Plan, was func(manifest.FileID) (string, int64)) error {
	o.blobs, o.gone = map[manifest.FileID]remote.Blob{}, map[manifest.FileID]error{}
	var blobs []remote.Blob
	for _, stage := range p.Stages {
		for _, op := range stage {
			if op.Kind == plan.Update {
				rev, size := was(op.FileID)
				b := remote.Blob{FileID: op.FileID, Revision: rev, Size: size}
				o.blobs[op.FileID], blobs = b, append(blobs, b)
			}
		}
	}
	if len(blobs) == 0 {
		return nil
	}
	found, err := o.Drive.LookAt(o.ctx, blobs)
	if err != nil {
		return err
	}
	var pins []remote.Blob
	for _, b := range blobs {
		switch rev, ok := found[b]; {
		case !ok:
			o.gone[b.FileID] = errors.New("what it held before is no longer on Drive")
		case !rev.Pinned:
			pins = append(pins, b)
		}
	}
	failed, err := o.Drive.Pin(o.ctx, pins)
	for _, b := range pins {
		if e := failed[b]; e != nil {
			o.gone[b.FileID] = e
		} else if err == nil {
			o.pinned = append(o.pinned, b)
		}
	}
	return err
}

// open fetches the content for an update into a file of its own.
func (o *oldContents) open(op *plan.Op) (_ remote.Content, err error) {
	if err := o.gone[op.FileID]; err != nil {
		return nil, err
	}
	f, err := os.CreateTemp("", "acb-undo-")
	if err != nil {
		return nil, err
	}
	c := &fetched{File: f, stat: op.Stat}
	b := o.blobs[op.FileID]
	if _, err := o.Drive.Download(o.ctx, b, 0, b.Size, f); err != nil {
		return nil, errors.Join(fmt.Errorf("fetch what it held before: %w", err), c.Close())
	}
	return c, nil
}

// letGo lets Drive drop the revisions that were pinned here.
func (o *oldContents) letGo() error {
	if len(o.pinned) == 0 {
		return nil
	}
	blobs := o.pinned
	o.pinned = nil
	failed, err := o.Drive.Unkeep(context.WithoutCancel(o.ctx), blobs)
	for _, e := range failed {
		o.Log.Warn("pinned revision stays", "err", e.Error())
	}
	return err
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
