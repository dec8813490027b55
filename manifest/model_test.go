package manifest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A model is the manifest as plain maps, changed one step after the other.
type model struct {
	Folders   map[FolderID]Folder
	Since     map[FolderID]int64
	Files     map[FolderID]map[string]Entry
	Displaced map[FileID]DisplacedEntry
	Was       []string // the history, a line each
}

func newModel() *model {
	return &model{
		Folders:   map[FolderID]Folder{Root: {ID: Root}},
		Since:     map[FolderID]int64{},
		Files:     map[FolderID]map[string]Entry{Root: {}},
		Displaced: map[FileID]DisplacedEntry{},
	}
}

func (m *model) apply(st Step, run int64) {
	switch st.Kind {
	case Put:
		m.put(st, run)
	case Drop:
		m.drop(st.Folder, st.Entry.Name, st, run)
	case Move:
		m.drop(st.OldFolder, st.OldName, st, run)
		m.put(st, run)
	case PutFolder:
		old, known := m.Folders[st.Dir.ID]
		if !known {
			m.Files[st.Dir.ID] = map[string]Entry{}
		} else if old.Parent != st.Dir.Parent || old.Name != st.Dir.Name {
			m.folderWas(old, run)
		}
		if !known || old.Parent != st.Dir.Parent || old.Name != st.Dir.Name {
			m.Since[st.Dir.ID] = run
		}
		m.Folders[st.Dir.ID] = st.Dir
	case DropFolder:
		m.dropTree(st.Dir.ID, st, run)
	}
}

func (m *model) put(st Step, run int64) {
	e := st.Entry
	e.Since = run
	if now, ok := m.Files[st.Folder][e.Name]; ok {
		a, b := now, e
		a.Flags, a.Day, a.CTime, a.Inode, a.Since = b.Flags, b.Day, b.CTime, b.Inode, b.Since
		if a == b {
			e.Since = now.Since
		} else {
			m.entryWas(st.Folder, now, st, run)
		}
		if now.FileID != e.FileID {
			m.Displaced[now.FileID] = DisplacedEntry{st.Folder, now}
		}
	}
	delete(m.Displaced, e.FileID)
	m.Files[st.Folder][e.Name] = e
}

func (m *model) drop(in FolderID, name string, st Step, run int64) {
	delete(m.Displaced, st.Entry.FileID)
	if now, ok := m.Files[in][name]; ok && now.FileID == st.Entry.FileID {
		m.entryWas(in, now, st, run)
		delete(m.Files[in], name)
	}
}

func (m *model) dropTree(id FolderID, st Step, run int64) {
	for _, f := range slices.Collect(maps.Values(m.Folders)) {
		if f.Parent == id {
			m.dropTree(f.ID, st, run)
		}
	}
	for _, e := range m.Files[id] {
		m.entryWas(id, e, st, run)
	}
	maps.DeleteFunc(m.Displaced, func(_ FileID, d DisplacedEntry) bool { return d.Folder == id })
	m.folderWas(m.Folders[id], run)
	delete(m.Folders, id)
	delete(m.Files, id)
}

func (m *model) entryWas(in FolderID, e Entry, st Step, run int64) {
	m.Was = append(m.Was, fmt.Sprintln("entry", in, e.Name, e.Since, run, e.FileID, e.HeadRevision, e.Kept, e.Size, e.Hash, e.MD5, st.Reason))
}

func (m *model) folderWas(f Folder, run int64) {
	m.Was = append(m.Was, fmt.Sprintln("folder", f.ID, f.Parent, f.Name, m.Since[f.ID], run))
}

