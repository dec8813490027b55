package remote

import "time"

// Shrink makes resumable sessions cheap to test: contents above small bytes
// go up in them, in chunks that begin at chunk bytes.
func (d *Drive) Shrink(small, chunk int64) { d.small, d.chunk = small, chunk }

// Hurry gives a connection up that stands still for so long.
func (d *Drive) Hurry(stall time.Duration) { d.stall = stall }
