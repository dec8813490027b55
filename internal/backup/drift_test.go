package backup_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// due makes a run in which Drive is asked what others did, eight days after the
// one before.
func (w *world) due(b *backup.Backup) {
	w.days += 8
	now, days := b.Scan.Now, w.days
	b.CheckDrive = 7 * 24 * time.Hour
	b.Scan.Now = func() time.Time { return now().AddDate(0, 0, days) }
}

// TestDrift lets somebody else change on Drive what acb made, while nothing
// changes on disk. The run that asks puts everything right and says so; the
// next one has nothing to do.
func TestDrift(t *testing.T) {
	more := hands
	more = append(more[:len(more):len(more)], []struct {
		name string
		do   func(w *world) error
	}{
		{"nothing", func(w *world) error { return nil }},
		{"everything deleted from the trash", func(w *world) error {
			err := w.srv.Trash(w.top().ID)
			w.srv.EmptyTrash()
			return err
		}},
		{"file moved and renamed and overwritten", func(w *world) error {
			id := w.node("docs/d/f").ID
			return firstOf(w.srv.Move(id, "root"), w.srv.Rename(id, "x"), w.srv.SetContent(id, []byte("theirs")))
		}},
		{"folders turned inside out", func(w *world) error {
			d, e := w.node("docs/d").ID, w.node("docs/e").ID
			return firstOf(w.srv.Move(e, "root"), w.srv.Move(d, e))
		}},
		{"file moved out, its folder deleted", func(w *world) error {
			f, d := w.node("docs/d/f").ID, w.node("docs/d").ID
			return firstOf(w.srv.Move(f, "root"), w.srv.Delete(d))
		}},
		{"folder moved into one that was trashed", func(w *world) error {
			d, e := w.node("docs/d").ID, w.node("docs/e").ID
			return firstOf(w.srv.Move(d, e), w.srv.Trash(e))
		}},
		{"folder moved into somebody's, which was trashed", func(w *world) error {
			theirs, err := w.srv.AddFolder("root", "Stuff")
			return firstOf(err, w.srv.Move(w.node("docs/d").ID, theirs), w.srv.Trash(theirs))
		}},
		{"all moved into somebody's folder, which was trashed", func(w *world) error {
			top := w.top().ID
			theirs, err := w.srv.AddFolder("root", "Stuff")
			return firstOf(err, w.srv.Move(top, theirs), w.srv.Trash(theirs))
		}},
		{"folder above the sources moved out, and the one above that deleted", func(w *world) error {
			up := w.node("..").ID
			return firstOf(w.srv.Move(w.node("").ID, w.host().ID), w.srv.Delete(up))
		}},
		{"source's folder moved out, and the one above that deleted", func(w *world) error {
			return firstOf(w.srv.Move(w.node("docs").ID, w.host().ID), w.srv.Delete(w.node("").ID))
		}},
		{"host folder moved", func(w *world) error { return w.srv.Move(w.host().ID, "root") }},
		{"source's folder trashed and what is in it deleted", func(w *world) error {
			docs, d, f := w.node("docs").ID, w.node("docs/d").ID, w.node("docs/e/h").ID
			return firstOf(w.srv.Trash(f), w.srv.Delete(d), w.srv.Trash(docs))
		}},
		{"overwritten with the same", func(w *world) error { return w.srv.SetContent(w.node("docs/d/f").ID, []byte("the file")) }},
	}...)
	for i, h := range more {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, drivetest.Options{Unsettled: unsettled(uint64(i+1) * 0x9e3779b97f4a7c15)}, "docs")
			w.write("docs/d/f", "the file")
			w.write("docs/d/g", "its neighbour")
			w.write("docs/e/h", "elsewhere")
			w.ok()
			w.ok(w.due) // its own changes are no drift
			w.must(h.do(w))
			sum := w.ok(w.due)
			w.compare()
			if none := h.name == "nothing"; none != (sum.Counts.Mended == 0) || len(sum.Mended) != int(sum.Counts.Mended) {
				t.Errorf("mended %d: %v", sum.Counts.Mended, sum.Mended)
			}
			if again := w.ok(w.due); again.Counts.Mended > 0 {
				t.Errorf("once more: %v", again.Mended)
			}
			w.compare()
			w.atMost1(func() { w.ok(w.due) })
			w.quiet()
		})
	}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// atMost1 demands that f takes one request: nothing has changed.
