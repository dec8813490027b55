package scan

import (
	"sync"

	"github.com/autocloudbackup/acb/internal/ignore"
	"github.com/autocloudbackup/acb/manifest"
)

// A branch is a part of the walk whose findings are kept apart, because the
// walk met a folder where the manifest has another one, or none, and only
// when all is walked it can be told which one it is:
//
//   - met by its inode, the folder is compared as the known folder with that
//     inode. That stands if the known folder's own place was seen without it.
//   - at the path of a known folder, with an inode that nothing knows, it is
//     compared as that folder (deleted and made anew, restored). That stands
//     unless the known folder was met elsewhere.
//
// What does not stand is thrown away and walked again as what it is then.
type branch struct {
	up    *branch // nil for the branch of a whole source
	job   job     // how to walk it again
	id    manifest.FolderID
	moved bool // met by inode, not by path

	mu   sync.Mutex
	out  findings
	subs []*branch
}

// findings is what a branch, or one folder of it, has to say.
type findings struct {
	folders []manifest.FolderDiff
	files   []fileSeen
	skips   []Skip
	unknown []manifest.Path
	counts  Counts
	gone    []gone
}

// A gone is a known folder that is not where the manifest has it.
type gone struct {
	in  *manifest.Place // its parent, in the manifest
	row *manifest.Row
	top *top // the source that it was missed in
	// rules and rel are those of the folder that it was missed in.
	rules *ignore.Rules
	rel   string
}

// gone says that a known folder is not at the source's place any more.
func (t *top) gone(row *manifest.Row) gone {
	return gone{in: t.in, row: row, top: t, rules: t.src.Rules}
}

// A fileSeen is a file that differs, or has to be read to tell.
type fileSeen struct {
	manifest.FileDiff
	read   bool  // the content has to be read
	failed error // why it could not be
	top    *top
}

func (f *findings) reset() {
	clear(f.folders)
	clear(f.files)
	*f = findings{folders: f.folders[:0], files: f.files[:0], skips: f.skips[:0], unknown: f.unknown[:0], gone: f.gone[:0]}
}

func (f *findings) add(o *findings) {
	f.folders = append(f.folders, o.folders...)
	f.files = append(f.files, o.files...)
	f.skips = append(f.skips, o.skips...)
	f.unknown = append(f.unknown, o.unknown...)
	f.gone = append(f.gone, o.gone...)
	f.counts.add(&o.counts)
}

// report adds what one folder had to say.
func (b *branch) report(f *findings) {
	b.mu.Lock()
	b.out.add(f)
	b.mu.Unlock()
}

// sub begins a branch in b.
func (b *branch) sub(j job, id manifest.FolderID, moved bool) *branch {
	s := &branch{up: b, job: j, id: id, moved: moved}
	b.mu.Lock()
	b.subs = append(b.subs, s)
	b.mu.Unlock()
	return s
}
