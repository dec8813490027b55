package manifest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

// A Row is one folder with the record of its files. It is what a scan
// compares a listing with.
type Row struct {
	Folder
	Subfolders int // folders directly in it
	Files      Packed
	since      int64 // the run from which on it is where it is
}

// Packed is the record of a folder's files and symlinks, in bytewise order of
// their names, without their Content. It is read only and may be shared.
type Packed struct {
	folder FolderID
	rec    []byte
}

// Len returns the number of entries, or 0 if the record is damaged.
func (p Packed) Len() int {
	c, err := p.Cursor()
	if err != nil {
		return 0
	}
	return c.left
}

// Verify returns a *DamagedError if the record fails its checksum.
func (p Packed) Verify() error {
	_, err := p.Cursor()
	return err
}

// Cursor returns an iterator over the entries, or a *DamagedError if the
// record fails its checksum:
//
//	c, err := row.Files.Cursor()
//	for err == nil && c.Next() { … }
//	if err == nil { err = c.Err() }
func (p Packed) Cursor() (Cursor, error) {
	c := Cursor{folder: p.folder, Index: -1}
	body, wrong := unsealed(int64(p.folder), p.rec)
	if wrong != "" {
		return c, &DamagedError{Folder: p.folder, What: "the files: " + wrong}
	}
	c.d.rest = body
	n := c.d.uvarint()
	if c.d.bad || n > uint64(len(c.d.rest)) {
		return c, &DamagedError{Folder: p.folder, What: "the files: their number cannot be"}
	}
	c.left = int(n)
	return c, nil
}

// A Cursor stands on one entry of a Packed after each Next that returned true.
// Its fields are that entry's; it allocates nothing.
type Cursor struct {
	Name  []byte // part of the record: copy it to keep it
	Stat  Stat
	Flags Flags
	Day   int32
	Index int // of the entry, from 0; Contents has the same order

	folder FolderID
	left   int
	d      decoder
}

// Which parts of an entry follow its head byte. The lowest two bits are the
// kind, the highest one is not used.
const (
	headFlags = 4 << iota // the flags, if any
	headMode              // the mode, if not the entry's before
	headDay               // the day, if not the entry's before
	headCTime             // ctime less mtime, if not zero
	headInode             // the inode less the one before, if not one more
)

// Next goes to the next entry and reports whether there is one. After it
// returned false, Err tells whether the record ended as it should.
func (c *Cursor) Next() bool {
	if c.left == 0 {
		if len(c.d.rest) != 0 {
			c.d.fail()
		}
		return false
	}
	before := c.Name
	c.left--
	c.Index++
	c.read()
	if c.d.bad || (c.Index > 0 && bytes.Compare(before, c.Name) >= 0) {
		c.left = 0
		c.d.fail()
		return false
	}
	return true
}

// read decodes one entry over the one before, whose fields the differences
// refer to.
func (c *Cursor) read() {
	d, s := &c.d, &c.Stat
	head := d.byte()
	s.Kind = Kind(head & 3)
	c.Name = d.take(d.uvarint())
	s.Size = int64(d.uvarint())
	s.ModTime += int64(d.delta())
	s.CTime = s.ModTime
	d.bad = d.bad || head >= headInode<<1 || (s.Kind != File && s.Kind != Symlink) || len(c.Name) == 0
	c.Flags = 0
	if head&headFlags != 0 {
		c.Flags = Flags(d.byte())
		d.bad = d.bad || c.Flags == 0
	}
	if head&headMode != 0 {
		m := d.uvarint()
		d.bad = d.bad || m > math.MaxUint32 || uint32(m) == s.Mode
		s.Mode = uint32(m)
	}
	if head&headDay != 0 {
		by := int64(d.delta())
		day := int64(c.Day) + by
		d.bad = d.bad || by == 0 || day != int64(int32(day))
		c.Day = int32(day)
	}
	if head&headCTime != 0 {
		by := d.delta()
		d.bad = d.bad || by == 0
		s.CTime += int64(by)
	}
	if head&headInode != 0 {
		by := d.delta()
		d.bad = d.bad || by == 1
		s.Inode += by
	} else {
		s.Inode++
	}
}

// Err returns a *DamagedError if the record could not be read to its end.
func (c *Cursor) Err() error {
	if c.d.bad {
		return &DamagedError{Folder: c.folder, What: fmt.Sprintf("the files: number %d cannot be decoded", c.Index)}
	}
	return nil
}

// pack returns the record of a folder's files, which are in bytewise order of
// their names, each once.
func pack(id FolderID, files []Entry) ([]byte, error) {
	b := make([]byte, recordHead, recordHead+8+len(files)*48)
	b = binary.AppendUvarint(b, uint64(len(files)))
	before := new(Entry)
	for i := range files {
		e := &files[i]
		if e.Name <= before.Name || (e.Kind != File && e.Kind != Symlink) {
			return nil, fmt.Errorf("pack folder %d: entry %q (%d) has no place after %q", id, e.Name, e.Kind, before.Name)
		}
		b = appendEntry(b, before, e)
		before = e
	}
	return sealed(int64(id), b), nil
}

// appendEntry appends all of e but its Content, as Cursor.read reads it.
func appendEntry(b []byte, before, e *Entry) []byte {
	head := len(b)
	b = append(b, byte(e.Kind))
	b = appendString(b, e.Name)
	b = binary.AppendUvarint(b, uint64(e.Size))
	b = appendDelta(b, uint64(e.ModTime-before.ModTime))
	if e.Flags != 0 {
		b[head] |= headFlags
		b = append(b, byte(e.Flags))
	}
	if e.Mode != before.Mode {
		b[head] |= headMode
		b = binary.AppendUvarint(b, uint64(e.Mode))
	}
	if e.Day != before.Day {
		b[head] |= headDay
		b = appendDelta(b, uint64(int64(e.Day)-int64(before.Day)))
	}
	if e.CTime != e.ModTime {
		b[head] |= headCTime
		b = appendDelta(b, uint64(e.CTime-e.ModTime))
	}
	if e.Inode != before.Inode+1 {
		b[head] |= headInode
		b = appendDelta(b, e.Inode-before.Inode)
	}
	return b
}
