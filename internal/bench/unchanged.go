package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

var (
	hundredThousand = treeSpec{Seed: 11, Files: 100_000, Folders: 10_000, MinSize: 0, MaxSize: 100}
	million         = treeSpec{Seed: 12, Files: 1_000_000, Folders: 50_000, MinSize: 0, MaxSize: 100}
)

// Limits are ratios to find on the same tree, and MB; 0 is none. With a cold
// cache there is one for the million only: of a second, a tenth is what it
// takes to start. Source: design §9.
type unchangedLimits struct{ wall, cpu, cold, peak float64 }

// unchanged measures a run that finds nothing, against find. The look-alike
// is not running meanwhile: a single request would fail the run.
func (b *bench) unchanged(ctx context.Context, s treeSpec, lim unchangedLimits) error {
	b.report.section("unchanged: %d files in %d folders, against find -printf '%%s %%T@ %%i %%p'", s.Files, s.Folders)
	if !gnuFind(ctx) {
		b.report.skip("unchanged runs of %d files: there is no GNU find here", s.Files)
		return nil
	}
	g, err := b.plant(ctx, s)
	if err != nil {
		return err
	}
	floor := command{args: []string{"find", g.tree, "-printf", `%s %T@ %i %p\n`}}
	for _, kind := range []struct {
		name string
		in   install
	}{{"fresh manifest", g.fresh}, {"aged manifest", g.aged}} {
		what := kind.in.scan()
		if _, err := pairs(ctx, 1, floor, what, nil); err != nil { // warms the cache
			return err
		}
		c, err := pairs(ctx, b.pairs, floor, what, nil)
		if err != nil {
			return err
		}
		b.report.contest(fmt.Sprintf("unchanged %s, %s", short(s.Files), kind.name), c, lim.wall, lim.cpu, lim.peak)
	}
	return b.cold(ctx, s, floor, g.fresh.scan(), lim)
}

// cold measures with nothing in the system's caches.
func (b *bench) cold(ctx context.Context, s treeSpec, floor, what command, lim unchangedLimits) error {
	if !b.dropCaches {
		b.report.skip("unchanged %s with a cold cache: not asked for (-cold)", short(s.Files))
		return nil
	}
	err := dropCaches()
	if errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.EROFS) {
		b.report.skip("unchanged %s with a cold cache: the caches cannot be dropped here: %v", short(s.Files), err)
		return nil
	}
	if err != nil {
		return err
	}
	c, err := pairs(ctx, coldPairs, floor, what, dropCaches)
	if err != nil {
		return err
	}
	b.report.contest(fmt.Sprintf("unchanged %s, cold cache", short(s.Files)), c, lim.cold, 0, lim.peak)
	return nil
}

// coldPairs is how many pairs are run cold: disks are slow and steady.
const coldPairs = 3

// dropCaches empties the caches of files, folders and inodes.
// Source: Documentation/admin-guide/sysctl/vm.rst of Linux, drop_caches.
func dropCaches() error {
	if err := writeBack(); err != nil {
		return err
	}
	return os.WriteFile("/proc/sys/vm/drop_caches", []byte("3\n"), 0)
}

// writeBack waits until nothing is left in memory that is to be on a disk.
func writeBack() error {
	if err := exec.Command("sync").Run(); err != nil && !errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("write back caches: %w", err)
	}
	return nil
}

// gnuFind reports whether find is the one that knows -printf.
func gnuFind(ctx context.Context) bool {
	out, err := exec.CommandContext(ctx, "find", "--version").Output()
	return err == nil && strings.Contains(string(out), "GNU findutils")
}

// short is a number of files as headings have it.
func short(n int) string {
	switch {
	case n%1_000_000 == 0:
		return fmt.Sprintf("%dM", n/1_000_000)
	case n%1000 == 0:
		return fmt.Sprintf("%dk", n/1000)
	}
	return fmt.Sprint(n)
}
