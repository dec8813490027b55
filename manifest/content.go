package manifest

import "encoding/binary"

// Which parts of a content follow its head byte.
const (
	coldHash  = 1 << iota // 32 bytes
	coldMD5               // 16 bytes
	coldSince             // the run less the content's before, if not the same
	coldKept              // nothing
)

// packContents returns the record of what Drive holds for a folder's files, in
// the order of pack. It is apart from theirs because a scan that finds
// nothing changed never needs it, and it is the larger part.
func packContents(id FolderID, files []Entry) []byte {
	b := make([]byte, recordHead, recordHead+8+len(files)*120)
	b = binary.AppendUvarint(b, uint64(len(files)))
	before := new(Content)
	for i := range files {
		b = appendContent(b, before, &files[i].Content)
		before = &files[i].Content
	}
	return sealed(int64(id), b)
}

// unpackContents returns the contents of a record, or what is wrong with it.
func unpackContents(id FolderID, rec []byte) ([]Content, string) {
	body, wrong := unsealed(int64(id), rec)
	if wrong != "" {
		return nil, wrong
	}
	d := decoder{rest: body}
	n := d.uvarint()
	if n > uint64(len(d.rest))/3 { // each takes a head and two lengths
		return nil, "their number cannot be"
	}
	list := make([]Content, n)
	before := new(Content)
	for i := range list {
		d.content(before, &list[i])
		before = &list[i]
	}
	if d.bad || len(d.rest) != 0 {
		return nil, "a record cannot be decoded"
	}
	return list, ""
}

func appendContent(b []byte, before, c *Content) []byte {
	head := len(b)
	b = append(b, 0)
	b = appendID(b, string(c.FileID))
	b = appendID(b, c.HeadRevision)
	if !c.Hash.IsZero() {
		b[head] |= coldHash
		b = append(b, c.Hash[:]...)
	}
	if !c.MD5.IsZero() {
		b[head] |= coldMD5
		b = append(b, c.MD5[:]...)
	}
	if c.Kept {
		b[head] |= coldKept
	}
	if c.Since != before.Since {
		b[head] |= coldSince
		b = appendDelta(b, uint64(c.Since-before.Since))
	}
	return b
}

// content takes what appendContent appended.
func (d *decoder) content(before, c *Content) {
	head := d.byte()
	d.bad = d.bad || head >= coldKept<<1
	c.FileID = FileID(d.id())
	c.HeadRevision = d.id()
	c.Since, c.Kept = before.Since, head&coldKept != 0
	if head&coldHash != 0 {
		copy(c.Hash[:], d.take(32))
		d.bad = d.bad || c.Hash.IsZero()
	}
	if head&coldMD5 != 0 {
		copy(c.MD5[:], d.take(16))
		d.bad = d.bad || c.MD5.IsZero()
	}
	if head&coldSince != 0 {
		by := d.delta()
		d.bad = d.bad || by == 0
		c.Since += int64(by)
	}
}
