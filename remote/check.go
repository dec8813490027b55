package remote

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/api/drive/v3"

	"github.com/autocloudbackup/acb/manifest"
)

// A State is what Drive has under an id.
type State struct {
	Absent   bool // Drive has no such item, or does not show it to us; all else is zero
	Trashed  bool // it, or a folder above it
	Explicit bool // it was trashed itself
	Name     string
	Parent   manifest.FileID // empty when we may not see it
	Kind     manifest.Kind
	Size     int64
	manifest.Content
	ModTime      int64     // nanoseconds since 1970, from appProperties; 0 when not there
	Modified     time.Time // as Drive shows it: that one, unless another hand has been at it
	Mode         uint32
	Installation string
	Gens         []int64 // of a host folder, see [Gen]
}

// Check looks items up, up to 100 a request. An id that is in the answer is
// known for certain; the error says why others are not.
func (d *Drive) Check(ctx context.Context, ids []manifest.FileID) (map[manifest.FileID]State, error) {
	calls := make([]*call, len(ids))
	of := make(map[*call]manifest.FileID, len(ids))
	for i, id := range ids {
		calls[i] = d.getCall(id, stateFields)
		of[calls[i]] = id
	}
	states := make(map[manifest.FileID]State, len(ids))
	var unknown *Error
	err := d.send(ctx, calls, func(c *call) {
		if s, e := stateIn(c); e != nil {
			unknown = e.about("look up", "", of[c])
		} else {
			states[of[c]] = s
		}
	})
	if err == nil && unknown != nil {
		err = unknown
	}
	if err != nil {
		return states, fmt.Errorf("check items on Drive: %w", err)
	}
	return states, nil
}

// stateIn returns what a call for stateFields has answered.
func stateIn(c *call) (State, *Error) {
	f, e := c.file()
	switch {
	case e == nil:
		return stateOf(f), nil
	case e.Class == NotFound:
		return State{Absent: true}, nil
	}
	return State{}, e
}

// Owns reports whether this installation made the item.
func (d *Drive) Owns(s State) bool { return s.Installation == d.opt.Installation }

func stateOf(f *drive.File) State {
	p := f.AppProperties
	s := State{
		Trashed: f.Trashed, Explicit: f.ExplicitlyTrashed, Size: f.Size,
		Content: contentOf(f, parseHash(p[propHash])), Installation: p[propInstall], Gens: gensOf(f),
	}
	switch {
	case f.MimeType == folderType:
		s.Kind = manifest.Dir
	case p[propKind] == kindLink:
		s.Kind = manifest.Symlink
	default:
		s.Kind = manifest.File
	}
	s.Name = DecodeName(f.Name, s.Kind)
	if len(f.Parents) > 0 {
		s.Parent = manifest.FileID(f.Parents[0])
	}
	// What another hand wrote there reads as "not known".
	s.ModTime, _ = strconv.ParseInt(p[propTime], 10, 64)
	s.Modified = driveClock(f.ModifiedTime)
	mode, _ := strconv.ParseUint(p[propMode], 8, 32)
	s.Mode = uint32(mode)
	return s
}

// parseHash reads acb.h; what is no hash is the zero Hash.
func parseHash(s string) (h manifest.Hash) {
	if b, err := hex.DecodeString(s); err == nil && len(b) == len(h) {
		copy(h[:], b)
	}
	return h
}

// parseMD5 reads an md5Checksum; what is none is the zero MD5.
func parseMD5(s string) (m manifest.MD5) {
	if b, err := hex.DecodeString(s); err == nil && len(b) == len(m) {
		copy(m[:], b)
	}
	return m
}
