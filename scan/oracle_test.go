package scan

import (
	"testing"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/zeebo/blake3"
)

func hashOf(t testing.TB, p manifest.Path, kind manifest.Kind) manifest.Hash {
	t.Helper()
	return blake3.Sum256([]byte(p))
}
