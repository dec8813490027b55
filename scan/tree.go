package scan

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/autocloudbackup/acb/manifest"
)

// Tree compares the sources with what the manifest knows of them. sources are
// all that the configuration names: what the manifest has outside of them is
// retired. Nothing is changed but numbers that the store hands out.
//
// An error means that there is no result: the manifest could not be read, or
// ctx has ended. What is wrong with a source or in it is in the Result.
func Tree(ctx context.Context, store *manifest.Store, sources []Source, opts Options) (*Result, error) {
	w := newWalk(ctx, store, sources, opts)
	r, err := store.Reader()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	k := &worker{w: w, r: r}
	if err := w.readDisplaced(r); err != nil {
		return nil, err
	}
	if err := k.prepare(sources); err != nil {
		return nil, err
	}
	var h *holding
	for again := true; again; {
		if err := w.run(); err != nil {
			return nil, err
		}
		if h, again, err = k.settle(); err != nil {
			return nil, err
		}
	}
	w.closeAll()
	if err := (&absences{worker: k, h: h}).list(); err != nil {
		return nil, err
	}
	return w.result(sources)
}

func newWalk(ctx context.Context, store *manifest.Store, sources []Source, opts Options) *walk {
	w := &walk{ctx: ctx, opts: opts.withDefaults(), store: store, sources: sources, devices: map[uint64]*device{},
		claims: map[manifest.FolderID]*branch{}, refuted: map[manifest.FolderID]bool{}, elsewhere: map[manifest.FolderID]bool{}}
	w.wake.L = &w.mu
	w.today = int32(w.opts.Now().Unix() / (24 * 60 * 60))
	w.own = ownFilesOf(w.opts.system, w.opts.Own)
	return w
}

// racy returns the flag for a content whose time stamp is too young to tell
// whether it changes again.
func (w *walk) racy(st *manifest.Stat) manifest.Flags {
	at := st.CTime
	if at == 0 {
		at = st.ModTime
	}
	if at > w.opts.Now().Add(-w.opts.Settle).UnixNano() {
		return manifest.Racy
	}
	return 0
}

// due reports whether a known content has not been read for so long that it
// is read again. The day lies between half of Options.Rehash and all of it
// after the last, by inode or name, so that what one run has read does not
// come back all at once.
func (w *walk) due(c *manifest.Cursor) bool {
	if w.opts.Rehash < 0 {
		return false
	}
	all := int32(w.opts.Rehash / (24 * time.Hour))
	age := w.today - c.Day
	half := all / 2
	if -1 <= age && age < half {
		return false
	}
	h := c.Stat.Inode
	if h == 0 {
		for _, b := range c.Name {
			h = h*31 + uint64(b)
		}
	}
	if age < 0 {
		// The clock was ahead when it was read, so nobody knows how long ago
		// that was: each day it is the turn of some.
		h += uint64(w.today)
	}
	h *= 0x9e3779b97f4a7c15 // neighbouring inodes are spread (Knuth's multiplier)
	at := int32((h >> 32) % uint64(all-half+1))
	if age < 0 {
		return at == 0
	}
	return age >= half+at
}

// result reads the contents that have to be read and puts together what all
// branches have to say.
func (w *walk) result(sources []Source) (*Result, error) {
	var all findings
	for _, t := range w.everywhere() {
		all.counts = t.res.Counts
		t.branch.gather(&all)
		t.res.Counts = all.counts
		t.branch = nil // its findings are as large as what differs, and are all here now
	}
	res := &Result{}
	read, err := w.readContents(sources, all.files)
	if err != nil {
		return nil, err
	}
	res.BytesRead = read
	res.Folders = all.folders
	res.Unknown = all.unknown
	res.Skips = all.skips
	res.Files = make([]manifest.FileDiff, 0, len(all.files))
	var gone map[looks]bool // when first needed
	for i := range all.files {
		s := &all.files[i]
		if s.failed == nil {
			res.Files = append(res.Files, s.FileDiff)
			continue
		}
		c := &s.top.res.Counts
		class := classOf(s.failed)
		if errors.Is(s.failed, errChanging) {
			class = Changing
		}
		if gone == nil {
			gone = looksOfGone(all.files)
		}
		if class != Changing && (class == Vanished || !s.stayed(gone)) {
			s.top.doubt(s.failed, s.Old != nil || hasGone(all.files, &s.New.Stat), true, func() error {
				return w.opts.system.stat(OSPath(s.New.Path()), new(info))
			})
		}
		if s.Old != nil {
			res.Unknown = append(res.Unknown, s.Old.Path())
			c.Unknown++
		} else if class == Vanished {
			continue
		} else {
			c.Skipped++
		}
		res.Skips = append(res.Skips, Skip{Path: s.New.Path(), Source: s.top.index, Class: class, Reason: s.failed.Error()})
	}
	res.Outside = w.outside.res.Counts
	for _, t := range w.tops {
		t.res.Doubt, t.res.Partly = t.uncertain.Load(), t.partly.Load()
		res.Sources = append(res.Sources, t.res)
	}
	slices.SortFunc(res.Skips, func(a, b Skip) int {
		return cmp.Or(strings.Compare(string(a.Path), string(b.Path)), cmp.Compare(a.Class, b.Class))
	})
	slices.Sort(res.Unknown)
	return res, nil
}

