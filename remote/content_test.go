package remote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// A file that changes while it is read is tried three times, small or large;
// Drive keeps the good version.
func TestBusy(t *testing.T) {
	for _, size := range []int{10, 300 << 10} {
		for _, calm := range []int{2, 3} { // changes at so many reads
			t.Run(fmt.Sprintf("%d bytes, %d changes", size, calm), func(t *testing.T) {
				h := newHouse(t, drivetest.Options{})
				h.small = smallest
				h.restart()
				h.settle()
				h.write("f", strings.Repeat("x", size))
				h.apply([]*plan.Op{h.upload(manifest.Root, "f")})
				f := h.write("f", strings.Repeat("y", size))
				f.onEnd = func(f *file) {
					if f.reads <= calm {
						f.stat.ModTime++
					}
				}
				op := again(plan.Update, h.ack("f"))
				r := h.apply([]*plan.Op{op})
				n := h.tree()["f"]
				if calm == 2 {
					if r.Done != 1 || n.MD5 != md5of(f.data) || h.ack("f").Stat != f.stat {
						t.Errorf("%+v %v", r, h.failed)
					}
					return
				}
				if r.Failed != 1 || h.failed["f"] == nil || n.MD5 == md5of(f.data) || n.Revs != 1 {
					t.Errorf("%+v, failed %v, Drive has %+v", r, h.failed, n)
				}
			})
		}
	}
}

// A large file that has changed is not sent to its end for nothing.
func TestBusyEarly(t *testing.T) {
	h := newHouse(t, drivetest.Options{})
	h.small = smallest
	h.restart()
	h.settle()
	f := h.write("f", strings.Repeat(large, 8))
	reads := 0
	f.onRead = func(f *file) {
		if reads++; reads == 2 { // while the first chunk is on its way
			f.stat.ModTime++
		}
	}
	if r := h.apply([]*plan.Op{h.upload(manifest.Root, "f")}); r.Done != 1 || h.ack("f").Stat != f.stat {
		t.Errorf("%+v %v", r, h.failed)
	}
	h.check()
	if got, most := h.srv.Stats().ContentIn, int64(len(f.data)+256<<10); got > most {
		t.Errorf("%d bytes were sent, want at most %d", got, most)
	}
}

// On a quick line the chunks of a large file grow, one behind: the next is read
// while one is sent.
func TestChunksGrow(t *testing.T) {
	h := newHouse(t, drivetest.Options{})
	h.small = smallest
	h.restart()
	h.settle()
	h.write("f", strings.Repeat(large, 8)) // 7 MiB: 256 KiB twice, then up to 3 MiB
	h.apply([]*plan.Op{h.upload(manifest.Root, "f")})
	h.check()
	if got := h.srv.Stats().Requests[drivetest.UploadChunk]; got != 6 {
		t.Errorf("%d chunks, want 6", got)
	}
}

// A file that shrinks or grows between stat and read is busy too.
func TestResized(t *testing.T) {
	for _, to := range []int{5, 15, 250 << 10, 350 << 10} {
		h := newHouse(t, drivetest.Options{})
		h.small = smallest
		h.restart()
		h.settle()
		from := 10
		if to > smallest {
			from = 300 << 10
		}
		f := h.write("f", strings.Repeat("x", from))
		f.data = bytes.Repeat([]byte("x"), to)
		f.onRead = func(f *file) { f.stat.Size = int64(len(f.data)) }
		r := h.apply([]*plan.Op{h.upload(manifest.Root, "f")})
		if r.Done != 1 || h.ack("f").Stat.Size != int64(to) || h.clock.slept == 0 {
			t.Errorf("%d bytes, then %d: %+v %v", from, to, r, h.failed)
		}
		h.check()
	}
}

// A file that has grown is noticed even where its stat does not tell.
func TestGrownUnseen(t *testing.T) {
	for _, size := range []int{10, 300 << 10} {
		h := newHouse(t, drivetest.Options{})
		h.small = smallest
		h.restart()
		h.settle()
		h.write("f", strings.Repeat("x", size)).data = bytes.Repeat([]byte("x"), size+1)
		if r := h.apply([]*plan.Op{h.upload(manifest.Root, "f")}); r.Failed != 1 || len(h.tree()) != 0 {
			t.Errorf("%+v, Drive has %v", r, h.tree())
		}
	}
}

