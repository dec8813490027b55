package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
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
	small, err := b.restoreSmall(ctx, filepath.Join(dir, "small"))
	if err != nil {
		return err
	}
	large, err := b.restoreLarge(ctx, filepath.Join(dir, "large"))
	if err != nil {
		return err
	}
	for _, r := range []struct {
		what string
		peak float64
	}{{fmt.Sprintf("%d files", restoredTree.Files), peak(small)}, {"1 GiB", slices.Max(pick(large.what, peak))}} {
		b.report.add(row{what: "restore of " + r.what + ", peak memory", acb: megabytes(r.peak), value: r.peak / 1e6, sign: atMost, limit: 64, unit: "MB"})
	}
	return nil
}

// restoreSmall brings many small files back, over a line on which each request
// takes a while: that decides, not the machine.
func (b *bench) restoreSmall(ctx context.Context, dir string) (u usage, err error) {
	b.report.section("restore: %d files of up to %d KiB, %s a request", restoredTree.Files, restoredTree.MaxSize>>10, restoreLatency)
	in, err := b.saved(ctx, dir, restoredTree)
	if err != nil {
		return u, err
	}
	err = in.serving(drivetest.Options{Throttle: drivetest.Throttle{Latency: restoreLatency}}, func(*drivetest.Server) (err error) {
		u, err = in.command("restore", "--to", filepath.Join(dir, "to")).run(ctx)
		return err
	})
	floor := restoreLatency.Seconds() * float64(restoredTree.Files) / restoreTransfers
	if err == nil {
		b.report.add(row{
			what:  fmt.Sprintf("restore of %d files at %s, of what the latency allows", restoredTree.Files, restoreLatency),
			floor: seconds(floor), acb: seconds(u.Wall), value: 100 * floor / u.Wall, sign: atLeast, limit: 90, unit: "%",
		})
	}
	return u, err
}

// restoreLarge brings one large file back, against one plain request whose
// answer is written to a file and made durable. Both begin with nothing of theirs on
// the disk, and nothing that waits to be written there.
func (b *bench) restoreLarge(ctx context.Context, dir string) (c contest, err error) {
	b.report.section("restore: one file of 1 GiB, against a plain download")
	in, err := b.saved(ctx, dir, restoredLarge)
	if err != nil {
		return c, err
	}
	self, err := os.Executable()
	if err != nil {
		return c, err
	}
	plain, to := filepath.Join(dir, "plain"), filepath.Join(dir, "to")
	err = in.serving(drivetest.Options{}, func(s *drivetest.Server) (err error) {
		id := ""
		for _, n := range s.Tree("root") {
			if n.Size == int64(restoredLarge.MaxSize) {
				id = n.ID
			}
		}
		floor := command{args: []string{self, downloadFlag, s.URL + "/drive/v3/files/" + id + "?alt=media", s.Token(drivetest.Ask{}).AccessToken, plain}}
		c, err = pairs(ctx, b.pairs, floor, in.command("restore", "--to", to), func() error {
			if err := errors.Join(os.RemoveAll(plain), os.RemoveAll(to)); err != nil {
				return err
			}
			return writeBack()
		})
		return err
	})
	if err != nil {
		return c, err
	}
	for _, f := range []struct {
		name string
		of   func(usage) float64
		sign sign
	}{{"wall", wall, atLeast}, {"CPU", cpu, unbounded}} {
		floor, acb := pick(c.floor, f.of), pick(c.what, f.of)
		b.report.add(row{
			what: "restore of 1 GiB, of a plain download's speed into a file, " + f.name, floor: seconds(median(floor)), acb: seconds(median(acb)),
			value: 100 * pairRatio(floor, acb), sign: f.sign, limit: 90, unit: "%",
		})
	}
	return c, nil
}

// saved makes a tree and backs it up.
func (b *bench) saved(ctx context.Context, dir string, tree treeSpec) (install, error) {
	in := install{acb: b.acb, dir: filepath.Join(dir, "acb"), tree: filepath.Join(dir, "tree")}
	if err := os.MkdirAll(in.dir, 0o700); err != nil {
		return in, err
	}
	if err := tree.make(in.tree); err != nil {
		return in, err
	}
	return in, in.serving(drivetest.Options{}, func(*drivetest.Server) error {
		_, err := in.scan().run(ctx)
		return err
	})
}

// downloadFlag makes this program fetch an address, with an access token, into
// a file.
const downloadFlag = "-download"

// download makes one request and writes the answer to a new file, durably: the
// least that it takes to have it.
func download(address, token, to string) error {
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if n, err := io.Copy(f, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("download %s: %d bytes, %s, %w", address, n, resp.Status, err)
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}
