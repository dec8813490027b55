package main

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// A gauge finds the burst and the gap in an even stream.
func TestGauge(t *testing.T) {
	g := &gauge{}
	start := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for i := range 40 {
		bytes := 100
		switch {
		case i == 10:
			bytes = 150
		case i == 25:
			bytes = 40
		}
		g.at, g.bytes = append(g.at, start.Add(time.Duration(i)*time.Second)), append(g.bytes, bytes)
	}
	if least, most, err := g.spans(10 * time.Second); err != nil || least != 940 || most != 1050 {
		t.Errorf("%d to %d, %v, want 940 to 1050", least, most, err)
	}
	if _, _, err := g.spans(20 * time.Second); err == nil {
		t.Error("39 s are taken for twice 20")
	}
	g = &gauge{}
	g.note(1)
	if len(g.at) != 1 {
		t.Error("nothing noted")
	}
}

// What goes through a gauge arrives, and is counted.
func TestGaugeBeforeFront(t *testing.T) {
	l, err := startLookAlike(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	g := &gauge{}
	d, stop, err := g.before(l.Front)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	resp, err := through(t, d, l.Token).Post(googleBase+"/drive/v3/files?fields=id", "application/json", strings.NewReader(`{"name":"`+strings.Repeat("x", 1000)+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	if sum := g.between(time.Time{}, time.Now()); resp.StatusCode != http.StatusOK || sum < 2000 || sum > 5000 { // and a handshake
		t.Errorf("%s, %d bytes", resp.Status, sum)
	}
}
