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
// more of them there, one made on the other, the log was damaged. Others may be
// there, for after a cut the log goes on over what that left. What is damaged in
// the last commit looks like a cut; the generation on Drive tells, if the run
// had ended.
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

// droppedCommits counts the commits of a log behind its first wrong frame: the
// most that were made one on the other.
func droppedCommits(r io.Reader) (most int, err error) {
	head := make([]byte, logHead)
	if _, err := io.ReadFull(r, head); err != nil {
		return 0, onlyCut(err)
	}
	var sum logSum
	if sum.order = binary.ByteOrder(binary.LittleEndian); head[3]&1 == 1 {
		sum.order = binary.BigEndian
	}
	sum.add(head[:24])
	last := [2]logSum{sum.read(head[24:]), sum} // the checksum up to here, as it is stored and as it should be: each frame's goes on from it
	good := last[0] == last[1]
	salts := string(head[16:24]) // of this round of the log; frames of earlier rounds lie behind it
	frame := make([]byte, frameHead+pageSize)
	n, before := 0, uint32(0)
	for first := true; ; first = false {
		if _, err := io.ReadFull(r, frame); err != nil {
			return most, onlyCut(err)
		}
		if first && !good && startsAnew(head, frame[8:16], sum.order) {
			return 0, nil
		}
		stored, linked := sum.read(frame[16:24]), false
		for _, sum = range last {
			sum.add(frame[:8])
			sum.add(frame[frameHead:])
			if linked = sum == stored; linked {
				break
			}
		}
		last = [2]logSum{stored, sum}
		if !linked {
			n = 0
		}
		ours := string(frame[8:12]) == salts[:4] || string(frame[12:16]) == salts[4:] // one of them may be what is wrong
		good = good && linked && string(frame[8:16]) == salts
		page, commits := binary.BigEndian.Uint32(frame), binary.BigEndian.Uint32(frame[4:]) != 0
		if !good && ours && commits && page != before { // SQLite may fill a sector up with one commit
			n++
			most = max(most, n)
		}
		before = 0
		if commits {
			before = page
		}
	}
}

// startsAnew reports whether a wrong head is what a cut leaves of one that was
// being written over that of a round before, whose frames have the given
// salts: a new beginning, and the end of the old. SQLite starts a round only
// when all of the one before is in the manifest, and syncs its head before its
// first frame.
func startsAnew(head, salts []byte, order binary.ByteOrder) bool {
	old := append(append(make([]byte, 0, logHead), head[:16]...), salts...)
	for back := range uint32(mostCuts) {
		binary.BigEndian.PutUint32(old[12:], binary.BigEndian.Uint32(head[12:])-1-back) // the round's number
		sum := logSum{order: order}
		sum.add(old)
		if binary.BigEndian.Uint32(head[28:]) == sum.b {
			return true
		}
	}
	return false
}

// mostCuts is how many cuts in a row may each tear a head.
const mostCuts = 8

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

// read returns a checksum as a log has it, of the same order.
func (s *logSum) read(p []byte) logSum {
	return logSum{s.order, binary.BigEndian.Uint32(p), binary.BigEndian.Uint32(p[4:])}
}
