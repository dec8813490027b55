package drivetest

import (
	"encoding/json"
	"strconv"
)

// MIME types that mean something to Drive itself.
const (
	mimeFolder   = "application/vnd.google-apps.folder"
	mimeShortcut = "application/vnd.google-apps.shortcut"
	mimeNative   = "application/vnd.google-apps." // prefix of Google's own types
	mimeBlob     = "application/octet-stream"
)

// item is a file, folder, shortcut or root. Its maps are replaced, never
// changed in place, so that a rendered answer may hold on to them.
type item struct {
	ID       string                       `json:"id"`
	Name     string                       `json:"name"`
	Mime     string                       `json:"mime"`
	Parent   string                       `json:"parent,omitempty"` // "" for roots
	Owner    string                       `json:"owner"`            // e-mail address
	Client   string                       `json:"client,omitempty"` // OAuth client that created it
	Granted  []string                     `json:"granted,omitempty"`
	Drive    string                       `json:"drive,omitempty"` // shared drive, "" for My Drive
	Space    string                       `json:"space,omitempty"` // appDataFolder, or "" for drive
	Created  int64                        `json:"created"`         // ms since 1970
	Modified int64                        `json:"modified"`
	Viewed   int64                        `json:"viewed,omitempty"`
	Trashed  bool                         `json:"trashed,omitempty"` // explicitly
	TrashAt  int64                        `json:"trashAt,omitempty"`
	Version  int64                        `json:"version"`
	Seq      int64                        `json:"seq"` // of its last change
	Starred  bool                         `json:"starred,omitempty"`
	ReadOnly bool                         `json:"readOnly,omitempty"` // may be seen, not changed
	Root     bool                         `json:"root,omitempty"`
	Target   string                       `json:"target,omitempty"` // of a shortcut
	TargetMT string                       `json:"targetMime,omitempty"`
	Props    map[string]string            `json:"props,omitempty"`
	AppProps map[string]map[string]string `json:"appProps,omitempty"` // by OAuth client
	Extra    map[string]json.RawMessage   `json:"extra,omitempty"`    // other writable fields, as sent
	Revs     []*revision                  `json:"revs,omitempty"`     // oldest first; the last is the head

	up        *item
	kids      map[string]*item
	freshTill int64 // ms; files.list does not see it before
	freshList int   // ... nor before this many list calls in all
	missing   int   // calls that still get 404, a fault
}

// revision is one content of a file.
type revision struct {
	ID       string `json:"id"`
	Modified int64  `json:"modified"`
	Stored   int64  `json:"stored"` // when it came, ms
	Size     int64  `json:"size"`
	MD5      string `json:"md5"`
	SHA1     string `json:"sha1,omitempty"`
	SHA256   string `json:"sha256,omitempty"`
	Mime     string `json:"mime"`
	Name     string `json:"name,omitempty"` // of the file when it was uploaded
	Keep     bool   `json:"keep,omitempty"`
	Blob     string `json:"blob,omitempty"` // key in the content store
}

func (it *item) isFolder() bool { return it.Mime == mimeFolder }

// head is the present content, nil for what has none.
func (it *item) head() *revision {
	if len(it.Revs) == 0 {
		return nil
	}
	return it.Revs[len(it.Revs)-1]
}

// inTrash says whether the item or a folder above it is trashed.
func (it *item) inTrash() bool {
	for ; it != nil; it = it.up {
		if it.Trashed {
			return true
		}
	}
	return false
}

// below says whether the item is top or lies under it.
func (it *item) below(top *item) bool {
	for ; it != nil; it = it.up {
		if it == top {
			return true
		}
	}
	return false
}

// depth counts the folders from the item's root down to it, the item included.
func (it *item) depth() int {
	n := 0
	for ; it != nil && !it.Root; it = it.up {
		n++
	}
	return n
}

// height is the number of folder levels in the tree of it, itself included.
func (it *item) height() int {
	if !it.isFolder() {
		return 0
	}
	most := 0
	for _, k := range it.kids {
		most = max(most, k.height())
	}
	return most + 1
}

// used is the storage the item takes: its head and what is pinned.
func (it *item) used() int64 {
	var n int64
	for i, r := range it.Revs {
		if i == len(it.Revs)-1 || r.Keep {
			n += r.Size
		}
	}
	return n
}

// walk calls f for the item and everything below it, parents first.
func (it *item) walk(f func(*item)) {
	f(it)
	for _, k := range it.kids {
		k.walk(f)
	}
}

func i64(n int64) string { return strconv.FormatInt(n, 10) }
