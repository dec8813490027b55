package backup_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/internal/ignore"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
	"github.com/autocloudbackup/acb/scan"
)

const (
	bigSize = 8 << 20
	// before is what Drive has of a big file when a run is killed as the
	// second of its chunks begins: that one arrives as well.
	before = 4 << 20
)

func big(text string) string { return strings.Repeat(text, bigSize/len(text)) }

// killAtChunk makes a run that dies when chunk n of an upload begins.
func (w *world) killAtChunk(n int) {
	w.t.Helper()
	if !w.killIn(w.chunk(n)) {
		w.t.Fatalf("there was no chunk %d", n)
	}
}

// chunk picks chunk n of the uploads to come.
func (w *world) chunk(n int) func(drivetest.Info) bool {
	var mu sync.Mutex
	return func(r drivetest.Info) bool {
		mu.Lock()
		defer mu.Unlock()
		if r.Kind == drivetest.UploadChunk {
			n--
		}
		return n < 0
	}
}

// intents returns what the journal still holds.
func (w *world) intents() []manifest.Intent {
	w.t.Helper()
	store, err := manifest.Open(w.manifest)
	w.must(err)
	defer store.Close()
	list, err := store.Unsettled()
	w.must(err)
	return list
}

// unsettled returns what the journal still holds of what can be settled by now.
func (w *world) unsettled() []manifest.Intent {
	w.t.Helper()
	return slices.DeleteFunc(w.intents(), func(in manifest.Intent) bool { return in.Late })
}

// over demands that the journal holds nothing that can be settled, and three
// hours later, after one more run, nothing at all.
func (w *world) over() {
	w.t.Helper()
	if left := w.unsettled(); len(left) > 0 {
		w.t.Errorf("the journal still holds %v", left)
	}
	now := w.now
	w.now = func() time.Time { return now().Add(3 * time.Hour) }
	w.ok()
	if left := w.intents(); len(left) > 0 {
		w.t.Errorf("hours later, the journal still holds %v", left)
	}
}

// TestHalfSent kills a run that sends a big file, and has something happen
// before the next one: what Drive had of the file is not sent again, unless the
// file is another one, and nothing is left behind.
func TestHalfSent(t *testing.T) {
	path := func(w *world, rel string) backup.Request {
		p, err := scan.PathOf(w.path(rel))
		w.must(err)
		return backup.Request{Targets: []scan.Target{{Path: p, Root: w.path(rel)}}}
	}
	request := func(w *world, req backup.Request) {
		sum, err := w.request(w.t.Context(), req)
		if err != nil || len(sum.Failures) > 0 {
			w.t.Errorf("%v %v", err, sum.Failures)
		}
	}
	for _, c := range []struct {
		name   string
		meet   func(w *world)
		sent   int64 // in all, of the big file
		create bool  // means nothing for an update
	}{
		{"nothing", func(*world) {}, bigSize, false},
		{"killed twice more", func(w *world) { w.killAtChunk(0); w.killAtChunk(0) }, bigSize, false},
		{"interrupted", func(w *world) { w.endAt(w.chunk(0), func() {}) }, bigSize, false},
		{"renamed", func(w *world) { w.rename("docs/d/big", "docs/d/large") }, bigSize, true},
		{"renamed, another file in its place", func(w *world) {
			w.rename("docs/d/big", "docs/d/large")
			w.write("docs/d/big", "another")
		}, bigSize + int64(len("another")), true},
		{"moved to a new folder", func(w *world) { w.rename("docs/d/big", "docs/e/big") }, bigSize, true},
		{"moved to another source, folder removed", func(w *world) { w.rename("docs/d/big", "pics/b"); w.remove("docs/d") }, bigSize, true},
		{"folder renamed", func(w *world) { w.rename("docs/d", "docs/e") }, bigSize, false},
		{"mode set", func(w *world) { w.must(os.Chmod(w.path("docs/d/big"), 0o600)) }, bigSize, false},
		{"deleted", func(w *world) { w.remove("docs/d/big") }, before, false},
		{"grown", func(w *world) { w.write("docs/d/big", big("new!")+"!") }, before + bigSize + 1, false},
		{"rewritten, time put back", func(w *world) {
			st, err := os.Stat(w.path("docs/d/big"))
			w.must(err)
			w.write("docs/d/big", big("other"[:4]))
			w.must(os.Chtimes(w.path("docs/d/big"), st.ModTime(), st.ModTime()))
		}, bigSize + bigSize, false}, // the journal had not heard of the first chunk yet: only the MD5 tells
		{"another path backed up", func(w *world) { request(w, path(w, "docs/small")) }, bigSize, false},
		{"the path itself backed up", func(w *world) { request(w, path(w, "docs/d/big")) }, bigSize, false},
		{"left out of one run", func(w *world) {
			p, err := ignore.NewPattern("d/", "d/", 1)
			w.must(err)
			if _, err := w.run(w.t.Context(), func(b *backup.Backup) {
				b.Sources[0].Exclude = ignore.New(w.sources[0], "--exclude", []ignore.Pattern{p})
			}); err != nil {
				w.t.Error(err)
			}
		}, bigSize, false},
		{"source missing for one run", func(w *world) {
			w.must(os.Rename(w.path("docs"), w.path("away")))
			if _, err := w.run(w.t.Context()); err != nil {
				w.t.Error(err)
			}
			w.must(os.Rename(w.path("away"), w.path("docs")))
		}, bigSize, false},
		{"source empty for one run", func(w *world) {
			w.must(os.Rename(w.path("docs"), w.path("away")))
			w.must(os.Mkdir(w.path("docs"), 0o755))
			if _, err := w.run(w.t.Context()); err != nil {
				w.t.Error(err)
			}
			w.remove("docs")
			w.must(os.Rename(w.path("away"), w.path("docs")))
		}, bigSize, false},
		{"session lost", func(w *world) {
			w.srv.Inject(drivetest.Nth(drivetest.UploadQuery, 0, drivetest.SessionLost(404)))
		}, before + bigSize, false},
	} {
		for _, update := range []bool{false, true} {
			if update && c.create {
				continue
			}
			name := c.name + map[bool]string{false: ", new", true: ", update"}[update]
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, drivetest.Options{}, "docs", "pics")
				w.write("docs/small", "small")
				w.write("docs/d/other", "other")
				if update {
					w.write("docs/d/big", big("old old "))
					w.ok()
				}
				w.write("docs/d/big", big("new!"))
				w.srv.ResetStats()
				w.killAtChunk(1)
				small := w.srv.Stats().ContentIn - before
				c.meet(w)
				small += int64(len("small")+len("other")) - small // whenever they went up
				if update {
					small = 0
				}
				w.ok()
				w.srv.Inject(nil)
				w.compare()
				if got := w.srv.Stats().ContentIn - small; got != c.sent {
					t.Errorf("%d bytes of it were sent, want %d", got, c.sent)
				}
				w.quiet()
				w.over()
			})
		}
	}
}

