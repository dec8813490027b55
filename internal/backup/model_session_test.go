package backup_test

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// A half is a session, and the file on disk whose beginning it has.
type half struct {
	drivetest.HalfSent
	path  string
	items map[string]bool // the ids of all that was on Drive then
}

// standing returns the sessions that the next run has to go on with if it
// sends the file: of what Drive has acknowledged of it, nothing is to be sent
// again.
func (m *model) standing() (list []half) {
	m.t.Helper()
	if m.hand.bigs == 0 {
		return nil
	}
	taken, ids := m.places()
	items := m.items()
	for _, s := range m.sessions() {
		if m.fake().Sub(m.begun[s.Key]) >= remote.SessionLife {
			m.past[s.Key] = true // for good, even if the clock is put right
		}
		if s.Stored == 0 || m.past[s.Key] {
			continue
		}
		for _, path := range m.hand.bigFiles(m.sources...) {
			at := drivePath(path)
			// A session makes a new file, wherever that has gone, or it
			// replaces the content of one that there is.
			fits := s.Replaces && ids[s.FileID] == at || !s.Replaces && !taken[at]
			if !m.begins(path, s) {
				continue
			}
			if !fits { // a file has taken another's place: the run gives the session up, wherever it goes later
				m.past[s.Key] = m.past[s.Key] || !s.Replaces
				continue
			}
			sum := sumOf(m, path, s.Total)
			if at, _ := m.onDriveAs(sum); at == "" && !m.elsewhere(sum, s) {
				list = append(list, half{s, path, items})
			}
		}
	}
	return list
}

// elsewhere reports whether another file has what a session is of, and looks
// otherwise: it may be that which is sent, and Drive makes its copies.
func (m *model) elsewhere(sum string, s drivetest.HalfSent) bool {
	m.t.Helper()
	return slices.ContainsFunc(m.hand.bigFiles(m.sources...), func(path string) bool {
		info, err := os.Lstat(path)
		m.must(err)
		return info.Size() == s.Total && !m.begins(path, s) && sumOf(m, path, s.Total) == sum
	})
}

// sessions returns what Drive has half-sent.
func (m *model) sessions() []drivetest.HalfSent {
	m.t.Helper()
	list, err := m.srv.HalfSent()
	m.must(err)
	return list
}

// lostOf returns how many bytes Drive has in other sessions than those that are
// gone on with: what they belong to is another file now, and is begun anew.
func (m *model) lostOf(gone []half) (n int64) {
	m.t.Helper()
	for _, s := range m.sessions() {
		n += s.Stored
	}
	seen := map[string]bool{}
	for _, h := range gone {
		if !seen[h.Key] {
			n -= h.Stored
		}
		seen[h.Key] = true
	}
	return n
}

// places returns the files of the manifest, by place, and the place of each id.
func (m *model) places() (taken map[string]bool, ids map[string]string) {
	m.t.Helper()
	taken, ids = map[string]bool{}, map[string]string{}
	r, err := manifest.OpenReader(m.manifest)
	if errors.Is(err, fs.ErrNotExist) {
		return taken, ids
	}
	m.must(err)
	defer r.Close()
	m.must(r.Walk(manifest.Root, func(p manifest.Path, _ manifest.Row, files []manifest.Entry) error {
		for _, e := range files {
			at := string(p.Join(e.Name))
			taken[at], ids[string(e.FileID)] = true, at
		}
		return nil
	}))
	return taken, ids
}

// begins reports whether a session has the beginning of a file as it is now.
func (m *model) begins(path string, s drivetest.HalfSent) bool {
	m.t.Helper()
	info, err := os.Lstat(path)
	m.must(err)
	if info.Size() != s.Total || strconv.FormatInt(info.ModTime().UnixNano(), 10) != s.AppProps["acb.t"] {
		return false
	}
	return sumOf(m, path, s.Stored) == s.MD5
}

// sumOf returns the MD5 of a file's first n bytes.
func sumOf(m *model, path string, n int64) string {
	m.t.Helper()
	f, err := os.Open(path)
	m.must(err)
	defer f.Close()
	sum := md5.New()
	_, err = io.CopyN(sum, f, n)
	m.must(err)
	return hex.EncodeToString(sum.Sum(nil))
}

// onDriveAs returns a place below the host folder of a content, and what is
// there; "" if it has none.
func (m *model) onDriveAs(sum string) (at string, n drivetest.Node) {
	for at, n := range m.srv.Tree(m.host().ID) {
		if n.MD5 == sum {
			return at, n
		}
	}
	return "", n
}

// wentOn demands that a run has gone on with the sessions that it found: if one
// is still as it was, then nothing of the file has come another way.
func (m *model) wentOn(before []half) {
	m.t.Helper()
	m.note()
	if len(before) == 0 {
		return
	}
	found := map[string]bool{}
	for _, h := range before {
		found[h.Key] = true
	}
	now := m.sessions()
	for _, h := range before {
		left := false
		for _, s := range now {
			left = left || s.Key == h.Key && s.Stored == h.Stored
		}
		if !left {
			continue
		}
		for _, s := range now {
			if !found[s.Key] && s.Stored > 0 && m.begins(h.path, s) {
				m.t.Errorf("%s: %d bytes of it were sent in another session, although Drive had %d", h.path, s.Stored, h.Stored)
			}
		}
		at, n := m.onDriveAs(sumOf(m, h.path, h.Total))
		// What makes a new file cannot replace the content of one that was there
		// already, which no manifest had heard of, or in a folder that was moved.
		if at != "" && (h.Replaces || !h.items[n.ID]) {
			m.t.Errorf("%s: all of it was sent, to %s, although Drive had %d bytes of it", h.path, at, h.Stored)
		}
	}
}

// note writes down when sessions were begun.
func (m *model) note() {
	m.t.Helper()
	for _, s := range m.sessions() {
		if m.begun[s.Key].IsZero() {
			m.begun[s.Key] = m.fake()
		}
	}
}

// giveUpSessions lets the next run begin anew what is half sent now.
func (m *model) giveUpSessions() {
	m.t.Helper()
	for _, s := range m.sessions() {
		m.past[s.Key] = true
	}
}
