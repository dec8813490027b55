package plan_test

import (
	"cmp"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the tables with what the code does")

// TestTables runs each table in testdata/diff and testdata/plan through Diff
// and New. A table shows what was known (old), what the disk shows (new), the
// changes, and the plan with a blank line between stages.
//
// A line of old or new is a path, then fields: a folder ends in "/"; "3" is a
// size, "h1" a content, "#7" an inode, "m5" a modification time, "755" a
// mode, and symlink, retired, pinned, lost, prefix, racy, unmet what they say; "?"
// in new is a path that the scan could not look at. The first name of a path
// is its source, numbered by order; the section sources says more of them.
func TestTables(t *testing.T) {
	var files []string
	for _, dir := range []string{"diff", "plan"} {
		found, err := filepath.Glob(filepath.Join("../../testdata", dir, "*.txtar"))
		if err != nil || len(found) == 0 {
			t.Fatalf("no tables in testdata/%s: %v", dir, err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { runTable(t, file) })
	}
}

func runTable(t *testing.T, file string) {
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	section := func(name string) string {
		for _, f := range ar.Files {
			if f.Name == name {
				return string(f.Data)
			}
		}
		return ""
	}
	tab := newTable(t, section("sources"))
	obs := tab.observe(section("old"), section("new"))
	changes := manifest.Diff(obs)
	p := plan.New(changes, obs.Unknown, tab.sources, tab.opts)
	got := map[string]string{"changes": fold(showChanges(changes)), "plan": fold(tab.showPlan(p))}
	for i, f := range ar.Files {
		want, ok := got[f.Name]
		if !ok || string(f.Data) == want {
			continue
		}
		if *update {
			ar.Files[i].Data = []byte(want)
			continue
		}
		t.Errorf("%s of %s:\n%s\nwant:\n%s", f.Name, file, want, f.Data)
	}
	if *update {
		if err := writeTable(file, ar); err != nil {
			t.Fatal(err)
		}
	}
}

type node struct {
	path   manifest.Path
	folder bool
	ino    uint64
	flags  manifest.Flags
	entry  manifest.Entry
	id     manifest.FolderID
}

type table struct {
	t       *testing.T
	names   []string // of sources
	sources []plan.Source
	opts    plan.Options
	nextID  manifest.FolderID
}

func newTable(t *testing.T, text string) *table {
	tab := &table{t: t, nextID: manifest.Root, opts: plan.Options{MaxDelete: 0.25, MaxModify: 0.5}}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		s := plan.Source{}
		for _, f := range fields[1:] {
			key, val, _ := strings.Cut(f, "=")
			switch key {
			case "files":
				s.Files, _ = strconv.ParseInt(val, 10, 64)
			case "missing":
				s.Guard = plan.Missing
			case "empty":
				s.Guard = plan.Empty
			case "elsewhere":
				s.Guard = plan.Elsewhere
			case "damaged":
				s.Guard = plan.Damaged
			case "failed":
				s.Failed = true
			case "allow":
				tab.opts.Allow = true
			case "keep":
				tab.opts.Keep = true
			default:
				t.Fatalf("sources: unknown field %q", f)
			}
		}
		tab.names, tab.sources = append(tab.names, fields[0]), append(tab.sources, s)
	}
	return tab
}

func (tab *table) source(p manifest.Path) int {
	if p == "" {
		return -1
	}
	first := p.Names()[0]
	i := slices.Index(tab.names, first)
	if i < 0 {
		tab.names, tab.sources = append(tab.names, first), append(tab.sources, plan.Source{Files: 1000})
		i = len(tab.names) - 1
	}
	return i
}

// parse reads a listing. "a x 3" with a repeat "*120" stands for a120 files.
func (tab *table) parse(text string) (nodes []node, unknown []manifest.Path) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		n := node{path: manifest.Path(strings.TrimSuffix(fields[0], "/")), folder: strings.HasSuffix(fields[0], "/")}
		n.entry.Stat = manifest.Stat{Kind: manifest.File, Mode: 0o644, ModTime: 1}
		repeat := 1
		for _, f := range fields[1:] {
			num := func(s string, base int) int64 {
				v, err := strconv.ParseInt(s, base, 64)
				if err != nil {
					tab.t.Fatalf("line %q: %v", line, err)
				}
				return v
			}
			switch {
			case f == "?":
				unknown = append(unknown, n.path)
			case f == "symlink":
				n.entry.Kind = manifest.Symlink
			case f == "retired":
				n.flags |= manifest.Retired
			case f == "pinned":
				n.flags |= manifest.Pinned
			case f == "lost":
				n.flags |= manifest.Lost
			case f == "prefix":
				n.flags |= manifest.Prefix
			case f == "unmet":
				n.flags |= manifest.Unmet
			case f == "racy":
				n.flags |= manifest.Racy
			case f[0] == '#':
				n.ino = uint64(num(f[1:], 10))
			case f[0] == '*':
				repeat = int(num(f[1:], 10))
			case f[0] == 'm':
				n.entry.ModTime = num(f[1:], 10)
			case f[0] == 'h':
				n.entry.Hash = sha256.Sum256([]byte(f))
			case len(f) == 3:
				n.entry.Mode = uint32(num(f, 8))
			default:
				n.entry.Size = num(f, 10)
			}
		}
		if len(unknown) > 0 && unknown[len(unknown)-1] == n.path {
			continue
		}
		n.entry.Inode, n.entry.Flags = n.ino, n.flags
		for i := range repeat {
			m := n
			if repeat > 1 {
				m.path += manifest.Path(fmt.Sprintf("%03d", i))
				m.entry.Hash = sha256.Sum256(append(n.entry.Hash[:], byte(i), byte(i>>8)))
			}
			_, m.entry.Name = m.path.Split()
			nodes = append(nodes, m)
		}
	}
	return nodes, unknown
}

