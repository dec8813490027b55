package drivetest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// journal keeps the metadata of a Drive: one line for each change, a CRC-32,
// a letter for what it is, and JSON. The last line about a thing holds. A line
// is written before the change is acknowledged, so that a killed process loses
// nothing it told; the machine's own crash is not covered, as nothing is
// synced to disk.
type journal struct {
	f     *os.File
	path  string
	lock  *os.File
	lines int
	err   error // the first failure; the Drive answers 500 from then on
	buf   bytes.Buffer
}

// What a line of the journal holds.
const (
	recItem    = 'i'
	recGone    = 'd'
	recIDs     = 'r'
	recShared  = 'h'
	recClient  = 'c'
	recAccess  = 'a'
	recRefresh = 'f'
	recNoToken = 'x' // a token that ended
	recKey     = 'k' // a service account
	recSession = 's'
	recNoSess  = 'e' // a session that ended
	recRoot    = 'o' // names a root: account, shared drive or appdata folder
)

type rootRecord struct{ Key, ID string }

type idsRecord struct {
	reservation
	IDs []string `json:"ids"`
}

// openJournal reads the state of Options.Dir, or begins it.
func (d *Drive) openJournal() error {
	lock, err := lockFile(filepath.Join(d.opt.Dir, "lock"))
	if err != nil {
		return err
	}
	j := &journal{path: filepath.Join(d.opt.Dir, "journal"), lock: lock}
	if j.f, err = os.OpenFile(j.path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		lock.Close()
		return err
	}
	d.log = j
	if err := d.replay(); err != nil {
		j.close()
		return fmt.Errorf("read journal: %w", err)
	}
	d.settle()
	return nil
}

// replay reads all lines; a torn last one is cut off, any other bad line is an error.
func (d *Drive) replay() error {
	j := d.log
	r := bufio.NewReaderSize(j.f, 1<<20)
	var good int64
	for {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			break // what is in line, if anything, is torn
		}
		if err != nil {
			return err
		}
		if err := d.replayLine(line); err != nil {
			if _, more := r.Peek(1); more == io.EOF {
				break
			}
			return fmt.Errorf("line %d: %w", j.lines+1, err)
		}
		good += int64(len(line))
		j.lines++
	}
	if err := j.f.Truncate(good); err != nil {
		return err
	}
	_, err := j.f.Seek(good, io.SeekStart)
	return err
}

var errTorn = errors.New("bad checksum")

func (d *Drive) replayLine(line []byte) error {
	if len(line) < 11 || line[8] != ' ' {
		return errTorn
	}
	want, err := strconv.ParseUint(string(line[:8]), 16, 32)
	body := line[9 : len(line)-1]
	if err != nil || crc32.ChecksumIEEE(body) != uint32(want) {
		return errTorn
	}
	return d.load(body[0], body[1:])
}

// load takes one record into memory. Links between items are made by settle.
func (d *Drive) load(kind byte, p []byte) error {
	switch kind {
	case recItem:
		it := new(item)
		if err := json.Unmarshal(p, it); err != nil {
			return err
		}
		d.items[it.ID] = it
		delete(d.reserved, it.ID)
		d.seq = max(d.seq, it.Seq)
	case recGone:
		t := new(tombstone)
		if err := json.Unmarshal(p, t); err != nil {
			return err
		}
		delete(d.items, t.ID)
		d.gone[t.ID] = t
		d.seq = max(d.seq, t.Seq)
	case recIDs:
		var r idsRecord
		if err := json.Unmarshal(p, &r); err != nil {
			return err
		}
		for _, id := range r.IDs {
			d.reserved[id] = &r.reservation
		}
		d.oldest = append(d.oldest, r.IDs...)
	case recShared:
		s := new(sharedDrive)
		if err := json.Unmarshal(p, s); err != nil {
			return err
		}
		for i, old := range d.drives {
			if old.ID == s.ID {
				d.drives[i] = s
				return nil
			}
		}
		d.drives = append(d.drives, s)
	case recRoot:
		var r rootRecord
		if err := json.Unmarshal(p, &r); err != nil {
			return err
		}
		if d.roots[r.Key] = d.items[r.ID]; d.roots[r.Key] == nil {
			return fmt.Errorf("root %s is missing", r.ID)
		}
	case recSession:
		s := new(session)
		if err := json.Unmarshal(p, s); err != nil {
			return err
		}
		if d.sessions[s.ID] == nil {
			d.sessionQ = append(d.sessionQ, s.ID)
		}
		s.saved = p
		d.sessions[s.ID] = s
	case recNoSess:
		delete(d.sessions, string(p))
	default:
		return d.auth.load(kind, p)
	}
	return nil
}

