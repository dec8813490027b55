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

// A move whose answer is lost leaves it open as well. If somebody replaces the
// content meanwhile, that it is not the disk's is seen, although the BLAKE3 that
// goes with it on Drive still says so.
func TestMoveUnheardAndReplaced(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.write("docs/f", "a file")
	w.ok()
	id := w.node("docs/f").ID
	w.rename("docs/f", "docs/g")
	w.srv.OnRequest(func(_ int, r drivetest.Info) {
		if n, ok := w.srv.Tree("root")[topName+"/"+hostName+"/"+drivePath(w.path("docs/g"))]; ok && n.ID == id {
			w.keep(w.srv.SetContent(id, []byte("theirs")))
			w.srv.OnRequest(nil)
		}
	})
	w.srv.Inject(drivetest.Only(drivetest.From(1, drivetest.Lost), drivetest.Batch))
	sum, err := w.run(t.Context())
	w.srv.OnRequest(nil)
	w.srv.Inject(nil)
	if err == nil && len(sum.Conditions) == 0 {
		t.Fatal("nothing was lost")
	}
	w.keep(w.srv.SetContent(id, []byte("theirs")))
	w.ok()
	w.compare()
	w.quiet()
}