// What Drive stores wrong is sent again, at most twice.
func TestCorrupt(t *testing.T) {
	for _, size := range []int{10, 300 << 10} {
		for _, eff := range []drivetest.Effect{drivetest.Corrupt, drivetest.WrongMD5} {
			for _, times := range []int{1, 2, 3} {
				h := newHouse(t, drivetest.Options{})
				h.small = smallest
				h.restart()
				h.settle()
				h.write("f", strings.Repeat("x", size))
				kind := drivetest.UploadMulti
				chunks := 1
				if size > smallest {
					kind, chunks = drivetest.UploadChunk, 2
				}
				var faults []drivetest.Fault
				for i := range times {
					faults = append(faults, drivetest.Nth(kind, i*chunks+chunks-1, eff))
				}
				h.srv.Inject(drivetest.Several(faults...))
				r := h.apply([]*plan.Op{h.upload(manifest.Root, "f")})
				if ok := times <= 2; ok != (r.Done == 1) || ok != (r.Failed == 0) {
					t.Errorf("%s %d times, %d bytes: %+v %v", eff, times, size, r, h.failed)
				}
				if len(h.tree()) != 1 {
					t.Errorf("on Drive: %v", h.tree())
				}
				if times <= 2 {
					h.check()
				}
			}
		}
	}
}

// An id that exists already: with our content it is done, with another it is
// updated, and never is there a second file.
func TestConflict(t *testing.T) {
	for _, end := range []bool{false, true} {
		for _, size := range []int{10, 300 << 10} {
			for _, same := range []bool{true, false} {
				h := newHouse(t, drivetest.Options{Unsettled: drivetest.Unsettled{ConflictAtEnd: end}})
				h.small = smallest
				h.restart()
				h.settle()
				h.write("f", strings.Repeat("x", size))
				h.apply([]*plan.Op{h.upload(manifest.Root, "f")})
				op := h.upload(manifest.Root, "f")
				op.FileID = h.ack("f").Content.FileID
				if !same {
					h.write("f", strings.Repeat("y", size))
				}
				sent := h.d.Stats().Sent
				r := h.apply([]*plan.Op{op})
				if r.Done != 1 || len(h.tree()) != 1 || (h.tree()["f"].Revs == 1) != same {
					t.Errorf("%+v %v, Drive has %v", r, h.failed, h.tree())
				}
				if got := h.d.Stats().Sent - sent; same && !end && size > smallest && got != 0 {
					t.Errorf("%d bytes sent of a file that was there", got)
				}
				h.check()
			}
		}
	}
}

// Reserved ids that Drive no longer takes are replaced, all with one request.
func TestUnusableIDs(t *testing.T) {
	for _, reason := range []bool{false, true} {
		h := newHouse(t, drivetest.Options{IDLife: 10 * time.Minute, Unsettled: drivetest.Unsettled{UnusableReason: reason}})
		h.settle() // leaves ids over
		h.clock.Sleep(t.Context(), 20*time.Minute)
		r := h.apply(h.firstRun(7, 3)...)
		if r.Failed != 0 || r.Done != 10 {
			t.Errorf("%+v %v", r, h.failed)
		}
		if n := h.srv.Stats().Requests[drivetest.GenerateIDs]; n != 1 {
			t.Errorf("%d reservations", n)
		}
		for _, a := range h.acks {
			if h.begun[a.Content.FileID] != a.Op {
				t.Errorf("%s: the journal does not know its id", a.Op.Path)
			}
		}
		h.check()
	}
}

// A sign-in that Drive does not take ends the run, after a minute: the client
// may get another one.
func TestAuthDead(t *testing.T) {
	h := newHouse(t, drivetest.Options{}, func(o *remote.Options) {
		o.Transfers = 1 // on this clock the minutes of two would add up
	})
	h.settle()
	stages := h.firstRun(20)
	h.srv.Inject(drivetest.Always(drivetest.Unauthorized))
	_, err := h.d.Apply(t.Context(), stages, h.env())
	var e *remote.Error
	if !errors.As(err, &e) || e.Class != remote.Auth || !strings.Contains(err.Error(), "acb auth") {
		t.Errorf("%v", err)
	}
	if n := h.srv.Calls(); n > 1+8 || h.clock.slept > 80*time.Second {
		t.Errorf("%d requests with a dead sign-in, in %s", n, h.clock.slept)
	}
}

