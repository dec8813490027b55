package backup_test

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// The oracle shares no code with scan and remote: it walks the disk with
// path/filepath, asks the look-alike itself, and decodes names on its own.

// A thing is a file, symlink or folder, as the disk or Drive has it.
type thing struct {
	kind  string // f, l, d, as in acb.k
	size  int64
	md5   string
	mtime int64 // nanoseconds; 0 for folders, whose times go up at creation only
	mode  uint32
}

// onDisk returns what Drive should hold below the host folder, by path.
func (w *world) onDisk() map[string]thing {
	w.t.Helper()
	out := make(map[string]thing)
	for _, s := range w.sources {
		for dir := drivePath(s); dir != "."; dir = filepath.ToSlash(filepath.Dir(dir)) {
			out[dir] = thing{kind: "d"}
		}
		w.must(filepath.WalkDir(s, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := os.Lstat(path)
			if err != nil {
				return err
			}
			t := thing{kind: "f", mtime: info.ModTime().UnixNano(), mode: uint32(info.Mode().Perm())}
			var content []byte
			switch {
			case info.IsDir():
				out[drivePath(path)] = thing{kind: "d"}
				return nil
			case info.Mode()&fs.ModeSymlink != 0:
				t.kind = "l"
				target, err := os.Readlink(path)
				if err != nil {
					return err
				}
				content = []byte(target)
			case info.Mode().IsRegular():
				if content, err = os.ReadFile(path); err != nil {
					return err
				}
			default:
				return nil // sockets, pipes and devices are never backed up
			}
			sum := md5.Sum(content)
			t.size, t.md5 = int64(len(content)), hex.EncodeToString(sum[:])
			out[drivePath(path)] = t
			return nil
		}))
	}
	return out
}

// drivePath returns where an absolute path belongs below the host folder.
func drivePath(path string) string {
	p := filepath.ToSlash(path)
	if vol := filepath.VolumeName(path); vol != "" {
		p = strings.TrimSuffix(vol, ":") + p[len(vol):]
	}
	return strings.TrimPrefix(p, "/")
}

// onDrive returns what Drive holds below the host folder, by path on disk, and
// the id of each.
func (w *world) onDrive() (things map[string]thing, ids map[string]string) {
	w.t.Helper()
	things, ids = make(map[string]thing), make(map[string]string)
	host := topName + "/" + hostName
	for path, n := range w.srv.Tree("root") {
		if path == topName || path == host || path == topName+"/.acb-manifest-"+hostName+".db.gz" && w.copyLimit > 0 {
			continue
		}
		rel, ok := strings.CutPrefix(path, host+"/")
		if !ok {
			w.t.Errorf("outside the host folder: %s", path)
			continue
		}
		disk := w.decode(rel, n)
		if n.AppProps["acb.i"] != installation {
			w.t.Errorf("%s: installation %q", disk, n.AppProps["acb.i"])
		}
		if _, twice := things[disk]; twice {
			w.t.Errorf("twice on Drive: %s", disk)
		}
		things[disk], ids[disk] = w.thing(disk, n), n.ID
	}
	return things, ids
}

// thing returns what Drive says of an item.
func (w *world) thing(disk string, n drivetest.Node) thing {
	w.t.Helper()
	t := thing{kind: n.AppProps["acb.k"]}
	if (n.Kind == "folder") != (t.kind == "d") {
		w.t.Errorf("%s: a %s on Drive, of kind %q", disk, n.Kind, t.kind)
	}
	if t.kind != "d" {
		t.size, t.md5 = n.Size, n.MD5
		t.mtime = w.number(disk, "acb.t", n.AppProps["acb.t"], 10)
		t.mode = uint32(w.number(disk, "acb.m", n.AppProps["acb.m"], 8)) & 0o777
		if want := time.Unix(0, t.mtime).UTC().Truncate(time.Millisecond); !n.ModTime.Equal(want) {
			w.t.Errorf("%s: modifiedTime is %s, should be %s", disk, n.ModTime, want)
		}
	}
	return t
}

func (w *world) number(path, key, text string, base int) int64 {
	n, err := strconv.ParseInt(text, base, 64)
	if err != nil {
		w.t.Errorf("%s: %s is %q", path, key, text)
	}
	return n
}

// decode returns the path on disk of what lies at a look-alike's tree path.
func (w *world) decode(path string, n drivetest.Node) string {
	w.t.Helper()
	var names []string
	for _, part := range strings.Split(path, "/") {
		name, err := url.PathUnescape(part)
		w.must(err)
		names = append(names, name)
	}
	if last := names[len(names)-1]; last != n.Name {
		w.t.Errorf("twice on Drive: %q", path)
	}
	if n.AppProps["acb.k"] == "l" {
		name, ok := strings.CutSuffix(names[len(names)-1], ".rclonelink")
		if !ok {
			w.t.Errorf("%q: a symlink's name should end in .rclonelink", path)
		}
		names[len(names)-1] = name
	}
	for i, name := range names {
		names[i] = unquoted(name)
	}
	return strings.Join(names, "/")
}