// settle works out what follows from the records: the tree, the change log,
// storage in use; and sweeps what interrupted uploads left.
func (d *Drive) settle() {
	for key, r := range d.roots {
		d.roots[key] = d.items[r.ID] // a later line may have replaced it
	}
	for _, it := range d.items {
		d.link(it)
		d.used[d.purse(it)] += it.used()
		d.changes = append(d.changes, change{it.Seq, it.ID})
	}
	for _, t := range d.gone {
		d.changes = append(d.changes, change{t.Seq, t.ID})
	}
	sortChanges(d.changes)
	for _, id := range d.sessionQ {
		s := d.sessions[id]
		switch {
		case s == nil || s.Done != "":
		case d.opt.Discard: // its bytes were never kept
			delete(d.sessions, id)
		case s.Key != "":
			d.sending[s.Key] = s
		}
	}
	d.created = len(d.items) + len(d.gone)
	d.blobs.sweep(func(key string) bool { s := d.sessions[key]; return s != nil && s.Done == "" })
	if d.log.lines > 1000 && d.log.lines > 2*d.records() {
		d.compact()
	}
}

// records is the number of lines a fresh journal would have.
func (d *Drive) records() int {
	return len(d.items) + len(d.gone) + len(d.drives) + len(d.roots) + len(d.sessions) + d.auth.records() + len(d.reserved)/100
}

// put writes one record. The lock must be held.
func (d *Drive) put(kind byte, v any) {
	if d.log == nil {
		return
	}
	p, err := json.Marshal(v)
	if err != nil {
		panic("drivetest: encode journal: " + err.Error()) // records are ours
	}
	d.putRaw(kind, p)
	if d.log.lines > 100_000 && d.log.lines > 4*d.records() {
		d.compact()
	}
}

func (d *Drive) putRaw(kind byte, p []byte) {
	if j := d.log; j != nil {
		j.line(kind, p)
		j.flush()
	}
}

func (j *journal) line(kind byte, p []byte) {
	sum := crc32.Update(crc32.ChecksumIEEE([]byte{kind}), crc32.IEEETable, p)
	fmt.Fprintf(&j.buf, "%08x %c", sum, kind)
	j.buf.Write(p)
	j.buf.WriteByte('\n')
	j.lines++
}

func (j *journal) flush() {
	if _, err := j.f.Write(j.buf.Bytes()); err != nil && j.err == nil {
		j.err = err
	}
	j.buf.Reset()
}

func (j *journal) close() error {
	err := j.f.Close()
	j.lock.Close()
	return errors.Join(j.err, err)
}

func (d *Drive) save(it *item) {
	d.put(recItem, it)
	if it.Root {
		for key, r := range d.roots {
			if r == it {
				d.put(recRoot, rootRecord{key, it.ID})
			}
		}
	}
}

func (d *Drive) saveGone(t *tombstone)                { d.put(recGone, t) }
func (d *Drive) saveDrive(s *sharedDrive)             { d.put(recShared, s) }
func (d *Drive) saveEnd(s *session)                   { d.putRaw(recNoSess, []byte(s.ID)) }
func (d *Drive) saveIDs(r *reservation, ids []string) { d.put(recIDs, idsRecord{*r, ids}) }

// saveSession writes a session. Its own lock must be held too, or nobody else know it yet.
func (d *Drive) saveSession(s *session) {
	if d.log == nil {
		return
	}
	p, err := json.Marshal(s)
	if err != nil {
		panic("drivetest: encode session: " + err.Error())
	}
	s.saved = p
	d.putRaw(recSession, p)
}
