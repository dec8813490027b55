package restore

import "os"

// writebackPiece is how much of a large file is left in memory before the
// system is told to begin to write it, in bytes: enough for a disk to go at
// full speed, and little to wait for at the end.
const writebackPiece = 4 << 20

// A segmentWriter writes to a file from an offset on. What it has written goes
// to the disk meanwhile: else nothing would until all had arrived, and then all
// would have to be waited for.
type segmentWriter struct {
	f     *os.File
	at    int64
	begun int64 // up to here the system was told
}

func newSegmentWriter(f *os.File, from int64) *segmentWriter { return &segmentWriter{f, from, from} }

// Write writes p after what was written before.
func (w *segmentWriter) Write(p []byte) (int, error) {
	n, err := w.f.WriteAt(p, w.at)
	w.at += int64(n)
	if w.at-w.begun >= writebackPiece {
		w.begin()
	}
	return n, err
}

// begin has the system write what it was not told of yet.
func (w *segmentWriter) begin() {
	beginWriteback(w.f, w.begun, w.at-w.begun)
	w.begun = w.at
}