// TestHalfSentMovedKilledAgain moves a half-sent file and kills the run that
// goes on with it, at every request, which reaches Drive or does not: the file
// is where it belongs in the end, and no byte was sent twice.
func TestHalfSentMovedKilledAgain(t *testing.T) {
	const size = 6 << 20
	for name, move := range map[string]func(w *world){
		"name":   func(w *world) { w.rename("docs/d/big", "docs/d/large") },
		"folder": func(w *world) { w.rename("docs/d/big", "docs/e/big") },
		"mode":   func(w *world) { w.must(os.Chmod(w.path("docs/d/big"), 0o600)) },
	} {
		for _, does := range []bool{true, false} {
			t.Run(fmt.Sprint(name, does), func(t *testing.T) {
				t.Parallel()
				for n := 0; ; n += stride(3) {
					w := newWorld(t, drivetest.Options{Seed: uint64(n + 1)}, "docs")
					w.write("docs/d/big", big("new!")[:size])
					w.killAtChunk(1)
					move(w)
					if !does {
						w.srv.Inject(drivetest.From(n, drivetest.Cut))
					}
					hit := w.killAfter(n)
					w.srv.Inject(nil)
					w.ok()
					w.compare()
					if got := w.srv.Stats().ContentIn; got != size {
						t.Errorf("%d bytes were sent", got)
					}
					w.quiet()
					if t.Failed() {
						t.Fatalf("killed at request %d", n)
					}
					w.srv.Close()
					if !hit {
						return
					}
				}
			})
		}
	}
}

// TestHalfSentMovedToBegun moves a half-sent file to where a small one was,
// which was begun as well and did not arrive: what was sent of it is gone on
// with, and the small one's place in the journal is given up.
func TestHalfSentMovedToBegun(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.ok()
	w.write("docs/big", big("new!"))
	w.write("docs/small", "small")
	w.srv.Inject(drivetest.Only(drivetest.Always(drivetest.Cut), drivetest.UploadMulti))
	w.killAtChunk(1)
	if left := w.intents(); len(left) != 2 {
		t.Fatalf("the journal holds %v", left)
	}
	w.remove("docs/small")
	w.rename("docs/big", "docs/small")
	w.ok()
	w.compare()
	if got := w.srv.Stats().ContentIn; got != bigSize {
		t.Errorf("%d bytes were sent", got)
	}
	w.quiet()
}

