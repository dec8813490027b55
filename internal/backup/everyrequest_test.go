package backup_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// A work is a scene for one kind of request: what is there when the run
// before it is made, and what is done to it then. Without before there is no
// run before.
type work struct {
	name         string
	before, edit func(w *world)
}

// aboveSmall is above what goes up in one request.
const aboveSmall = 5<<20 + 1000

func aboveText(with string) string { return strings.Repeat(with, aboveSmall/len(with)+1)[:aboveSmall] }

// works are the kinds of request, each in the smallest scene that makes it.
var works = []work{
	{"first run", nil, func(w *world) { w.write("docs/a/f", "f"); w.link("docs/l") }},
	{"create folder", one1, func(w *world) { w.mkdir("docs/new") }},
	{"create folders in folders", one1, func(w *world) { w.mkdir("docs/new/new/new"); w.mkdir("docs/new/new2") }},
	{"upload", one1, func(w *world) { w.write("docs/new", "a new file") }},
	{"upload into a new folder", one1, func(w *world) { w.write("docs/dir/new", "a new file"); w.write("docs/dir/new2", "another new file") }},
	{"upload nothing", one1, func(w *world) { w.write("docs/new", "") }},
	{"upload symlink", one1, func(w *world) { w.link("docs/l") }},
	{"update", one1, func(w *world) { w.write("docs/f", "changed") }},
	{"update to nothing", one1, func(w *world) { w.write("docs/f", "") }},
	{"large upload", one1, func(w *world) { w.write("docs/big", aboveText("large 1")) }},
	{"large update", func(w *world) { w.write("docs/big", aboveText("large 1")) }, func(w *world) { w.write("docs/big", aboveText("large 2")) }},
	{"move file", one1, func(w *world) { w.rename("docs/f", "docs/d/f2") }},
	{"rename file", one1, func(w *world) { w.rename("docs/f", "docs/g") }},
	{"move file into a new folder", one1, func(w *world) { w.rename("docs/f", "docs/new/f2") }},
	{"move file and change it", one1, func(w *world) { w.rename("docs/f", "docs/d/f"); w.write("docs/d/f", "changed") }},
	{"move folder", one1, func(w *world) { w.rename("docs/d", "docs/e/d2") }},
	{"move folder into a new one", one1, func(w *world) { w.rename("docs/d", "docs/new/d") }},
	{"patch", one1, func(w *world) { w.must(os.Chtimes(w.path("docs/f"), time.Time{}, time.Unix(1_600_000_000, 5))) }},
	{"trash file", one1, func(w *world) { w.remove("docs/f") }},
	{"trash folder", one1, func(w *world) { w.remove("docs/d") }},
	{"trash and put another in its place", one1, func(w *world) { w.remove("docs/d"); w.write("docs/d", "a file now") }},
	{"swap files", one1, func(w *world) { w.swap("docs/f", "docs/d/x") }},
	{"swap folders", one1, func(w *world) { w.swap("docs/d", "docs/e") }},
	{"copy", same, func(w *world) { w.write("docs/copy", sameText); w.write("docs/d/copy", sameText) }},
	{"copy, and the original goes", same, func(w *world) { w.write("docs/copy", sameText); w.remove("docs/same"); w.write("docs/same", "no more") }},
	{"two new twins", one1, func(w *world) { w.write("docs/twin1", sameText); w.write("docs/d/twin2", sameText) }},
	{"all at once", everything, everythingElse},
	{"first run of everything", nil, everything},
	{"renew the sign-in", one1, func(w *world) { w.write("docs/new", "a new file"); w.srv.ExpireTokens() }},
}

// one1 has one of each.
func one1(w *world) {
	w.write("docs/f", "a file of its own")
	w.write("docs/d/x", "x x")
	w.write("docs/e/sub/y", "y y y")
}

// sameText is just large enough to be copied on Drive.
var sameText = strings.Repeat("same", manifest.Large/4)

func same(w *world) {
	one1(w)
	w.write("docs/same", sameText)
}