// observe plays the scan: it compares two listings by path, and meets a moved
// folder by its inode.
func (tab *table) observe(oldText, newText string) manifest.Observation {
	olds, _ := tab.parse(oldText)
	news, unknown := tab.parse(newText)
	obs := manifest.Observation{Unknown: unknown}
	isUnknown := func(p manifest.Path) bool {
		return slices.ContainsFunc(unknown, func(u manifest.Path) bool { return p.Within(u) })
	}
	byIno, oldFolders := map[uint64]*node{}, map[manifest.Path]*node{}
	for i := range olds {
		if n := &olds[i]; n.folder {
			tab.nextID++
			n.id = tab.nextID
			oldFolders[n.path] = n
			if n.ino != 0 {
				byIno[n.ino] = n
			}
		}
	}
	newFolders, met := map[manifest.Path]*node{}, map[manifest.FolderID]*node{}
	newIno := map[uint64]bool{}
	for i := range news {
		if n := &news[i]; n.folder {
			newIno[n.ino] = true
		}
	}
	for i := range news {
		n := &news[i]
		if !n.folder {
			continue
		}
		old := byIno[n.ino]
		if old == nil {
			if o := oldFolders[n.path]; o != nil && (o.ino == 0 || n.ino == 0 || !newIno[o.ino]) {
				old = o
			}
		}
		if old != nil {
			n.id = old.id
		} else {
			tab.nextID++
			n.id = tab.nextID
		}
		newFolders[n.path], met[n.id] = n, n
	}
	place := func(folders map[manifest.Path]*node, p manifest.Path) *manifest.Place {
		dir, _ := p.Split()
		pl := &manifest.Place{ID: manifest.Root, Path: dir, Source: tab.source(p)}
		if f := folders[dir]; f != nil {
			pl.ID = f.id
		} else if dir != "" {
			tab.t.Fatalf("%s has no folder line above it", p)
		}
		return pl
	}
	folderAt := func(folders map[manifest.Path]*node, n *node) *manifest.FolderAt {
		in := place(folders, n.path)
		return &manifest.FolderAt{In: in, Folder: manifest.Folder{
			ID: n.id, Parent: in.ID, Name: n.entry.Name, Flags: n.flags, Inode: n.ino, Mode: 0o755, ModTime: 1,
		}}
	}
	for i := range news {
		n := &news[i]
		if !n.folder {
			continue
		}
		at := folderAt(newFolders, n)
		var old *node
		for j := range olds {
			if olds[j].folder && olds[j].id == n.id {
				old = &olds[j]
			}
		}
		if old == nil {
			obs.Folders = append(obs.Folders, manifest.FolderDiff{New: at})
			continue
		}
		was := folderAt(oldFolders, old)
		was.FileID = manifest.FileID("id:" + old.path)
		if old.path != n.path && was.In.ID == at.In.ID && was.Name == at.Name {
			continue // rides in a moved folder
		}
		if was.In.ID != at.In.ID || was.Name != at.Name || was.Flags != at.Flags || was.Inode != at.Inode {
			obs.Folders = append(obs.Folders, manifest.FolderDiff{Old: was, New: at})
		}
	}
	type slot struct {
		in   manifest.FolderID
		name string
	}
	known, live := map[slot]*manifest.FileAt{}, map[manifest.Sum]*manifest.FileAt{}
	for i := range olds {
		n := &olds[i]
		if n.folder {
			if met[n.id] == nil && !isUnknown(n.path) {
				was := folderAt(oldFolders, n)
				was.FileID = manifest.FileID("id:" + n.path)
				obs.Folders = append(obs.Folders, manifest.FolderDiff{Old: was})
			}
			continue
		}
		f := &manifest.FileAt{In: place(oldFolders, n.path), Entry: n.entry}
		f.FileID = manifest.FileID("id:" + n.path)
		known[slot{f.In.ID, f.Name}] = f
		if sum, ok := f.Sum(); ok && live[sum] == nil && !f.Flags.Has(manifest.Lost) {
			live[sum] = f
		}
	}
	for i := range news {
		n := &news[i]
		if n.folder {
			continue
		}
		f := &manifest.FileAt{In: place(newFolders, n.path), Entry: n.entry}
		key := slot{f.In.ID, f.Name}
		old := known[key]
		delete(known, key)
		if old == nil || old.Stat != f.Stat || old.Flags != f.Flags || old.Hash != f.Hash {
			d := manifest.FileDiff{Old: old, New: f}
			if sum, ok := f.Sum(); ok && (old == nil || old.Kind != f.Kind || old.Flags.Has(manifest.Lost)) {
				d.Twin = live[sum]
			}
			obs.Files = append(obs.Files, d)
		}
	}
	for _, f := range known {
		if !isUnknown(f.Path()) {
			obs.Files = append(obs.Files, manifest.FileDiff{Old: f})
		}
	}
	slices.SortFunc(obs.Files, func(a, b manifest.FileDiff) int {
		return cmp.Compare(cmp.Or(a.New, a.Old).Path(), cmp.Or(b.New, b.Old).Path())
	})
	return obs
}

