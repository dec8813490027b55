package manifest

import (
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
)

// metaSeal is the key of the checksum over what has none of its own and yet
// decides about trashes: meta, and what the guards know of sources and file
// systems.
const metaSeal = "seal"

// sealedTables are the tables under the seal, each with its order.
var sealedTables = []string{
	"SELECT key, value FROM meta WHERE key <> '" + metaSeal + "' ORDER BY key",
	"SELECT path, folder, fs, inode, run FROM source ORDER BY path",
	"SELECT id, identity FROM fs ORDER BY id",
}

// sealed4 is sealedTables of the schema versions 4 and 5.
var sealed4 = []string{sealedTables[0], "SELECT path, folder, fs, inode, files, run FROM source ORDER BY path", sealedTables[2]}

// sum is the checksum that the seal over tables must be.
func (c *conn) sum(tables []string) (string, error) {
	sum := uint32(0)
	for i, table := range tables {
		err := c.query(table, func(v []driver.Value) error {
			var b []byte
			for _, col := range v {
				switch col := col.(type) {
				case int64:
					b = binary.AppendVarint(b, col)
				case string:
					b = appendString(b, col)
				default:
					return fmt.Errorf("a column holds a %T", col)
				}
			}
			sum = checksum(int64(sum)<<8|int64(i), b)
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	return strconv.FormatUint(uint64(sum), 16), nil
}

// seal writes the seal, within the transaction that changed what is under it.
func (c *conn) seal() error { return c.sealAs(sealedTables) }

// seal4 is seal of the schema versions 4 and 5.
func (c *conn) seal4() error { return c.sealAs(sealed4) }

func (c *conn) sealAs(tables []string) error {
	sum, err := c.sum(tables)
	if err != nil {
		return err
	}
	return c.exec("REPLACE INTO meta VALUES (?, ?)", metaSeal, sum)
}

// sealHolds returns a *BrokenError if what is under the seal is not what was
// sealed.
func (c *conn) sealHolds() error { return c.sealIs(sealedTables) }

func (c *conn) sealIs(tables []string) error {
	want, err := c.one("SELECT value FROM meta WHERE key = ?", metaSeal)
	if err != nil {
		return err
	}
	got, err := c.sum(tables)
	var broken *BrokenError
	if errors.As(err, &broken) {
		return err
	}
	if err != nil || want == nil || text(want[0]) != got {
		return &BrokenError{Path: c.path, What: "what it says of sources, file systems or Drive fails its checksum", Err: err}
	}
	return nil
}

// change is a transaction of the store's. What f changes under the seal it
// says by setting s.reseal.
func (s *Store) change(f func() error) error {
	return s.c.tx(func() error {
		if err := f(); err != nil || !s.reseal {
			return err
		}
		s.reseal = false
		return s.c.seal()
	})
}