// A Drive that cannot be reached ends the run after a few operations, not
// after all of them.
func TestUnreachable(t *testing.T) {
	h := newHouse(t, drivetest.Options{})
	h.settle()
	stages := h.firstRun(50)
	h.srv.Inject(drivetest.Always(drivetest.Cut))
	r, err := h.d.Apply(t.Context(), stages, h.env())
	if err == nil || r.Failed > 5 || h.clock.slept < time.Minute {
		t.Errorf("%v after %s: %+v", err, h.clock.slept, r)
	}
}

// An interrupt loses no acknowledgement, and holds the trashes.
func TestInterrupt(t *testing.T) {
	h := newHouse(t, drivetest.Options{})
	h.settle()
	stages := h.firstRun(100)
	ctx, cancel := context.WithCancel(t.Context())
	h.onDone = func(remote.Ack) error {
		if len(h.acks) == 10 {
			cancel()
		}
		return nil
	}
	r, err := h.d.Apply(ctx, h.rest(stages), h.env())
	if !errors.Is(err, context.Canceled) || r.Done != len(h.acks) || r.Failed != 0 || len(h.failed) != 0 {
		t.Errorf("%v: %+v, %d acknowledged, failed %v", err, r, len(h.acks), h.failed)
	}
	if n := len(h.tree()); n != len(h.acks) || n < 10 || n > 20 {
		t.Errorf("%d files on Drive, %d acknowledged", n, len(h.acks))
	}
	h.onDone = nil
	h.apply(h.rest(stages)...)
	h.check()
}

// A journal that cannot be written ends the run, with its own error.
func TestJournalFails(t *testing.T) {
	h := newHouse(t, drivetest.Options{})
	h.settle()
	full := errors.New("disk full")
	h.onDone = func(remote.Ack) error { return full }
	_, err := h.d.Apply(t.Context(), h.firstRun(100), h.env())
	if !errors.Is(err, full) || len(h.tree()) > 5 {
		t.Errorf("%v, %d on Drive", err, len(h.tree()))
	}
}

// A modification time that Drive refuses is clamped; acb.t keeps the true one.
func TestOddTimes(t *testing.T) {
	h := newHouse(t, drivetest.Options{})
	h.settle()
	f := h.write("old", "x")
	f.stat.ModTime = -1e18
	h.srv.Inject(drivetest.Nth(drivetest.UploadMulti, 0, drivetest.Refuse(400, "invalid")))
	h.apply([]*plan.Op{h.upload(manifest.Root, "old")})
	n := h.tree()["old"]
	if !n.ModTime.Equal(time.Unix(0, 0)) || n.AppProps["acb.t"] != "-1000000000000000000" {
		t.Errorf("%+v, failed %v", n, h.failed)
	}
	h.srv.Inject(nil)
	h.write("older", "x").stat.ModTime = -1e18
	h.apply([]*plan.Op{h.upload(manifest.Root, "older")})
	if n := h.tree()["older"]; !n.ModTime.Equal(time.Unix(-1e9, 0)) {
		t.Errorf("true time not kept: %+v", n)
	}
}

// A refusal of one file leaves the others alone.
func TestRefused(t *testing.T) {
	h := newHouse(t, drivetest.Options{})
	h.settle()
	for i, reason := range []string{"appNotAuthorizedToFile", "insufficientParentPermissions", "propertyLengthLimitExceeded"} {
		h.srv.Inject(drivetest.Nth(drivetest.UploadMulti, 1, drivetest.Refuse(403, reason)))
		clear(h.failed)
		var ops []*plan.Op
		for j := range 4 {
			path := manifest.Path(fmt.Sprint(i, j))
			h.write(path, "x")
			ops = append(ops, h.upload(manifest.Root, path))
		}
		r := h.apply(ops)
		if r.Done != 3 || r.Failed != 1 || len(h.failed) != 1 {
			t.Errorf("%+v", r)
		}
		for _, err := range h.failed {
			if !strings.Contains(err.Error(), reason) {
				t.Errorf("%v", err)
			}
		}
	}
}

