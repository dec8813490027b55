package manifest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Of SQLite's log, sizes in bytes. Source: sqlite.org/fileformat.html#walformat
const (
	logHead   = 32
	frameHead = 24
)

// LogHolds returns a *BrokenError if SQLite would drop commits that were
// durable once. Where it finds a frame of its log wrong, it takes that for the
// end, as after a power cut, and says nothing. But a commit is synced before the
// next one begins, so that a cut leaves at most one behind such a frame: with
// more of them there, the log was damaged. What is damaged in the last commit
// looks like a cut; the generation on Drive tells, if the run had ended.
//
// Nobody may be writing to the manifest meanwhile.
func LogHolds(path string) error {
	f, err := os.Open(path + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open the manifest's log: %w", err)
	}
	defer f.Close()
	dropped, err := droppedCommits(bufio.NewReaderSize(f, 1<<16))
	if err != nil {
		return fmt.Errorf("read the manifest's log: %w", err)
	}
	if dropped > 1 {
		return &BrokenError{Path: path, What: fmt.Sprintf("its log is damaged, and %d commits are behind that", dropped)}
	}
	return nil
}

// droppedCommits counts the commits of a log behind its first wrong frame.
func droppedCommits(r io.Reader) (n int, err error) {
	head := make([]byte, logHead)
	if _, err := io.ReadFull(r, head); err != nil {
		return 0, onlyCut(err)
	}
	var sum logSum
	if sum.order = binary.ByteOrder(binary.LittleEndian); head[3]&1 == 1 {
		sum.order = binary.BigEndian
	}
	sum.add(head[:24])
	good := sum.is(head[24:])
	salts := string(head[16:24]) // of this round of the log; frames of earlier rounds lie behind it
	frame := make([]byte, frameHead+pageSize)
	before := uint32(0)
	for {
		if _, err := io.ReadFull(r, frame); err != nil {
			return n, onlyCut(err)
		}
		ours := string(frame[8:12]) == salts[:4] || string(frame[12:16]) == salts[4:] // one of them may be what is wrong
		if good = good && string(frame[8:16]) == salts; good {
			sum.add(frame[:8])
			sum.add(frame[frameHead:])
			good = sum.is(frame[16:24])
		}
		page, commits := binary.BigEndian.Uint32(frame), binary.BigEndian.Uint32(frame[4:]) != 0
		if !good && ours && commits && page != before { // SQLite may fill a sector up with one commit
			n++
		}
		before = 0
		if commits {
			before = page
		}
	}
}

// onlyCut is nil at the end of the log, wherever that is.
func onlyCut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil
	}
	return err
}

// A logSum is the checksum of a log up to some point.
// Source: sqlite.org/fileformat.html#checksum_algorithm
type logSum struct {
	order binary.ByteOrder
	a, b  uint32
}

func (s *logSum) add(p []byte) {
	for ; len(p) >= 8; p = p[8:] {
		s.a += s.order.Uint32(p) + s.b
		s.b += s.order.Uint32(p[4:]) + s.a
	}
}

func (s *logSum) is(p []byte) bool {
	return binary.BigEndian.Uint32(p) == s.a && binary.BigEndian.Uint32(p[4:]) == s.b
}
