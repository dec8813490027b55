package backup

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/scan"
)

// repair puts right what a verify has found. It reports whether Drive's change
// log need not be read again from where this run began.
func (r *run) repair(ctx context.Context, seen *drifted) (all bool, err error) {
	r.progress.phase("putting right")
	all, err = r.putRight(ctx, seen.found.touched())
	if err == nil {
		err = r.quarantine(ctx)
	}
	if err == nil {
		err = r.sendAgain(ctx)
	}
	rest := false
	if err == nil {
		rest, err = r.putBackRest(ctx)
	}
	if err != nil {
		return false, err
	}
	return all && rest, r.judgeRepair()
}

// quarantine moves what the manifest does not know out of the host folder.
func (r *run) quarantine(ctx context.Context) error {
	var items []remote.Fix
	at := map[manifest.FileID]*Finding{}
	for i := range r.sum.Verified.Findings {
		if f := &r.sum.Verified.Findings[i]; f.What.Has(Extra | Duplicate) {
			items = append(items, remote.Fix{
				Path: f.Path, FileID: f.Item, Kind: f.kind, Name: asideName(&f.Drift), From: f.Now.Parent, ModTime: f.Now.ModTime,
			})
			at[f.Item] = f
		}
	}
	if len(items) == 0 {
		return nil
	}
	lay, err := knownLayout(r.Store)
	if err != nil || lay.Host == "" {
		return err // all of it is made anew, elsewhere
	}
	if err := r.claim(ctx); err != nil {
		return err
	}
	folder, err := r.Store.Meta(metaQuarantine)
	if err != nil {
		return err
	}
	keep := func(id manifest.FileID) error { return r.Store.SetMeta(map[string]string{metaQuarantine: string(id)}) }
	return r.Drive.Quarantine(ctx, lay.Top, manifest.FileID(folder), keep, items, func(f remote.Fix, err error) {
		if err != nil {
			at[f.FileID].Reason = err.Error()
			return
		}
		at[f.FileID].Fixed = true
		r.mended(at[f.FileID].Drift)
	})
}

// asideName is what an item is called in quarantine. There all lie side by
// side, so its name tells in which folder it was, and by the end of its id, which
// of those that were called the same there.
func asideName(d *Drift) string {
	dir, name := d.Path.Split()
	_, in := dir.Split()
	ext := path.Ext(name)
	if d.kind == manifest.Dir || ext == name {
		ext = ""
	}
	id := string(d.Item[max(0, len(d.Item)-6):])
	return fmt.Sprintf("%s (%s)%s", strings.TrimSuffix(name, ext), strings.TrimSpace(in+" "+id), ext)
}

// mostTargets is the most files and folders that are looked for one by one:
// each is compared with all others. More are sent again with their source.
const mostTargets = 500

// sendAgain backs up what Drive has lost or has otherwise, as a run of --path
// does: nothing is trashed or moved by it.
func (r *run) sendAgain(ctx context.Context) error {
	targets, err := r.toSend()
	if err != nil || len(targets) == 0 {
		return err
	}
	r.req.Targets = targets
	if err := r.plan(ctx); err != nil {
		return err
	}
	again, err := r.apply(ctx)
	if again && err == nil {
		r.sum.add(Incomplete) // the next scan makes good what Drive has lost meanwhile
	}
	return err
}

// toSend returns the topmost of what the manifest has as lost, or as of a
// content that nobody knows: what is within a source and not hidden by its
// rules, and the files that were backed up by name.
func (r *run) toSend() ([]scan.Target, error) {
	known, err := r.Store.Reader()
	if err != nil {
		return nil, err
	}
	defer known.Close()
	lay, err := knownLayout(r.Store)
	if err != nil {
		return nil, err
	}
	list := make([][]manifest.Path, len(r.Sources)+1) // by source, the last for none
	within := map[manifest.FolderID]bool{}            // folders that are sent as a whole
	err = eachItem(known, lay, func(d Drift) {
		src := r.sourceOf(d.Path)
		sends := (d.lost || d.unread()) && !d.hidden && !within[d.in] && (src < len(r.Sources) || d.pinned && d.kind != manifest.Dir)
		if d.kind == manifest.Dir {
			within[d.is] = within[d.in] || sends
		}
		if sends {
			list[src] = append(list[src], d.Path)
		}
	})
	if err != nil && !isDamage(err) {
		return nil, err
	}
	var targets []scan.Target
	for i, paths := range list {
		if i < len(r.Sources) && len(paths) > mostTargets {
			paths = []manifest.Path{r.Sources[i].Path}
		}
		for _, p := range paths {
			t := scan.Target{Path: p, Root: scan.OSPath(p)}
			if i < len(r.Sources) {
				s := &r.Sources[i]
				t.Root = filepath.Join(s.Root, filepath.FromSlash(string(p[len(s.Path):])))
			}
			targets = append(targets, t)
		}
	}
	return targets, nil
}

// sourceOf returns the number of the source that a path is in; that of sources
// if it is in none.
func (r *run) sourceOf(p manifest.Path) int {
	for i, s := range r.Sources {
		if p.Within(s.Path) {
			return i
		}
	}
	return len(r.Sources)
}

// judgeRepair says of each finding whether it is put right: what was put back
// is, and what the manifest has as saved again.
func (r *run) judgeRepair() error {
	known, err := r.Store.Reader()
	if err != nil {
		return err
	}
	defer known.Close()
	mended := map[manifest.Path]bool{}
	for _, m := range r.sum.Mended {
		mended[m.Path] = true
	}
	failed := map[manifest.Path]string{}
	for _, f := range append(r.sum.Failures, r.failed...) {
		failed[f.Path] = f.Reason
	}
	for i := range r.sum.Verified.Findings {
		f := &r.sum.Verified.Findings[i]
		if f.What.Has(Extra | Duplicate) {
			continue
		}
		f.Reason = failed[f.Path]
		f.Fixed = f.Reason == "" && mended[f.Path]
		if f.lost || f.What.Has(Gone|Changed|Damaged|Unread) {
			row, e, found, err := known.Lookup(f.Path)
			if err != nil {
				return err
			}
			f.Fixed = found && (e == nil && !row.Flags.Has(manifest.Lost) || e != nil && !e.Flags.Has(manifest.Lost) && !e.Hash.IsZero())
		}
		switch {
		case f.Fixed:
			f.Reason = ""
		case f.Reason != "":
		case f.hidden:
			f.Reason = "a rule hides it: acb scan --path sends it"
		default:
			f.Reason = "neither Drive's trash nor the disk has it"
		}
	}
	return nil
}
