package main

import (
	"context"
	"crypto/md5"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// pacedTree is what goes up on an account that is slow, or a line that is bad.
var pacedTree = treeSpec{Seed: 17, Files: 300, Folders: 1, MinSize: 1_000, MaxSize: 19_000}

// An ordeal is a Drive, or a line to it, that makes a first run hard.
type ordeal struct {
	name     string
	throttle drivetest.Throttle
	fault    drivetest.Fault
	large    int  // bytes of a file beside the small ones; 0 for none
	rclone   bool // beside acb, where there is one
}

var ordeals = []ordeal{
	{name: "3 writes/s with a burst of 10", throttle: drivetest.Throttle{WritesPerSecond: 3, Burst: 10}, rclone: true},
	{name: "an answer in six lost, one in ten a 503", rclone: true, fault: drivetest.Several(
		drivetest.Chance(1.0/6, 3, drivetest.Lost), drivetest.Chance(0.1, 4, drivetest.Unavailable))},
	{name: "300 ms, 20 KiB/s a connection, one request in a hundred reset", large: 6 << 20,
		throttle: drivetest.Throttle{Latency: 300 * time.Millisecond, BytesPerSecond: 20 << 10},
		fault: drivetest.Several(drivetest.Nth(drivetest.UploadChunk, 1, drivetest.CutBody(600<<10)),
			drivetest.Only(drivetest.Chance(0.01, 5, drivetest.CutBody(5_000)), drivetest.UploadMulti, drivetest.UploadChunk),
			drivetest.Chance(0.01, 6, drivetest.Cut))},
}

// pacer measures first runs under ordeals: what they cost beyond what they
// must, and what is left on Drive.
func (b *bench) pacer(ctx context.Context) error {
	for _, o := range ordeals {
		b.report.section("%d files, %s", pacedTree.Files, o.name)
		if err := b.ordeal(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) ordeal(ctx context.Context, o ordeal) error {
	dir, err := os.MkdirTemp("", "acb-pacer-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tree := filepath.Join(dir, "tree")
	if err := pacedTree.make(tree); err != nil {
		return err
	}
	if o.large > 0 {
		if err := (treeSpec{Seed: 18, Files: 1, Folders: 1, MinSize: o.large, MaxSize: o.large}).make(filepath.Join(tree, "large")); err != nil {
			return err
		}
	}
	acb, err := o.run(ctx, filepath.Join(dir, "acb"), tree, func(l *lookAlike) (command, error) {
		in := install{acb: b.acb, dir: filepath.Join(dir, "acb"), tree: tree, writes: 3, front: &l.Front}
		return in.scan(), in.write(l)
	})
	if err != nil {
		return err
	}
	b.report.note("acb: %v", acb)
	var rclone *outcome
	switch {
	case o.rclone && b.rclone != "":
		rclone, err = o.run(ctx, filepath.Join(dir, "rclone"), tree, func(l *lookAlike) (command, error) {
			return b.rcloneSync(l, filepath.Join(dir, "rclone"), tree)
		})
		if err != nil {
			return err
		}
		b.report.note("rclone: %v", rclone)
	case o.rclone:
		b.report.skip("%s, rclone beside it: name a binary in $RCLONE", o.name)
	}
	add := func(what, unit string, sign sign, limit float64, of func(*outcome) float64) {
		r := row{what: what, acb: number(of(acb), unit), value: of(acb), sign: sign, limit: limit, unit: unit}
		if rclone != nil {
			r.floor = number(of(rclone), unit) + " (rclone)"
		}
		b.report.add(r)
	}
	add("what is twice, wrong or astray on Drive", "items", atMost, 0, func(r *outcome) float64 { return float64(r.astray) })
	add("bytes sent beyond the content", "%", unbounded, 0, (*outcome).overhead)
	if rate := o.throttle.WritesPerSecond; rate > 0 {
		add("calls refused", "%", atMost, 1, (*outcome).refused)
		add("time, of what the account allows", "x", atMost, 1.1, func(r *outcome) float64 {
			return r.took.Seconds() * rate / float64(pacedTree.Files-o.throttle.Burst)
		})
	}
	return nil
}

// An outcome is how a first run went and what it left.
type outcome struct {
	took   time.Duration
	runs   int // until one ended well
	bytes  int64
	stats  drivetest.Stats
	astray int
}

func (r *outcome) refused() float64 {
	return 100 * float64(r.stats.Refused) / float64(r.stats.TotalCalls())
}

// overhead is what came again or was refused, as a share of the content in percent.
func (r *outcome) overhead() float64 { return 100 * (float64(r.stats.ContentIn)/float64(r.bytes) - 1) }

func (r *outcome) String() string {
	return fmt.Sprintf("%.1f s, %d runs, %d faults, %d of %d calls refused, %v",
		r.took.Seconds(), r.runs, r.stats.Faults, r.stats.Refused, r.stats.TotalCalls(), r.stats)
}

// mostRuns is how often a program may be started until it has everything sent.
const mostRuns = 3

// run lets a program bring the tree to a new look-alike in this process.
func (o ordeal) run(ctx context.Context, dir, tree string, program func(*lookAlike) (command, error)) (*outcome, error) {
	d, err := drivetest.New(drivetest.Options{NoSHA: true, Discard: true, TokenLife: 24 * time.Hour, Throttle: o.throttle})
	if err != nil {
		return nil, err
	}
	s, err := drivetest.Listen(d)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	front, stop, err := serveFront(d)
	if err != nil {
		return nil, err
	}
	defer stop()
	c, err := program(&lookAlike{greeting: greet(s, front)})
	if err != nil {
		return nil, err
	}
	d.Inject(o.fault)
	r, began := new(outcome), time.Now()
	for r.runs = 1; ; r.runs++ {
		_, err := c.run(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil || r.runs == mostRuns {
			return nil, err
		}
	}
	r.took = time.Since(began)
	r.stats = d.Stats()
	r.bytes, r.astray, err = astray(tree, d.Tree("root"))
	return r, err
}

// twin is how the look-alike marks what has the name of another thing in its folder.
var twin = regexp.MustCompile(`#\d+`)

// astray counts what is not on Drive as it is on disk: files of the tree that
// are missing or other, that are there besides, and twins of files and folders
// anywhere. It returns the size of the tree too.
func astray(tree string, drive map[string]drivetest.Node) (bytes int64, n int, err error) {
	left := map[string]bool{} // what is on Drive, by path and content
	top := filepath.Base(tree) + "/"
	for path, node := range drive {
		if twin.MatchString(path[strings.LastIndex(path, "/")+1:]) {
			n++
		}
		path = twin.ReplaceAllString(path, "")
		if at := strings.LastIndex("/"+path, "/"+top); at >= 0 && node.Kind == "file" {
			left[path[at:]+" "+node.MD5] = true
		}
	}
	err = filepath.WalkDir(tree, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		bytes += int64(len(content))
		key := fmt.Sprintf("%s%s %x", top, filepath.ToSlash(path[len(tree)+1:]), md5.Sum(content))
		if !left[key] {
			n++
		}
		delete(left, key)
		return nil
	})
	return bytes, n + len(left), err
}
