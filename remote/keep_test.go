package remote_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// A copier is an installation that keeps a manifest copy, and what is durable
// of that.
type copier struct {
	*house
	known remote.ManifestCopy
}

func newCopier(t *testing.T) *copier {
	c := &copier{house: newHouse(t, drivetest.Options{})}
	c.small = smallest
	c.restart()
	c.settle()
	return c
}

// keep keeps a content and returns how many requests that took.
func (c *copier) keep(content string) (int, error) {
	before := c.srv.Calls()
	at, err := c.d.KeepCopy(c.t.Context(), c.known, c.lay.Top, strings.NewReader(content), int64(len(content)),
		func(at remote.ManifestCopy) error { c.known = at; return nil })
	if err == nil {
		c.known = at
	}
	return c.srv.Calls() - before, err
}

// kept demands that Drive has one such file outside the bin, with this content.
func (c *copier) kept(content string) {
	c.t.Helper()
	n := 0
	for path, node := range c.srv.Tree("root") {
		if !strings.Contains(path, "manifest") {
			continue
		}
		n++
		r, err := c.srv.Content(node.ID)
		if err != nil {
			c.t.Fatal(err)
		}
		if path != "Auto Cloud Backup/.acb-manifest-laptop.db.gz" || !bytes.Equal(r, []byte(content)) || node.AppProps["acb.k"] != "manifest" || node.AppProps["acb.i"] != "inst-1" {
			c.t.Errorf("%s holds %d bytes: %v", path, len(r), node.AppProps)
		}
	}
	if n != 1 {
		c.t.Errorf("%d copies", n)
	}
}

var long = strings.Repeat("a copy ", 3<<19/7) // two pieces, once sessions are shrunk to smallest

func TestKeepCopy(t *testing.T) {
	c := newCopier(t)
	for i, step := range []struct {
		before  func()
		content string
		calls   int
	}{
		{func() {}, "one", 2}, // looks for an older one; ids were reserved with the layout
		{func() {}, "two", 1},
		{func() { c.must(c.srv.Trash(string(c.known.FileID))) }, "three", 3},
		{func() { c.must(c.srv.Delete(string(c.known.FileID))) }, "four", -1},
		{func() { c.known = remote.ManifestCopy{} }, "five", 2}, // a manifest made anew finds it
		{func() {}, long, 3},
		{func() { c.known = remote.ManifestCopy{FileID: "1nonsense", Begun: true} }, "six", -1},
	} {
		step.before()
		n, err := c.keep(step.content)
		if err != nil || step.calls >= 0 && n != step.calls {
			t.Errorf("step %d: %d requests, %v", i, n, err)
		}
		c.kept(step.content)
	}
	items := 0
	err := c.d.List(t.Context(), "inst-1", false, func(manifest.FileID, remote.State) error { items++; return nil })
	if err != nil || items != 2 {
		t.Errorf("List gives %d items, %v; want the top and the host folder", items, err)
	}
}

func (c *copier) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// TestKeepCopyFaults lets each request go wrong, once for good, and tries
// again as another process with what was durable: there is one copy.
func TestKeepCopyFaults(t *testing.T) {
	for _, e := range []drivetest.Effect{
		drivetest.Unavailable, drivetest.LostAs(503), drivetest.Cut, drivetest.Lost, drivetest.Torn,
		drivetest.RateLimited, drivetest.TooMany(time.Second), drivetest.Fresh404(2), drivetest.Corrupt,
	} {
		t.Run(e.String(), func(t *testing.T) {
			t.Parallel()
			for _, content := range []string{"short", long} {
				for _, known := range []bool{false, true}[len(content)/len(long):] {
					for n := 0; ; n++ {
						c := newCopier(t)
						if known {
							_, err := c.keep("before")
							c.must(err)
						}
						c.restart()
						f := drivetest.At(n, e)
						c.srv.Inject(f)
						_, err := c.keep(content)
						made := c.srv.Calls()
						c.srv.Inject(nil)
						c.restart()
						if _, again := c.keep(content); again != nil {
							t.Errorf("request %d: %v, then %v", n, err, again)
						}
						c.kept(content)
						c.srv.Close()
						if t.Failed() || made <= n {
							break
						}
					}
				}
			}
		})
	}
}
