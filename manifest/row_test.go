package manifest

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// someEntry makes an entry in the manner of a real tree: most of its fields
// have to do with those of its neighbours.
func someEntry(r *rand.Rand, name string) Entry {
	mtime := 1_700_000_000e9 + r.Int64N(1e17)
	e := Entry{
		Name: name,
		Day:  int32(20_000 + r.IntN(30)),
		Stat: Stat{Kind: File, Mode: 0o644, Size: r.Int64N(1 << r.IntN(40)), ModTime: mtime, CTime: mtime, Inode: r.Uint64N(1 << 32)},
		Content: Content{
			FileID:       someID(r, 33),
			HeadRevision: string(someID(r, 51)),
			Since:        r.Int64N(20),
			Kept:         r.IntN(3) == 0,
		},
	}
	for i := range e.Hash {
		e.Hash[i] = byte(r.Uint32())
	}
	for i := range e.MD5 {
		e.MD5[i] = byte(r.Uint32())
	}
	switch r.IntN(8) {
	case 0:
		e.Kind, e.Mode = Symlink, 0o777
	case 1:
		e.Flags = Flags(r.IntN(32))
	case 2:
		e.CTime += r.Int64N(1e15)
	case 3:
		e.CTime, e.Inode = 0, 0
	case 4:
		e.ModTime = -1
	}
	return e
}

func someID(r *rand.Rand, n int) FileID {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	id := make([]byte, n)
	for i := range id {
		id[i] = alphabet[r.IntN(64)]
	}
	return FileID(id)
}

// extremes are what no tree holds and a record must.
func extremes() []Entry {
	const big = 1<<63 - 1
	list := []Entry{
		{Name: "\xff\xfe", Stat: Stat{Kind: File, Mode: 1<<32 - 1, Size: big, ModTime: big, CTime: -big - 1, Inode: 1<<64 - 1}, Day: 1<<31 - 1, Flags: 255},
		{Name: "\x00", Stat: Stat{Kind: Symlink, ModTime: -big - 1, CTime: big}, Day: -1 << 31},
		{Name: " ", Stat: Stat{Kind: File, Size: -1, Inode: 1}, Content: Content{FileID: "not=packable", HeadRevision: "é"}},
		{Name: "a", Stat: Stat{Kind: File}, Content: Content{FileID: "A", HeadRevision: "AA", Since: -5}},
		{Name: "aa", Stat: Stat{Kind: File}, Content: Content{FileID: "___", HeadRevision: "----", Since: big}},
	}
	slices.SortFunc(list, func(a, b Entry) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return list
}

// unpackAll decodes both records of a folder.
func unpackAll(id FolderID, hot, cold []byte) ([]Entry, error) {
	contents, wrong := unpackContents(id, cold)
	if wrong != "" {
		return nil, errors.New(wrong)
	}
	c, err := Packed{folder: id, rec: hot}.Cursor()
	if err != nil {
		return nil, err
	}
	var list []Entry
	for c.Next() {
		list = append(list, Entry{Name: string(c.Name), Flags: c.Flags, Day: c.Day, Stat: c.Stat, Content: contents[c.Index]})
	}
	return list, c.Err()
}

func TestPack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	folders := [][]Entry{nil, extremes()}
	for n := range 20 {
		var list []Entry
		for i := range n * n {
			list = append(list, someEntry(r, fmt.Sprintf("IMG_%05d.jpg", i)))
		}
		folders = append(folders, list)
	}
	for i, want := range folders {
		id := FolderID(i + 1)
		hot, err := pack(id, want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := unpackAll(id, hot, packContents(id, want))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("folder %d came back different:\n%s", id, d)
		}
		if n := (Packed{folder: id, rec: hot}).Len(); n != len(want) {
			t.Fatalf("Len() = %d of %d", n, len(want))
		}
	}
}

func TestPackRefuses(t *testing.T) {
	file := Stat{Kind: File}
	for name, list := range map[string][]Entry{
		"no name":      {{Stat: file}},
		"no kind":      {{Name: "a"}},
		"a folder":     {{Name: "a", Stat: Stat{Kind: Dir}}},
		"out of order": {{Name: "b", Stat: file}, {Name: "a", Stat: file}},
		"twice":        {{Name: "a", Stat: file}, {Name: "a", Stat: file}},
	} {
		if _, err := pack(1, list); err == nil {
			t.Errorf("pack took a record with %s", name)
		}
	}
}

// TestDamage flips every bit of a folder's records, cuts them at every byte
// and hands them to another folder: never a panic, always an error.
func TestDamage(t *testing.T) {
	list := extremes()
	hot, err := pack(7, list)
	if err != nil {
		t.Fatal(err)
	}
	cold := packContents(7, list)
	refused := func(id FolderID, hot, cold []byte, how string) {
		t.Helper()
		if got, err := unpackAll(id, hot, cold); err == nil {
			t.Fatalf("%s: read as %+v", how, got)
		}
	}
	for _, rec := range [][]byte{hot, cold} {
		for i := range rec {
			for bit := range 8 {
				rec[i] ^= 1 << bit
				refused(7, hot, cold, fmt.Sprintf("bit %d of byte %d flipped", bit, i))
				rec[i] ^= 1 << bit
			}
		}
	}
	for n := range hot {
		refused(7, hot[:n], cold, "files cut short")
	}
	for n := range cold {
		refused(7, hot, cold[:n], "contents cut short")
	}
	refused(8, hot, cold, "another folder's")
	var damaged *DamagedError
	if err := (Packed{folder: 8, rec: hot}).Verify(); !errors.As(err, &damaged) || damaged.Folder != 8 {
		t.Fatalf("Verify() = %v, want a DamagedError for folder 8", err)
	}
}

