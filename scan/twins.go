package scan

import (
	"cmp"
	"context"
	"io"
	"slices"

	"github.com/autocloudbackup/acb/manifest"
)

// findTwins gives new files their twin: a file whose equal content Drive can
// copy. It reads the large ones that have a known content's size, and of those
// that share theirs with each other only the ones that look alike. So a file is
// read twice only where a second reading, which costs less than the sending,
// may save that. What cannot be read here will be read when it is sent.
func (w *walk) findTwins(p *hashPool, files []fileSeen) error {
	var large []*fileSeen // by size
	for i := range files {
		if s := &files[i]; s.mayHaveTwin() {
			large = append(large, s)
		}
	}
	if len(large) == 0 {
		return nil
	}
	slices.SortStableFunc(large, func(a, b *fileSeen) int { return cmp.Compare(a.New.Size, b.New.Size) })
	r, err := w.store.Reader()
	if err != nil {
		return err
	}
	defer r.Close()
	var read, alike []*fileSeen
	for rest := large; len(rest) > 0; {
		size, n := rest[0].New.Size, 1
		for n < len(rest) && rest[n].New.Size == size {
			n++
		}
		known, err := r.HasLarge(size)
		switch {
		case err != nil:
			return err
		case known:
			read = append(read, rest[:n]...)
		case n > 1:
			alike = append(alike, rest[:n]...)
		}
		rest = rest[n:]
	}
	read = append(read, p.lookAlike(w.ctx, alike)...)
	p.hash(w.ctx, slices.DeleteFunc(read, func(s *fileSeen) bool { return !s.New.Hash.IsZero() }))
	if err := w.ctx.Err(); err != nil {
		return err
	}
	return w.takeTwins(r, large)
}

// takeTwins looks up what was read.
func (w *walk) takeTwins(r *manifest.Reader, large []*fileSeen) error {
	var sums []manifest.Sum
	for _, s := range large {
		if sum, ok := s.New.Sum(); ok {
			sums = append(sums, sum)
		}
	}
	found, err := r.FindLarge(sums)
	if err != nil {
		return err
	}
	for _, twin := range found {
		twin.In.Source = w.sourceOf(twin.In.Path)
	}
	for _, s := range large {
		sum, _ := s.New.Sum()
		s.Twin = found[sum]
	}
	return nil
}

// mayHaveTwin reports whether it is a file that is to be created on Drive and
// large enough to be looked for there.
func (s *fileSeen) mayHaveTwin() bool {
	return s.New != nil && s.failed == nil && s.New.Kind == manifest.File && s.New.Size >= manifest.Large &&
		!s.New.Flags.Has(manifest.Retired) &&
		(s.Old == nil || s.Old.Kind != s.New.Kind || s.Old.Flags.Has(manifest.Lost))
}

// samplePiece is how much is read of a file's begin, middle and end to see
// whether it looks like another one, in bytes: little beside manifest.Large.
const samplePiece = 16 << 10

// lookAlike returns those of the files that have the size and some pieces in
// common with another of them.
func (p *hashPool) lookAlike(ctx context.Context, files []*fileSeen) []*fileSeen {
	samples := make([]manifest.Sum, len(files))
	failed := p.each(ctx, len(files), func(h *hasher, i int) (err error) {
		samples[i], err = h.sample(files[i])
		return err
	})
	same := make(map[manifest.Sum]int)
	for i, s := range samples {
		if failed[i] == nil {
			same[s]++
		}
	}
	var alike []*fileSeen
	for i, s := range samples {
		if same[s] > 1 {
			alike = append(alike, files[i])
		}
	}
	return alike
}

// sample reads pieces of a file, and returns their sum with the file's size.
func (h *hasher) sample(s *fileSeen) (sum manifest.Sum, err error) {
	f, err := h.files.Open(s.New.Path())
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h.blake.Reset()
	for _, at := range [...]int64{0, s.New.Size / 2, s.New.Size - samplePiece} {
		n, err := f.ReadAt(h.buf[:samplePiece], at)
		if err != nil && err != io.EOF {
			return sum, err
		}
		h.blake.Write(h.buf[:n])
		h.read.Add(int64(n))
	}
	sum.Size = s.New.Size
	h.blake.Sum(sum.Hash[:0])
	return sum, nil
}
