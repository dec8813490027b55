package main

import (
	"fmt"
	"time"

	"github.com/autocloudbackup/acb/manifest"
)

// A jsonEntry is a file or folder as it is backed up.
type jsonEntry struct {
	Type     string     `json:"type"` // "file", "symlink" or "folder"
	Path     string     `json:"path"`
	Size     *int64     `json:"size,omitempty"` // bytes
	Modified *time.Time `json:"modified"`
	Mode     string     `json:"mode"`
	BLAKE3   string     `json:"blake3,omitempty"`
	MD5      string     `json:"md5,omitempty"`
	ID       string     `json:"id"`
	Revision string     `json:"revision,omitempty"`
	Link     string     `json:"link"`
	Since    int64      `json:"since_run"`
	Until    int64      `json:"until_run,omitempty"`
	Ended    string     `json:"ended,omitempty"` // why, if it is not there any more
	Kept     string     `json:"kept,omitempty"`  // what Drive should still have of it
	Versions int        `json:"versions,omitempty"`
	Flags    []string   `json:"flags,omitempty"`
}

func entryJSON(p manifest.Path, v manifest.Version) jsonEntry {
	e := jsonEntry{
		Type: v.Kind.String(), Path: exact(p), Size: &v.Size, Modified: moment(v.ModTime), Mode: fmt.Sprintf("%04o", v.Mode),
		ID: string(v.FileID), Revision: v.HeadRevision, Link: fileLink(v.FileID), Since: int64(v.From), Flags: flagNames(v.Flags),
	}
	if !v.Hash.IsZero() {
		e.BLAKE3 = v.Hash.String()
	}
	if !v.MD5.IsZero() {
		e.MD5 = v.MD5.String()
	}
	if v.To != manifest.Now {
		e.Until, e.Ended = int64(v.To), string(v.Reason)
	}
	return e
}

// moment returns a stored time, nil for none.
func moment(ns int64) *time.Time {
	if ns == 0 {
		return nil
	}
	t := time.Unix(0, ns).UTC()
	return &t
}

// fileLink is where a browser shows a file. Source: Drive's webViewLink of
// files that are no Google documents.
func fileLink(id manifest.FileID) string {
	return "https://drive.google.com/file/d/" + string(id) + "/view"
}

// folderLink is where a browser shows a folder. Source: likewise.
func folderLink(id manifest.FileID) string {
	return "https://drive.google.com/drive/folders/" + string(id)
}

// modeText writes a mode as ls does, without the rarer bits.
func modeText(kind string, mode uint32) string {
	const letters = "rwxrwxrwx"
	text := []byte(letters)
	for i := range text {
		if mode&(1<<(8-i)) == 0 {
			text[i] = '-'
		}
	}
	return kind + string(text)
}

// flagNames says what is special about an entry.
func flagNames(f manifest.Flags) []string {
	var names []string
	for _, n := range []struct {
		flag manifest.Flags
		name string
	}{{manifest.Retired, "retired"}, {manifest.Pinned, "pinned"}, {manifest.Lost, "lost"}} {
		if f.Has(n.flag) {
			names = append(names, n.name)
		}
	}
	return names
}
