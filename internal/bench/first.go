package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// firstTree is what goes up in a first run: about 1 GB.
var firstTree = treeSpec{Seed: 14, Files: 100_000, Folders: 10_000, MinSize: 1_000, MaxSize: 19_000}

// A firstRun is what one program took to send the whole tree.
type firstRun struct {
	usage
	stats drivetest.Stats
}

// first measures the first run of a tree, and rclone's beside it: each against
// an empty look-alike in another process, both through the same TLS front.
func (b *bench) first(ctx context.Context) error {
	s := firstTree
	b.report.section("first run: %d files in %d folders, about %d MB", s.Files, s.Folders, s.Files*(s.MinSize+s.MaxSize)/2/1e6)
	dir := filepath.Join(b.cache, "first")
	tree := filepath.Join(dir, "tree")
	err := step{dir, "tree", s}.once(func() error {
		b.report.note("making %s, once", tree)
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		return s.make(tree)
	})
	if err != nil {
		return err
	}
	acb, err := b.firstAcb(ctx, dir, tree)
	if err != nil {
		return err
	}
	most := firstRequests(tree, s.Files, s.folders(tree))
	b.report.note("acb: %.1f s, CPU %.1f s, %s", acb.Wall, acb.CPU, acb.stats)
	b.report.add(row{what: "first run, peak memory", acb: megabytes(peak(acb.usage)), value: peak(acb.usage) / 1e6, sign: atMost, limit: 128, unit: "MB"})
	b.report.add(row{what: "first run, requests", floor: fmt.Sprint(s.Files), acb: fmt.Sprint(acb.stats.Total()), value: float64(acb.stats.Total()), sign: atMost, limit: float64(most), unit: "requests"})
	if b.rclone == "" {
		b.report.skip("first run beside rclone: name a binary in $RCLONE, as in RCLONE=$(command -v rclone) make bench")
		return nil
	}
	rclone, err := b.firstRclone(ctx, dir, tree)
	if err != nil {
		return err
	}
	b.report.note("rclone: %.1f s, CPU %.1f s, peak memory %s, %s", rclone.Wall, rclone.CPU, megabytes(peak(rclone.usage)), rclone.stats)
	for _, f := range []struct {
		name   string
		of     func(firstRun) float64
		format string
	}{
		{"requests", func(r firstRun) float64 { return float64(r.stats.Total()) }, "%.0f"},
		{"wall", func(r firstRun) float64 { return r.Wall }, "%.1f s"},
		{"CPU", func(r firstRun) float64 { return r.CPU }, "%.1f s"},
	} {
		b.report.add(row{
			what: "first run against rclone, " + f.name, floor: fmt.Sprintf(f.format, f.of(rclone)), acb: fmt.Sprintf(f.format, f.of(acb)),
			value: f.of(acb) / f.of(rclone), sign: atMost, limit: 0.5, unit: "x",
		})
	}
	return nil
}

// throughFront runs f, which is to work in dir, with a new, empty look-alike.
// The tree is in the page cache then, for whoever sends it.
func throughFront(ctx context.Context, dir, tree string, f func(*lookAlike) (usage, error)) (firstRun, error) {
	if err := os.RemoveAll(dir); err != nil {
		return firstRun{}, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return firstRun{}, err
	}
	if err := readTree(tree); err != nil {
		return firstRun{}, err
	}
	l, err := startLookAlike(ctx, "")
	if err != nil {
		return firstRun{}, err
	}
	defer l.Close()
	u, err := f(l)
	if err != nil {
		return firstRun{}, err
	}
	st, err := l.stats()
	return firstRun{u, st}, err
}

// readTree reads all files below root.
func readTree(root string) error {
	return filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			_, err = os.ReadFile(path)
		}
		return err
	})
}

func (b *bench) firstAcb(ctx context.Context, dir, tree string) (firstRun, error) {
	in := install{acb: b.acb, dir: filepath.Join(dir, "acb"), tree: tree}
	return throughFront(ctx, in.dir, tree, func(l *lookAlike) (usage, error) {
		in.front = &l.Front
		if err := in.write(l); err != nil {
			return usage{}, err
		}
		return in.scan().run(ctx)
	})
}

// firstRclone runs rclone with its own defaults but for the pacer, which is
// opened wide, as acb's is: both go as fast as they can.
func (b *bench) firstRclone(ctx context.Context, dir, tree string) (firstRun, error) {
	dir = filepath.Join(dir, "rclone")
	return throughFront(ctx, dir, tree, func(l *lookAlike) (usage, error) {
		c, err := b.rcloneSync(l, dir, tree, "--drive-pacer-min-sleep=0", "--drive-pacer-burst=1000")
		if err != nil {
			return usage{}, err
		}
		return c.run(ctx)
	})
}

// rcloneSync is the command by which rclone, configured in dir, brings a tree
// to a look-alike.
func (b *bench) rcloneSync(l *lookAlike, dir, tree string, flags ...string) (command, error) {
	var client struct {
		Installed struct {
			ID     string `json:"client_id"`
			Secret string `json:"client_secret"`
		} `json:"installed"`
	}
	if err := json.Unmarshal(l.Google, &client); err != nil {
		return command{}, err
	}
	token, err := json.Marshal(l.Token)
	if err != nil {
		return command{}, err
	}
	conf := filepath.Join(dir, "rclone.conf")
	text := fmt.Sprintf("[bench]\ntype = drive\nscope = drive.file\nclient_id = %s\nclient_secret = %s\ntoken = %s\n",
		client.Installed.ID, client.Installed.Secret, token)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return command{}, err
	}
	if err := l.Front.write(dir); err != nil {
		return command{}, err
	}
	args := []string{b.rclone, "--config", conf, "sync", tree, "bench:" + tree, "--stats=0", "--log-level=ERROR"}
	return command{args: append(args, flags...), env: l.Front.env(dir)}, nil
}

// firstRequests is the most that a first run of small files may take: one a
// file, the ids, the folders level by level, and four.
func firstRequests(root string, files int, dirs []string) int {
	levels := map[int]int{}
	for _, d := range dirs {
		levels[depth(d)]++
	}
	above := depth(root) // folders that lead to the root: one a level, in a batch of its own
	return files + ceil(files+len(dirs)+above, 1000) + batches(levels) + above + 4
}

// depth is how many folders lead to an absolute path, on Drive.
func depth(path string) int {
	n := 0
	for up := filepath.Dir(path); up != path; path, up = up, filepath.Dir(up) {
		n++
	}
	return n - 1
}

func batches(levels map[int]int) int {
	n := 0
	for _, folders := range levels {
		n += ceil(folders, 100)
	}
	return n
}

func ceil(a, b int) int { return (a + b - 1) / b }