func showChanges(c manifest.Changes) string {
	var b strings.Builder
	line := func(k manifest.ChangeKind, old, new manifest.Path, slash string) {
		switch {
		case k == manifest.Moved:
			fmt.Fprintf(&b, "%s %s%s -> %s%s\n", k, old, slash, new, slash)
		case new != "":
			fmt.Fprintf(&b, "%s %s%s\n", k, new, slash)
		default:
			fmt.Fprintf(&b, "%s %s%s\n", k, old, slash)
		}
	}
	path := func(f interface{ Path() manifest.Path }, ok bool) manifest.Path {
		if !ok {
			return ""
		}
		return f.Path()
	}
	for _, f := range c.Folders {
		line(f.Kind, path(f.Old, f.Old != nil), path(f.New, f.New != nil), "/")
	}
	for _, f := range c.Files {
		line(f.Kind, path(f.Old, f.Old != nil), path(f.New, f.New != nil), "")
	}
	return b.String()
}

func (tab *table) showPlan(p *plan.Plan) string {
	var b strings.Builder
	for i, stage := range p.Stages {
		if i > 0 {
			b.WriteByte('\n')
		}
		for _, op := range stage {
			fmt.Fprintf(&b, "%s", op)
			if op.FileID != "" && op.FileID != manifest.FileID("id:"+cmp.Or(op.From, op.Path)) {
				fmt.Fprintf(&b, " (%s)", op.FileID)
			}
			if op.Kind == plan.TrashFolder {
				fmt.Fprintf(&b, " with %d files", op.Files)
			}
			b.WriteByte('\n')
		}
	}
	for _, f := range p.Local.Folders {
		fmt.Fprintf(&b, "local %s %s/\n", f.Kind, f.New.Path())
	}
	for _, f := range p.Local.Files {
		fmt.Fprintf(&b, "local %s %s\n", f.Kind, f.New.Path())
	}
	for _, h := range p.Held {
		fmt.Fprintf(&b, "held in %s: %s: %d operations, %d files\n", tab.names[h.Source], h.Guard, len(h.Ops), h.Files())
	}
	return b.String()
}

// fold shows runs of lines that differ in their digits only by the first and
// the number of the others.
func fold(text string) string {
	var b strings.Builder
	more, last := 0, ""
	for line := range strings.Lines(text + "\x00") {
		shape := strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return '#'
			}
			return r
		}, line)
		if shape == last && strings.Contains(shape, "###") {
			more++
			continue
		}
		if more > 0 {
			fmt.Fprintf(&b, "(%d more)\n", more)
		}
		more, last = 0, shape
		b.WriteString(line)
	}
	return strings.TrimSuffix(b.String(), "\x00")
}

func writeTable(file string, ar *txtar.Archive) error {
	return os.WriteFile(file, txtar.Format(ar), 0o644)
}
