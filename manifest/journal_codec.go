package manifest

import (
	"encoding/binary"
	"math"
)

// lateBit marks the kind of an intent that is late.
const lateBit = 0x80

// encode returns room for a record's head, and the intent.
func (in *Intent) encode() []byte {
	b := make([]byte, recordHead, 256)
	kind := byte(in.Kind)
	if in.Late {
		kind |= lateBit
	}
	b = append(b, kind)
	switch in.Kind {
	case CreateFolder:
		return binary.AppendUvarint(appendFolder(b, &in.NewFolder), uint64(in.Hour))
	case ChangeItem:
		b = appendString(b, string(in.FileID))
		return in.Change.append(b)
	}
	e := Entry{
		Name: in.Name, Flags: in.Flags, Day: in.Hour, Stat: in.Stat,
		Content: Content{FileID: in.FileID, HeadRevision: in.HeadRevision},
	}
	return appendSession(appendPlaced(b, in.Folder, &e), &in.Session)
}

func (in *Intent) decode(body []byte) bool {
	d := decoder{rest: body}
	kind := d.byte()
	in.Kind, in.Late = IntentKind(kind&^lateBit), kind&lateBit != 0
	switch in.Kind {
	case CreateFolder:
		if in.NewFolder = d.folder(); len(d.rest) > 0 { // journals once had no hour there
			in.Hour = int32(d.uvarint())
		}
	case ChangeItem:
		in.FileID = FileID(d.string())
		return d.step(&in.Change) && len(d.rest) == 0
	default:
		var e Entry
		in.Folder, e = d.placed()
		in.Name, in.Flags, in.Hour, in.Stat, in.FileID, in.HeadRevision = e.Name, e.Flags, e.Day, e.Stat, e.FileID, e.HeadRevision
		in.Session = d.session()
	}
	return !d.bad
}

// append appends the step to a record.
func (st *Step) append(b []byte) []byte {
	b = append(b, byte(st.Kind))
	b = appendString(b, string(st.Reason))
	switch st.Kind {
	case Put:
		b = appendPlaced(b, st.Folder, &st.Entry)
	case Move:
		b = appendPlaced(b, st.Folder, &st.Entry)
		b = binary.AppendUvarint(b, uint64(st.OldFolder))
		b = appendString(b, st.OldName)
	case Drop:
		b = binary.AppendUvarint(b, uint64(st.Folder))
		b = appendString(b, st.Entry.Name)
		b = appendID(b, string(st.Entry.FileID))
	case PutFolder:
		b = appendFolder(b, &st.Dir)
	case DropFolder:
		b = binary.AppendUvarint(b, uint64(st.Dir.ID))
	}
	return b
}

// decodeSteps decodes each step of a record into what next returns, and
// reports whether the record is sound.
func decodeSteps(body []byte, next func() *Step) bool {
	d := decoder{rest: body}
	for d.step(next()) {
		if len(d.rest) == 0 {
			return true
		}
	}
	return false
}

// step takes what Step.append appended.
func (d *decoder) step(st *Step) bool {
	st.Kind = StepKind(d.byte())
	st.Reason = EndReason(d.string())
	switch st.Kind {
	case Put:
		st.Folder, st.Entry = d.placed()
	case Move:
		st.Folder, st.Entry = d.placed()
		st.OldFolder = FolderID(d.uvarint())
		st.OldName = d.string()
	case Drop:
		st.Folder = FolderID(d.uvarint())
		st.Entry.Name = d.string()
		st.Entry.FileID = FileID(d.id())
	case PutFolder:
		st.Dir = d.folder()
	case DropFolder:
		st.Dir.ID = FolderID(d.uvarint())
	default:
		return false
	}
	return !d.bad
}

// appendPlaced appends an entry and its folder.
func appendPlaced(b []byte, in FolderID, e *Entry) []byte {
	b = binary.AppendUvarint(b, uint64(in))
	b = appendEntry(b, new(Entry), e)
	return appendContent(b, new(Content), &e.Content)
}

// placed takes what appendPlaced appended.
func (d *decoder) placed() (in FolderID, e Entry) {
	in = FolderID(d.uvarint())
	c := Cursor{d: *d}
	c.read()
	*d = c.d
	e = Entry{Name: string(c.Name), Flags: c.Flags, Day: c.Day, Stat: c.Stat}
	d.content(new(Content), &e.Content)
	return in, e
}

func appendFolder(b []byte, f *Folder) []byte {
	for _, n := range [...]uint64{
		uint64(f.ID), uint64(f.Parent), uint64(f.Flags), uint64(f.FS), uint64(f.Mode),
		f.Inode, uint64(f.Birth), uint64(f.ModTime),
	} {
		b = binary.AppendUvarint(b, n)
	}
	b = appendString(b, f.Name)
	return appendID(b, string(f.FileID))
}

// folder takes what appendFolder appended.
func (d *decoder) folder() Folder {
	var n [8]uint64
	for i := range n {
		n[i] = d.uvarint()
	}
	d.bad = d.bad || n[2] > math.MaxUint8 || n[3] > math.MaxUint32 || n[4] > math.MaxUint32
	return Folder{
		ID: FolderID(n[0]), Parent: FolderID(n[1]), Flags: Flags(n[2]), FS: FS(n[3]), Mode: uint32(n[4]),
		Inode: n[5], Birth: int64(n[6]), ModTime: int64(n[7]),
		Name: d.string(), FileID: FileID(d.id()),
	}
}
