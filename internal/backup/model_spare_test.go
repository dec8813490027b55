package backup_test

import (
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// A spare is a copy of the state folder: on a disk image, or on another machine.
type spare struct {
	dir   string
	drive map[string]drivetest.Node // as it was left to the copy, but for what other hands did
	stale bool                      // the original has changed Drive since
	half  bool                      // it was made in the middle of a run that did not end well
}

// onHost returns all there is below the host folder, also in the bin.
func (w *world) onHost() map[string]drivetest.Node {
	return w.srv.TreeWithTrash(w.srv.Tree("root")[topName+"/"+hostName].ID)
}

// beside makes a run of the original, before or in which the state folder may
// be copied. A copy that was made in the middle of a run which ends well is
// stale: that one has put its last number on Drive. If it does not, nothing
// tells the two apart until the next run, and the copy looks itself what it
// does not know of.
func (m *model) beside(run func() (ended bool)) {
	m.t.Helper()
	copied := false
	switch m.rng.IntN(8) {
	case 0:
		m.hand.say("-- the state folder is copied")
		m.copyAway()
	case 1:
		at, seen := m.rng.Int64N(12), atomic.Int64{}
		m.watch = func() {
			if seen.Add(1)-1 == at {
				m.hand.say("-- the state folder is copied at request %d", at)
				m.copyAway()
				copied = true
			}
		}
	}
	ended := run()
	m.watch = nil
	switch {
	case m.spare == nil:
	case copied:
		m.spare.drive, m.spare.half = m.onHost(), !ended
	case !reflect.DeepEqual(m.spare.drive, m.onHost()):
		m.spare.stale = true
	}
}

// copyAway copies the state folder.
func (m *model) copyAway() {
	m.spare = &spare{dir: fastDir(m.t), drive: m.onHost()}
	m.keep(copyState(filepath.Dir(m.manifest), m.spare.dir))
}

// second returns the same disk and Drive, seen through the copy.
func (m *model) second() *world {
	return &world{
		t: m.t, dir: m.dir, sources: m.sources, manifest: filepath.Join(m.spare.dir, "manifest.db"), srv: m.srv,
		limits: m.limits, settle: m.settle, now: m.now, signIn: m.signIn, copyLimit: m.copyLimit,
		binding: m.binding, checkDrive: m.checkDrive, fake: m.fake, log: m.log,
	}
}

// useSpare lets the copy make a run, here or on another machine. A stale one
// changes nothing and says why; then the original goes on, or it is lost, and
// the copy is made right as its message has it.
func (m *model) useSpare() {
	m.t.Helper()
	m.out.after(m.settle)
	m.giveUpSessions() // the copy may know nothing of them
	second := m.second()
	m.spare.stale = m.spare.stale || m.spare.half && m.wasOutrun(second)
	if m.rng.IntN(2) == 0 {
		second.binding.Machine += "'"
	}
	m.hand.say("-- the copy makes a run on machine %q; stale: %v", second.binding.Machine, m.spare.stale)
	before := m.onHost()
	if !m.takesOver(second) {
		m.hand.say("-- the original goes on")
		m.spare = nil
		return
	}
	m.hand.say("-- the copy goes on in its place")
	now := m.spare.dir
	m.copyAway() // the original, which is now the other one
	m.spare.stale = !reflect.DeepEqual(before, m.spare.drive)
	m.restore(now)
	m.binding = second.binding
}

// wasOutrun reports whether the run in whose middle a copy was made has come to
// its last batch after all.
func (m *model) wasOutrun(second *world) bool {
	m.t.Helper()
	known := strings.Fields(second.known("gens"))
	for key := range m.host().AppProps {
		if gen, ok := strings.CutPrefix(key, "acb.g."); ok && !slices.Contains(known, gen) {
			return true
		}
	}
	return false
}

// takesOver has the copy make a run, and reports whether it goes on in the
// place of the original.
func (m *model) takesOver(second *world) bool {
	m.t.Helper()
	adopts := m.rng.IntN(3) == 0
	if was, is := second.machine(), second.binding.Machine; was != "" && is != "" && was != is {
		adopts = true
		m.unharmed(func() { m.stops(second, new(*backup.MachineError)) })
	}
	if m.spare.stale {
		m.unharmed(func() {
			if adopts {
				if _, err := second.adopt(); err == nil {
					m.t.Error("a stale copy was adopted")
				}
				second.binding = backup.Binding{}
			}
			m.stops(second, new(*remote.GenError))
		})
		if m.touched || m.rng.IntN(2) == 0 {
			return false // made anew, it would have what others did as it is
		}
		m.hand.say("-- its manifest is made anew")
		made, err := second.rebuild()
		m.must(err)
		for _, left := range made.Left { // an interrupted run's, whose place is taken: the user is told
			m.hand.say("-- the user removes what is left: %s, %s", left.Path, left.Why)
			m.must(m.srv.Trash(string(left.Item)))
		}
		m.limits.Allow = true // what is on Drive only was not seen to vanish
		return true
	}
	var gen *remote.GenError
	if adopts {
		if _, err := second.adopt(); err != nil {
			if !errors.As(err, &gen) && second.began() {
				m.t.Errorf("adopt: %v", err)
			}
			return false
		}
	}
	sum, err := second.run(m.t.Context())
	if errors.As(err, &gen) {
		return false
	}
	if err != nil || len(sum.Conditions) > 0 {
		m.t.Errorf("the copy: %v, %v, %v", err, sum.Conditions, sum.Failures)
	}
	if m.spare.half {
		m.removeStrange(second)
	}
	return true
}

// removeStrange removes what a copy that was made in the middle of a run cannot
// know of: the original has made it afterwards, and by now it is not on disk
// any more, or another thing has come there, or moved there. Verify lists it.
func (m *model) removeStrange(second *world) {
	m.t.Helper()
	disk := m.onDisk()
	for _, d := range second.drifts() {
		if !d.What.Has(backup.Extra | backup.Duplicate) {
			continue
		}
		if kind := map[string]manifest.Kind{"f": manifest.File, "l": manifest.Symlink, "d": manifest.Dir}[disk[string(d.Path)].kind]; kind == d.Now.Kind && !d.What.Has(backup.Duplicate) {
			m.t.Errorf("the copy has not taken in %s", d.Path)
		}
		m.hand.say("-- the user removes %s", d.Path)
		m.must(m.srv.Trash(string(d.Item)))
	}
}

// machine returns the machine that a manifest is bound to.
func (w *world) machine() string { return w.known("machine") }

// began reports whether a manifest knows of a host folder.
func (w *world) began() bool { return w.known("layout_host") != "" && w.known("layout_begun") == "" }

func (w *world) known(key string) string {
	w.t.Helper()
	r, err := manifest.OpenReader(w.manifest)
	w.must(err)
	defer r.Close()
	text, err := r.Meta(key)
	w.must(err)
	return text
}

// stops makes a run that has nothing to do, but for settling, or ends with the
// error.
func (m *model) stops(second *world, with any) {
	m.t.Helper()
	settles := len(second.intents()) > 0
	sum, err := second.run(m.t.Context())
	switch {
	case errors.As(err, with) && sum.ExitCode() == 4:
	case err == nil && sum.ExitCode() == 0 && (settles || sum.Counts.Requests == 0):
	default:
		m.t.Errorf("the copy was not stopped: exit %d, %v, %+v", sum.ExitCode(), err, sum.Counts)
	}
}

// unharmed demands that f changes nothing on Drive, and sends nothing.
func (m *model) unharmed(f func()) {
	m.t.Helper()
	before, sent := m.onHost(), m.srv.Stats().ContentIn
	f()
	if !reflect.DeepEqual(before, m.onHost()) {
		m.t.Error("the copy has changed Drive")
	}
	if n := m.srv.Stats().ContentIn - sent; n > 0 {
		m.t.Errorf("the copy has sent %d bytes", n)
	}
}
