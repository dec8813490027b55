package backup_test

import (
	"os"
	"testing"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// A trash whose answer is lost leaves it open whether Drive has done it. If
// the file is there again when it would be sent once more, it is not sent, and
// the next run finds out what became of the first.
func TestTrashUnheardAndFileBack(t *testing.T) {
	for _, effect := range []drivetest.Effect{drivetest.Lost, drivetest.Unavailable, drivetest.LostAs(503), drivetest.Torn} {
		t.Run(effect.String(), func(t *testing.T) {
			w := newWorld(t, drivetest.Options{}, "docs")
			w.write("docs/f", "a file")
			w.write("docs/g", "another")
			w.ok()
			w.rename("docs/f", "../f")
			batches := 0 // the first reads the generation, the second trashes
			w.srv.OnRequest(func(_ int, r drivetest.Info) {
				if r.Kind == drivetest.Batch {
					if batches++; batches == 2 {
						w.keep(os.Rename(w.path("../f"), w.path("docs/f")))
					}
				}
			})
			w.srv.Inject(drivetest.Only(drivetest.At(1, effect), drivetest.Batch))
			sum, err := w.run(t.Context())
			hits := w.srv.Hits()
			w.srv.OnRequest(nil)
			w.srv.Inject(nil)
			if err != nil || hits != 1 {
				t.Fatalf("%v, %d hits, %v", err, hits, sum.Conditions)
			}
			w.ok()
			w.compare()
			w.quiet()
		})
	}
}
