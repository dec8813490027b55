package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// A step is a part of a cached folder that takes long to make. It is either
// complete, or made anew from nothing.
type step struct {
	dir  string // where its parts are
	name string
	of   any // what it was made from; another value makes it stale
}

func (s step) marker() string { return filepath.Join(s.dir, s.name+".made") }

// once runs make unless it has been run, for the same value, to its end.
func (s step) once(make func() error) error {
	want, err := json.Marshal(s.of)
	if err != nil {
		return err
	}
	if got, err := os.ReadFile(s.marker()); err == nil && string(got) == string(want) {
		return nil
	}
	if err := os.RemoveAll(s.marker()); err != nil {
		return err
	}
	if err := make(); err != nil {
		return fmt.Errorf("make %s: %w", s.name, err)
	}
	return os.WriteFile(s.marker(), want, 0o600)
}

// A grove is a tree with two manifests of it: one that became old with the
// tree, one made from it as it is now.
type grove struct {
	tree        string
	fresh, aged install
}

// plant makes or finds the grove of a spec.
func (b *bench) plant(ctx context.Context, s treeSpec) (*grove, error) {
	dir := filepath.Join(b.cache, fmt.Sprintf("%d-in-%d", s.Files, s.Folders))
	g := &grove{tree: filepath.Join(dir, "tree")}
	g.fresh = install{acb: b.acb, dir: filepath.Join(dir, "fresh"), tree: g.tree}
	g.aged = install{acb: b.acb, dir: filepath.Join(dir, "aged"), tree: g.tree}
	err := step{dir, "aged", s}.once(func() error { return g.grow(ctx, b.report, dir, s) })
	if err != nil {
		return nil, err
	}
	return g, step{dir, "fresh", s}.once(func() error {
		if err := os.RemoveAll(g.fresh.dir); err != nil {
			return err
		}
		return g.fresh.withDrive(ctx, func(l *lookAlike) error {
			u, err := g.fresh.scan().run(ctx)
			if err != nil {
				return err
			}
			b.report.note("first run of the tree as it is now: %.1f s, CPU %.1f s, peak memory %s", u.Wall, u.CPU, megabytes(peak(u)))
			return g.fresh.settle(ctx, l)
		})
	})
}

// grow makes the tree and ages it, with a run of acb after each round.
func (g *grove) grow(ctx context.Context, r *report, dir string, s treeSpec) error {
	r.note("making %s, once: this takes a while", dir)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := s.begin().make(g.tree); err != nil {
		return err
	}
	return g.aged.withDrive(ctx, func(l *lookAlike) error {
		u, err := g.aged.scan().run(ctx)
		if err != nil {
			return err
		}
		r.note("first run of the young tree: %.1f s, CPU %.1f s, peak memory %s", u.Wall, u.CPU, megabytes(peak(u)))
		a := newAging(s, g.tree)
		for n := range ageRounds {
			if err := a.round(n); err != nil {
				return err
			}
			if _, err := g.aged.scan().run(ctx); err != nil {
				return err
			}
		}
		return g.aged.settle(ctx, l)
	})
}