// TestFormat pins the bytes of version 1: manifests out there hold them. Who
// changes them needs a new version, and a reader for both.
func TestFormat(t *testing.T) {
	list := []Entry{
		{Name: "a.txt", Stat: Stat{Kind: File, Mode: 0o644, Size: 300, ModTime: 1e18, CTime: 1e18, Inode: 77}, Day: 20_000,
			Content: Content{FileID: "1AbC-_9xyz", HeadRevision: "0B=", Hash: Hash{1, 2}, MD5: MD5{3}, Since: 4}},
		{Name: "b", Stat: Stat{Kind: Symlink, Mode: 0o777, Size: 5, ModTime: 1e18 + 9, Inode: 78}, Day: 20_000, Flags: Pinned,
			Content: Content{FileID: "2", Since: 4}},
	}
	hot, err := pack(5, list)
	if err != nil {
		t.Fatal(err)
	}
	st := Step{Kind: Move, Folder: 5, Entry: list[1], OldFolder: 6, OldName: "c", Reason: EndMoved}
	in := Intent{Kind: CreateFolder, Hour: 20_000, Late: true, NewFolder: Folder{ID: 9, Parent: 5, Name: "d", FileID: "3", Flags: Prefix, FS: 2, Mode: 0o755, Inode: 8, Birth: 1, ModTime: 2}}
	half := Intent{Kind: CreateFile, Folder: 5, Name: "a", FileID: "1", Stat: list[0].Stat, Hour: 20_000, Session: Session{
		Address: "/u?upload_id=A", FileID: "1", Parent: "p", Name: "b", Hash: Hash{4}, Begun: 3, Stat: list[0].Stat, Sent: 256, SentHash: Hash{5},
	}}
	for name, tt := range map[string]struct {
		got  []byte
		want string
	}{
		"half":     {sealed(1, half.encode()), "013d5b9edd0105590161ac028080a0f6f4acdbe01ba403c0b8029a010003d4000e2f753f75706c6f61645f69643d410170038002050000000000000000000000000000000000000000000000000000000000000000490162ac028080a0f6f4acdbe01ba4039a010103d4000400000000000000000000000000000000000000000000000000000000000000"},
		"files":    {hot, "014c2529a6025905612e747874ac028080a0f6f4acdbe01ba403c0b8029a012e0162051204ff039180a0f6f4acdbe01b"},
		"contents": {packContents(5, list), "01daedb2fb020715d406c2fbff71cb300630423d010200000000000000000000000000000000000000000000000000000000000003000000000000000000000000000000080003d800"},
		"step":     {sealed(1, st.append(make([]byte, recordHead))), "01f739c6cd03056d6f766564057e0162059280a0f6f4acdbe01b04ff03c0b8029180a0f6f4acdbe01b9c010403d80008060163"},
		"intent":   {sealed(1, in.encode()), "01ed1dbf6c8309051002ed03080102016403dca09c01"},
	} {
		if got := hex.EncodeToString(tt.got); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, tt.want)
		}
	}
}

// FuzzPack seals anything as a record, so that the checksum is right: what
// decodes must encode back to the same bytes.
func FuzzPack(f *testing.F) {
	hot, err := pack(3, extremes())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(hot[recordHead:])
	r := rand.New(rand.NewPCG(3, 4))
	hot, _ = pack(3, []Entry{someEntry(r, "a"), someEntry(r, "b"), someEntry(r, "c")})
	f.Add(hot[recordHead:])
	f.Fuzz(func(t *testing.T, body []byte) {
		rec := sealed(3, append(make([]byte, recordHead), body...))
		c, err := Packed{folder: 3, rec: rec}.Cursor()
		var list []Entry
		for err == nil && c.Next() {
			list = append(list, Entry{Name: string(c.Name), Flags: c.Flags, Day: c.Day, Stat: c.Stat})
		}
		if err != nil || c.Err() != nil {
			return
		}
		again, err := pack(3, list)
		if err != nil || !bytes.Equal(rec, again) {
			t.Fatalf("%v:\n%x decodes to %+v, and that encodes to\n%x", err, rec, list, again)
		}
	})
}

// FuzzPackContents is FuzzPack for the cold record.
func FuzzPackContents(f *testing.F) {
	f.Add(packContents(3, extremes())[recordHead:])
	r := rand.New(rand.NewPCG(3, 4))
	f.Add(packContents(3, []Entry{someEntry(r, "a"), someEntry(r, "b")})[recordHead:])
	f.Fuzz(func(t *testing.T, body []byte) {
		rec := sealed(3, append(make([]byte, recordHead), body...))
		list, wrong := unpackContents(3, rec)
		if wrong != "" {
			return
		}
		files := make([]Entry, len(list))
		for i := range list {
			files[i].Content = list[i]
		}
		if again := packContents(3, files); !bytes.Equal(rec, again) {
			t.Fatalf("%x decodes to %+v, and that encodes to\n%x", rec, list, again)
		}
	})
}

// FuzzStep is FuzzPack for the journal.
func FuzzStep(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	var all []byte
	for _, st := range []Step{
		{Kind: Put, Folder: 2, Entry: someEntry(r, "a"), Reason: EndModified},
		move(2, "a", 3, "b", "id"), drop(2, "a", "id"), putFolder(4, 2, "d"), dropFolder(4),
	} {
		f.Add(st.append(nil))
		all = st.append(all)
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, body []byte) {
		var steps []*Step
		if !decodeSteps(body, func() *Step { steps = append(steps, new(Step)); return steps[len(steps)-1] }) {
			return
		}
		var again []byte
		for _, st := range steps {
			again = st.append(again)
		}
		if !bytes.Equal(body, again) {
			t.Fatalf("%x decodes, and encodes to\n%x", body, again)
		}
	})
}
