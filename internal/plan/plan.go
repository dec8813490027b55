package plan

import "github.com/autocloudbackup/acb/manifest"

// A Source is what the planner has to know of one source.
type Source struct {
	// Guard is what the scan found wrong with the source as a whole.
	Guard Guard
	// Files is how many files the manifest has of it.
	Files int64
	// Failed says that a file in it could not be read for certain, so that
	// its trashes wait: the old copy is never in the bin while the new one is
	// not on Drive.
	Failed bool
}

// A Guard is a reason to hold operations back.
type Guard uint8

// The guards. The limits and Rebuilt give way to Options.Allow; the others let
// no trash pass whatever the user allows.
const (
	NoGuard   Guard = iota
	Missing         // the source is not there, or is no folder any more
	Empty           // the source has nothing in it, and had before
	Elsewhere       // the source is on another file system than last time
	Unread          // something in the source could not be saved
	Damaged         // the manifest is damaged, if perhaps elsewhere
	MaxDelete       // more deletions than [safety] max_delete
	MaxModify       // more updates than [safety] max_modify
	Rebuilt         // it was not met on this disk since the manifest was made anew
)

// Options are the user's limits.
type Options struct {
	MaxDelete float64 // share of a source's files, 0 to 1; 1 switches the limit off
	MaxModify float64 // likewise
	Keep      bool    // on_delete = "keep": what is deleted on disk is retired, not trashed
	Allow     bool    // --allow-deletes: lifts the two limits, and Rebuilt, for this run
}

// AtLeast is how many files must be concerned before a limit counts: in a
// small folder a large share is everyday work. Source: design §3.5.
const AtLeast = 100

// A Plan is what a run is to do.
type Plan struct {
	// Stages run in order; the operations within one are independent of each
	// other. Drive does not order the calls of a batch, so no batch may span
	// stages.
	Stages [][]*Op
	// Local is what changes in the manifest without a request: new stats,
	// retirements and their end.
	Local manifest.Changes
	// Held is what guards hold back.
	Held []Held
}

// A Held is what one guard holds back in one source.
type Held struct {
	Source int
	Guard  Guard
	Ops    []*Op
}

// Trashes reports whether anything is to be trashed.
func (p *Plan) Trashes() bool {
	for _, ops := range p.Stages {
		if len(ops) > 0 && ops[0].Kind.Trashes() {
			return true
		}
	}
	return false
}

// Files returns how many files the held operations concern.
func (h Held) Files() int {
	n := 0
	for _, op := range h.Ops {
		n += op.FileCount()
	}
	return n
}

// New plans changes. Sources are indexed as the changes' places are; unknown
// are the paths that the scan knew and could not look at.
func New(c manifest.Changes, unknown []manifest.Path, sources []Source, opts Options) *Plan {
	p := &planner{Plan: &Plan{}, sources: sources, opts: opts, waits: make(map[int]bool)}
	p.folders(c.Folders)
	p.files(c.Files)
	p.trashes(c, unknown)
	p.guard()
	p.retire()
	p.stage()
	return p.Plan
}

// A planner collects the operations of each stage before the guards look.
type planner struct {
	*Plan
	sources []Source
	opts    Options

	creates [][]*Op // folders, by level: parents before children
	moves   [][]*Op // folders, by level: a folder after those it moves into; files and patches ride with the first
	copies  []*Op   // of what is on Drive, before any of it changes
	uploads []*Op   // uploads and updates
	twins   []*Op   // copies of what this run uploads
	trash   []*Op

	// What is to stay although observed absent. It is retired only where
	// trashes go ahead: where a guard holds them, nothing counts as absent.
	keptFolders []*manifest.FolderAt
	keptFiles   []*manifest.FileAt
	waits       map[int]bool // sources whose trashes wait
}

