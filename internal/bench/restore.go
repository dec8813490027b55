package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// What is brought back: many small files over a long line, and one large file
// as fast as it goes.
var (
	restoredTree  = treeSpec{Seed: 21, Files: 2_000, Folders: 100, MinSize: 4 << 10, MaxSize: 64 << 10}
	restoredLarge = treeSpec{Seed: 22, Files: 1, Folders: 1, MinSize: 1 << 30, MaxSize: 1 << 30}
)

const (
	restoreLatency   = 80 * time.Millisecond
	restoreTransfers = 4 // [limits] transfers by default
)

// restore measures how fast a backup comes back, and in how much memory.
func (b *bench) restore(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "acb-restore-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	small, err := b.restored(ctx, filepath.Join(dir, "small"), restoredTree, restoreLatency)
	if err != nil {
		return err
	}
	floor := restoreLatency.Seconds() * float64(restoredTree.Files) / restoreTransfers
	b.report.add(row{
		what:  fmt.Sprintf("restore of %d files at %s, of what the latency allows", restoredTree.Files, restoreLatency),
		floor: seconds(floor), acb: seconds(small.Wall), value: 100 * floor / small.Wall, sign: atLeast, limit: 90, unit: "%",
	})
	large, err := b.restored(ctx, filepath.Join(dir, "large"), restoredLarge, 0)
	if err != nil {
		return err
	}
	b.report.add(row{
		what: "restore of 1 GiB, of the look-alike's own speed into a file", floor: seconds(large.floor), acb: seconds(large.Wall),
		value: 100 * large.floor / large.Wall, sign: atLeast, limit: 90, unit: "%",
	})
	for _, r := range []struct {
		what string
		usage
	}{{fmt.Sprintf("%d files", restoredTree.Files), small.usage}, {"1 GiB", large.usage}} {
		b.report.add(row{what: "restore of " + r.what + ", peak memory", acb: megabytes(peak(r.usage)), value: peak(r.usage) / 1e6, sign: atMost, limit: 64, unit: "MB"})
	}
	return nil
}

// A comeback is what a restore took, and how long the same bytes take with
// one plain request into a file.
type comeback struct {
	usage
	floor float64 // seconds; of one file only
}

// restored backs a tree up, and brings it back from a look-alike that answers
// after a while.
func (b *bench) restored(ctx context.Context, dir string, tree treeSpec, latency time.Duration) (comeback, error) {
	b.report.section("restore: %d files of up to %d KiB, %s a request", tree.Files, tree.MaxSize>>10, latency)
	in := install{acb: b.acb, dir: filepath.Join(dir, "acb"), tree: filepath.Join(dir, "tree")}
	if err := os.MkdirAll(in.dir, 0o700); err != nil {
		return comeback{}, err
	}
	if err := tree.make(in.tree); err != nil {
		return comeback{}, err
	}
	serve := func(t drivetest.Throttle, f func(*drivetest.Server, *lookAlike) error) error {
		d, err := drivetest.New(drivetest.Options{Dir: in.drive(), NoSHA: true, TokenLife: 24 * time.Hour, LogSize: -1, Throttle: t})
		if err != nil {
			return err
		}
		s, err := drivetest.Listen(d)
		if err != nil {
			return err
		}
		defer s.Close()
		l := &lookAlike{greeting: greet(s, detour{})}
		if err := in.write(l); err != nil {
			return err
		}
		return f(s, l)
	}
	if err := serve(drivetest.Throttle{}, func(*drivetest.Server, *lookAlike) error {
		_, err := in.scan().run(ctx)
		return err
	}); err != nil {
		return comeback{}, err
	}
	var c comeback
	err := serve(drivetest.Throttle{Latency: latency}, func(s *drivetest.Server, _ *lookAlike) (err error) {
		var floors, walls []float64
		for i := range b.pairs {
			if tree.Files == 1 {
				took, err := plainly(ctx, s, filepath.Join(dir, fmt.Sprint("plain-", i)))
				if err != nil {
					return err
				}
				floors = append(floors, took)
			}
			to := filepath.Join(dir, fmt.Sprint("to-", i))
			c.usage, err = command{args: []string{in.acb, "restore", "-q", "--config", in.config(), "--to", to}}.run(ctx)
			if err != nil {
				return err
			}
			walls = append(walls, c.Wall)
			if err := os.RemoveAll(to); err != nil {
				return err
			}
			if tree.Files > 1 {
				break // the latency decides, not the machine
			}
		}
		c.Wall = median(walls)
		if len(floors) > 0 {
			c.floor = median(floors)
		}
		return nil
	})
	return c, err
}

// plainly fetches the largest file of a look-alike by one request into a file,
// and returns how many seconds that took.
func plainly(ctx context.Context, s *drivetest.Server, to string) (float64, error) {
	var id string
	for _, n := range s.Tree("root") {
		if n.Size >= 1<<30 {
			id = n.ID
		}
	}
	began := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/drive/v3/files/"+id+"?alt=media", nil)
	if err != nil {
		return 0, err
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	f, err := os.Create(to)
	if err != nil {
		return 0, err
	}
	defer os.Remove(to)
	defer f.Close()
	if n, err := io.Copy(f, resp.Body); err != nil || n != 1<<30 {
		return 0, fmt.Errorf("fetch plainly: %d bytes, %s, %w", n, resp.Status, err)
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	return time.Since(began).Seconds(), f.Close()
}
