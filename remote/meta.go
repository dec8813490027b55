package remote

import (
	"strconv"
	"time"

	"google.golang.org/api/drive/v3"

	"github.com/autocloudbackup/acb/manifest"
)

// The keys of appProperties. Key and value together may have 124 bytes.
// Source: Drive API guide, "Add custom file properties".
const (
	propHash    = "acb.h"  // BLAKE3-256, hexadecimal
	propTime    = "acb.t"  // modification time, nanoseconds since 1970
	propMode    = "acb.m"  // permission bits, octal
	propKind    = "acb.k"  // one of the kinds below
	propInstall = "acb.i"  // the installation that owns it
	propGen     = "acb.g." // of a host folder, with the generation of its manifest behind it
)

// Values of propKind. Links are "l", so that a rebuilt manifest tells them
// from files that are called NAME.rclonelink.
const (
	kindTop  = "top"
	kindHost = "host"
	kindDir  = "d"
	kindFile = "f"
	kindLink = "l"
	kindCopy = "manifest" // the copy of a manifest, beside the host folder
)

func kindValue(k manifest.Kind) string {
	return [...]string{"", kindFile, kindLink, kindDir}[k]
}

// meta is the body of a metadata write: what is empty is not sent.
type meta struct {
	ID            string
	Name          string
	MimeType      string
	Parent        string
	ModifiedTime  string
	Trashed       *bool
	KeepForever   *bool // of a revision
	AppProperties props
}

// props are appProperties to set.
type props struct {
	hash, time, mode, kind, install string
	noHash                          bool // take away the one that is there
	gens                            *gens
}

// gens are generations to set and to take away; 0 sets none. See [genProp].
type gens struct {
	set  int64
	drop []int64
}

// stamp writes time and mode of st into m.
func (m *meta) stamp(st manifest.Stat, clamp bool, now time.Time) {
	m.ModifiedTime = driveTime(st.ModTime, clamp, now)
	m.AppProperties.time = strconv.FormatInt(st.ModTime, 10)
	m.AppProperties.mode = strconv.FormatUint(uint64(st.Mode), 8)
}

// driveTime writes a time as Drive stores it: UTC, milliseconds. With clamp it
// lies between 1970 and now. Drive is not known to refuse any time, so the
// true one is tried first; acb.t keeps it in either case.
func driveTime(ns int64, clamp bool, now time.Time) string {
	t := time.Unix(0, ns).UTC()
	if clamp && t.Before(time.Unix(0, 0)) {
		t = time.Unix(0, 0).UTC()
	}
	if clamp && t.After(now) {
		t = now.UTC()
	}
	return t.Format("2006-01-02T15:04:05.000Z")
}

// oddTime reports whether a refusal may be due to the time, so that the same
// with a clamped one is worth a try.
func oddTime(ns int64, now time.Time) bool {
	t := time.Unix(0, ns)
	return t.Before(time.Unix(0, 0)) || t.After(now)
}

// newItem returns the metadata of an item that is created with the given id.
func (d *Drive) newItem(id manifest.FileID, name string, st manifest.Stat, parent manifest.FileID, clamp bool) *meta {
	m := &meta{
		ID: string(id), Name: EncodeName(name, st.Kind), MimeType: typeOf(name, st.Kind),
		Parent: string(parent), AppProperties: props{kind: kindValue(st.Kind), install: d.opt.Installation},
	}
	if st.Kind == manifest.Dir {
		m.MimeType = folderType
	}
	m.stamp(st, clamp, d.opt.Now())
	return m
}

// Fields that writes ask for and look at.
const (
	folderFields = "id,parents,trashed"
	fileFields   = "id,parents,trashed,size,md5Checksum,headRevisionId"
	trashFields  = "id,trashed"
	stateFields  = "id,name,mimeType,parents,trashed,explicitlyTrashed,size,md5Checksum,modifiedTime,headRevisionId,appProperties"
)

// content returns what Drive says of a file's content; the hash is ours.
func contentOf(f *drive.File, h manifest.Hash) manifest.Content {
	return manifest.Content{
		FileID: manifest.FileID(f.Id), HeadRevision: f.HeadRevisionId, Hash: h, MD5: parseMD5(f.Md5Checksum),
	}
}
