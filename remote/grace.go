//go:build !windows

package remote

import "time"

// grace is how long an answer on its way is awaited after an interrupt, of the
// ten seconds in which acb ends.
const grace = 8 * time.Second
