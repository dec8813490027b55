package manifest

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
)

// A record is one packed value in the database: a version byte, a CRC-32C over
// the number it belongs to and its body, and the body. The number makes a
// record that strayed to another row as detectable as a flipped bit.
//
// A body decodes in exactly one way and encodes back to the same bytes:
// numbers are varints of least length, optional parts are there only if they
// say something.
const (
	recordVersion = 1
	recordHead    = 1 + crc32.Size
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A DamagedError says that what the manifest holds about a folder fails its
// checksum or cannot be decoded. The folder is *unknown* then, never empty:
// nothing in it or below it may be taken for new or for deleted.
type DamagedError struct {
	Folder FolderID
	Path   Path   // empty if not known
	What   string // which part of the record, and how it is wrong
}

// Error names the folder and the way out.
func (e *DamagedError) Error() string {
	at := fmt.Sprintf("folder %d", e.Folder)
	if e.Path != "" {
		at += fmt.Sprintf(" (%q)", string(e.Path))
	}
	return fmt.Sprintf("read manifest: %s is damaged: %s; its files are left as they are", at, e.What)
}

// checksum is the CRC-32C of body under the number that owns it.
func checksum(owner int64, body []byte) uint32 {
	var id [8]byte
	binary.LittleEndian.PutUint64(id[:], uint64(owner))
	return crc32.Update(crc32.Update(0, castagnoli, id[:]), castagnoli, body)
}

// sealed returns the record of body, which must have recordHead bytes of room
// before it: buf is those bytes and the body.
func sealed(owner int64, buf []byte) []byte {
	buf[0] = recordVersion
	binary.LittleEndian.PutUint32(buf[1:recordHead], checksum(owner, buf[recordHead:]))
	return buf
}

// unsealed returns a record's body, or what is wrong with the record.
func unsealed(owner int64, rec []byte) (body []byte, wrong string) {
	switch {
	case len(rec) < recordHead:
		return nil, "a record is cut short"
	case rec[0] != recordVersion:
		return nil, fmt.Sprintf("a record has version %d, and only %d is known", rec[0], recordVersion)
	case binary.LittleEndian.Uint32(rec[1:]) != checksum(owner, rec[recordHead:]):
		return nil, "a record fails its checksum"
	}
	return rec[recordHead:], ""
}

// A decoder takes a body apart. The first thing that cannot be is remembered
// in bad; what it returns from then on is zero and the body is used up.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) fail() {
	d.rest, d.bad = nil, true
}

// uvarint takes an unsigned number.
func (d *decoder) uvarint() uint64 {
	if len(d.rest) > 0 && d.rest[0] < 0x80 {
		v := d.rest[0]
		d.rest = d.rest[1:]
		return uint64(v)
	}
	return d.longUvarint()
}

func (d *decoder) longUvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || (n > 1 && d.rest[n-1] == 0) { // longer than needed: not ours
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// delta takes a signed number in zigzag form, as a difference modulo 2^64.
func (d *decoder) delta() uint64 {
	u := d.uvarint()
	return u>>1 ^ -(u & 1)
}

// take takes n bytes, which stay part of the record.
func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.fail()
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.fail()
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

// string takes a length and that many bytes.
func (d *decoder) string() string { return string(d.take(d.uvarint())) }

// appendDelta appends the difference of two numbers modulo 2^64 in zigzag form.
func appendDelta(b []byte, diff uint64) []byte {
	return binary.AppendUvarint(b, diff<<1^-(diff>>63))
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// Drive's ids are base64url today (33 characters a file, 51 or so a head
// revision), which Drive does not promise: such ids take 6 bits a character,
// any other is kept as it is. The number before it is twice the id's length,
// plus one if it is packed.
func appendID(b []byte, id string) []byte {
	if !packable(id) {
		return append(binary.AppendUvarint(b, uint64(len(id))<<1), id...)
	}
	b = binary.AppendUvarint(b, uint64(len(id))<<1|1)
	var last [4]byte // the characters beyond the last whole four, filled up with zeros
	whole := len(id) &^ 3
	b, err := base64.RawURLEncoding.AppendDecode(b, []byte(id[:whole]))
	if err == nil && whole < len(id) {
		copy(last[:], "AAAA")
		n := copy(last[:], id[whole:])
		var three [3]byte
		if _, err = base64.RawURLEncoding.Decode(three[:], last[:]); err == nil {
			b = append(b, three[:packedLen(n)]...)
		}
	}
	if err != nil {
		panic("manifest: packable id does not pack: " + err.Error()) // packable has looked at every character
	}
	return b
}

// id takes what appendID appended.
func (d *decoder) id() string {
	head := d.uvarint()
	n := head >> 1
	if head&1 == 0 {
		s := string(d.take(n))
		if packable(s) { // would have been packed: not ours
			d.fail()
			return ""
		}
		return s
	}
	if n == 0 || n > uint64(len(d.rest))*2 {
		d.fail()
		return ""
	}
	packed := d.take(n/4*3 + packedLen(int(n%4)))
	if d.bad {
		return ""
	}
	var room [96]byte
	full := append(room[:0], packed...)
	full = append(full, 0, 0)
	text := base64.RawURLEncoding.AppendEncode(make([]byte, 0, len(full)/3*4+4), full[:(len(full))/3*3])
	if uint64(len(text)) < n || strings.Trim(string(text[n:]), "A") != "" {
		d.fail()
		return ""
	}
	return string(text[:n])
}

// packedLen is the bytes that n characters of 6 bits take, n below 4.
func packedLen[N int | uint64](n N) uint64 { return (uint64(n)*6 + 7) / 8 }

func packable(id string) bool {
	for i := range len(id) {
		if !inBase64URL[id[i]] {
			return false
		}
	}
	return id != ""
}

var inBase64URL = func() (in [256]bool) {
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		in[c] = true
	}
	return in
}()