// unquoted decodes rclone's form of bytes that are no UTF-8.
func unquoted(name string) string {
	var out []byte
	for i := 0; i < len(name); {
		if rest, ok := strings.CutPrefix(name[i:], "\xe2\x80\x9b"); ok && len(rest) >= 2 {
			if b, err := hex.DecodeString(rest[:2]); err == nil && rest[:2] == strings.ToUpper(rest[:2]) {
				out = append(out, b[0])
				i += 5
				continue
			}
		}
		out = append(out, name[i])
		i++
	}
	return string(out)
}

// compare demands that disk, Drive and manifest tell the same. extra tells
// what may be on Drive although it is not on disk: things that are kept.
func (w *world) compare(extra ...func(path string) bool) {
	w.t.Helper()
	disk := w.onDisk()
	drive, ids := w.onDrive()
	var wrong []string
	for path, d := range disk {
		switch g, ok := drive[path]; {
		case !ok:
			wrong = append(wrong, fmt.Sprintf("not on Drive: %q", path))
		case g.kind == "d" && d.kind == "d":
		case runtime.GOOS == "windows" && withoutMode(g) == withoutMode(d):
		case g != d:
			wrong = append(wrong, fmt.Sprintf("%q: on Drive %+v, on disk %+v", path, g, d))
		}
	}
	kept := func(path string) bool {
		return slices.ContainsFunc(extra, func(f func(string) bool) bool { return f(path) })
	}
	for path := range drive {
		if _, ok := disk[path]; !ok && !kept(path) {
			wrong = append(wrong, fmt.Sprintf("on Drive, not on disk: %q", path))
		}
	}
	items := map[string]located{}
	for path, id := range ids {
		items[id] = located{path, drive[path]}
	}
	differ, displaced := w.compareManifest(items)
	wrong = append(wrong, differ...)
	if displaced > 0 {
		wrong = append(wrong, fmt.Sprintf("manifest: %d displaced entries are left", displaced))
	}
	w.differences(wrong)
}

// differences tells what is not as it should be.
func (w *world) differences(wrong []string) {
	w.t.Helper()
	slices.Sort(wrong)
	if len(wrong) > 0 {
		w.t.Errorf("%d differences:\n\t%s", len(wrong), strings.Join(wrong[:min(len(wrong), 20)], "\n\t"))
	}
}

func withoutMode(t thing) thing { t.mode = 0; return t }

// A located thing is at a path.
type located struct {
	at string
	thing
}

// compareManifest demands that the manifest names exactly what Drive holds,
// given by id. Displaced are the entries that have lost their place.
func (w *world) compareManifest(items map[string]located) (wrong []string, displaced int) {
	w.t.Helper()
	r, err := manifest.OpenReader(w.manifest)
	w.must(err)
	defer r.Close()
	w.must(r.Check())
	say := func(format string, args ...any) { wrong = append(wrong, "manifest: "+fmt.Sprintf(format, args...)) }
	named := make(map[string]bool)
	see := func(p manifest.Path, id manifest.FileID) bool {
		named[string(id)] = true
		if at, there := items[string(id)]; at.at != string(p) {
			say("%q is %q, on Drive at %q (%v)", p, id, at.at, there)
			return false
		}
		return true
	}
	file := func(p manifest.Path, e *manifest.Entry) {
		if !see(p, e.FileID) {
			return
		}
		d := items[string(e.FileID)].thing
		kind := map[manifest.Kind]string{manifest.File: "f", manifest.Symlink: "l"}[e.Kind]
		if got := (thing{kind, e.Size, e.MD5.String(), e.ModTime, e.Mode & 0o777}); got != d {
			say("%q is %+v, on Drive %+v", p, got, d)
		}
	}
	dirs := map[manifest.FolderID]manifest.Path{}
	w.must(r.Walk(manifest.Root, func(p manifest.Path, row manifest.Row, files []manifest.Entry) error {
		dirs[row.ID] = p
		if row.ID != manifest.Root {
			see(p, row.FileID)
		}
		for i := range files {
			file(p.Join(files[i].Name), &files[i])
		}
		return nil
	}))
	apart, err := r.Displaced()
	w.must(err)
	for i := range apart {
		file(dirs[apart[i].Folder].Join(apart[i].Name), &apart[i].Entry)
	}
	for id, it := range items {
		if !named[id] {
			say("%q is on Drive (%s) and not in it", it.at, id)
		}
	}
	return wrong, len(apart)
}

func TestOracleFirstRun(t *testing.T) {
	w := newWorld(t, drivetest.Options{}, "docs", "pics")
	w.write("docs/a.txt", "a")
	w.write("docs/sub/b.txt", "b")
	w.write("docs/sub/empty", "")
	w.write("pics/odd \xff\n\"name\\", "odd")
	w.must(os.Symlink("a.txt", w.path("docs/link")))
	w.must(os.Mkdir(w.path("pics/empty folder"), 0o700))
	w.ok()
	w.compare()
	w.quiet()
}
