package backup_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/scan"
)

// TestRandomScope edits at random, between runs to which much happens, not
// only what is on disk but also what is to be backed up: sources come and go,
// rules hide and show, a disk is not there, files are named for one run, and
// runs are undone. Nothing leaves Drive by any run but what that run could see
// to be gone, and in the end there is all that is to be, and what is kept.
func TestRandomScope(t *testing.T) {
	inRounds(t, seeds(t, 50, 15), func(t *testing.T, seed uint64, clock func() time.Time, out *outside) (*editor, func(uint64)) {
		s := newScope(t, seed, clock, out)
		return s.hand, s.round
	})
}

// A scope is a model of which the user changes what is to be backed up.
type scope struct {
	*model
	sets  [][]string      // of sources that there may be
	keep  map[string]keep // by id
	blind string          // where a run sees nothing, below the host folder
	last  int64           // run that may be undone
}

// keep says whether an item is kept whatever the disk says: it was hidden when
// a run was through, or named for one, and was not met since.
type keep uint8

const (
	no keep = iota
	perhaps
	yes
)

// hiding are the rules that come and go. They are about names, at any depth.
var hidingRules = []string{"*.txt", "b*/", "c1*", "d?"}

func newScope(t *testing.T, seed uint64, clock func() time.Time, out *outside) *scope {
	s := &scope{
		model: &model{trial: fakeTrial(t, seed, clock, out), out: out, begun: map[string]time.Time{}, past: map[string]bool{}},
		keep:  map[string]keep{},
	}
	docs, pics, other := s.path("docs"), s.path("pics"), s.path("other")
	s.must(os.Mkdir(other, 0o755))
	s.hand.roots = append(slices.Clone(s.sources), other)
	for range 6 {
		s.hand.n++
		s.must(os.WriteFile(s.hand.free(other), fmt.Appendf(nil, "first %d", s.hand.n), 0o644))
	}
	s.sets = [][]string{{docs, pics}, {docs, pics}, {docs}, {pics, other}, {docs, other}, {docs, pics, other}, {s.dir}}
	return s
}

// round is some runs that something happens to, and one that nothing does.
func (s *scope) round(seed uint64) {
	s.t.Helper()
	for range 1 + s.rng.IntN(4) {
		s.configure()
		s.out.after(s.settle)
		switch s.rng.IntN(8) {
		case 0, 1, 2:
			s.scans(false, func() { s.interrupted(seed) })
		case 3, 4, 5:
			s.byName(seed)
		case 6:
			s.unmounted(seed)
		case 7:
			s.undoes()
		}
		if s.t.Failed() {
			return
		}
		s.hand.edit(1 + s.rng.IntN(6))
	}
	s.undisturbed()
	s.hand.edit(1 + s.rng.IntN(8))
}

// configure changes the sources and the rules, now and then.
func (s *scope) configure() {
	if s.rng.IntN(2) == 0 {
		s.sources = s.sets[s.rng.IntN(len(s.sets))]
		if s.rng.IntN(4) == 0 {
			if dir, err := s.hand.folder(); err == nil {
				s.sources = append([]string{dir}, slices.DeleteFunc(slices.Clone(s.sources), func(o string) bool { return within(dir, o) || within(o, dir) })...)
			}
		}
		s.hand.say("-- the sources are %s", strings.Join(s.sources, " "))
	}
	if s.rng.IntN(3) == 0 {
		s.rules = nil
		for _, r := range hidingRules {
			if s.rng.IntN(4) == 0 {
				s.rules = append(s.rules, r)
			}
		}
		s.hand.say("-- the rules are %q", s.rules)
	}
}

// undisturbed makes a run that nothing happens to.
func (s *scope) undisturbed() {
	s.t.Helper()
	for _, dir := range s.sources {
		if list, err := os.ReadDir(dir); err != nil || len(list) == 0 {
			s.sources = s.sets[0]
			s.hand.say("-- the sources are as they were first")
			break
		}
	}
	s.out.after(s.settle)
	s.hand.say("-- undisturbed")
	if s.guarded() {
		s.sources = s.sets[0]
		s.hand.say("-- the sources are as they were first")
	}
	s.scans(true, func() { s.last = s.ok().Run })
	if s.t.Failed() {
		return
	}
	s.compareScope()
	if left := s.unsettled(); len(left) > 0 {
		s.t.Errorf("the journal still holds %v", left)
	}
	s.quiet()
	sum, err := s.verify(backup.Verify{Full: true})
	s.must(err)
	for _, f := range sum.Verified.Findings {
		if f.What != backup.Unread { // what an interrupted run sent, and is hidden since, is compared when it shows again
			s.t.Errorf("verify: %s: %s", f.Path, f.What)
		}
	}
}

