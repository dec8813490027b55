// Package machine tells one machine from another.
package machine

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// ID returns what tells this machine from others for one purpose, "" if the
// system does not say. It stays the same until the system is installed anew,
// and says nothing elsewhere: the system's own id, which is not to be shown to
// anybody, is only the key of a hash. Copies of one disk image that were never
// given ids of their own have the same.
// Source: machine-id(5), on application-specific ids.
func ID(purpose string) string {
	own := clean(read())
	if own == "" {
		return ""
	}
	h := hmac.New(sha256.New, []byte(own))
	h.Write([]byte("Auto Cloud Backup " + purpose))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// clean returns a system's id without what is around it; "" for what stands
// there in place of one, such as zeros or "uninitialized".
func clean(id string) string {
	id = strings.ToLower(strings.TrimSpace(id))
	if len(id) < 16 || strings.Trim(id, "0-") == "" || strings.Trim(id, "0123456789abcdef-") != "" {
		return ""
	}
	return id
}
