package remote_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

var errKilled = errors.New("killed")

// A half is a house in which a process died while it sent a large file.
type half struct {
	*house
	log  bytes.Buffer
	op   *plan.Op
	file *file
}

// killed makes a half: update or create, killed when the journal has heard n
// times of the session; once when it was begun.
func killed(t *testing.T, update bool, n int, o drivetest.Options) *half {
	h := &half{}
	h.house = newHouse(t, o, func(o *remote.Options) {
		o.Log = slog.New(slog.NewTextHandler(&h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	h.small = smallest
	h.restart()
	h.settle()
	h.write("f", large)
	h.op = h.upload(manifest.Root, "f")
	if update {
		h.apply([]*plan.Op{h.op})
		h.op = again(plan.Update, h.ack("f"))
		h.write("f", strings.ToUpper(large))
	}
	h.file = h.disk["f"]
	h.srv.ResetStats()
	h.kill(n)
	h.restart()
	clear(h.failed)
	h.onKeep = nil
	return h
}

// kill applies the operation until the journal has heard n times.
func (h *half) kill(n int) {
	h.onKeep = func(manifest.Session) error {
		if n--; n == 0 {
			return errKilled
		}
		return nil
	}
	if _, err := h.d.Apply(h.t.Context(), [][]*plan.Op{{h.op}}, h.env()); !errors.Is(err, errKilled) {
		h.t.Fatalf("not killed: %v", err)
	}
}

// done applies the operation again and demands that Drive is right after it,
// with no byte sent more than so often.
func (h *half) done(sent int) {
	h.t.Helper()
	r := h.apply([]*plan.Op{h.op})
	if r.Done != 1 {
		h.t.Errorf("%+v %v", r, h.failed)
		return
	}
	h.check()
	n := h.tree()[string(h.op.Path)]
	if got, want := n.AppProps["acb.h"], h.ack(h.op.Path).Content.Hash.String(); got != want {
		h.t.Errorf("hash on Drive %q, want %q", got, want)
	}
	if n.AppProps["acb.m"] != "644" && h.file.stat.Mode == 0o644 {
		h.t.Errorf("mode on Drive %s", n.AppProps["acb.m"])
	}
	if got := h.srv.Stats().ContentIn; got != int64(sent) {
		h.t.Errorf("%d bytes were sent, want %d", got, sent)
	}
	if h.t.Failed() {
		h.t.Log(h.log.String())
	}
}

// wait lets time pass; the sign-in is renewed.
func (h *half) wait(d time.Duration) {
	h.clock.Sleep(h.t.Context(), d)
	h.opt.Client = h.srv.ClientFor(drivetest.Ask{})
	h.restart()
}

func (h *half) says(words string) {
	h.t.Helper()
	if !strings.Contains(h.log.String(), words) {
		h.t.Errorf("the log does not say %q:\n%s", words, h.log.String())
	}
	if strings.Contains(h.log.String(), "upload_id") {
		h.t.Errorf("the address of a session is in the log:\n%s", h.log.String())
	}
}

// A process that dies at any point of a large upload leaves a session that the
// next one goes on with: no byte leaves twice.
func TestTakeUp(t *testing.T) {
	for _, update := range []bool{false, true} {
		for n := 1; n <= 3; n++ { // with nothing, 256 and 768 KiB sent
			h := killed(t, update, n, drivetest.Options{})
			h.done(len(large))
			h.says("upload goes on")
			if got := h.srv.Stats().Requests[drivetest.UploadStart]; got != 1 {
				t.Errorf("%d sessions", got)
			}
		}
	}
}

// Killed again and again, one file needs one session.
func TestTakeUpOften(t *testing.T) {
	h := killed(t, false, 1, drivetest.Options{})
	h.write("f", strings.Repeat(large, 8)) // 7 MiB: chunks of 256 KiB to 4 MiB
	h.file = h.disk["f"]
	h.op = h.upload(manifest.Root, "f")
	clear(h.halves)
	for range 3 {
		h.kill(2)
		h.restart()
		clear(h.failed)
	}
	h.onKeep = nil
	h.done(8 * len(large))
	if got := h.srv.Stats().Requests[drivetest.UploadStart]; got != 2 {
		t.Errorf("%d sessions for two files", got)
	}
}

// The journal may be behind the server by what was acknowledged last.
func TestTakeUpBehind(t *testing.T) {
	h := killed(t, false, 2, drivetest.Options{})
	at := h.halves["f"]
	if at.Sent != 256<<10 {
		t.Fatalf("%d bytes are journaled", at.Sent)
	}
	at.Sent, at.SentHash = 0, manifest.Hash{}
	h.halves["f"] = at
	h.done(len(large))
}

// What makes a session useless is noticed and said, and the file sent anew.
func TestNotTakenUp(t *testing.T) {
	const first = 256 << 10 // had arrived
	for name, c := range map[string]struct {
		spoil func(h *half)
		sent  int
		says  string
	}{
		"file touched": {func(h *half) { h.file.stat.ModTime++; h.op.Stat = h.file.stat }, first + len(large), "file has changed"},
		"file grown": {func(h *half) {
			h.file.data = append(h.file.data, 'x')
			h.file.stat.Size++
			h.op.Stat = h.file.stat
		}, first + len(large) + 1, "file has changed"},
		"file shrunk": {func(h *half) {
			h.file.data = h.file.data[1:]
			h.file.stat.Size--
			h.op.Stat = h.file.stat
		}, first + len(large) - 1, "file has changed"},
		"beginning changed, time put back": {func(h *half) { h.file.data[100] ^= 1 }, first + len(large), "other content"},
		"session lost, 404":                {func(h *half) { h.srv.Inject(drivetest.Nth(drivetest.UploadQuery, 0, drivetest.SessionLost(404))) }, first + len(large), "not found"},
		"session lost, 410":                {func(h *half) { h.srv.Inject(drivetest.Nth(drivetest.UploadQuery, 0, drivetest.SessionLost(410))) }, first + len(large), "not found"},
		"a week later":                     {func(h *half) { h.wait(remote.SessionLife) }, first + len(large), "a week old"},
		"a day less":                       {func(h *half) { h.wait(remote.SessionLife - 24*time.Hour) }, len(large), "upload goes on"},
		"other id": {func(h *half) {
			s := h.halves["f"]
			s.FileID = "other"
			h.halves["f"] = s
		}, first + len(large), "upload"},
		"other endpoint": {func(h *half) {
			s := h.halves["f"]
			s.Address = "http://127.0.0.1:1/upload?upload_id=x"
			h.halves["f"] = s
		}, first + len(large), "another endpoint"},
		"Drive has less": {func(h *half) {
			s := h.halves["f"]
			s.Sent = 512 << 10
			h.halves["f"] = s
		}, first + len(large), "bytes of"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, update := range []bool{false, true} {
				h := killed(t, update, 2, drivetest.Options{IDLife: 30 * 24 * time.Hour})
				h.file.data = bytes.Clone(h.file.data)
				c.spoil(h)
				h.done(c.sent)
				h.says(c.says)
				if n := h.srv.Tree("root"); len(n) != 3 {
					t.Errorf("on Drive: %v", n)
				}
			}
		})
	}
}

// The last answer was lost: the file is complete and is not sent again.
func TestTakeUpComplete(t *testing.T) {
	for _, update := range []bool{false, true} {
		h := killed(t, update, 2, drivetest.Options{})
		h.srv.Inject(drivetest.Several(
			drivetest.Nth(drivetest.UploadChunk, 2, drivetest.Lost), drivetest.Only(drivetest.From(4, drivetest.Cut), drivetest.UploadQuery)))
		if r := h.apply([]*plan.Op{h.op}); r.Failed != 1 {
			t.Fatalf("%+v", r)
		}
		h.srv.Inject(nil)
		h.restart()
		clear(h.failed)
		h.done(len(large))
		h.says("had sent all of it")
	}
}

// Whatever goes wrong with the question how far a session is, no byte that
// Drive has leaves again.
func TestTakeUpFaults(t *testing.T) {
	for _, e := range []drivetest.Effect{
		drivetest.Unavailable, drivetest.Cut, drivetest.Lost, drivetest.Torn, drivetest.RateLimited,
		drivetest.TooMany(time.Second), drivetest.Unauthorized,
	} {
		h := killed(t, false, 2, drivetest.Options{})
		h.srv.Inject(drivetest.Nth(drivetest.UploadQuery, 0, e))
		h.done(len(large))
		if h.srv.Hits() != 1 {
			t.Errorf("%s struck %d times", e, h.srv.Hits())
		}
	}
	// Part of a chunk, or nothing of it, is kept when the line is cut.
	for _, e := range []drivetest.Effect{drivetest.PartialChunk(300 << 10), drivetest.CutBody(300 << 10), drivetest.NoRange} {
		h := killed(t, false, 2, drivetest.Options{})
		h.srv.Inject(drivetest.Nth(drivetest.UploadChunk, 0, e))
		h.apply([]*plan.Op{h.op})
		h.check()
		if twice := h.srv.Stats().SentTwice; twice != 0 || h.srv.Hits() != 1 {
			t.Errorf("%s struck %d times: %d bytes sent again that Drive had", e, h.srv.Hits(), twice)
		}
	}
}

// A file that was moved, or whose mode was set, since the session was begun is
// where it belongs afterwards.
func TestTakeUpMoved(t *testing.T) {
	for _, c := range []struct {
		name   string
		to     manifest.Path
		parent manifest.FolderID
		mode   uint32
		calls  int
	}{
		{"nothing", "f", manifest.Root, 0o644, 1}, // the hash
		{"name", "g", manifest.Root, 0o644, 1},
		{"folder", "d/f", 2, 0o644, 1},
		{"all", "d/g", 2, 0o600, 1},
		{"mode", "f", manifest.Root, 0o600, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := killed(t, false, 2, drivetest.Options{})
			kept := h.halves["f"]
			h.apply([]*plan.Op{mkdir(2, manifest.Root, "d")})
			delete(h.disk, "f")
			delete(h.halves, "f")
			h.disk[c.to], h.halves[c.to] = h.file, kept
			h.file.stat.Mode = c.mode
			op := h.upload(c.parent, c.to)
			op.FileID, h.op = h.op.FileID, op
			h.srv.ResetStats()
			h.done(len(large) - 256<<10)
			if got := h.tree()[string(c.to)]; got.AppProps["acb.m"] != map[uint32]string{0o600: "600", 0o644: "644"}[c.mode] {
				t.Errorf("on Drive: %+v", got)
			}
			if n := h.srv.Stats().Inner; n != c.calls+2 { // and the generation, before and after
				t.Errorf("%d calls", n)
			}
			if strings.Contains(h.log.String(), "moved on Drive") {
				t.Errorf("log: %s", h.log.String())
			}
		})
	}
}