// Neither log nor errors hold a token or the address of a session.
func TestNoSecrets(t *testing.T) {
	var log bytes.Buffer
	h := newHouse(t, drivetest.Options{}, func(o *remote.Options) {
		o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	var addresses []string
	base := h.opt.Client.Transport
	h.opt.Client = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if id := r.URL.Query().Get("upload_id"); id != "" {
			addresses = append(addresses, id)
		}
		return base.RoundTrip(r)
	})}
	h.small = smallest
	h.restart()
	h.settle()
	h.write("f", large)
	h.srv.Inject(drivetest.Only(drivetest.Always(drivetest.Cut), drivetest.UploadChunk, drivetest.UploadQuery))
	h.apply([]*plan.Op{h.upload(manifest.Root, "f")})
	h.srv.Inject(nil)
	h.apply([]*plan.Op{h.upload(manifest.Root, "f")})
	if len(addresses) < 3 || h.failed["f"] == nil {
		t.Fatalf("%d session requests, failed %v", len(addresses), h.failed)
	}
	text := log.String() + fmt.Sprintf("%+v", h.failed)
	for _, secret := range append(addresses, "upload_id", "Bearer", "ya29") {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in the log:\n%s", secret, text)
		}
	}
	if !strings.Contains(text, "path=f") {
		t.Errorf("log: %s", text)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A cut line costs what was in flight, not what was acknowledged.
func TestCutsCostLittle(t *testing.T) {
	h := newHouse(t, drivetest.Options{})
	h.small = smallest
	h.restart()
	h.settle()
	data := strings.Repeat("0123456789abcdef", 4<<20/16)
	h.write("f", data)
	h.srv.Inject(drivetest.Only(drivetest.Every(3, drivetest.CutBody(300<<10)), drivetest.UploadChunk))
	r := h.apply([]*plan.Op{h.upload(manifest.Root, "f")})
	hits := h.srv.Hits()
	if r.Done != 1 || hits == 0 {
		t.Fatalf("%+v, %d cuts", r, hits)
	}
	if twice := h.srv.Stats().SentTwice; twice != 0 {
		t.Errorf("%d acknowledged bytes sent again", twice)
	}
	h.check()
}

// An interrupt ends the reading of a large content that is compared with what
// an earlier try had sent.
func TestInterruptedWhileMeasuring(t *testing.T) {
	h := newHouse(t, drivetest.Options{})
	h.settle()
	h.write("big", strings.Repeat("0123456789abcdef", 2<<20))
	h.apply([]*plan.Op{h.upload(manifest.Root, "big")})
	again := h.upload(manifest.Root, "big")
	again.FileID = h.ack("big").Content.FileID // reserved, and its answer lost
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f, reads := h.disk["big"], 0
	f.onRead = func(*file) {
		cancel()
		reads++
	}
	_, err := h.d.Apply(ctx, [][]*plan.Op{{again}}, h.env())
	if all := len(f.data) / (32 << 10); !errors.Is(err, context.Canceled) || reads == 0 || reads > all/2 {
		t.Errorf("%v, after %d of %d reads", err, reads, all)
	}
}

// TestUnheard: when an answer was lost, a content of some size is not sent
// again before Drive was asked for it; a small one costs less than the question.
func TestUnheard(t *testing.T) {
	for _, tt := range []struct {
		size  int
		e     drivetest.Effect
		times int // that the content leaves
	}{
		{100 << 10, drivetest.Lost, 1}, {100 << 10, drivetest.LostAs(503), 1}, {100 << 10, drivetest.Torn, 1},
		{100 << 10, drivetest.Cut, 2}, {100 << 10, drivetest.Unavailable, 2}, {100 << 10, drivetest.RateLimited, 2},
		{1 << 10, drivetest.Lost, 2},
	} {
		for _, update := range []bool{false, true} {
			h := newHouse(t, drivetest.Options{})
			h.settle()
			h.write("f", strings.Repeat("x", tt.size))
			op := h.upload(manifest.Root, "f")
			if update {
				h.apply([]*plan.Op{op})
				h.write("f", strings.Repeat("y", tt.size))
				op = again(plan.Update, h.ack("f"))
				op.Stat = h.disk["f"].stat
			}
			h.srv.ResetStats()
			h.srv.Inject(drivetest.Nth(drivetest.UploadMulti, 0, tt.e))
			r := h.apply([]*plan.Op{op})
			h.check()
			if n := h.srv.Stats().Requests[drivetest.UploadMulti]; r.Done != 1 || n != tt.times || h.srv.Hits() != 1 {
				t.Errorf("%d bytes, %v, update %v: sent %d times, want %d; %+v", tt.size, tt.e, update, n, tt.times, r)
			}
		}
	}
}