func (p *planner) folders(cs []manifest.FolderChange) {
	level := make(map[manifest.FolderID]int) // of created folders
	arrived := make(map[manifest.Path]bool)  // new places of moved folders
	for _, c := range cs {
		if c.Kind == manifest.Moved {
			arrived[c.New.Path()] = true
		}
	}
	for i := range cs {
		c := &cs[i]
		switch c.Kind {
		case manifest.Created:
			op := folderOp(CreateFolder, c)
			op.FileID = "" // that of a folder which Drive lost is of no use any more
			n := 0
			if l, ok := level[c.New.In.ID]; ok {
				n = l + 1
			}
			level[c.New.ID] = n
			p.creates = put(p.creates, n, op)
		case manifest.Moved:
			op := folderOp(MoveFolder, c)
			op.From, op.OldParent = c.Old.Path(), c.Old.In.ID
			op.Sources = both(c.Old.In.Source, c.New.In.Source)
			p.moves = put(p.moves, depth(c.New.In.Path, arrived), op)
		case manifest.Restat, manifest.Retire, manifest.Unretire:
			p.Local.Folders = append(p.Local.Folders, *c)
		}
	}
}

// depth counts the moved folders on the way to a folder's new place. Moved in
// this order, a folder's new parents are where they belong before it comes,
// and Drive never sees a folder below itself.
func depth(dir manifest.Path, arrived map[manifest.Path]bool) int {
	n := 0
	for dir != "" {
		if arrived[dir] {
			n++
		}
		dir, _ = dir.Split()
	}
	return n
}

func (p *planner) files(cs []manifest.FileChange) {
	for i := range cs {
		c := &cs[i]
		switch c.Kind {
		case manifest.Created:
			p.create(c)
		case manifest.Modified:
			op := fileOp(Update, c)
			op.FileID, op.Old = c.Old.FileID, &c.Old.Content
			p.uploads = append(p.uploads, op)
		case manifest.Touched:
			op := fileOp(Patch, c)
			op.FileID, op.Old = c.Old.FileID, &c.Old.Content
			p.moves = put(p.moves, 0, op)
		case manifest.Moved:
			op := fileOp(MoveFile, c)
			op.FileID, op.Old = c.Old.FileID, &c.Old.Content
			op.From, op.OldParent = c.Old.Path(), c.Old.In.ID
			op.Sources = both(c.Old.In.Source, c.New.In.Source)
			p.moves = put(p.moves, 0, op)
		case manifest.Restat, manifest.Retire, manifest.Unretire:
			p.Local.Files = append(p.Local.Files, *c)
		}
	}
}

// create plans a new file: its content is copied on Drive where it can be.
func (p *planner) create(c *manifest.FileChange) {
	op := fileOp(Upload, c)
	if c.Twin == nil {
		p.uploads = append(p.uploads, op)
		return
	}
	op.Kind, op.From = Copy, c.Twin.Path()
	if c.Twin.FileID != "" {
		p.copies = append(p.copies, op)
	} else {
		p.twins = append(p.twins, op)
	}
}

// stage puts what the guards left into the order in which it runs.
func (p *planner) stage() {
	for _, ops := range append(append(p.creates, p.moves...), p.copies, p.uploads, p.twins, p.trash) {
		if len(ops) > 0 {
			p.Stages = append(p.Stages, ops)
		}
	}
}

func put(levels [][]*Op, n int, op *Op) [][]*Op {
	for len(levels) <= n {
		levels = append(levels, nil)
	}
	levels[n] = append(levels[n], op)
	return levels
}

func folderOp(k OpKind, c *manifest.FolderChange) *Op {
	f := c.New
	if f == nil {
		f = c.Old
	}
	return &Op{
		Kind: k, Path: f.Path(), FileID: f.FileID, Name: f.Name, Parent: f.In.ID, Folder: f.ID,
		Stat:    manifest.Stat{Kind: manifest.Dir, Mode: f.Mode, ModTime: f.ModTime},
		Sources: []int{f.In.Source}, Dir: c,
	}
}

func fileOp(k OpKind, c *manifest.FileChange) *Op {
	f := c.New
	if f == nil {
		f = c.Old
	}
	change := *c // a copy, so that an operation does not keep all changes in memory
	path := f.Path()
	f.Name = string(path[len(path)-len(f.Name):]) // the same bytes, and kept once
	return &Op{
		Kind: k, Path: path, Name: f.Name, Parent: f.In.ID, Stat: f.Stat,
		Sources: []int{f.In.Source}, File: &change,
	}
}

func both(a, b int) []int {
	if a == b {
		return []int{a}
	}
	return []int{a, b}
}
