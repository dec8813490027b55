package restore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// A part is a large file on its way: its content, and behind it a byte for
// each segment that says whether that has arrived, and partMagic. When all
// have, the end is cut off.
type part struct {
	f       *os.File
	size    int64
	segment int64
	done    []chan struct{} // closed when the segment is there
}

const partMagic = "acb part 1\n"

const (
	segmentMissing = '-'
	segmentArrived = '+'
)

// openPart opens the part of that name, or begins a new one if there is none
// of this size.
func openPart(d *dir, name string, size, segment int64) (*part, error) {
	p := &part{size: size, segment: segment, done: make([]chan struct{}, (size+segment-1)/segment)}
	for i := range p.done {
		p.done[i] = make(chan struct{})
	}
	if ok, err := p.goOn(d, name); ok || err != nil {
		return p, err
	}
	if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := d.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	end := make([]byte, len(p.done), len(p.done)+len(partMagic))
	for i := range end {
		end[i] = segmentMissing
	}
	if _, err := f.WriteAt(append(end, partMagic...), size); err != nil {
		f.Close()
		return nil, err
	}
	p.f = f
	return p, nil
}

// goOn takes over what an earlier run has begun.
func (p *part) goOn(d *dir, name string) (bool, error) {
	st, err := d.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	end := make([]byte, len(p.done)+len(partMagic))
	if err != nil || !st.Mode().IsRegular() || st.Size() != p.size+int64(len(end)) {
		return false, err
	}
	f, err := d.root.OpenFile(name, os.O_RDWR|nonBlock, 0)
	if err != nil {
		return false, err
	}
	now, err := f.Stat()
	if err == nil && !os.SameFile(st, now) {
		err = fmt.Errorf("open %s: it was exchanged meanwhile", name)
	}
	if err == nil {
		_, err = f.ReadAt(end, p.size)
	}
	if err != nil || string(end[len(p.done):]) != partMagic {
		return false, errors.Join(err, f.Close())
	}
	for i := range p.done {
		if end[i] == segmentArrived {
			close(p.done[i])
		}
	}
	p.f = f
	return true, nil
}

// span is where segment i lies.
func (p *part) span(i int) (from, to int64) {
	from = int64(i) * p.segment
	return from, min(from+p.segment, p.size)
}

// has reports whether segment i is there.
func (p *part) has(i int) bool {
	select {
	case <-p.done[i]:
		return true
	default:
		return false
	}
}

// left counts the segments that are missing.
func (p *part) left() int {
	n := 0
	for i := range p.done {
		if !p.has(i) {
			n++
		}
	}
	return n
}

// arrived writes down that segment i is there.
func (p *part) arrived(i int) error {
	_, err := p.f.WriteAt([]byte{segmentArrived}, p.size+int64(i))
	if err == nil {
		close(p.done[i])
	}
	return err
}