// guarded reports whether a source is a folder that was a file, or a link,
// when Drive was told of it: its run is held back.
func (s *scope) guarded() bool {
	f := s.frame()
	for _, it := range f.items {
		if it.live && !it.dir && slices.Contains(f.sources, it.at) {
			return true
		}
	}
	return false
}

// scans makes a run that looks at all sources.
func (s *scope) scans(through bool, run func()) {
	s.t.Helper()
	before := s.frame()
	run()
	after := s.frame()
	s.harmless(before, after)
	for id, it := range after.items {
		if _, was := before.items[id]; !was && it.live && it.at != before.blind && before.hides(it.at, it.dir) && !before.above(it.at) {
			s.t.Errorf("saved, although it is not to be: %s", it.at)
		}
		s.keeps(id, after, through)
	}
}

// harmless demands that a run has trashed nothing but what it could see to be
// gone, or to be another thing, and has left what is hidden as it was.
func (s *scope) harmless(before, after *frame) {
	s.t.Helper()
	held := map[string]bool{}
	for _, it := range after.items {
		held[it.at] = held[it.at] || it.live
	}
	for id, was := range before.items {
		now := after.items[id]
		hidden := before.hides(was.at, was.dir)
		switch {
		case !was.live:
		case now.live && (!hidden || now.md5 == was.md5):
		case now.live && now.at != was.at && !after.hides(now.at, now.dir): // the folder that it is in was met there
		case now.live:
			s.t.Errorf("changed, although it is hidden: %s", was.at)
		case hidden:
			s.t.Errorf("trashed, although it is hidden: %s", was.at)
		case before.there(was):
			if !held[was.at] {
				s.t.Errorf("trashed, although it is on disk: %s", was.at)
			}
		case s.keep[id] == yes:
			s.t.Errorf("trashed, although it was to be kept: %s", was.at)
		default:
			for up := before.in(id); up != ""; up = before.in(up) {
				if s.keep[up] == yes && !before.there(before.items[up]) {
					s.t.Errorf("trashed, although %s was to be kept: %s", before.items[up].at, was.at)
				}
			}
		}
	}
}

// keeps notes what a run means for whether an item is kept.
func (s *scope) keeps(id string, f *frame, through bool) {
	it, was := f.items[id], s.keep[id]
	hidden := f.hides(it.at, it.dir)
	switch {
	case !it.live:
		delete(s.keep, id)
	case hidden && !through:
		s.keep[id] = max(was, perhaps)
	case hidden && f.hides(path.Dir(it.at), true): // what is above it covers it
		s.keep[id] = max(was, perhaps)
	case hidden:
		s.keep[id] = yes
	case f.there(it) && through:
		s.keep[id] = no
	case f.disk[it.at].kind != "":
		s.keep[id] = min(was, perhaps)
	case !through: // it may have been met, and be in sight again, where a folder was moved to
		s.keep[id] = min(was, perhaps)
	case it.dir:
		for other, below := range f.items { // it holds what is kept, and is kept with it
			if below.live && within(below.at, it.at) && s.keep[other] > no {
				s.keep[id] = max(was, perhaps)
			}
		}
	}
}