func (w *world) atMost1(f func()) {
	w.t.Helper()
	before := w.srv.Stats().Total()
	f()
	if n := w.srv.Stats().Total() - before; n != 1 {
		w.t.Errorf("%d requests to find that nothing was changed:%s", n, lastRequests(w.srv, n))
	}
}

// TestDriftWhenDue: not asked before it is time, never when switched off, not
// by a run of --path.
func TestDriftWhenDue(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.fill("docs", 3)
	w.ok()
	every := func(d time.Duration, at time.Duration) func(*backup.Backup) {
		return func(b *backup.Backup) {
			now := b.Scan.Now
			b.CheckDrive, b.Scan.Now = d, func() time.Time { return now().Add(at) }
		}
	}
	const day = 24 * time.Hour
	for _, c := range []struct {
		every, at time.Duration
		want      int
	}{
		{7 * day, 6 * day, 0}, {0, 100 * day, 0}, {7 * day, 8 * day, 1}, {7 * day, 9 * day, 0}, {7 * day, 16 * day, 1},
		{7 * day, 8 * day, 1}, // the clock went back
	} {
		if n, _ := w.requests(every(c.every, c.at)); n != c.want {
			t.Errorf("every %v, %v later: %d requests, should be %d", c.every, c.at, n, c.want)
		}
	}
}

// TestDriftRequests: ⌈changes/1000⌉, and what is put right goes in batches.
func TestDriftRequests(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.fill("docs", 1100)
	w.ok()
	n, _ := w.requests(w.due)
	w.atMost(n, 2) // of its own: 1,100 files and the folders above
	for i := range 150 {
		w.must(w.srv.Trash(w.node(fmt.Sprintf("docs/f%03d", i)).ID))
	}
	n, sum := w.requests(w.due)
	w.atMost(n, 1+1+2) // the log, the generation, two batches
	if sum.Counts.Mended != 150 {
		t.Errorf("%d mended", sum.Counts.Mended)
	}
	w.compare()
}

// TestDriftTokenGone: without a place in the change log, everything is listed.
func TestDriftTokenGone(t *testing.T) {
	for _, lag := range []time.Duration{0, time.Hour} {
		w := newWorld(t, drivetest.Options{}, "docs")
		w.fill("docs/d", 5)
		w.ok()
		w.meta(map[string]string{"changes_token": "987654321"})
		w.srv.SetListLag(lag, 0)
		w.must(firstOf(w.srv.Trash(w.node("docs/d/f001").ID), w.srv.Delete(w.node("docs/d/f002").ID)))
		w.write("docs/d/unlisted", "a new file, which is not listed yet")
		w.ok()
		sum := w.ok(w.due)
		if sum.Counts.Mended != 2 || !strings.Contains(sum.Listed, "change log") {
			t.Errorf("mended %v, said %q", sum.Mended, sum.Listed)
		}
		w.compare()
		w.ok(w.due)
		w.atMost1(func() {
			if sum := w.ok(w.due); sum.Listed != "" {
				t.Errorf("listed again: %s", sum.Listed)
			}
		})
	}
}

// TestDriftFaults: whatever request fails, what others did is put right in the
// end, and nothing is counted as asked that was not.
func TestDriftFaults(t *testing.T) {
	for _, effect := range []drivetest.Effect{drivetest.Unavailable, drivetest.Lost, drivetest.Torn} {
		for n := 0; ; n++ {
			w := newWorld(t, drivetest.Options{}, "docs")
			w.fill("docs/d", 3)
			w.fill("docs/e", 2)
			w.ok()
			w.must(firstOf(w.srv.Delete(w.node("docs/d/f001").ID), w.srv.Trash(w.node("docs/d/f002").ID), w.srv.Move(w.node("docs/e/f000").ID, "root"),
				w.srv.SetContent(w.node("docs/e/f001").ID, []byte("theirs"))))
			w.srv.Inject(drivetest.From(n, effect))
			_, _ = w.run(t.Context(), w.due)
			hit := w.srv.Hits() > 0
			w.srv.Inject(nil)
			w.ok(w.due)
			w.compare()
			if t.Failed() {
				t.Fatalf("%v from request %d on", effect, n)
			}
			if !hit {
				break
			}
		}
	}
}

