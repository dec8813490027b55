package backup_test

import (
	"os"
	"sync"
	"testing"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// TestBackAgain: what the scan saw absent and is there again when its trash
// comes up stays on Drive and is counted; what else is gone is trashed.
func TestBackAgain(t *testing.T) {
	for _, c := range []struct {
		name, away, back string
		held, deleted    int64
	}{
		{"file", "away", "docs/a/f", 1, 3},
		{"folder", "gone", "docs/b", 3, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, drivetest.Options{}, "docs")
			for _, f := range []string{"docs/a/f", "docs/a/g", "docs/b/one", "docs/b/sub/two", "docs/b/sub/three"} {
				w.write(f, "content of "+f)
			}
			w.ok()
			ids := w.ids(c.back)
			w.rename("docs/a/f", "away")
			w.rename("docs/b", "gone")
			w.write("docs/new", "is sent before anything is trashed")
			var once sync.Once
			w.srv.OnRequest(func(_ int, r drivetest.Info) {
				if r.Kind == drivetest.UploadMulti {
					once.Do(func() { w.keep(os.Rename(w.path(c.away), w.path(c.back))) })
				}
			})
			sum, err := w.run(t.Context())
			w.srv.OnRequest(nil)
			w.must(err)
			if sum.Counts.HeldBack != c.held || sum.Counts.Deleted != c.deleted || sum.Counts.Created != 1 {
				t.Errorf("%+v", sum.Counts)
			}
			w.compare()
			w.keeps(ids, c.back)
		})
	}
}
