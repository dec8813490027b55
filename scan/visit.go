package scan

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/autocloudbackup/acb/internal/ignore"
	"github.com/autocloudbackup/acb/manifest"
)

// A worker walks one folder after the other. What it needs for one it uses
// again for the next.
type worker struct {
	w *walk
	r *manifest.Reader // opened for its first folder: most trees are walked before all workers have one

	l       listing
	leaves  []nameRef // what is no folder
	dirs    []nameRef
	jobs    []job
	f       findings         // about the folder at hand
	entries []manifest.Entry // its known files, read when first needed
	seen    int              // names that no rule hides
	dim     error            // why it is not known what all of its folders were; nil if it is
}

// visit walks one folder: it settles which folder it is, compares what is in
// it and queues its subfolders. An error ends the scan; what only concerns
// this folder makes it unknown.
func (k *worker) visit(j *job) (err error) {
	if k.r == nil {
		if k.r, err = k.w.store.Reader(); err != nil {
			return err
		}
	}
	k.f.reset()
	k.jobs, k.entries, k.seen = k.jobs[:0], nil, 0
	d, err := k.w.open(j)
	if err != nil {
		return k.unknown(j, nil, classOf(err), fmt.Errorf("open folder: %w", err))
	}
	n := &node{up: j.up, top: j.top, branch: j.branch, name: j.name, users: 1, d: d}
	if err := k.enter(j, n); err != nil {
		d.close()
		if err == errLeave {
			return nil
		}
		return err
	}
	n.branch.report(&k.f)
	k.w.tell(1, int64(len(k.leaves)))
	k.w.push(n, k.jobs)
	return nil
}

// errLeave says that a folder is not walked, and that why is reported.
var errLeave = errors.New("leave the folder")

// enter does all of visit between opening the folder and letting go of it.
func (k *worker) enter(j *job, n *node) error {
	var st info
	if err := n.d.self(&st); err != nil {
		return k.leave(j, nil, classOf(err), fmt.Errorf("stat folder: %w", err))
	}
	if k.w.own.has(&st) {
		return k.leaveOwn(j)
	}
	if j.up != nil && !k.w.opts.CrossDevices && (st.mount || st.dev != j.up.dev) {
		return k.leave(j, nil, Mountpoint, errMounted)
	}
	n.dev, n.inode = st.dev, st.Inode
	fs, err := k.w.device(n.d, st.dev)
	if err != nil {
		return err
	}
	n.fs = fs
	if fs.trim(&st.Stat); !fs.stable {
		st.birth = 0
	}
	if j.row != nil && n.foreign(j.row) {
		return k.leave(j, nil, ForeignFS, errForeign)
	}
	k.l.reset()
	if err := n.d.list(&k.l); err != nil {
		return k.leave(j, nil, classOf(err), fmt.Errorf("list folder: %w", err))
	}
	k.l.sort()
	if err := k.identify(j, n, &st); err != nil {
		return err
	}
	subs, err := k.subfolders(n)
	if err == nil {
		err = k.readRules(n)
	}
	if err == nil {
		k.split(n)
		k.folderDiff(n, &st)
		err = k.compareFiles(n)
		k.displaced(n)
	}
	if err == nil {
		err = k.compareFolders(n, subs)
	}
	var damaged *manifest.DamagedError
	var rules *rulesError
	switch {
	case errors.As(err, &damaged):
		return k.leave(j, n, Damaged, err)
	case errors.As(err, &rules):
		return k.leave(j, n, BadRules, err)
	case err != nil:
		return err
	}
	k.f.counts.Folders++
	if j.up == nil && k.seen == 0 && len(k.f.gone)+len(k.f.files) > 0 {
		j.top.res.State, j.top.res.Reason = Empty, "nothing is in it, although something was"
	}
	return nil
}

var (
	errMounted = errors.New("another file system is mounted here and is not entered (cross_devices = true backs it up too)")
	errForeign = errors.New("it is on another file system than when it was backed up")
)

// foreign reports whether a known folder is on another file system now. That
// of a source's top was compared before.
func (n *node) foreign(row *manifest.Row) bool {
	if n.up == nil || row.FS == 0 || n.fs.id == 0 || row.FS == n.fs.id {
		return false
	}
	return !(row.FS == n.top.wasFS && n.fs.id == n.top.isFS)
}

// identify settles which known folder this one is compared with, if any, and
// in which branch.
func (k *worker) identify(j *job, n *node, st *info) error {
	n.row = j.row
	if n.row == nil || !(k.w.named || sameFolder(n.row, n.fs, st)) {
		k.missed(j)
		b, known, err := k.claimed(j, n, st)
		switch {
		case err != nil:
			return err
		case b != nil:
			n.branch, n.row = b, known
		case n.row != nil && k.w.isElsewhere(n.row.ID):
			n.row = nil
		case n.row != nil:
			n.branch = j.branch.sub(*j, n.row.ID, false)
		}
	}
	if n.row != nil {
		n.id = n.row.ID
	} else {
		n.id = k.w.store.NextFolderID()
	}
	k.locate(n)
	return nil
}

