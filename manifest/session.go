package manifest

import "encoding/binary"

// A Session is a half-sent upload: all that a later run needs to go on with
// it. The zero Session is none.
type Session struct {
	Address  Secret // where it goes on
	FileID   FileID // of the item that it makes, or whose content it replaces
	Parent   FileID // of a new item: the folder that it begins in
	Name     string // of the item, as on disk when it was begun
	Hash     Hash   // that goes up with it; zero if it was not known
	Begun    int64  // nanoseconds since 1970
	Stat     Stat   // of the file that is sent
	Sent     int64  // bytes of it that Drive has acknowledged
	SentHash Hash   // of these bytes
}

// A Secret is as good as a password, and is never printed.
type Secret string

// String hides it, whatever verb it is printed with.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[secret]"
}

// GoString hides it as well.
func (s Secret) GoString() string { return s.String() }

// MarshalText hides it from JSON and from logs.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// appendSession appends a session; none takes no room, so it comes last.
func appendSession(b []byte, s *Session) []byte {
	if s.Address == "" {
		return b
	}
	b = appendString(b, string(s.Address))
	b = appendString(b, string(s.Parent))
	b = binary.AppendUvarint(b, uint64(s.Begun))
	b = binary.AppendUvarint(b, uint64(s.Sent))
	b = append(b, s.SentHash[:]...)
	e := Entry{Name: s.Name, Stat: s.Stat, Content: Content{FileID: s.FileID, Hash: s.Hash}}
	return appendPlaced(b, 0, &e)
}

// session takes what appendSession appended.
func (d *decoder) session() (s Session) {
	if len(d.rest) == 0 {
		return s
	}
	s.Address = Secret(d.string())
	s.Parent = FileID(d.string())
	s.Begun = int64(d.uvarint())
	s.Sent = int64(d.uvarint())
	copy(s.SentHash[:], d.take(uint64(len(s.SentHash))))
	_, e := d.placed()
	s.Name, s.Stat, s.FileID, s.Hash = e.Name, e.Stat, e.FileID, e.Hash
	d.bad = d.bad || s.Address == "" || len(d.rest) != 0
	return s
}
