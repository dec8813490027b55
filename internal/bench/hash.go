package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zeebo/blake3"
)

// bigFiles is what hashing and sending are measured on: large enough that
// starting a process is a small part, small enough for any page cache.
var bigFiles = treeSpec{Seed: 13, Files: 128, Folders: 1, MinSize: 8 << 20, MaxSize: 8 << 20}

// hashFloorFlag makes this program hash the files that follow and nothing
// else: the least that reading and hashing them can take in a process.
const hashFloorFlag = "-hash-floor"

// floorBuffer is read at once by the floor; BLAKE3 is fastest on large pieces.
const floorBuffer = 1 << 20

// hashFloor hashes files, as many at a time as there are processors.
func hashFloor(files []string) error {
	return eachFile(files, runtime.GOMAXPROCS(0), func() func(string) error {
		h, buf := blake3.New(), make([]byte, floorBuffer)
		return func(path string) error {
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			h.Reset()
			return readAll(f, buf, func(p []byte) { h.Write(p) })
		}
	})
}

// eachFile calls a function of its own for each worker, on one file after the other.
func eachFile(files []string, workers int, newWorker func() func(string) error) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for range workers {
		wg.Go(func() {
			do := newWorker()
			for {
				i := int(next.Add(1)) - 1
				if i >= len(files) {
					return
				}
				if err := do(files[i]); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
					return
				}
			}
		})
	}
	wg.Wait()
	return failed
}

// hash measures how fast a dry run hashes files of which only the time
// changed, against the floor on the same files, in the page cache.
func (b *bench) hash(ctx context.Context) error {
	b.report.section("hash: %d files of %d MiB, %d threads", bigFiles.Files, bigFiles.MinSize>>20, runtime.GOMAXPROCS(0))
	in, files, err := b.bigTree(ctx)
	if err != nil {
		return err
	}
	later := treeEpoch.Add(2 * 365 * 24 * time.Hour)
	for _, f := range files {
		if err := os.Chtimes(f, later, later); err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	floor := command{args: append([]string{self, hashFloorFlag}, files...)}
	what := in.scan("-n")
	if _, err := pairs(ctx, 1, floor, what, nil); err != nil {
		return err
	}
	c, err := pairs(ctx, b.pairs, floor, what, nil)
	if err != nil {
		return err
	}
	fast, err := memorySpeed(files)
	if err != nil {
		return err
	}
	total := float64(bigFiles.Files * bigFiles.MaxSize)
	for _, f := range []struct {
		name string
		of   func(usage) float64
		sign sign
	}{{"wall", wall, atLeast}, {"CPU", cpu, unbounded}} {
		floor, acb := pick(c.floor, f.of), pick(c.what, f.of)
		b.report.add(row{
			what: "hashing, share of BLAKE3 on the same files, " + f.name, floor: rate(total / median(floor)), acb: rate(total / median(acb)),
			value: 100 * pairRatio(floor, acb), sign: f.sign, limit: 85, unit: "%",
		})
	}
	acb := total / median(pick(c.what, wall))
	b.report.add(row{
		what: "hashing, share of BLAKE3 on bytes in memory, nothing read", floor: rate(fast), acb: rate(acb),
		value: 100 * acb / fast, unit: "%",
	})
	return nil
}

// bigTree makes the big files and a manifest of them.
func (b *bench) bigTree(ctx context.Context) (install, []string, error) {
	dir := filepath.Join(b.cache, "big")
	in := install{acb: b.acb, dir: dir, tree: filepath.Join(dir, "tree")}
	err := step{dir, "big", bigFiles}.once(func() error {
		b.report.note("making %s, once", dir)
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if err := bigFiles.make(in.tree); err != nil {
			return err
		}
		return in.withDrive(ctx, func(l *lookAlike) error { return in.settle(ctx, l) })
	})
	if err != nil {
		return in, nil, err
	}
	files, err := filepath.Glob(filepath.Join(in.tree, "*"))
	return in, files, err
}

// memorySpeed returns how many bytes a second BLAKE3 alone hashes, over all
// processors, of bytes that lie in memory.
func memorySpeed(files []string) (float64, error) {
	data := make(map[string][]byte, len(files))
	var total int
	for _, f := range files[:min(len(files), 32)] {
		p, err := os.ReadFile(f)
		if err != nil {
			return 0, err
		}
		data[f] = p
		total += len(p)
	}
	var names []string
	for f := range data {
		names = append(names, f)
	}
	var speeds []float64
	for range 7 {
		start := time.Now()
		err := eachFile(names, runtime.GOMAXPROCS(0), func() func(string) error {
			h := blake3.New()
			return func(f string) error {
				h.Reset()
				_, err := h.Write(data[f])
				return err
			}
		})
		if err != nil {
			return 0, err
		}
		speeds = append(speeds, float64(total)/time.Since(start).Seconds())
	}
	return median(speeds), nil
}

func rate(bytesPerSecond float64) string { return fmt.Sprintf("%.0f MB/s", bytesPerSecond/1e6) }
