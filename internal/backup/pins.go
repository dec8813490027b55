package backup

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// A pin is an old content that an undo has asked Drive to keep for good, so
// that it can be fetched. Drive takes no pin back: it goes with the revision,
// and that may go only when the file holds the content again. The manifest knows
// of a pin from before Drive hears of it until Drive has let it go.
type pin struct {
	remote.Blob
	Stays bool // its undo has ended, and the file did not get to hold it
}

// restored is a pinned content that its file holds again.
type restored struct {
	remote.Blob
	now manifest.Content
}

func (r *run) pins() (list []pin, err error) {
	text, err := r.Store.Meta(metaPins)
	if err != nil || text == "" {
		return nil, err
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("read manifest: %s: %w", metaPins, err)
	}
	return list, nil
}

func (r *run) keepPins(list []pin) error {
	text := []byte(nil)
	if len(list) > 0 {
		var err error
		if text, err = json.Marshal(list); err != nil {
			return fmt.Errorf("write manifest: %s: %w", metaPins, err)
		}
	}
	return r.Store.SetMeta(map[string]string{metaPins: string(text)})
}

// leavePins notes of pins that they stay.
func (r *run) leavePins(those []manifest.Content) error {
	list, err := r.pins()
	if err != nil || len(those) == 0 {
		return err
	}
	for i := range list {
		list[i].Stays = list[i].Stays || slices.ContainsFunc(those, list[i].is)
	}
	return r.keepPins(list)
}

// forgetPins drops those that are none any more.
func (r *run) forgetPins(gone []manifest.Content) error {
	list, err := r.pins()
	had := len(list)
	list = slices.DeleteFunc(list, func(p pin) bool { return slices.ContainsFunc(gone, p.is) })
	if err != nil || len(list) == had {
		return err
	}
	return r.keepPins(list)
}

// is reports whether the pin is of a content; one without HeadRevision is any
// of its file.
func (p pin) is(c manifest.Content) bool {
	return p.FileID == c.FileID && (c.HeadRevision == "" || p.Revision == c.HeadRevision)
}

// unpin takes revisions off Drive whose content their files hold again, and
// writes into the history where it is now.
func (r *run) unpin(ctx context.Context, back []restored) error {
	if len(back) == 0 {
		return nil
	}
	blobs := make([]remote.Blob, len(back))
	for i, b := range back {
		blobs[i] = b.Blob
	}
	failed, err := r.Drive.Unkeep(ctx, blobs)
	var moved []manifest.Revised
	var gone []manifest.Content
	for _, b := range back {
		switch e := failed[b.Blob]; {
		case e != nil:
			r.Log.Warn("pinned revision stays for now", "err", e.Error())
		case err == nil:
			moved = append(moved, manifest.Revised{FileID: b.FileID, Was: b.Revision, Now: b.now.HeadRevision, Kept: b.now.Kept})
			gone = append(gone, manifest.Content{FileID: b.FileID, HeadRevision: b.Revision})
		}
	}
	if err != nil {
		return err
	}
	if err := r.Store.Revise(moved); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return r.forgetPins(gone)
}

// settlePins finds out what became of the pins of an undo that did not end:
// those whose files hold the content again go, those that Drive never set are
// forgotten, and the others stay, for that undo to be made again.
func (r *run) settlePins(ctx context.Context) error {
	list, err := r.pins()
	open := slices.DeleteFunc(slices.Clone(list), func(p pin) bool { return p.Stays })
	if err != nil || len(open) == 0 {
		return err
	}
	blobs, ids := make([]remote.Blob, len(open)), make([]manifest.FileID, len(open))
	for i, p := range open {
		blobs[i], ids[i] = p.Blob, p.FileID
	}
	found, hidden, err := r.Drive.LookAt(ctx, blobs)
	if err != nil {
		return fmt.Errorf("settle the undo before: %w", err)
	}
	states, err := r.Drive.Check(ctx, ids)
	if err != nil {
		return fmt.Errorf("settle the undo before: %w", err)
	}
	sums, err := r.contentsWere(open)
	if err != nil {
		return fmt.Errorf("settle the undo before: %w", err)
	}
	var back []restored
	var revised []manifest.Revised
	var stay, gone, removed []manifest.Content
	for _, p := range open {
		rev, there := found[p.Blob]
		now, is := states[p.FileID], manifest.Content{FileID: p.FileID, HeadRevision: p.Revision}
		switch again := holdsAgain(now, p.Blob, sums[p.Blob]); {
		case hidden[p.Blob] != nil: // it may be there: an undo or a purge asks again
			r.Log.Warn("pinned revision stays", "err", hidden[p.Blob].Error())
			stay = append(stay, is)
		case again && rev.Pinned:
			back = append(back, restored{p.Blob, now.Content})
		case again && !there: // it was let go of, and not written down
			revised = append(revised, manifest.Revised{FileID: p.FileID, Was: p.Revision, Now: now.HeadRevision, Kept: now.Kept})
			gone = append(gone, is)
		case !there:
			removed, gone = append(removed, is), append(gone, is)
		case !rev.Pinned:
			gone = append(gone, is)
		default:
			revised = append(revised, manifest.Revised{FileID: p.FileID, Was: p.Revision, Now: p.Revision, Kept: true})
			stay = append(stay, is)
		}
	}
	if err := r.Store.Revise(revised); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	if err := r.Store.MarkRemoved(removed); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	if err := r.leavePins(stay); err != nil {
		return err
	}
	if err := r.forgetPins(gone); err != nil || len(back) == 0 {
		return err
	}
	if err := r.claim(ctx); err != nil {
		return err
	}
	return r.unpin(ctx, back)
}

// holdsAgain reports whether a file holds, under another revision, what an old
// one of it did.
func holdsAgain(now remote.State, b remote.Blob, sum manifest.MD5) bool {
	return !now.Absent && !now.Trashed && now.HeadRevision != b.Revision && now.Size == b.Size && !sum.IsZero() && now.MD5 == sum
}

// contentsWere returns the sums of pinned contents, as the history has them.
func (r *run) contentsWere(pins []pin) (map[remote.Blob]manifest.MD5, error) {
	known, err := r.Store.Reader()
	if err != nil {
		return nil, err
	}
	defer known.Close()
	sums := map[remote.Blob]manifest.MD5{}
	for _, p := range pins {
		were, err := known.FileWas(p.FileID)
		if err != nil {
			return nil, err
		}
		for _, v := range were {
			if v.HeadRevision == p.Revision {
				sums[p.Blob] = v.MD5
			}
		}
	}
	return sums, nil
}
