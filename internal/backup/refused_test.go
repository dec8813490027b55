package backup_test

import (
	"strings"
	"testing"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// TestRefused: what Drive refuses is not there, so that the next run does not
// ask whether it is; it tries again.
func TestRefused(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs")
	w.fill("docs", 3)
	w.ok()
	w.write("docs/new", "new")
	w.write("docs/d/x", "in a folder that is refused")
	w.write("docs/f000", "another content")
	w.rename("docs/f001", "docs/moved")
	refuse := drivetest.Always(drivetest.Refuse(403, "insufficientParentPermissions"))
	files := drivetest.Only(refuse, drivetest.UploadMulti)
	folders := drivetest.InBatch(drivetest.Only(refuse, drivetest.Create))
	w.srv.Inject(drivetest.Several(files, folders))
	first := 0
	for range 3 {
		sum, err := w.run(t.Context())
		w.must(err)
		if c := sum.Counts; sum.ExitCode() != 3 || c.Failed != 3 {
			t.Errorf("exit %d, %+v, %v", sum.ExitCode(), c, sum.Failures)
		}
		if first == 0 {
			first = w.srv.Stats().Total()
		}
	}
	host := w.srv.Tree("root")[topName+"/"+hostName].ID
	for _, r := range w.srv.Log()[first:] {
		for _, p := range append(r.Parts, drivetest.Part{Kind: r.Kind, Path: r.Path}) {
			if p.Kind == drivetest.Get && !strings.Contains(p.Path, host) {
				t.Errorf("asked for %s", p.Path)
			}
		}
	}
	w.srv.Inject(nil)
	w.ok()
	w.compare()
	w.quiet()
}
