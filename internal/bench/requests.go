package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// requests counts what the standard changes cost on a real tree, the sources
// of the Go toolchain, as the look-alike counts it.
func (b *bench) requests(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("find the Go toolchain: %w", err)
	}
	dir := filepath.Join(b.cache, "requests")
	in := install{acb: b.acb, dir: dir, tree: filepath.Join(dir, "src")}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.CopyFS(in.tree, os.DirFS(filepath.Join(strings.TrimSpace(string(out)), "src"))); err != nil {
		return err
	}
	dirs, files, err := census(in.tree)
	if err != nil {
		return err
	}
	b.report.section("requests: the Go toolchain's src, %d files in %d folders", len(files), len(dirs))
	l, err := startLookAlike(ctx, in.drive())
	if err != nil {
		return err
	}
	defer l.Close()
	if err := in.write(l); err != nil {
		return err
	}
	big := largest(dirs, files)
	for _, sc := range []struct {
		what   string
		change func() error
		limit  int
	}{
		{"first run", nil, firstRequests(in.tree, len(files), dirs)},
		{"nothing changed", nil, 0},
		{fmt.Sprintf("a folder of %d files moved", below(big, files)), func() error { return os.Rename(big, filepath.Join(in.tree, "moved away")) }, 3},
		{"250 deletions", func() error { return deleteFiles(files, big, 250) }, 5},
		{"nothing changed again", nil, 0},
	} {
		if sc.change != nil {
			if err := sc.change(); err != nil {
				return err
			}
		}
		s, err := in.counted(ctx, l)
		if err != nil {
			return err
		}
		b.report.add(requestRow(sc.what, s, sc.limit))
	}
	return nil
}

// counted runs acb and returns what the look-alike was asked meanwhile.
func (in install) counted(ctx context.Context, l *lookAlike) (drivetest.Stats, error) {
	if _, err := l.stats(); err != nil {
		return drivetest.Stats{}, err
	}
	if _, err := in.scan().run(ctx); err != nil {
		return drivetest.Stats{}, err
	}
	return l.stats()
}

func requestRow(what string, s drivetest.Stats, limit int) row {
	return row{
		what: what, acb: fmt.Sprintf("%d (%d with those in batches, %d units)", s.Total(), s.TotalCalls(), s.Units),
		value: float64(s.Total()), sign: atMost, limit: float64(limit), unit: "requests",
	}
}

// census lists folders and files below root, each folder before what is in it.
func census(root string) (dirs, files []string, err error) {
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			dirs = append(dirs, path)
		} else {
			files = append(files, path)
		}
		return nil
	})
	return dirs, files, err
}

// below counts the files that are below dir, at any depth.
func below(dir string, files []string) int {
	n := 0
	for _, f := range files {
		if strings.HasPrefix(f, dir+string(filepath.Separator)) {
			n++
		}
	}
	return n
}

// wantedFiles is what the folder to be moved should hold.
const wantedFiles = 766

// largest returns the folder that holds most nearly wantedFiles.
func largest(dirs, files []string) string {
	off := func(dir string) int {
		n := below(dir, files) - wantedFiles
		return max(n, -n)
	}
	return slices.MinFunc(dirs[1:], func(a, b string) int { return off(a) - off(b) })
}

// deleteFiles deletes n files that are spread over the tree, none of them in
// the folder that was moved.
func deleteFiles(files []string, moved string, n int) error {
	files = slices.DeleteFunc(slices.Clone(files), func(f string) bool {
		return strings.HasPrefix(f, moved+string(filepath.Separator))
	})
	for i := range n {
		if err := os.Remove(files[i*len(files)/n]); err != nil {
			return err
		}
	}
	return nil
}