// stored reads the whole manifest into a model.
func stored(t *testing.T, s *Store) *model {
	t.Helper()
	r := newReader(t, s)
	defer r.Close()
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	m := newModel()
	err := r.Walk(Root, func(_ Path, row Row, files []Entry) error {
		m.Folders[row.ID] = row.Folder
		m.Files[row.ID] = map[string]Entry{}
		for _, e := range files {
			m.Files[row.ID][e.Name] = e
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	gone, err := r.Displaced()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range gone {
		m.Displaced[d.FileID] = d
	}
	were, err := r.versions(selectVersion)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range were {
		m.Was = append(m.Was, fmt.Sprintln("entry", w.Folder, w.Name, w.From, w.To, w.FileID, w.HeadRevision, w.Kept, w.Size, w.Hash, w.MD5, w.Reason))
	}
	moves, err := r.folderVersions(selectFolderVersion)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range moves {
		m.Was = append(m.Was, fmt.Sprintln("folder", w.ID, w.Parent, w.Name, w.From, w.To))
	}
	return m
}

// lines draws the tree as a View of it may know it.
func (m *model) lines() []string {
	var list []string
	for _, f := range m.Folders {
		list = append(list, folderLine(f))
		for _, e := range m.Files[f.ID] {
			list = append(list, entryLine(f.ID, e))
		}
	}
	slices.Sort(list)
	return list
}

func entryLine(in FolderID, e Entry) string {
	return fmt.Sprint(e.Name, " in ", in, " ", e.FileID, " ", e.HeadRevision, " ", e.Kind, e.Size, e.ModTime, e.Mode, e.Hash, e.MD5)
}

// viewed draws a View.
func viewed(t *testing.T, s *Store, run RunID) []string {
	t.Helper()
	r := newReader(t, s)
	defer r.Close()
	var list []string
	v := r.At(run)
	err := v.Walk(Root, func(_ Path, dir FolderVersion, files []Version) error {
		list = append(list, folderLine(dir.Folder))
		for _, e := range files {
			list = append(list, entryLine(dir.ID, e.Entry))
		}
		same, found, err := v.Folder(dir.ID)
		if err == nil && (!found || same != dir) {
			t.Errorf("folder %d is %+v, found %v; the walk met %+v", dir.ID, same, found, dir)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

// checkEver compares what was ever at each path with what the views after runs
// have there.
func checkEver(t *testing.T, s *Store, runs []RunID) {
	t.Helper()
	r := newReader(t, s)
	defer r.Close()
	type seen struct {
		run RunID
		id  string
	}
	want := map[Path][]seen{}
	for _, run := range runs {
		err := r.At(run).Walk(Root, func(p Path, dir FolderVersion, files []Version) error {
			if dir.ID != Root {
				want[p] = append(want[p], seen{run, folderLine(dir.Folder)})
			}
			for _, e := range files {
				want[p.Join(e.Name)] = append(want[p.Join(e.Name)], seen{run, entryLine(dir.ID, e.Entry)})
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for p, at := range want {
		files, folders, err := r.Ever(p)
		if err != nil {
			t.Fatal(err)
		}
		var got []seen
		for _, run := range runs {
			shows := r.At(run).shows
			for _, f := range folders {
				if shows(f.From, f.To) {
					got = append(got, seen{run, folderLine(f.Folder)})
				}
			}
			for _, f := range files {
				if shows(f.From, f.To) {
					got = append(got, seen{run, entryLine(f.Folder, f.Entry)})
				}
			}
		}
		order := func(a, b seen) int {
			if a.run != b.run {
				return int(min(max(a.run-b.run, -1), 1))
			}
			return strings.Compare(a.id, b.id)
		}
		slices.SortFunc(at, order)
		slices.SortFunc(got, order)
		if !slices.Equal(at, got) {
			t.Errorf("ever at %q: %v, in the views %v", p, got, at)
		}
	}
}

// emptyTree is all of an empty tree.
var emptyTree = folderLine(Folder{ID: Root})

func folderLine(f Folder) string {
	return fmt.Sprint(f.ID, " in ", f.Parent, " ", f.Name, " ", f.FileID)
}

// after changes the lines of run a by what is between it and run b.
func after(t *testing.T, s *Store, lines []string, a, b RunID) []string {
	t.Helper()
	r := newReader(t, s)
	defer r.Close()
	differ, err := r.Between(a, b)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, l := range lines {
		count[l]++
	}
	for _, d := range differ {
		if d.Dir.Old != nil {
			count[folderLine(d.Dir.Old.Folder)]--
		}
		if d.Dir.New != nil {
			count[folderLine(d.Dir.New.Folder)]++
		}
		if v := d.File.Old; v != nil {
			count[entryLine(v.Folder, v.Entry)]--
		}
		if v := d.File.New; v != nil {
			count[entryLine(v.Folder, v.Entry)]++
		}
	}
	var out []string
	for l, n := range count {
		for range n {
			out = append(out, l)
		}
		if n < 0 {
			t.Errorf("between run %d and %d: %q was not there", a, b, l)
		}
	}
	slices.Sort(out)
	return out
}

// randomStep makes a step that Drive could acknowledge in the model's state:
// each FileID is in one place.
func (m *model) randomStep(r *rand.Rand, s *Store, ids *int) Step {
	pick := func() FolderID { return pickKey(r, m.Folders) }
	in := pick()
	name := fmt.Sprint("n", r.IntN(6))
	switch r.IntN(12) {
	case 0, 1: // a new folder
		return putFolder(s.NextFolderID(), in, name)
	case 2: // a folder moved, or stat'ed again
		f := m.Folders[pick()]
		for up := in; up != 0; up = m.Folders[up].Parent {
			if up == f.ID { // not below itself
				f.ModTime++
				return Step{Kind: PutFolder, Dir: f}
			}
		}
		f.Parent, f.Name = in, name
		return Step{Kind: PutFolder, Dir: f}
	case 3: // a folder dropped
		if len(m.Folders) > 8 && in != Root {
			return dropFolder(in)
		}
	case 4, 5: // a file moved
		if len(m.Files[in]) > 0 {
			old := pickKey(r, m.Files[in])
			st := move(in, old, pick(), name, m.Files[in][old].FileID)
			st.Entry.Content = m.Files[in][old].Content
			return st
		}
	case 6: // a displaced file put or dropped
		if len(m.Displaced) > 0 {
			id := pickKey(r, m.Displaced)
			if r.IntN(2) == 0 {
				return drop(m.Displaced[id].Folder, m.Displaced[id].Name, id)
			}
			return put(in, name, id)
		}
	case 7: // dropped
		if len(m.Files[in]) > 0 {
			old := pickKey(r, m.Files[in])
			return drop(in, old, m.Files[in][old].FileID)
		}
	case 8: // stat'ed again, flagged or with new content
		if len(m.Files[in]) > 0 {
			e := m.Files[in][pickKey(r, m.Files[in])]
			e.Inode, e.CTime, e.Day, e.Flags = r.Uint64(), r.Int64(), r.Int32(), Flags(r.IntN(8))
			switch r.IntN(10) { // each of these makes a version, the others do not
			case 0:
				e.HeadRevision, e.Kept = string(someID(r, 51)), r.IntN(2) == 0
			case 1:
				e.Hash[5]++
			case 2:
				e.MD5[5]++
			case 3:
				e.Size++
			case 4:
				e.ModTime++
			case 5:
				e.Mode ^= 0o111
			case 6:
				e.Kind ^= File ^ Symlink
			}
			e.Since = r.Int64() // the store's business
			return Step{Kind: Put, Folder: in, Entry: e, Reason: EndModified}
		}
	}
	*ids++
	return Step{Kind: Put, Folder: in, Entry: func() Entry {
		e := someEntry(r, name)
		e.FileID = FileID(fmt.Sprint("id", *ids))
		return e
	}(), Reason: EndModified}
}

// pickKey picks a key of a map, the same for the same seed.
func pickKey[K interface{ ~string | ~int64 }, V any](r *rand.Rand, m map[K]V) K {
	return slices.Sorted(maps.Keys(m))[r.IntN(len(m))]
}

// TestModel applies random steps in random groups, folded, reopened and in new
// runs at random: the manifest must always be what the maps are.
func TestModel(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			path := filepath.Join(t.TempDir(), "manifest.db")
			s := openTest(t, path)
			run := s.BeginRun("scan", noon)
			want, ids := newModel(), 0
			then := map[RunID][]string{} // the tree after each run
			for range 40 {
				var steps []Step
				for range r.IntN(20) {
					st := want.randomStep(r, s, &ids)
					want.apply(st, int64(run))
					steps = append(steps, st)
				}
				if err := s.Ack(steps); err != nil {
					t.Fatal(err)
				}
				switch r.IntN(5) {
				case 0:
					s.Close()
					s = openTest(t, path) // folds
					run = s.BeginRun("scan", noon)
				case 1:
					if err := s.Fold(); err != nil {
						t.Fatal(err)
					}
				case 2:
					if err := errors.Join(s.Fold(), s.EndRun(run, noon, RunSummary{})); err != nil {
						t.Fatal(err)
					}
					then[run] = want.lines()
					run = s.BeginRun("scan", noon)
					continue
				default:
					continue
				}
				got := stored(t, s)
				checkIndex(t, s, got)
				got.Since = want.Since // seen through the history
				slices.Sort(got.Was)
				slices.Sort(want.Was)
				if d := cmp.Diff(want, got); d != "" {
					t.Fatalf("-want +got:\n%s", d)
				}
			}
			if err := errors.Join(s.Fold(), s.EndRun(run, noon, RunSummary{})); err != nil {
				t.Fatal(err)
			}
			then[run], then[Now] = want.lines(), want.lines()
			checkEver(t, s, slices.Sorted(maps.Keys(then)))
			before := RunID(0)
			then[0] = []string{emptyTree}
			for _, run := range slices.Sorted(maps.Keys(then)) {
				if run == 0 {
					continue
				}
				if d := cmp.Diff(then[run], viewed(t, s, run)); d != "" {
					t.Errorf("the view after run %d: -want +got:\n%s", run, d)
				}
				if d := cmp.Diff(then[run], after(t, s, then[before], before, run)); d != "" {
					t.Errorf("run %d with what is between it and run %d: -want +got:\n%s", before, run, d)
				}
				before = run
			}
		})
	}
}
