package remote_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// large is a content that goes up in a resumable session of three chunks,
// once sessions are shrunk to smallest.
var large = strings.Repeat("0123456789abcdef", 900<<10/16)

const smallest = 100 << 10

// scenario is two runs with an operation of every kind.
type scenario struct{ *house }

// first returns the operations of the first run.
func (s *scenario) first() [][]*plan.Op {
	s.write("d/a.txt", "a")
	s.write("d/b.txt", "b")
	s.write("d/sub/c.txt", "c")
	s.write("big.bin", large)
	s.write("same.bin", large)
	big := s.upload(manifest.Root, "big.bin")
	return [][]*plan.Op{
		{mkdir(2, manifest.Root, "d")}, {mkdir(3, 2, "d/sub")},
		{s.upload(2, "d/a.txt"), s.upload(2, "d/b.txt"), s.upload(3, "d/sub/c.txt"), big},
		{s.copyOf(twinOf(big), manifest.Root, "same.bin")},
	}
}

// edit changes the disk and returns the operations of the second run.
func (s *scenario) edit() [][]*plan.Op {
	for _, path := range []manifest.Path{"d/a.txt", "d/b.txt", "d/sub/c.txt"} {
		f := s.disk[path]
		delete(s.disk, path)
		s.disk[manifest.Path("e"+strings.TrimPrefix(string(path), "d"))] = f
	}
	dir := again(plan.MoveFolder, s.ack("d"))
	dir.Name, dir.Path = "e", "e"
	move := again(plan.MoveFile, s.ack("d/sub/c.txt"))
	move.Name, move.Path, move.Parent = "c2.txt", "e/c2.txt", 2
	s.disk["e/c2.txt"] = s.disk["e/sub/c.txt"]
	delete(s.disk, "e/sub/c.txt")
	patch := again(plan.Patch, s.ack("d/a.txt"))
	patch.Path = "e/a.txt"
	patch.Stat.ModTime += 1e9
	s.disk["e/a.txt"].stat = patch.Stat
	s.write("big.bin", large[:len(large)-1]+"!")
	update := again(plan.Update, s.ack("big.bin"))
	update.Stat = s.disk["big.bin"].stat
	s.write("e/new.txt", "new")
	fresh := s.upload(2, "e/new.txt")
	trash := again(plan.TrashFile, s.ack("d/b.txt"))
	delete(s.disk, "e/b.txt")
	trash2 := again(plan.TrashFolder, s.ack("d/sub"))
	s.write("e/copy.bin", large)
	dup := s.copyOf(known(s.ack("big.bin")), 2, "e/copy.bin")
	return [][]*plan.Op{{dir}, {move}, {dup}, {fresh, update}, {patch}, {trash}, {trash2}}
}

// rest returns what of stages is not acknowledged yet. An id that the journal
// has not heard of is forgotten, as after a crash.
func (h *house) rest(stages [][]*plan.Op) [][]*plan.Op {
	done := map[*plan.Op]bool{}
	for _, a := range h.acks {
		done[a.Op] = true
	}
	var out [][]*plan.Op
	for _, ops := range stages {
		var left []*plan.Op
		for _, op := range ops {
			if op.Kind.Creates() && h.begun[op.FileID] == nil {
				op.FileID = ""
			}
			if !done[op] {
				left = append(left, op)
			}
		}
		out = append(out, left)
	}
	return out
}

// finish checks that Drive is what the disk is, and holds nothing else.
func (s *scenario) finish() {
	s.t.Helper()
	s.check()
	if len(s.failed) > 0 {
		s.t.Errorf("failed: %v", s.failed)
	}
	if tops := s.srv.Tree("root"); len(tops) != 2+len(s.tree()) {
		s.t.Errorf("besides: %v", tops)
	}
	for path, n := range s.tree() {
		if n.Kind == "file" && n.AppProps["acb.h"] == "" && !s.t.Failed() {
			s.t.Logf("%s has no hash on Drive", path)
		}
	}
}

