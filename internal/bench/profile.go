package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// profiled is a file that is laid over cmd/acb to build an acb that writes
// profiles: of the processor and of all allocations at its end, of the heap
// whenever it is a tenth larger than ever. acb itself has no flag for it. It runs everything
// in init, so that no other file has to differ.
const profiled = `package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"time"
)

func init() {
	debug.SetGCPercent(gcPercent) // as main does
	base := filepath.Join(os.Getenv("ACB_BENCH_PROFILES"), fmt.Sprint(os.Getpid()))
	f, err := os.Create(base + ".cpu")
	if err != nil {
		panic(err)
	}
	pprof.StartCPUProfile(f)
	go func() {
		var most uint64
		for range time.Tick(100 * time.Millisecond) {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			if m.HeapInuse < most+most/10 || m.HeapInuse < 16<<20 {
				continue
			}
			most = m.HeapInuse
			if f, err := os.Create(base + ".heap"); err == nil {
				pprof.Lookup("heap").WriteTo(f, 0)
				f.Close()
			}
		}
	}()
	ended := make(chan int)
	go func() { ended <- Main() }() // not here: init is tied to one thread, which costs at every switch
	code := <-ended
	pprof.StopCPUProfile()
	f.Close()
	if f, err := os.Create(base + ".allocs"); err == nil {
		pprof.Lookup("allocs").WriteTo(f, 0)
		f.Close()
	}
	os.Exit(code)
}
`

// profiledAcb builds an acb that writes its profiles into dir, as
// PID.cpu, PID.allocs and PID.heap, and returns the binary. What it measures is a little
// slower for it, so a profiled run is no measurement.
func profiledAcb(ctx context.Context, dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	where, err := filepath.Abs("cmd/acb/profiled.go")
	if err != nil {
		return "", err
	}
	source, overlay, binary := filepath.Join(dir, "profiled.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "acb")
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{where: source}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(source, []byte(profiled), 0o600); err != nil {
		return "", err
	}
	if err := os.WriteFile(overlay, list, 0o600); err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", binary, "./cmd/acb").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build a profiled acb: %w: %s", err, out)
	}
	return binary, os.Setenv("ACB_BENCH_PROFILES", dir)
}