// TestDriftWaits: what belongs into a folder that has to be made anew is put
// back by the end of the run, or else by the next one that asks.
func TestDriftWaits(t *testing.T) {
	for n := 0; ; n++ {
		w := newWorld(t, drivetest.Options{}, "docs")
		w.write("docs/d/f", "the file")
		w.write("docs/d/g", "its neighbour")
		w.ok()
		f, d := w.node("docs/d/f").ID, w.node("docs/d").ID
		w.must(firstOf(w.srv.Move(f, "root"), w.srv.Delete(d)))
		w.srv.Inject(drivetest.From(n, drivetest.Unavailable))
		_, _ = w.run(t.Context(), w.due)
		hit := w.srv.Hits() > 0
		w.srv.Inject(nil)
		w.ok(w.due)
		w.compare()
		w.atMost1(func() { w.ok(w.due) })
		if id := w.node("docs/d/f").ID; id != f {
			t.Errorf("sent again, although it was there")
		}
		if t.Failed() {
			t.Fatalf("from request %d on", n)
		}
		if !hit {
			return
		}
	}
}

// TestDriftOfACopy: what the original did since the copy was made is not
// undone by the copy.
func TestDriftOfACopy(t *testing.T) {
	first := newWorld(t, drivetest.Options{}, "docs")
	first.fill("docs/d", 5)
	first.ok()
	second := first.clone()
	first.rename("docs/d/f001", "docs/moved")
	first.remove("docs/d/f002")
	first.write("docs/d/f003", "changed")
	first.ok()
	first.compare()
	before := first.srv.Tree("root")
	sum, _ := second.run(t.Context(), second.due)
	if sum.ExitCode() != 4 || sum.Counts.Mended > 0 {
		t.Errorf("exit %d, mended %v", sum.ExitCode(), sum.Mended)
	}
	for at, n := range first.srv.Tree("root") {
		if before[at].Head != n.Head || before[at].ID != n.ID {
			t.Errorf("harmed: %s", at)
		}
	}
	first.ok(first.due)
	first.compare()
}

// TestHandsMeanwhile lets somebody else act at every request of a run that
// does everything there is to do. Whatever that run met, the next one that asks
// Drive leaves it as the disk is.
func TestHandsMeanwhile(t *testing.T) {
	for i, h := range hands {
		if i%stride(4) > 0 {
			continue
		}
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			for n, hit := 0, true; hit && !t.Failed(); n++ {
				w := newWorld(t, drivetest.Options{Unsettled: unsettled(uint64(i*100+n+1) * 0x9e3779b97f4a7c15)}, "docs")
				w.write("docs/d/f", "the file")
				w.write("docs/d/g", "its neighbour")
				w.write("docs/d/gone", "to be deleted")
				w.write("docs/e/h", "elsewhere")
				w.ok()
				w.write("docs/d/f", "edited here")
				w.write("docs/d/sub/new", "new")
				w.rename("docs/d/g", "docs/e/g")
				w.remove("docs/d/gone")
				hit = false
				begin := w.srv.Stats().Total()
				w.srv.OnRequest(func(at int, _ drivetest.Info) {
					if at-begin == n {
						hit = true
						w.keep(h.do(w))
					}
				})
				_, err := w.run(t.Context())
				w.srv.OnRequest(nil)
				if err != nil {
					t.Errorf("at request %d: %v", n, err)
				}
				w.ok(w.due)
				w.compare()
				w.ok(w.due)
				w.compare()
				if t.Failed() {
					t.Errorf("acted at request %d", n)
				}
				w.srv.Close()
			}
		})
	}
}
