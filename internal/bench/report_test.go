package main

import (
	"math"
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		xs   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{5, 100, 1}, 5}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(tt.xs); got != tt.want {
			t.Errorf("median of %v is %v, want %v", tt.xs, got, tt.want)
		}
	}
}

func TestPairRatio(t *testing.T) {
	// A busy machine that doubles both of a pair leaves the ratio alone.
	got := pairRatio([]float64{0.5, 1, 0.6}, []float64{1, 2, 1})
	if math.Abs(got-0.5) > 1e-9 {
		t.Errorf("got %v, want 0.5", got)
	}
}

func TestVerdicts(t *testing.T) {
	for _, tt := range []struct {
		row  row
		want string
	}{
		{row{value: 0.8, sign: atMost, limit: 0.85}, "ok"},
		{row{value: 0.86, sign: atMost, limit: 0.85}, "MISSED"},
		{row{value: 84, sign: atLeast, limit: 85}, "MISSED"},
		{row{value: 86, sign: atLeast, limit: 85}, "ok"},
		{row{value: 0, sign: atMost, limit: 0}, "ok"},
		{row{value: 1, sign: atMost, limit: 0}, "MISSED"},
		{row{value: 7}, ""},
	} {
		if c := tt.row.cells(); c[len(c)-1] != tt.want {
			t.Errorf("%v %s %v: %q, want %q", tt.row.value, tt.row.sign, tt.row.limit, c[len(c)-1], tt.want)
		}
	}
}

func TestReportCountsWhatWasMissedAndRepeatsWhatWasSkipped(t *testing.T) {
	var out strings.Builder
	r := &report{out: &out}
	r.skip("the %s", "moon")
	u := usage{Wall: 2, CPU: 1, Peak: 50e6}
	r.contest("walk", contest{floor: []usage{u}, what: []usage{{Wall: 1, CPU: 2, Peak: 70e6}}}, 0.85, 1.35, 64)
	if missed := r.finish(); missed != 2 { // CPU and memory
		t.Errorf("%d limits missed, want 2", missed)
	}
	if n := strings.Count(out.String(), "the moon"); n != 2 {
		t.Errorf("said %d times what was skipped, want now and at the end:\n%s", n, out.String())
	}
}

func TestFirstRequests(t *testing.T) {
	// /home/ana/src with 101 folders in it, 950 files: 950 uploads, two
	// reservations, 2 batches for 101 folders, 3 for src, ana and home, and 4.
	dirs := []string{"/home/ana/src"}
	for range 101 {
		dirs = append(dirs, "/home/ana/src/x")
	}
	if got := firstRequests("/home/ana/src", 950, dirs); got != 950+2+2+3+4 {
		t.Errorf("got %d", got)
	}
}