// TestHalfSentCopied copies a half-sent file on disk: of the two, one goes on in
// the session, and Drive copies the other.
func TestHalfSentCopied(t *testing.T) {
	for _, name := range []string{"docs/a", "docs/z"} {
		w := newWorld(t, drivetest.Options{}, "docs")
		w.write("docs/big", big("new!"))
		w.killAtChunk(1)
		info, err := os.Stat(w.path("docs/big"))
		w.must(err)
		w.write(name, big("new!"))
		w.must(os.Chtimes(w.path(name), time.Time{}, info.ModTime()))
		w.ok()
		w.compare()
		if got := w.srv.Stats().ContentIn; got != bigSize {
			t.Errorf("%s: %d bytes were sent", name, got)
		}
		w.quiet()
	}
}

// TestHalfSentIgnored has a rule hide a half-sent file: it is given up.
func TestHalfSentIgnored(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/big", big("new!"))
	w.killAtChunk(1)
	w.rules = []string{"big"}
	w.ok()
	w.quiet()
	w.over()
}

// TestGivenUpUnseen has a run die whose last chunk is carried out, and Drive not
// show at once what is whole by then. The file is gone when the next run gives
// the upload up, and what appears is trashed some hours later, also if it was
// begun days ago.
func TestGivenUpUnseen(t *testing.T) {
	for _, age := range []time.Duration{0, 50 * time.Hour} {
		w := newWorld(t, drivetest.Options{}, "docs")
		w.write("docs/stays", "stays")
		w.ok()
		w.write("docs/big", big("new!")[:6<<20])
		w.killAtChunk(1)
		w.now = func() time.Time { return later().Add(age) }
		last := false
		at := fastDir(t)
		w.srv.Inject(drivetest.Always(drivetest.Fresh404(5)))
		w.endAt(func(r drivetest.Info) bool { return r.Kind == drivetest.UploadChunk }, func() {
			last = true
			w.keep(copyState(filepath.Dir(w.manifest), at))
		})
		w.srv.Inject(nil)
		w.restore(at)
		if _, whole := w.srv.Tree("root")[topName+"/"+hostName+"/"+drivePath(w.path("docs/big"))]; !last || !whole {
			t.Fatal("the last chunk did not arrive")
		}
		w.remove("docs/big")
		w.ok()
		w.quiet()
		w.over()
		w.compare()
		w.quiet()
	}
}

// TestHalfSentHeld holds the update of a half-sent file back: once it is
// allowed it goes on.
func TestHalfSentHeld(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	many := func(text string) {
		for i := range 101 {
			w.write(filepath.Join("docs", "f", string(rune('a'+i/26))+string(rune('a'+i%26))), text)
		}
	}
	many("one")
	w.write("docs/big", big("old old "))
	w.ok()
	w.write("docs/big", big("new!"))
	w.srv.ResetStats()
	w.killAtChunk(1)
	many("three")
	if sum, err := w.run(t.Context()); err != nil || sum.Counts.HeldBack == 0 {
		t.Fatalf("%v %+v", err, sum)
	}
	w.limits.Allow = true
	w.ok()
	w.compare()
	if got := w.srv.Stats().ContentIn; got != bigSize+101*int64(len("three")) {
		t.Errorf("%d bytes were sent", got)
	}
	w.quiet()
}

