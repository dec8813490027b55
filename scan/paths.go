package scan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/autocloudbackup/acb/internal/ignore"
	"github.com/autocloudbackup/acb/manifest"
)

// A Target is one file or folder that is named for a single run.
type Target struct {
	Path  manifest.Path
	Root  string        // the same as the system writes it, absolute
	Rules *ignore.Rules // what is left out below it if it is outside all sources
}

// Paths compares the files and folders that were named one by one with what
// the manifest knows of them, whether the rules hide them or not; below them
// the rules hold, those of the source that a target is in or its own. A
// target that is hidden or outside all sources gets Pinned.
//
// Nothing is absent, moved or retired in the Result, and its Sources are the
// targets: one that is not there is Missing.
func Paths(ctx context.Context, store *manifest.Store, sources []Source, targets []Target, opts Options) (*Result, error) {
	w := newWalk(ctx, store, sources, opts)
	w.named = true
	r, err := store.Reader()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	k := &worker{w: w, r: r}
	p := &prefixes{worker: k, dirs: map[manifest.Path]*prefix{}}
	w.outside = &top{walk: w, index: -1, src: &Source{}, branch: &branch{}}
	all := slices.Clone(sources)
	for _, target := range targets {
		src := &Source{Path: target.Path, Root: target.Root, Rules: target.Rules}
		t := &top{walk: w, index: w.sourceOf(src.Path), src: src, root: src.Root, branch: &branch{}, noAbsent: true}
		w.tops = append(w.tops, t)
		if err := k.prepareTarget(p, t); err != nil {
			return nil, fmt.Errorf("scan %s: %w", t.src.Root, err)
		}
		src.link = t.link
		all = append(all, *src)
	}
	w.outside.branch.report(&p.made)
	if err := w.run(); err != nil {
		return nil, err
	}
	return w.result(all)
}

// prepareTarget makes the folders above one target and queues it, or compares
// it if it is a file.
func (k *worker) prepareTarget(p *prefixes, t *top) error {
	for _, o := range k.w.tops[:len(k.w.tops)-1] {
		if t.src.Path.Within(o.src.Path) || o.src.Path.Within(t.src.Path) {
			t.fails(Unlisted, errors.New("it overlaps with another path of this run: name it in a run of its own"))
			return k.keepTop(t, nil, nil)
		}
	}
	var st info
	fi, err := os.Lstat(t.root)
	if err != nil {
		state := Unlisted
		if errors.Is(err, fs.ErrNotExist) {
			state = Missing
		}
		t.fails(state, err)
		return k.keepTop(t, nil, nil)
	}
	t.link = fi.Mode()&fs.ModeSymlink != 0
	own := !fi.IsDir() && leftByRestore(fi.Name())
	if !t.link && k.w.opts.system.stat(t.root, &st) == nil && k.w.own.has(&st) || own {
		t.res.Own++
		t.fails(Unlisted, errors.New("it is acb's own and is never backed up"))
		return k.keepTop(t, nil, nil)
	}
	row, file, err := p.at(t.src.Path)
	if err != nil {
		return err
	}
	if st, err = t.look(k.w, 0); err != nil {
		return err
	}
	if t.res.State != OK {
		return k.keepTop(t, nil, nil)
	}
	d, err := k.above(p, t, st.Kind == manifest.Dir)
	if err != nil {
		return err
	}
	t.in = d.place
	_, name := t.src.Path.Split()
	if st.Kind == manifest.Dir {
		k.w.push(nil, []job{{top: t, branch: t.branch, name: name, row: row}})
		return nil
	}
	return k.fileTop(t, d, name, file)
}

// above makes sure of the folders above a target, and settles by the rules on
// the way whether it is pinned and what holds below it.
func (k *worker) above(p *prefixes, t *top, isDir bool) (*prefix, error) {
	in, _ := t.src.Path.Split()
	if t.index < 0 {
		t.flags = manifest.Pinned
		return p.ensure(in)
	}
	s := &k.w.sources[t.index]
	if t.src.Path == s.Path {
		return p.ensure(in)
	}
	up, _ := s.Path.Split()
	if _, err := p.ensure(up); err != nil {
		return nil, err
	}
	t.src.Rules, t.src.Exclude = s.Rules, s.Exclude
	at, err := k.w.opts.system.open(s.Root)
	if err != nil {
		return nil, err
	}
	defer func() { at.close() }()
	d, err := p.inside(s.Path, at, false)
	if err != nil {
		return nil, err
	}
	rel, isHidden := "", false
	names := t.src.Path.Names()[len(s.Path.Names()):]
	for i, n := range names {
		if t.src.Rules, err = rulesIn(at, t.src.Rules, rel); err != nil {
			return nil, err
		}
		last := i == len(names)-1
		isHidden = isHidden || t.src.Rules.Match(rel, n, !last || isDir) == ignore.Ignored
		rel = path.Join(rel, n)
		if last {
			break
		}
		below, err := at.open(n)
		if err != nil {
			return nil, err
		}
		at.close()
		at = below
		if d, err = p.inside(s.Path.Join(rel), at, isHidden); err != nil {
			return nil, err
		}
	}
	t.rel = rel
	if isHidden {
		t.flags = manifest.Pinned
	}
	return d, nil
}

// rulesIn returns the rules that hold in an open folder.
func rulesIn(d dir, rules *ignore.Rules, rel string) (*ignore.Rules, error) {
	f, err := d.openFile(ignore.FileName)
	if errors.Is(err, fs.ErrNotExist) {
		return rules, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open ignore file in %q: %w", rel, err)
	}
	defer f.Close()
	return rules.Below(rel, f)
}

// inside returns a folder within a source, above a target, and makes it if it
// is not known: as the ordinary folder that it is, or if the rules hide it,
// as one that is there to hold the target.
func (p *prefixes) inside(at manifest.Path, d dir, isHidden bool) (*prefix, error) {
	known, err := p.known(at)
	if known != nil || err != nil {
		return known, err
	}
	in, name := at.Split()
	up := p.dirs[in]
	var st info
	if err := d.self(&st); err != nil {
		return nil, err
	}
	fs, err := p.w.device(d, st.dev)
	if err != nil {
		return nil, err
	}
	if fs.trim(&st.Stat); !fs.stable {
		st.birth = 0
	}
	now := manifest.Folder{ID: p.w.store.NextFolderID(), Parent: up.place.ID, Name: name, FS: fs.id,
		Mode: st.Mode, Inode: st.Inode, Birth: st.birth, ModTime: st.ModTime}
	if isHidden {
		now.Flags = manifest.Prefix
	}
	p.made.folders = append(p.made.folders, manifest.FolderDiff{New: &manifest.FolderAt{In: up.place, Folder: now}})
	made := &prefix{place: &manifest.Place{ID: now.ID, Path: at, Source: p.w.sourceOf(at)}}
	p.dirs[at] = made
	return made, nil
}
