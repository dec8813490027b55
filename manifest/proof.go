package manifest

import (
	"bytes"
	"crypto/md5"
	"hash"

	"github.com/zeebo/blake3"
)

// A Proof is a Writer that tells whether what was written to it is a content:
// by its BLAKE3, or by its MD5 where only that is known.
type Proof struct {
	hash.Hash
	want []byte
}

// Proof returns a new one.
func (c *Content) Proof() *Proof {
	if !c.Hash.IsZero() {
		return &Proof{blake3.New(), c.Hash[:]}
	}
	return &Proof{md5.New(), c.MD5[:]}
}

// Holds reports whether what was written so far is the content.
func (p *Proof) Holds() bool { return bytes.Equal(p.Sum(nil), p.want) }
