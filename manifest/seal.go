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

// sum is the checksum that the seal must be.
func (c *conn) sum() (string, error) {
	sum := uint32(0)
	for i, table := range sealedTables {
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
func (c *conn) seal() error {
	sum, err := c.sum()
	if err != nil {
		return err
	}
	return c.exec("REPLACE INTO meta VALUES (?, ?)", metaSeal, sum)
}

// sealHolds returns a *BrokenError if what is under the seal is not what was
// sealed.
func (c *conn) sealHolds() error {
	want, err := c.one("SELECT value FROM meta WHERE key = ?", metaSeal)
	if err != nil {
		return err
	}
	got, err := c.sum()
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
