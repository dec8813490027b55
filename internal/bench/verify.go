package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// What is verified, and how many of its files come too late for a listing to
// show them.
var verifiedTree = treeSpec{Seed: 23, Files: 10_000, Folders: 500, MinSize: 0, MaxSize: 100}

const lateFiles = 250

// verifyOverhead is what a verify may ask beside the pages of the change log
// or of the listing: the log itself, and the folders above all others.
const verifyOverhead = 2

// verify counts the requests by which a backup is compared with Drive.
func (b *bench) verify(ctx context.Context) error {
	s := verifiedTree
	b.report.section("verify: %d files in %d folders", s.Files, s.Folders)
	dir, err := os.MkdirTemp("", "acb-verify-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	in, err := b.saved(ctx, dir, s)
	if err != nil {
		return err
	}
	return in.serving(drivetest.Options{}, func(d *drivetest.Server) error {
		count := func(what string, limit int, flags ...string) error {
			d.ResetStats()
			if _, err := in.command("verify", flags...).run(ctx); err != nil {
				return err
			}
			b.report.add(requestRow("verify, "+what, d.Stats(), limit))
			return nil
		}
		items := len(d.Tree("root"))
		if err := count("after the first run", ceil(items, 1000)+verifyOverhead); err != nil {
			return err
		}
		if err := count("nothing changed", 1); err != nil {
			return err
		}
		if err := count(fmt.Sprintf("full, %d items", items), ceil(items, 1000)+verifyOverhead, "--full"); err != nil {
			return err
		}
		d.SetListLag(time.Hour, 0)
		late := treeSpec{Seed: 24, Files: lateFiles, Folders: 1, MaxSize: 100}
		if err := late.make(filepath.Join(in.tree, "late")); err != nil {
			return err
		}
		if _, err := in.scan().run(ctx); err != nil {
			return err
		}
		return count(fmt.Sprintf("full, %d items not listed yet", lateFiles+1), ceil(items, 1000)+ceil(lateFiles+1, 100)+verifyOverhead, "--full")
	})
}