// TestHalfSentForgotten leaves a half-sent file where no run looks: after a
// week it is given up.
func TestHalfSentForgotten(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs", "pics")
	w.write("docs/big", big("new!"))
	w.write("pics/a", "a")
	w.killAtChunk(1)
	w.must(os.Rename(w.path("docs"), w.path("away")))
	run := func() {
		t.Helper()
		if _, err := w.run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	run()
	if len(w.intents()) != 1 {
		t.Errorf("the journal holds %v, want the one file", w.intents())
	}
	w.now = func() time.Time { return later().Add(remote.SessionLife) }
	run()
	w.write("docs/other", "other")
	w.over()
}

// TestLateArrival has the upload of a killed run reach Drive when the next run
// has asked for it already: it is met under its id, and not doubled.
func TestLateArrival(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/a", "one")
	w.ok()
	w.write("docs/b", "two")
	w.srv.Inject(drivetest.Only(drivetest.Always(drivetest.Cut), drivetest.UploadMulti))
	w.endAt(func(r drivetest.Info) bool { return r.Kind == drivetest.UploadMulti }, func() {})
	w.srv.Inject(nil)
	left := w.intents()
	if len(left) != 1 {
		t.Fatalf("the journal holds %v", left)
	}
	_, ids := w.onDrive()
	late := fmt.Sprintf("--X\r\nContent-Type: application/json\r\n\r\n"+
		`{"id":%q,"name":"b","parents":[%q],"appProperties":{"acb.k":"f","acb.i":%q}}`+
		"\r\n--X\r\nContent-Type: text/plain\r\n\r\ntwo\r\n--X--", left[0].FileID, ids[drivePath(w.path("docs"))], installation)
	var arrived atomic.Bool
	w.srv.OnRequest(func(_ int, r drivetest.Info) {
		if r.Kind != drivetest.UploadMulti || arrived.Swap(true) {
			return
		}
		resp, err := w.srv.Client().Post(w.srv.URL+"/upload/drive/v3/files?uploadType=multipart", "multipart/related; boundary=X", strings.NewReader(late))
		if w.keep(err); err == nil && resp.StatusCode != http.StatusOK {
			w.t.Errorf("late upload: %s", resp.Status)
		}
	})
	w.ok()
	w.srv.OnRequest(nil)
	if n := len(w.srv.Tree("root")); n != len(ids)+3 { // top, host and b
		t.Errorf("on Drive: %v", w.srv.Tree("root"))
	}
}

// TestMadeUnseen has a run die whose request is carried out, and Drive not show
// at once what it has made: the next run asks for it in vain. It is met under
// its id and not doubled; or it is not on disk any more, and trashed some hours
// later.
func TestMadeUnseen(t *testing.T) {
	hidden := drivetest.Fresh404(5)
	for _, c := range []struct {
		name       string
		make, then func(w *world)
	}{
		{"file", func(w *world) { w.write("docs/b", "two") }, nil},
		{"folder", func(w *world) { w.mkdir("docs/b") }, nil},
		{"folders", func(w *world) { w.write("docs/b/c/d/e", "two"); w.write("docs/b/c/f", "three") }, nil},
		{"file removed", func(w *world) { w.write("docs/b", "two") }, func(w *world) { w.remove("docs/b") }},
		{"folders removed", func(w *world) { w.write("docs/b/c/d", "two") }, func(w *world) { w.remove("docs/b") }},
		{"folder renamed", func(w *world) { w.write("docs/b/c/d", "two") }, func(w *world) { w.rename("docs/b", "docs/g") }},
		{"folder to file", func(w *world) { w.write("docs/b/c", "two") }, func(w *world) { w.remove("docs/b"); w.write("docs/b", "a file now") }},
		{"file to folder", func(w *world) { w.write("docs/b", "two") }, func(w *world) { w.remove("docs/b"); w.write("docs/b/c", "a folder now") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for n := 0; !t.Failed(); n++ {
				w := newWorld(t, drivetest.Options{}, "docs")
				w.write("docs/a", "one")
				w.ok()
				c.make(w)
				if !w.killAt(n, drivetest.Several(drivetest.InBatch(drivetest.Always(hidden)), drivetest.From(n+1, drivetest.Cut), drivetest.Always(hidden))) {
					break
				}
				if c.then != nil {
					c.then(w)
				}
				w.ok()
				w.quiet()
				w.over()
				w.compare()
				w.quiet()
				if t.Failed() {
					t.Errorf("killed at request %d", n)
				}
				w.srv.Close()
			}
		})
	}
}

// TestUnheardThenPlannedAgain has an upload fail that Drive has carried out, in
// a run that plans once more because Drive has lost something else: it is
// taken over, and not doubled.
func TestUnheardThenPlannedAgain(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/a", "one")
	w.ok()
	_, ids := w.onDrive()
	w.must(w.srv.Delete(ids[drivePath(w.path("docs/a"))]))
	w.must(os.Chtimes(w.path("docs/a"), time.Time{}, time.Unix(1, 0)))
	w.write("docs/b", "two")
	faults := []drivetest.Fault{drivetest.Nth(drivetest.UploadMulti, 0, drivetest.Lost)}
	for n := 1; n <= 6; n++ {
		faults = append(faults, drivetest.Nth(drivetest.UploadMulti, n, drivetest.Unavailable))
	}
	w.srv.Inject(drivetest.Several(faults...))
	if _, err := w.run(t.Context()); err != nil || w.srv.Hits() != 7 {
		t.Errorf("%v, the faults struck %d times", err, w.srv.Hits())
	}
	w.srv.Inject(nil)
	w.compare()
	w.ok()
	w.compare()
	w.quiet()
}

// TestThirtyTwoMiBKilledFiveTimes sends no byte twice: what was in flight
// arrives here. Where it does not, testdata/script/kill_large.txtar has it.
func TestThirtyTwoMiBKilledFiveTimes(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/big", strings.Repeat("0123456789abcdef", 2<<20))
	for range 5 {
		w.killAtChunk(1)
	}
	w.ok()
	w.compare()
	if st := w.srv.Stats(); st.ContentIn != 32<<20 || st.Requests[drivetest.UploadStart] != 1 {
		t.Errorf("%d bytes in %d sessions", st.ContentIn, st.Requests[drivetest.UploadStart])
	}
	w.quiet()
}