// looks is what a rename keeps of a file, and most copying as well.
type looks struct {
	kind          manifest.Kind
	size, modTime int64
}

func looksOf(st *manifest.Stat) looks { return looks{st.Kind, st.Size, st.ModTime} }

// looksOfGone returns the looks of the files that have left their place.
func looksOfGone(files []fileSeen) map[looks]bool {
	gone := make(map[looks]bool)
	for i := range files {
		if s := &files[i]; s.New == nil {
			gone[looksOf(&s.Old.Stat)] = true
		}
	}
	return gone
}

// stayed reports whether a known file that could not be read is what it was,
// as far as its stat tells, and none of those that are gone: one that cannot be
// read for good would hold back for good whatever is to be trashed.
func (s *fileSeen) stayed(gone map[looks]bool) bool {
	if s.Old == nil || looksOf(&s.Old.Stat) != looksOf(&s.New.Stat) || gone[looksOf(&s.New.Stat)] {
		return false
	}
	return s.Old.Inode == 0 || s.New.Inode == 0 || s.Old.Inode == s.New.Inode
}

// hasGone reports whether a file that has left its place may be the one that
// is met with the given stat.
func hasGone(files []fileSeen, st *manifest.Stat) bool {
	return slices.ContainsFunc(files, func(s fileSeen) bool {
		return s.New == nil && st.Inode != 0 && s.Old.Inode == st.Inode && s.Old.Size == st.Size
	})
}

// everywhere returns the sources and what is outside of them.
func (w *walk) everywhere() []*top { return append([]*top{w.outside}, w.tops...) }

// gather puts the findings of a branch and of all in it into f.
func (b *branch) gather(f *findings) {
	f.add(&b.out)
	for _, s := range b.subs {
		s.gather(f)
	}
}

// readContents reads every content that has to be read: first what differs in
// all but its size, then what is as large as a content that is gone, then what
// may have a twin.
func (w *walk) readContents(sources []Source, files []fileSeen) (int64, error) {
	p := &hashPool{files: NewFiles(sources), opts: &w.opts, racy: w.racy}
	p.files.system = w.opts.system
	defer p.files.Close()
	pass := func(which func(*fileSeen) bool) error {
		var list []*fileSeen
		for i := range files {
			if which(&files[i]) {
				list = append(list, &files[i])
			}
		}
		for i, err := range p.hash(w.ctx, list) {
			list[i].failed = err
		}
		return w.ctx.Err()
	}
	if err := pass(func(s *fileSeen) bool { return s.read }); err != nil {
		return 0, err
	}
	type content struct {
		kind manifest.Kind
		size int64
	}
	left := map[content]bool{}
	for i := range files {
		if s := &files[i]; s.left() {
			left[content{s.Old.Kind, s.Old.Size}] = true
		}
	}
	err := pass(func(s *fileSeen) bool {
		return s.New != nil && s.New.Hash.IsZero() && !s.New.Flags.Has(manifest.Retired) && s.failed == nil &&
			left[content{s.New.Kind, s.New.Size}]
	})
	if err == nil {
		err = w.findTwins(p, files)
	}
	return p.read.Load(), err
}

// left reports whether the old content is no longer at its path, so that it
// may have gone to another one.
func (s *fileSeen) left() bool {
	switch {
	case s.Old == nil || s.failed != nil:
		return false
	case s.New == nil:
		return s.Old.Flags&(manifest.Retired|manifest.Pinned|manifest.Lost) == 0
	case s.New.Flags.Has(manifest.Retired):
		return false
	}
	return s.Old.Kind != s.New.Kind || s.Old.Size != s.New.Size || (s.read && s.Old.Hash != s.New.Hash)
}
