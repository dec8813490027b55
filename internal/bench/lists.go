package main

import (
	"context"
	"io/fs"
	"path/filepath"
)

// What answers from the manifest alone must not keep anybody waiting.
const (
	listsFirst = 100 // ms until the first line
	listsWall  = 2   // times find
)

// lists measures how fast acb tells what is backed up, from a manifest of a
// million entries.
func (b *bench) lists(ctx context.Context) error {
	s := million
	b.report.section("lists: what is backed up of %d files in %d folders", s.Files, s.Folders)
	if !gnuFind(ctx) {
		b.report.skip("lists of %d files: there is no GNU find here", s.Files)
		return nil
	}
	g, err := b.plant(ctx, s)
	if err != nil {
		return err
	}
	file, err := anyFile(g.tree)
	if err != nil {
		return err
	}
	if _, err := g.aged.scan().run(ctx); err != nil { // a manifest that was kept may be of an older acb
		return err
	}
	names := command{args: []string{"find", g.tree}}
	details := command{args: []string{"find", g.tree, "-printf", `%s %T@ %i %p\n`}}
	for _, l := range []struct {
		what  string
		floor command
		acb   command
	}{
		{"acb ls -R", names, g.aged.command("ls", "-R", g.tree)},
		{"acb ls -lR", details, g.aged.command("ls", "-lR", g.tree)},
		{"acb find '*'", details, g.aged.command("find", "*")},
		{"acb history FILE", names, g.aged.command("history", file)},
	} {
		if _, err := pairs(ctx, 1, l.floor, l.acb, nil); err != nil { // warms the cache
			return err
		}
		c, err := pairs(ctx, b.pairs, l.floor, l.acb, nil)
		if err != nil {
			return err
		}
		var first []float64
		for range b.pairs {
			took, err := l.acb.firstLine(ctx)
			if err != nil {
				return err
			}
			first = append(first, 1000*took)
		}
		what := l.what + " of " + short(s.Files)
		b.report.contest(what, c, listsWall, 0, 0)
		b.report.add(row{what: what + ", first line", acb: number(median(first), "ms"), value: median(first), sign: atMost, limit: listsFirst, unit: "ms"})
	}
	return nil
}

// anyFile returns a file of a tree, the same each time.
func anyFile(root string) (file string, err error) {
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			file, err = path, fs.SkipAll
		}
		return err
	})
	return file, err
}