// Whatever happens to one request, the run ends right by itself, and every
// operation is acknowledged once.
func TestFaultAtEveryRequest(t *testing.T) {
	t.Parallel()
	outer := []drivetest.Effect{
		drivetest.Lost, drivetest.Cut, drivetest.Torn, drivetest.LostAs(500), drivetest.Unavailable,
		drivetest.RateLimited, drivetest.TooMany(7 * time.Second), drivetest.Unauthorized, drivetest.Refuse(404, "notFound"),
	}
	chunk := []drivetest.Effect{
		drivetest.Corrupt, drivetest.CutBody(300 << 10), drivetest.NoRange, drivetest.PartialChunk(300 << 10),
		drivetest.SessionLost(404), drivetest.SessionLost(410), drivetest.Fresh404(1),
	}
	inner := []drivetest.Effect{
		drivetest.Lost, drivetest.LostAs(500), drivetest.Unavailable, drivetest.RateLimited, drivetest.Unauthorized,
		drivetest.Refuse(404, "notFound"), drivetest.DropPart,
	}
	var kinder drivetest.Unsettled
	other := drivetest.Unsettled{
		ConflictAtEnd: true, DeletedIDUnusable: true, BareContentID: true, BatchForward: true,
		StrictRemoveParents: true, Created201: true, UnusableReason: true, EditTouchesModified: true,
	}
	for i, eff := range outer {
		t.Run(eff.String(), func(t *testing.T) {
			faultEach(t, []drivetest.Unsettled{kinder, other}[i%2], func(n int) drivetest.Fault { return drivetest.At(n, eff) })
		})
	}
	for i, eff := range chunk {
		t.Run("chunk "+eff.String(), func(t *testing.T) {
			faultEach(t, []drivetest.Unsettled{kinder, other}[i%2], func(n int) drivetest.Fault {
				return drivetest.Nth(drivetest.UploadChunk, n, eff)
			})
		})
	}
	for i, eff := range inner {
		t.Run("part "+eff.String(), func(t *testing.T) {
			faultEach(t, []drivetest.Unsettled{other, kinder}[i%2], func(n int) drivetest.Fault { return drivetest.InBatch(drivetest.At(n, eff)) })
		})
	}
}

// faultEach runs the scenario with the fault at 0, 1, 2, ... until it strikes
// nothing any more.
func faultEach(t *testing.T, u drivetest.Unsettled, at func(n int) drivetest.Fault) {
	for n := 0; ; n++ {
		s := &scenario{house: newHouse(t, drivetest.Options{Unsettled: u, Seed: 1, NoSHA: true})}
		s.small = smallest
		s.restart()
		s.srv.Inject(at(n))
		s.settle()
		s.apply(s.first()...)
		s.apply(s.edit()...)
		beyond := s.srv.Hits() == 0
		s.srv.Inject(nil)
		s.finish()
		if got := len(s.acks); got != 7+8 {
			t.Errorf("%d acknowledgements", got)
		}
		if t.Failed() {
			for _, r := range s.srv.Log() {
				t.Log(r.N, r.Kind, r.Status, r.Fault, r.Path, r.Parts)
			}
			t.Fatalf("%s; unsettled %+v", at(n), u)
		}
		s.srv.Close()
		if beyond && n == 0 {
			t.Fatalf("%s strikes nothing", at(n))
		}
		if beyond {
			return
		}
	}
}

// death is a transport in which the process dies at request n: nothing comes
// back, and nothing leaves any more.
type death struct {
	next http.RoundTripper
	n    atomic.Int64
	does bool // the fatal request reaches Drive
	die  context.CancelFunc
}

var errDead = errors.New("dead")

func (d *death) RoundTrip(r *http.Request) (*http.Response, error) {
	left := d.n.Add(-1)
	if left >= 0 {
		return d.next.RoundTrip(r)
	}
	if left == -1 && d.does {
		if resp, err := d.next.RoundTrip(r); err == nil {
			resp.Body.Close()
		}
	}
	d.die()
	return nil, errDead
}

// A process that dies at any request leaves nothing that the next one does
// not finish: no duplicate, no orphan.
func TestDeathAtEveryRequest(t *testing.T) {
	t.Parallel()
	for _, does := range []bool{false, true} {
		for n := 0; ; n++ {
			s := &scenario{house: newHouse(t, drivetest.Options{Seed: 1, NoSHA: true, ListLag: time.Hour})}
			ctx, cancel := context.WithCancel(t.Context())
			d := &death{next: s.opt.Client.Transport, does: does, die: cancel}
			d.n.Store(int64(n))
			live := s.opt.Client
			s.opt.Client = &http.Client{Transport: d}
			s.small = smallest
			s.restart()
			var first, second [][]*plan.Op
			story := func(ctx context.Context) error {
				if err := s.trySettle(); err != nil {
					return err
				}
				if first == nil {
					first = s.first()
				}
				r, err := s.d.Apply(ctx, s.rest(first), s.env())
				if err != nil {
					return err
				}
				s.gens = r.Gens
				if second == nil {
					second = s.edit()
				}
				_, err = s.d.Apply(ctx, s.rest(second), s.env())
				return err
			}
			err := story(ctx)
			cancel()
			died := d.n.Load() < 0
			if died {
				s.opt.Client = live
				s.restart()
				clear(s.failed)
				if err := story(t.Context()); err != nil {
					t.Fatalf("after death at %d (%v): %v", n, does, err)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			s.finish()
			if t.Failed() {
				t.Fatalf("death at request %d, which reached Drive: %v", n, does)
			}
			s.srv.Close()
			if !died {
				break
			}
		}
	}
}