// claimed begins a branch for a folder that is a known one by its inode, and
// returns that one.
func (k *worker) claimed(j *job, n *node, st *info) (*branch, *manifest.Row, error) {
	if k.w.named {
		return nil, nil, nil
	}
	known, err := k.byInode(n, st)
	if known == nil || err != nil {
		return nil, nil, err
	}
	oldIn, err := k.w.placeOf(k.r, known.Parent)
	if err != nil {
		return nil, nil, onlyDamaged(err)
	}
	b := k.w.claim(j, known.ID)
	if b != nil {
		n.oldIn = oldIn
	}
	return b, known, nil
}

// sameFolder reports whether a folder is the known one, as far as its file
// system can tell. An inode number alone can be one that was used again.
func sameFolder(row *manifest.Row, fs *device, st *info) bool {
	if row.Inode == 0 || st.Inode == 0 || row.FS != fs.id {
		return row.Inode == 0 || st.Inode == 0
	}
	return row.Inode == st.Inode && (row.Birth == st.birth || row.Birth == 0 || st.birth == 0)
}

// missed notes that the folder which the manifest has at a job's place is not
// the one that is there. That belongs to the branch of the folder above.
func (k *worker) missed(j *job) {
	if j.row == nil || j.top.noAbsent {
		return
	}
	g := j.top.gone(j.row)
	if j.up != nil {
		g.in, g.rules, g.rel = j.up.old(), j.up.rules, j.up.relPath()
	}
	j.branch.report(&findings{gone: []gone{g}})
}

// locate gives a folder its rules, and a source's top its place.
func (k *worker) locate(n *node) {
	if n.up == nil {
		n.rules, n.exclude = n.top.src.Rules, n.top.src.Exclude
		n.rel = n.top.rel
		n.top.res.Folder = n.id
		n.now.Store(&manifest.Place{ID: n.id, Path: n.top.src.Path, Source: n.top.index})
		return
	}
	n.rules, n.exclude = n.up.rules, n.up.exclude
	if n.rules != nil || n.exclude != nil {
		n.rel = n.relPath()
	}
}

// subfolders returns what is known of the folders in a folder. If some of them
// cannot be told because the manifest is damaged, it sets k.dim: a folder that
// seems new may be one of them.
func (k *worker) subfolders(n *node) ([]manifest.Row, error) {
	k.dim = nil
	if n.row == nil || n.row.Subfolders == 0 {
		return nil, nil
	}
	subs, err := k.r.Children(n.row.ID)
	if err == nil && len(subs) != n.row.Subfolders {
		err = &manifest.DamagedError{Folder: n.row.ID, What: fmt.Sprintf("%d folders in it, of %d", len(subs), n.row.Subfolders)}
	}
	if err != nil && onlyDamaged(err) == nil {
		k.dim, err = err, nil
		k.f.skips = append(k.f.skips, Skip{Path: n.place().Path, Source: n.top.index, Class: Damaged, Reason: k.dim.Error()})
	}
	return subs, err
}

// A rulesError says that a folder's ignore file could not be read, so that it
// is not known what its owner wants to be left out.
type rulesError struct{ error }

func (e *rulesError) Unwrap() error { return e.error }

// readRules reads the folder's ignore file, if it has one.
func (k *worker) readRules(n *node) error {
	what, found := k.l.find(ignore.FileName)
	if !found || what == isDir || what == isSpecial {
		return nil
	}
	f, err := n.d.openFile(ignore.FileName)
	if err != nil {
		return &rulesError{fmt.Errorf("open ignore file %s: %w", ignore.FileName, err)}
	}
	defer f.Close()
	n.rel = n.relPath()
	rules, err := n.rules.Below(n.rel, f)
	if err != nil {
		return &rulesError{err}
	}
	n.rules = rules
	return nil
}

// split divides the names into folders and all else, asking where the listing
// does not tell. A name that cannot be told stays among both.
func (k *worker) split(n *node) {
	k.leaves, k.dirs = k.leaves[:0], k.dirs[:0]
	for _, r := range k.l.names {
		if r.what == isUnknown {
			var st info
			if err := n.d.lstat(k.l.cname(r), &st); err == nil {
				r.what = whatIs[st.Kind]
			}
		}
		if r.what == isDir || r.what == isUnknown {
			k.dirs = append(k.dirs, r)
		}
		if r.what != isDir {
			k.leaves = append(k.leaves, r)
		}
	}
}

var whatIs = [...]uint8{manifest.NoKind: isSpecial, manifest.File: isLeaf, manifest.Symlink: isLeaf, manifest.Dir: isDir}

