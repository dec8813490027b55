package backup_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// TestDoneUnheardThenUndone kills a run whose request Drive carries out, and
// has the disk go on in a way that makes the manifest look right again, or the
// place that Drive has now disappear.
func TestDoneUnheardThenUndone(t *testing.T) {
	for _, c := range []struct {
		name       string
		edit, then func(w *world)
	}{
		{"file moved and moved back", func(w *world) { w.rename("docs/f", "docs/d/g") }, func(w *world) { w.rename("docs/d/g", "docs/f") }},
		{"folder moved and moved back", func(w *world) { w.rename("docs/d", "docs/e/d2") }, func(w *world) { w.rename("docs/e/d2", "docs/d") }},
		{"folder moved, then removed with its old parent", func(w *world) { w.rename("docs/e/sub", "docs/d/sub") }, func(w *world) { w.remove("docs/d/sub"); w.remove("docs/e") }},
		{"file trashed and put back", func(w *world) { w.rename("docs/f", "../f") }, func(w *world) { w.rename("../f", "docs/f") }},
		{"folder trashed and put back", func(w *world) { w.rename("docs/d", "../d") }, func(w *world) { w.rename("../d", "docs/d") }},
		{"time set and set back",
			func(w *world) { w.must(os.Chtimes(w.path("docs/f"), time.Time{}, time.Unix(1, 0))) },
			func(w *world) { w.must(os.Chtimes(w.path("docs/f"), time.Time{}, time.Unix(2, 0))) }},
		{"swapped and swapped back", func(w *world) { w.swap("docs/f", "docs/f2") }, func(w *world) { w.swap("docs/f", "docs/f2") }},
		{"swapped and one removed", func(w *world) { w.swap("docs/f", "docs/f2") }, func(w *world) { w.remove("docs/f") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			for n := 0; ; n++ {
				w := newWorld(t, drivetest.Options{}, "top/docs")
				w.dir = filepath.Join(w.dir, "top")
				w.write("docs/f", "a file")
				w.write("docs/f2", "another file")
				w.write("docs/d/x", "x")
				w.write("docs/e/sub/y", "yy")
				w.must(os.Chtimes(w.path("docs/f"), time.Time{}, time.Unix(2, 0)))
				w.ok()
				c.edit(w)
				hit := w.killAfter(n)
				c.then(w)
				w.ok()
				w.compare()
				w.quiet()
				if t.Failed() {
					t.Fatalf("killed at request %d", n)
				}
				if !hit {
					break
				}
			}
		})
	}
}

func (w *world) swap(a, b string) {
	w.t.Helper()
	w.rename(a, a+".tmp")
	w.rename(b, a)
	w.rename(a+".tmp", b)
}
