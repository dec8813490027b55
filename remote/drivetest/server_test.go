package drivetest_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

func TestServe(t *testing.T) {
	d, err := drivetest.New(drivetest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Serve(ctx, l) }()
	w := &wire{t, &drivetest.Server{Drive: d, URL: "http://" + l.Addr().String()}, newPlainClient(t)}
	w.want(200, "GET", "/drive/v3/files", "", "Authorization: Bearer "+d.Token(drivetest.Ask{}).AccessToken)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := w.try("GET", "/drive/v3/files", ""); err == nil {
		t.Error("still serving")
	}
	l.Close()
	if err := d.Serve(t.Context(), l); err == nil {
		t.Error("served on a closed listener")
	}
}

func TestClosedDrive(t *testing.T) {
	w := start(t)
	if err := w.d.Drive.Close(); err != nil {
		t.Fatal(err)
	}
	w.want(503, "GET", "/drive/v3/files", "")
}

func TestSlowLine(t *testing.T) {
	w := start(t, drivetest.Options{Throttle: drivetest.Throttle{BytesPerSecond: 100_000, Latency: 20 * time.Millisecond}})
	before := time.Now()
	id := w.file("a", "root", repeat(10_000))
	if d := time.Since(before); d < 100*time.Millisecond {
		t.Errorf("up in %v", d)
	}
	before = time.Now()
	if a := w.want(200, "GET", "/drive/v3/files/"+id+"?alt=media", ""); len(a.body) != 10_000 {
		t.Errorf("%d bytes", len(a.body))
	}
	if d := time.Since(before); d < 100*time.Millisecond {
		t.Errorf("down in %v", d)
	}
}

// The same seed gives the same ids, so that a failing run can be repeated.
func TestSeed(t *testing.T) {
	a, b := start(t, drivetest.Options{Seed: 7}), start(t, drivetest.Options{Seed: 7})
	if x, y := a.newID(), b.newID(); x != y || len(x) != 33 {
		t.Errorf("%s and %s", x, y)
	}
}