// everything is there before everythingElse is done to it: an operation of
// every kind in one run.
func everything(w *world) {
	w.write("docs/a/one", "1")
	w.write("docs/a/two", "22")
	w.write("docs/a/three", "333")
	w.write("docs/move/me/deep/x", "xxxxx")
	w.write("docs/move/me/y", "yyyyyy")
	w.write("docs/rm/r/z", "zzzzzzz")
	w.write("docs/rm/r/s/zz", "zzzzzzzz")
	w.write("docs/gone", "gonegonegone")
	w.write("docs/swap1", "swap 1 swap 1")
	w.write("docs/swap2", "swap 2 swap 2 2")
	w.write("docs/same", sameText)
	w.write("docs/rm/twin1", sameText+"twin")
	w.write("docs/rm/twin2", sameText+"twin")
}

func everythingElse(w *world) {
	w.write("docs/new/level/two/file", "new file new file")
	w.write("docs/new/level/other", "other file")
	w.write("docs/new/copy", sameText)
	w.write("docs/a/twin3", sameText+"t3")
	w.write("docs/new/twin4", sameText+"t3")
	w.write("docs/a/two", "two is longer now")
	w.rename("docs/a/three", "docs/new/level/three")
	w.rename("docs/move/me", "docs/new/me")
	w.must(os.Chtimes(w.path("docs/a/one"), time.Time{}, time.Unix(1_600_000_000, 5)))
	w.remove("docs/rm")
	w.remove("docs/gone")
	w.swap("docs/swap1", "docs/swap2")
}

func (w *world) link(rel string) {
	w.t.Helper()
	w.must(os.Symlink("somewhere", w.path(rel)))
}

// begin makes the world of a work, up to its edit, and returns the ids of
// what is on Drive then. made is told of the world while it is empty.
func (k work) begin(t *testing.T, clock func() time.Time, n uint64, made ...func(w *world)) (w *world, ids map[string]bool) {
	t.Helper()
	w = fakeWorld(t, clock, drivetest.Options{Seed: n + 1, Unsettled: unsettled(n * 0x9e3779b97f4a7c15)}, "docs")
	for _, f := range made {
		f(w)
	}
	if k.before != nil {
		w.write("docs/stays", "stays")
		k.before(w)
		w.ok()
	}
	ids = w.items()
	k.edit(w)
	return w, ids
}

// TestEveryRequest lets each request of each kind of work meet each mishap.
// The next run puts it right. CI tries half of the pairs, as on a chessboard.
func TestEveryRequest(t *testing.T) {
	every := 2 * stride(12)
	if os.Getenv("ACB_SEEDS") != "" { // make soak
		every = 1
	}
	for i, k := range works {
		t.Run(k.name, func(t *testing.T) {
			if testing.Short() && strings.HasPrefix(k.name, "large") {
				t.Skip("sums of large contents take long under the race detector")
			}
			t.Parallel()
			for j, m := range mishaps {
				if (i+j)%every > 0 {
					continue
				}
				for n, hit := 0, true; hit; n++ {
					inBubble(t, func(t *testing.T, clock func() time.Time) {
						w, ids := k.begin(t, clock, uint64(i*1000+j*100+n))
						hit = m.run(w, n)
						w.mended(ids)
						if t.Failed() {
							t.Fatalf("%s: %s, request %d:%s", k.name, m.name, n, lastRequests(w.srv, 40))
						}
					})
					if t.Failed() {
						return
					}
				}
			}
		})
	}
}

// TestMishapsInARow lets several runs in a row meet a mishap each, by seed.
func TestMishapsInARow(t *testing.T) {
	for _, seed := range seeds(t, 100, 20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, clock func() time.Time) {
				rng := rand.New(rand.NewPCG(seed, 0x726f77))
				k := works[rng.IntN(len(works))]
				story := k.name
				w, ids := k.begin(t, clock, seed)
				for range 2 + rng.IntN(3) {
					m, n := mishaps[rng.IntN(len(mishaps))], rng.IntN(8)
					story += fmt.Sprintf("; %s, request %d", m.name, n)
					m.run(w, n)
				}
				w.mended(ids)
				if t.Failed() {
					t.Fatalf("replay with ACB_SEED=%d: %s", seed, story)
				}
			})
		})
	}
}
