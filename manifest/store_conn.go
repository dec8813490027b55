package manifest

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// A conn is one connection to the database, for one goroutine at a time. It
// speaks the driver's own interface: database/sql would add its pool, its
// goroutine and a conversion of every value read to what here is one
// connection for the writer and one for each reader.
type conn struct {
	path  string
	c     driver.Conn
	stmts map[string]driver.Stmt
}

// busyTimeout is how long a lock is waited for, in milliseconds: that of a
// checkpoint or a migration by another process. Nobody holds one for longer.
const busyTimeout = 10_000

// connect opens the database at path, which must exist, with params as the
// driver's connection string has them and a page cache of cacheKiB.
func connect(path, params string, cacheKiB int) (*conn, error) {
	connector, err := sqlite.NewConnector(dsn(path) + "?" + params)
	if err != nil {
		return nil, err
	}
	dc, err := connector.Connect(context.Background())
	if err != nil {
		return nil, explain(path, err)
	}
	c := &conn{path: path, c: dc, stmts: map[string]driver.Stmt{}}
	for _, pragma := range []string{
		fmt.Sprint("busy_timeout = ", busyTimeout),
		fmt.Sprintf("cache_size = -%d", cacheKiB),
		"trusted_schema = OFF",
		"cell_size_check = ON",
	} {
		if err := c.exec("PRAGMA " + pragma); err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

// connectReader opens the database at path for reading. Where not even the
// index of its log can be made, as on a read-only disk, it is read as a file
// that nobody changes, if no log says that somebody does.
// Source: sqlite.org/wal.html#read_only_databases
func connectReader(path string) (*conn, error) {
	c, err := connect(path, "mode=ro", readerCacheKiB)
	if err == nil {
		if _, err = c.number("SELECT count(*) FROM sqlite_schema"); err == nil {
			return c, nil
		}
		err = errors.Join(err, c.close())
	}
	var e *sqlite.Error
	if _, logged := os.Stat(path + "-wal"); errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_CANTOPEN && errors.Is(logged, fs.ErrNotExist) {
		return connect(path, "mode=ro&immutable=1", readerCacheKiB)
	}
	return nil, err
}

// dsn writes a path as the URI that SQLite wants, on Windows with a slash
// before the drive letter.
// Source: sqlite.org/uri.html
func dsn(path string) string {
	p := filepath.ToSlash(path)
	if filepath.VolumeName(path) != "" && !strings.HasPrefix(p, "//") {
		p = "/" + p
	}
	return "file:" + (&url.URL{Path: p}).EscapedPath()
}

// stmt returns the prepared statement of a query, prepared once.
func (c *conn) stmt(query string) (driver.Stmt, error) {
	if s, ok := c.stmts[query]; ok {
		return s, nil
	}
	s, err := c.c.Prepare(query)
	if err != nil {
		return nil, explain(c.path, err)
	}
	c.stmts[query] = s
	return s, nil
}

// exec runs a statement that returns no rows.
func (c *conn) exec(query string, args ...driver.Value) error {
	s, err := c.stmt(query)
	if err != nil {
		return err
	}
	_, err = s.(driver.StmtExecContext).ExecContext(context.Background(), named(args))
	return explain(c.path, err)
}

// script runs statements, divided by semicolons, that return no rows.
func (c *conn) script(statements string) error {
	_, err := c.c.(driver.ExecerContext).ExecContext(context.Background(), statements, nil)
	return explain(c.path, err)
}

// query calls each for every row. The values are valid until it returns, but
// strings and byte slices may be kept. each must not use the same query.
func (c *conn) query(query string, each func(v []driver.Value) error, args ...driver.Value) (err error) {
	s, err := c.stmt(query)
	if err != nil {
		return err
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(context.Background(), named(args))
	if err != nil {
		return explain(c.path, err)
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = explain(c.path, e)
		}
	}()
	values := make([]driver.Value, len(rows.Columns()))
	for {
		if err := rows.Next(values); err == io.EOF {
			return nil
		} else if err != nil {
			return explain(c.path, err)
		}
		if err := each(values); err != nil {
			return err
		}
	}
}

// one returns the first row of a query, or nil.
func (c *conn) one(query string, args ...driver.Value) (row []driver.Value, err error) {
	err = c.query(query, func(v []driver.Value) error {
		row = v
		return errOne
	}, args...)
	if err == errOne {
		err = nil
	}
	return row, err
}

var errOne = errors.New("one row is enough")

// number returns the whole number that is all of a query's first row, or 0.
func (c *conn) number(query string, args ...driver.Value) (int64, error) {
	row, err := c.one(query, args...)
	if err != nil || row == nil {
		return 0, err
	}
	return integer(row[0]), nil
}

// tx runs f in one transaction: all of it is durable when tx returns nil, and
// none of it happened otherwise.
func (c *conn) tx(f func() error) error {
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := f()
	if err == nil {
		err = c.exec("COMMIT")
	}
	if err != nil {
		// The first error tells; SQLite has rolled back by itself after some, and then this one fails.
		_ = c.exec("ROLLBACK")
	}
	return err
}

func (c *conn) close() error {
	for _, s := range c.stmts {
		s.Close()
	}
	c.stmts = nil
	return explain(c.path, c.c.Close())
}

func named(args []driver.Value) []driver.NamedValue {
	if len(args) == 0 {
		return nil
	}
	n := make([]driver.NamedValue, len(args))
	for i, a := range args {
		n[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return n
}

// What a column of a damaged database holds may be of any type; a wrong one
// reads as zero and then fails its record's checksum.

func integer(v driver.Value) int64 { i, _ := v.(int64); return i }
func text(v driver.Value) string   { s, _ := v.(string); return s }
func blob(v driver.Value) []byte   { b, _ := v.([]byte); return b }

const diskFull = "the disk is full; free some space and run again, nothing is lost"

// explain wraps an error of the database with the file and, where a user can
// do something, what.
func explain(path string, err error) error {
	if err == nil {
		return nil
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("manifest %s: %w", path, err)
	}
	var do string
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_NOTADB:
		return &BrokenError{Path: path, What: "it is no manifest, or its beginning is damaged", Err: err}
	case sqlite3.SQLITE_CORRUPT:
		return &BrokenError{Path: path, What: "it is damaged or cut short", Err: err}
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		do = "make the state folder and what is in it writable for this user"
	case sqlite3.SQLITE_CANTOPEN:
		do = "see that the state folder is there and that this user may write to it"
	case sqlite3.SQLITE_FULL:
		do = diskFull
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		do = "another program is writing to it; end that one and run again"
	case sqlite3.SQLITE_IOERR:
		do = "the disk reports an error; see the system log"
		if e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE { // the index of its log has no room
			do = diskFull
		}
	default:
		return fmt.Errorf("manifest %s: %w", path, err)
	}
	return fmt.Errorf("manifest %s: %w (%s)", path, err, do)
}
