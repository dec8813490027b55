package remote

// Shrink makes resumable sessions cheap to test: contents above small bytes
// go up in them, in chunks that begin at chunk bytes.
func (d *Drive) Shrink(small, chunk int64) { d.small, d.chunk = small, chunk }