// folderDiff notes what differs in the folder itself.
func (k *worker) folderDiff(n *node, st *info) {
	if n.id == manifest.Root || (n.up == nil && n.top.res.State == OtherFS && n.row != nil) {
		return // no folder of the disk; or must be noticed again next time
	}
	in := n.parent()
	now := manifest.Folder{ID: n.id, Parent: in.ID, Name: n.name, FS: n.fs.id, Mode: st.Mode, Inode: st.Inode, Birth: st.birth, ModTime: st.ModTime}
	if n.up == nil {
		now.Flags = n.top.flags
	}
	var old *manifest.FolderAt
	if n.row != nil {
		now.FileID = n.row.FileID
		if now == n.row.Folder {
			return
		}
		old = &manifest.FolderAt{In: n.oldParent(), Folder: n.row.Folder}
	}
	k.f.folders = append(k.f.folders, manifest.FolderDiff{Old: old, New: &manifest.FolderAt{In: in, Folder: now}})
}

// leave is unknown for a folder that is open.
func (k *worker) leave(j *job, n *node, class Class, cause error) error {
	if err := k.unknown(j, n, class, cause); err != nil {
		return err
	}
	return errLeave
}

// unknown makes a folder unknown, and all that is known below it. n is the
// folder once it is identified.
func (k *worker) unknown(j *job, n *node, class Class, cause error) error {
	k.f.reset()
	top := j.top
	skip := Skip{Path: top.src.Path, Source: top.index, Class: class, Reason: cause.Error()}
	known, at, b := j.row, skip.Path, j.branch
	if j.up != nil {
		skip.Path = j.up.place().Path.Join(j.name)
		if known != nil {
			at = j.up.old().Path.Join(known.Name)
		}
	}
	if n != nil {
		known, b = n.row, n.branch
		if known != nil {
			at = n.old().Path
		}
	}
	if j.up == nil {
		top.res.State, top.res.Reason = Unlisted, skip.Reason
	} else if n == nil && class == Unreadable {
		var err error
		if b, err = k.spare(j); err != nil {
			return err
		}
	}
	if known != nil {
		if err := k.unknownBelow(top, at, known); err != nil {
			return err
		}
	}
	if known != nil || class != Vanished {
		k.f.skips = append(k.f.skips, skip)
	}
	if class == Unreadable || class == Vanished || class == BadRules {
		var st info
		look := func() error { return k.lookAgain(j, &st) }
		top.doubt(cause, known != nil, j.up == nil || look() == nil && closed(cause, &st), look)
	}
	b.report(&k.f)
	return nil
}

// closed reports whether a folder that may not be read is somebody else's, or
// one that the system keeps for itself, as macOS does with some of a user's
// own (EPERM): what the user has moved is hardly in there. One of their own may
// have been closed since.
func closed(err error, st *info) bool {
	return st.Kind == manifest.Dir && (int(st.owner) != os.Geteuid() || errors.Is(err, syscall.EPERM))
}

// lookAgain looks whether the folder of a job is there.
func (k *worker) lookAgain(j *job, st *info) error {
	if j.up == nil {
		return nil
	}
	above, err := k.w.acquire(j.up)
	if err != nil {
		return nil
	}
	defer k.w.release(j.up)
	return above.lstat(append([]byte(j.name), 0), st)
}

// spare keeps a known folder from being absent that may be the one of a job
// which cannot be read: the folder above tells the inode. It returns the branch
// in which the job's folder is unknown.
func (k *worker) spare(j *job) (*branch, error) {
	above, err := k.w.acquire(j.up)
	if err != nil {
		return j.branch, nil
	}
	var st info
	err = above.lstat(append([]byte(j.name), 0), &st)
	k.w.release(j.up)
	fs := j.up.fs
	if err != nil || st.Kind != manifest.Dir || st.dev != j.up.dev || !fs.stable || (j.row != nil && j.row.Inode == st.Inode) {
		return j.branch, nil
	}
	rows, err := k.r.ByInode(fs.id, st.Inode)
	if err != nil {
		return j.branch, onlyDamaged(err)
	}
	for i := range rows {
		in, err := k.w.placeOf(k.r, rows[i].Parent)
		if err != nil {
			return j.branch, onlyDamaged(err)
		}
		if b := k.w.claim(j, rows[i].ID); b != nil {
			return b, k.unknownBelow(j.top, in.Path.Join(rows[i].Name), &rows[i])
		}
	}
	return j.branch, nil
}

// leaveOwn leaves out a folder of acb's own; if it is known, it is retired.
func (k *worker) leaveOwn(j *job) error {
	k.f.counts.Own++
	if j.row != nil && j.up != nil {
		if err := k.retireFolder(j.up, j.row); err != nil {
			return err
		}
	}
	j.branch.report(&k.f)
	return errLeave
}

// classOf says what kind of failure an error of the system is.
func classOf(err error) Class {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errSwapped) {
		return Vanished
	}
	return Unreadable
}