// byName makes a run of some files and folders, in and outside of the sources.
func (s *scope) byName(seed uint64) {
	s.t.Helper()
	paths, err := s.hand.pick(1+s.rng.IntN(3), func(fs.FileMode) bool { return true })
	if err != nil {
		return
	}
	var targets []string
	for _, p := range paths {
		if !slices.ContainsFunc(targets, func(o string) bool { return within(p, o) || within(o, p) }) {
			targets = append(targets, p)
		}
	}
	s.req = backup.Request{}
	for _, p := range targets {
		at, err := scan.PathOf(p)
		s.must(err)
		s.req.Targets = append(s.req.Targets, scan.Target{Path: at, Root: p})
	}
	s.hand.say("-- a run of %s", strings.Join(targets, " "))
	before := s.frame()
	through := s.rng.IntN(2) == 0
	if through {
		s.ok()
	} else {
		s.interrupted(seed)
	}
	s.req = backup.Request{}
	after := s.frame()
	named := func(at string) bool {
		return slices.ContainsFunc(targets, func(t string) bool { return at == drivePath(t) || within(at, drivePath(t)) })
	}
	for id, was := range before.items {
		now := after.items[id]
		// What is of another kind now cannot hold the content of the old one.
		replaced := after.there(was) && named(was.at)
		if was.live && !now.live && !replaced {
			s.t.Errorf("trashed by a run of --path: %s", was.at)
		}
		// Of two that were named, one may have become the other.
		if now.at != was.at && !(named(was.at) && named(now.at)) {
			s.t.Errorf("moved by a run of --path: %s to %s", was.at, now.at)
		}
	}
	for id, it := range after.items {
		named := slices.ContainsFunc(targets, func(t string) bool { return within(it.at, drivePath(t)) })
		switch hidden := after.hides(it.at, it.dir); {
		case !it.live || !named && before.items[id].at != "":
		case named && hidden && through && slices.ContainsFunc(targets, func(t string) bool { return it.at == drivePath(t) }):
			s.keep[id] = yes
		case hidden:
			s.keep[id] = max(s.keep[id], perhaps)
		case after.there(it):
			s.keep[id] = min(s.keep[id], perhaps)
		}
	}
	if through {
		s.saved(targets, after)
	}
}

// saved demands that what was named is on Drive as it is on disk.
func (s *scope) saved(targets []string, f *frame) {
	s.t.Helper()
	has := map[[2]string]bool{}
	for _, it := range f.items {
		if it.live {
			has[[2]string{it.at, it.md5}] = true
		}
	}
	for at, d := range f.disk {
		for _, t := range targets {
			top := drivePath(t)
			if !within(at, top) || f.inSource(top) && f.ruled(strings.TrimPrefix(strings.TrimPrefix(at, top), "/"), d.kind == "d") {
				continue
			}
			if !has[[2]string{at, d.md5}] {
				s.t.Errorf("named, and not saved: %s", at)
			}
		}
	}
}

// unmounted makes a run without one of the sources, or with an empty folder or
// a file in its place, or one whose rules cannot be read somewhere.
func (s *scope) unmounted(seed uint64) {
	s.t.Helper()
	dir := s.sources[s.rng.IntN(len(s.sources))]
	if _, err := os.Stat(dir); err != nil || dir == s.dir {
		return
	}
	away := filepath.Join(filepath.Dir(s.manifest), "away")
	how := s.rng.IntN(4)
	if known := s.frame().ids[drivePath(dir)]; how == 2 && known == "" {
		how = 0 // what is there then would be taken for the source
	}
	if info, err := os.Stat(dir); how == 3 && (err != nil || !info.IsDir()) {
		how = 0
	}
	s.hand.say("-- %s is %s", dir, []string{"not there", "empty", "a file", "not to be read in part"}[how])
	if how == 3 {
		below := s.hand.within()
		if s.rng.IntN(2) == 0 || !within(below, dir) {
			below = dir
		}
		bad := filepath.Join(below, ".acbignore")
		s.must(os.Symlink(".acbignore", bad))
		s.blind = drivePath(below)
		defer func() { s.blind = ""; s.must(os.RemoveAll(bad)) }()
	} else {
		s.must(os.Rename(dir, away))
		switch how {
		case 1:
			s.must(os.Mkdir(dir, 0o755))
		case 2:
			s.must(os.WriteFile(dir, []byte("a file"), 0o644))
		}
		s.blind = drivePath(dir)
		defer func() { s.blind = ""; s.must(os.RemoveAll(dir)); s.must(os.Rename(away, dir)) }()
	}
	s.scans(false, func() {
		if s.rng.IntN(2) == 0 {
			s.interrupted(seed)
		} else if _, err := s.run(context.Background()); err != nil {
			s.t.Error(err)
		}
	})
}

// undoes takes back what the last undisturbed run did.
func (s *scope) undoes() {
	s.t.Helper()
	if s.last == 0 {
		return
	}
	s.hand.say("-- run %d is undone", s.last)
	if _, err := s.undo(s.last); err != nil {
		s.t.Error(err)
	}
	for id := range s.frame().items {
		s.keep[id] = perhaps
	}
}
