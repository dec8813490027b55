package manifest

import (
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// readerCacheKiB is one reader's page cache. A walk uses each page once, so
// that more buys nothing: 8 readers and the writer stay within 8 MiB.
const readerCacheKiB = 512

// A Reader reads the manifest beside the writer, also from another process. It
// sees the state in which it was opened until Refresh. One goroutine uses it
// at a time; a scan opens one for each of its workers.
type Reader struct {
	c *conn
}

// An OlderError says that an older acb has written a manifest. [Open] brings it
// up to date, and keeps a copy of it as it was.
type OlderError struct {
	Path    string
	Version int
}

// Error says so, and names a command that does no more than that.
func (e *OlderError) Error() string {
	return fmt.Sprintf("manifest %s: written by an older acb (version %d, now %d): acb status brings it up to date", e.Path, e.Version, len(migrations))
}

// OpenReader opens the manifest at path for reading only. If there never was
// one, the error is fs.ErrNotExist; of an older acb's, an *OlderError.
func OpenReader(path string) (*Reader, error) {
	if err := look(path); err != nil {
		return nil, err
	}
	c, err := connectReader(path)
	if err != nil {
		return nil, err
	}
	version, err := c.version(len(migrations))
	if err == nil && version < len(migrations) {
		err = &OlderError{path, version}
	}
	r := &Reader{c: c}
	if err == nil {
		err = r.begin()
	}
	if err == nil {
		err = c.sealHolds()
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return r, nil
}

// begin fixes what the reader sees. A transaction of its own also saves every
// query the locks.
func (r *Reader) begin() error {
	if err := r.c.exec("BEGIN"); err != nil {
		return err
	}
	_, err := r.c.number("SELECT count(*) FROM sqlite_schema") // the first read is what fixes it
	return err
}

// Refresh lets the reader see the manifest as it is now.
func (r *Reader) Refresh() error {
	if err := r.c.exec("COMMIT"); err != nil {
		return err
	}
	return r.begin()
}

// Close frees the reader.
func (r *Reader) Close() error { return r.c.close() }

const selectRow = "SELECT parent, id, name, file_id, flags, fs, mode, inode, birth, mtime, subfolders, since, sum, files FROM folder "

// Children returns the folders directly in parent, in bytewise order of their
// names, with the records of their files: one read for what a scan needs of
// all of them. If rows are damaged, so that it cannot be told which folders
// they were, the others are returned with a *DamagedError for parent.
func (r *Reader) Children(parent FolderID) (rows []Row, err error) {
	var damaged *DamagedError
	err = r.c.query(selectRow+"WHERE parent = ?", func(v []driver.Value) error {
		rows = append(rows, Row{})
		err := rows[len(rows)-1].scan(v)
		if errors.As(err, &damaged) {
			rows, err = rows[:len(rows)-1], nil
		}
		return err
	}, int64(parent))
	if err == nil && damaged != nil {
		err = &DamagedError{Folder: parent, What: fmt.Sprintf("its folder %d: %s", damaged.Folder, damaged.What)}
	}
	slices.SortFunc(rows, func(a, b Row) int { return strings.Compare(a.Name, b.Name) })
	return rows, err
}

// Row returns the folder with the given number, and whether there is one.
func (r *Reader) Row(id FolderID) (Row, bool, error) {
	rows, err := r.rows(selectRow+"WHERE id = ?", int64(id))
	if err != nil || len(rows) == 0 {
		return Row{}, false, err
	}
	return rows[0], true, nil
}

// ByInode returns the folders that were last seen as that inode of that file
// system. There is at most one but for inodes that were used again.
func (r *Reader) ByInode(on FS, inode uint64) ([]Row, error) {
	return r.rows(selectRow+"WHERE fs = ? AND inode = ?", int64(on), int64(inode))
}

func (r *Reader) rows(query string, args ...driver.Value) (rows []Row, err error) {
	err = r.c.query(query, func(v []driver.Value) error {
		rows = append(rows, Row{})
		return rows[len(rows)-1].scan(v)
	}, args...)
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// scan fills the row with what selectRow reads.
func (r *Row) scan(v []driver.Value) error {
	r.Folder = Folder{
		Parent:  FolderID(integer(v[0])),
		ID:      FolderID(integer(v[1])),
		Name:    text(v[2]),
		FileID:  FileID(text(v[3])),
		Flags:   Flags(integer(v[4])),
		FS:      FS(integer(v[5])),
		Mode:    uint32(integer(v[6])),
		Inode:   uint64(integer(v[7])),
		Birth:   integer(v[8]),
		ModTime: integer(v[9]),
	}
	r.Subfolders = int(integer(v[10]))
	r.since = integer(v[11])
	r.Files = Packed{folder: r.ID, rec: blob(v[13])}
	if r.sum() != integer(v[12]) {
		return &DamagedError{Folder: r.ID, What: "its row fails its checksum"}
	}
	return nil
}

// sum is the checksum of all that a row says of the folder itself.
func (r *Row) sum() int64 {
	var room [192]byte
	b := binary.AppendUvarint(room[:0], uint64(r.Parent))
	b = binary.AppendUvarint(b, uint64(r.Flags))
	b = binary.AppendUvarint(b, uint64(r.FS))
	b = binary.AppendUvarint(b, uint64(r.Mode))
	b = binary.LittleEndian.AppendUint64(b, r.Inode)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Birth))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.ModTime))
	b = binary.AppendUvarint(b, uint64(r.Subfolders))
	b = appendString(b, r.Name)
	b = append(b, r.FileID...)
	return int64(checksum(int64(r.ID), b))
}

// Contents returns what Drive holds for a folder's files, in the order of its
// Packed record.
func (r *Reader) Contents(id FolderID) ([]Content, error) {
	row, err := r.c.one("SELECT record FROM content WHERE id = ?", int64(id))
	if err != nil || row == nil {
		return nil, err
	}
	list, wrong := unpackContents(id, blob(row[0]))
	if wrong != "" {
		return nil, &DamagedError{Folder: id, What: "the contents: " + wrong}
	}
	return list, nil
}

// Entries returns all that is known of a folder's files, in bytewise order of
// their names.
func (r *Reader) Entries(row Row) ([]Entry, error) {
	contents, err := r.Contents(row.ID)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, len(contents))
	c, err := row.Files.Cursor()
	if err != nil {
		return nil, err
	}
	for c.Next() {
		e := Entry{Name: string(c.Name), Flags: c.Flags, Day: c.Day, Stat: c.Stat}
		if c.Index < len(contents) {
			e.Content = contents[c.Index]
		}
		entries = append(entries, e)
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	if len(entries) != len(contents) {
		return nil, &DamagedError{Folder: row.ID, What: fmt.Sprintf("%d files, but %d contents", len(entries), len(contents))}
	}
	return entries, nil
}
