//go:build linux

package scan

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/zeebo/blake3"
)

// hashOf reads a content the plain way.
func hashOf(t testing.TB, p manifest.Path, kind manifest.Kind) manifest.Hash {
	t.Helper()
	var b []byte
	var err error
	if kind == manifest.Symlink {
		var target string
		target, err = os.Readlink(OSPath(p))
		b = []byte(target)
	} else {
		b, err = os.ReadFile(OSPath(p))
	}
	if err != nil {
		t.Fatal(err)
	}
	return blake3.Sum256(b)
}

// onDisk describes every folder, file and link below root, one line each by
// path. It shares nothing with the walk.
func onDisk(t testing.TB, root string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		raw := fi.Sys().(*syscall.Stat_t)
		rel, _ := filepath.Rel(root, path)
		switch fi.Mode().Type() {
		case fs.ModeDir:
			tree[rel] = fmt.Sprintf("dir %o %d %d", raw.Mode&07777, fi.ModTime().UnixNano(), raw.Ino)
		case 0, fs.ModeSymlink:
			kind := manifest.File
			if fi.Mode().Type() != 0 {
				kind = manifest.Symlink
			}
			tree[rel] = fmt.Sprintf("%v %o %d %d %d %s", kind, raw.Mode&07777, fi.Size(), fi.ModTime().UnixNano(), raw.Ino,
				hashOf(t, manifest.Path(strings.TrimPrefix(path, "/")), kind))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// inManifest describes what the manifest has below root in the same words,
// and the FileIDs and FolderIDs by path.
func inManifest(t testing.TB, s *manifest.Store, root string) (tree map[string]string, ids map[string]string) {
	t.Helper()
	r, err := s.Reader()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	tree, ids = map[string]string{}, map[string]string{}
	var visit func(path string, id manifest.FolderID)
	visit = func(path string, id manifest.FolderID) {
		subs, err := r.Children(id)
		if err != nil {
			t.Fatal(err)
		}
		row, _, err := r.Row(id)
		if err != nil {
			t.Fatal(err)
		}
		files, err := r.Entries(row)
		if err != nil {
			t.Fatal(err)
		}
		if rel, err := filepath.Rel(root, path); err == nil && !strings.HasPrefix(rel, "..") {
			tree[rel] = fmt.Sprintf("dir %o %d %d", row.Mode, row.ModTime, row.Inode) + flagged(row.Flags)
			ids[rel] = fmt.Sprint(row.ID)
			for _, e := range files {
				at := filepath.Join(rel, e.Name)
				tree[at] = fmt.Sprintf("%v %o %d %d %d %s", e.Kind, e.Mode, e.Size, e.ModTime, e.Inode, e.Hash) + flagged(e.Flags)
				ids[at] = string(e.FileID)
			}
		}
		for i := range subs {
			visit(strings.TrimSuffix(path, "/")+"/"+subs[i].Name, subs[i].ID)
		}
	}
	visit("/", manifest.Root)
	return tree, ids
}

func flagged(f manifest.Flags) string {
	if f == 0 {
		return ""
	}
	return fmt.Sprintf(" flags %d", f)
}

// same fails unless the manifest says of root just what is on disk.
func same(t testing.TB, s *manifest.Store, root string) {
	t.Helper()
	want := onDisk(t, root)
	got, _ := inManifest(t, s, root)
	for p, w := range want {
		if got[p] != w {
			t.Errorf("manifest has %q as %q, want %q", p, got[p], w)
		}
	}
	for p, g := range got {
		if _, ok := want[p]; !ok {
			t.Errorf("manifest has %q as %q, and it is not there", p, g)
		}
	}
}

// story tells changes in words, sorted, with paths from root. Restats are left
// out, and files in folders that were made or deleted with them.
func story(changes manifest.Changes, root string) []string {
	rel := func(p manifest.Path) string {
		s, _ := filepath.Rel(root, OSPath(p))
		return s
	}
	var lines []string
	for _, c := range changes.Folders {
		switch {
		case c.Kind == manifest.Restat:
		case c.Kind == manifest.Moved:
			lines = append(lines, fmt.Sprintf("moved %s/ -> %s/", rel(c.Old.Path()), rel(c.New.Path())))
		case c.New != nil:
			lines = append(lines, fmt.Sprintf("%v %s/", c.Kind, rel(c.New.Path())))
		default:
			lines = append(lines, fmt.Sprintf("%v %s/", c.Kind, rel(c.Old.Path())))
		}
	}
	for _, c := range changes.Files {
		switch {
		case c.Kind == manifest.Restat:
		case c.Kind == manifest.Moved:
			lines = append(lines, fmt.Sprintf("moved %s -> %s", rel(c.Old.Path()), rel(c.New.Path())))
		case c.New != nil:
			lines = append(lines, fmt.Sprintf("%v %s", c.Kind, rel(c.New.Path())))
		default:
			lines = append(lines, fmt.Sprintf("%v %s", c.Kind, rel(c.Old.Path())))
		}
	}
	return lines
}
