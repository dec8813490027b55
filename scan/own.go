package scan

import (
	"path/filepath"
	"strings"

	"github.com/autocloudbackup/acb/manifest"
)

// An ownFile is one of acb's own files or folders. It is known by identity, so
// that no link, mount or other spelling brings it into a backup.
type ownFile struct {
	dev, inode uint64
	base       string
}

type ownFiles []ownFile

// ownFilesOf looks the named files up. What does not exist cannot be met.
func ownFilesOf(sys system, paths []string) ownFiles {
	var own ownFiles
	for _, p := range paths {
		var st info
		if sys.stat(p, &st) == nil {
			own = append(own, ownFile{st.dev, st.Inode, filepath.Base(p)})
		}
	}
	return own
}

// has reports whether what st tells of is acb's own.
func (o ownFiles) has(st *info) bool {
	for i := range o {
		if o[i].inode == st.Inode && o[i].dev == st.dev && st.Inode != 0 {
			return true
		}
	}
	return false
}

// leftByRestore reports whether a file's name is one of a restore that was
// interrupted: half a content, which is nobody's but acb's.
func leftByRestore(name string) bool { return strings.HasPrefix(name, manifest.RestorePrefix) }

// hasFile is has for a name in d, and true for what an interrupted restore
// left there. Where a stat tells no inode number, a file of the same name is
// opened and asked.
func (o ownFiles) hasFile(d dir, name []byte, st *info) bool {
	if leftByRestore(string(name)) {
		return true
	}
	if st.Inode != 0 || len(o) == 0 {
		return o.has(st)
	}
	for i := range o {
		if strings.EqualFold(o[i].base, string(name)) {
			f, err := d.openFile(string(name))
			if err != nil {
				continue
			}
			var opened info
			err = f.stat(&opened)
			f.Close()
			if err == nil && o.has(&opened) {
				return true
			}
		}
	}
	return false
}
