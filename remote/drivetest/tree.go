package drivetest

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Node is one file or folder in a Tree.
type Node struct {
	ID       string
	Name     string // as Drive has it; the path may differ, see Tree
	Kind     string // folder, file, shortcut, doc
	Size     int64
	MD5      string
	Mime     string
	ModTime  time.Time // UTC, ms
	Created  time.Time
	Version  int64
	Head     string            // headRevisionId
	Revs     int               // number of revisions
	Props    map[string]string // visible to all apps
	AppProps map[string]string // of all clients together
	Trashed  bool              // itself or by a folder above
	Explicit bool              // itself
}

// Tree gives what lies below a folder ("root", or an id), trash left out, by
// path relative to it. A slash or backslash in a name is written as %2F or
// %5C, a percent sign as %25, and "." and ".." likewise; of several things
// with one name in one folder, the older keeps the path and the others get
// "#2", "#3", ... behind it, so that a duplicate is never lost from view.
// An id that is not there gives an empty Tree.
func (d *Drive) Tree(root string) map[string]Node { return d.tree(root, false) }

// TreeWithTrash is Tree with what is in the bin.
func (d *Drive) TreeWithTrash(root string) map[string]Node { return d.tree(root, true) }

func (d *Drive) tree(root string, trash bool) map[string]Node {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := map[string]Node{}
	if top := d.item(root); top != nil {
		top.eachPath("", trash, func(path string, it *item) { out[path] = it.node() })
	}
	return out
}

// eachPath visits what lies below it, in order of path.
func (it *item) eachPath(prefix string, trash bool, f func(path string, it *item)) {
	kids := slices.SortedFunc(maps.Values(it.kids), func(a, b *item) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		if a.Created != b.Created {
			return int(min(max(a.Created-b.Created, -1), 1))
		}
		return strings.Compare(a.ID, b.ID)
	})
	seen := map[string]int{}
	for _, k := range kids {
		if k.Trashed && !trash {
			continue
		}
		name := pathName(k.Name)
		seen[name]++
		if n := seen[name]; n > 1 {
			name = fmt.Sprintf("%s#%d", name, n)
		}
		f(prefix+name, k)
		k.eachPath(prefix+name+"/", trash, f)
	}
}

var pathEscaper = strings.NewReplacer("%", "%25", "/", "%2F", `\`, "%5C", "\x00", "%00")

func pathName(s string) string {
	switch s {
	case "":
		return "%"
	case ".":
		return "%2E"
	case "..":
		return "%2E%2E"
	}
	return pathEscaper.Replace(s)
}

func (it *item) node() Node {
	n := Node{
		ID: it.ID, Name: it.Name, Mime: it.Mime, Kind: "file", Version: it.Version, Revs: len(it.Revs), Props: it.Props,
		ModTime: time.UnixMilli(it.Modified).UTC(), Created: time.UnixMilli(it.Created).UTC(),
		Trashed: it.inTrash(), Explicit: it.Trashed,
	}
	switch {
	case it.isFolder():
		n.Kind = "folder"
	case it.Mime == mimeShortcut:
		n.Kind = "shortcut"
	case native(it.Mime):
		n.Kind = "doc"
	}
	if r := it.head(); r != nil {
		n.Size, n.MD5, n.Head = r.Size, r.MD5, r.ID
	}
	for _, m := range it.AppProps {
		if n.AppProps == nil {
			n.AppProps = map[string]string{}
		}
		maps.Copy(n.AppProps, m)
	}
	return n
}

// Export lays what lies below a folder out as plain folders and files in dir,
// with names as Tree writes them, content by hard link where the file system
// allows, and modification times. Files are readable by their owner only and
// writable by nobody, because a linked one is the Drive's own. It adds and
// replaces, and removes nothing.
func (d *Drive) Export(root, dir string) error {
	type job struct {
		path string
		node Node
		blob string
	}
	var jobs []job
	d.mu.Lock()
	top := d.item(root)
	if top == nil {
		d.mu.Unlock()
		return fmt.Errorf("export %s: %w", root, ErrNoFile)
	}
	top.eachPath("", false, func(path string, it *item) {
		j := job{path: path, node: it.node()}
		if r := it.head(); r != nil {
			j.blob = r.Blob
		}
		jobs = append(jobs, j)
	})
	d.mu.Unlock()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	for _, j := range jobs {
		to := filepath.Join(dir, filepath.FromSlash(j.path))
		var err error
		switch j.node.Kind {
		case "folder":
			err = os.MkdirAll(to, 0o755)
		case "file":
			err = d.exportFile(j.blob, to, j.node.ModTime)
		}
		if err != nil {
			return fmt.Errorf("export %s: %w", j.path, err)
		}
	}
	for _, j := range slices.Backward(jobs) { // children first, as they change their folder's time
		if j.node.Kind == "folder" {
			if err := os.Chtimes(filepath.Join(dir, filepath.FromSlash(j.path)), j.node.ModTime, j.node.ModTime); err != nil {
				return fmt.Errorf("export %s: %w", j.path, err)
			}
		}
	}
	return nil
}

func (d *Drive) exportFile(blob, to string, mod time.Time) error {
	if err := os.Remove(to); err != nil && !os.IsNotExist(err) {
		return err
	}
	if d.blobs.dir == "" || os.Link(d.blobs.place(blob), to) != nil {
		from, err := d.blobs.open(blob)
		if err != nil {
			return err
		}
		defer from.Close()
		f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		if _, err := io.Copy(f, from); err != nil {
			f.Close()
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	if err := os.Chtimes(to, mod, mod); err != nil {
		return err
	}
	return os.Chmod(to, 0o400)
}

// Content gives the content of a file's head.
func (d *Drive) Content(id string) ([]byte, error) {
	d.mu.Lock()
	it := d.item(id)
	var key string
	if it != nil && it.head() != nil {
		key = it.head().Blob
	}
	d.mu.Unlock()
	if key == "" {
		return nil, fmt.Errorf("%s: %w", id, ErrNoFile)
	}
	f, err := d.blobs.open(key)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
