package remote_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// A hand is between acb and Drive, as a proxy is, and may change requests and
// answers.
type hand struct {
	next    http.RoundTripper
	request func(*http.Request)
	answer  func(*http.Request, *http.Response)
}

func (x hand) RoundTrip(r *http.Request) (*http.Response, error) {
	if x.request != nil {
		x.request(r)
	}
	resp, err := x.next.RoundTrip(r)
	if err == nil && x.answer != nil {
		x.answer(r, resp)
	}
	return resp, err
}

// between puts a hand between acb and Drive.
func (h *house) between(x hand) {
	x.next = h.srv.Client().Transport
	h.opt.Client = &http.Client{Transport: x}
	h.restart()
}

// rewritten is a body in which old stands as new, of the same length.
func rewritten(body io.ReadCloser, old, new string) io.ReadCloser {
	all, err := io.ReadAll(body)
	if err != nil {
		return body
	}
	body.Close()
	return io.NopCloser(bytes.NewReader(bytes.ReplaceAll(all, []byte(old), []byte(new))))
}

// TestNotFoundByAStranger: a 404 without Drive's reason, as a proxy or a front
// end gives it for everything, says nothing of an item.
func TestNotFoundByAStranger(t *testing.T) {
	for _, e := range []drivetest.Effect{drivetest.Refuse(404, ""), drivetest.Refuse(404, "notFound"), drivetest.Refuse(409, "duplicate")} {
		h, b := uploaded(t)
		h.srv.Inject(drivetest.Only(drivetest.Always(e), drivetest.Batch))
		if states, err := h.d.Check(t.Context(), []manifest.FileID{b.FileID}); err == nil || len(states) > 0 {
			t.Errorf("%v: Check = %v, %v", e, states, err)
		}
		trash := again(plan.TrashFile, h.ack("big.bin"))
		acks := len(h.acks)
		h.srv.Inject(drivetest.Only(drivetest.From(1, e), drivetest.Batch)) // the generation is put there
		if r, err := h.d.Apply(t.Context(), [][]*plan.Op{{trash}}, h.env()); len(h.acks) != acks || r.Failed != 1 {
			t.Errorf("%v: trash is taken for done: %+v, %v", e, r, err)
		}
	}
	h, b := uploaded(t)
	update := again(plan.Update, h.ack("big.bin"))
	update.Stat = h.write("big.bin", "other").stat
	h.srv.Inject(drivetest.Only(drivetest.Always(drivetest.Refuse(404, "")), drivetest.UploadMulti, drivetest.Download))
	if r, err := h.d.Apply(t.Context(), [][]*plan.Op{{update}}, h.env()); err != nil || len(r.Lost) > 0 || r.Failed != 1 {
		t.Errorf("an update is taken for lost: %+v, %v", r, err)
	}
	var e *remote.Error
	if _, err := h.d.Download(t.Context(), b, 0, 1, io.Discard); !errors.As(err, &e) || e.Class == remote.NotFound {
		t.Errorf("a content is taken for lost: %v", err)
	}
}

// TestTrashLooks: a trash is done when the answer says that it is in the trash.
func TestTrashLooks(t *testing.T) {
	h, _ := uploaded(t)
	h.between(hand{answer: func(_ *http.Request, resp *http.Response) {
		resp.Body = rewritten(resp.Body, `"trashed": true`, `"trashed":false`)
	}})
	acks := len(h.acks)
	h.apply([]*plan.Op{again(plan.TrashFile, h.ack("big.bin"))})
	if len(h.acks) != acks || h.failed["big.bin"] == nil {
		t.Errorf("done, and %v", h.failed)
	}
}

// TestListTokenExpired: a listing whose page token Drive takes no more begins
// anew, and tells each item once; one that cannot get on ends.
func TestListTokenExpired(t *testing.T) {
	refused := drivetest.Refuse(400, "invalid")
	for _, tt := range []struct {
		f   drivetest.Fault
		err bool
	}{
		{drivetest.Nth(drivetest.List, 1, refused), false},
		{drivetest.Nth(drivetest.List, 3, drivetest.Refuse(403, "pageTokenExpired")), false},
		{drivetest.Nth(drivetest.List, 2, drivetest.Refuse(410, "")), false},
		{drivetest.Nth(drivetest.List, 0, refused), true}, // which named no page
		{drivetest.Only(drivetest.Every(2, refused), drivetest.List), true},
	} {
		h := newHouse(t, drivetest.Options{})
		h.settle()
		var ops []*plan.Op
		for i := range 20 {
			ops = append(ops, mkdir(manifest.FolderID(i+2), manifest.Root, manifest.Path("d"+string(rune('a'+i)))))
		}
		h.apply(ops)
		h.between(hand{request: func(r *http.Request) {
			if r.Body != nil {
				r.Body = rewritten(r.Body, "pageSize=1000", "pageSize=0007")
			}
		}})
		h.srv.Inject(drivetest.InBatch(tt.f))
		var names []string
		err := h.d.List(t.Context(), "inst-1", false, func(_ manifest.FileID, s remote.State) error {
			names = append(names, s.Name)
			return nil
		})
		if tt.err {
			if err == nil {
				t.Errorf("%v: no error", tt.f)
			}
			continue
		}
		slices.Sort(names)
		if err != nil || len(names) != 22 || len(slices.Compact(names)) != 22 || h.srv.Hits() != 1 {
			t.Errorf("%v struck %d times: %d names, %v", tt.f, h.srv.Hits(), len(names), err)
		}
	}
}

// TestSessionHasTooMuch: a session that is said to hold more than the file is
// begun anew.
func TestSessionHasTooMuch(t *testing.T) {
	h := killed(t, false, 2, drivetest.Options{})
	lies := 1
	h.between(hand{answer: func(_ *http.Request, resp *http.Response) {
		if lies > 0 && resp.StatusCode == http.StatusPermanentRedirect {
			lies--
			resp.Header.Set("Range", "bytes=0-99999999")
		}
	}})
	h.done(256<<10 + len(large))
	if lies != 0 || !strings.Contains(h.log.String(), "Drive says that it has 100000000 bytes") {
		t.Errorf("%d lies left: %s", lies, &h.log)
	}
}

// TestKeepCopyWithoutFile: a session that takes all of a manifest's copy and
// answers no file is a failure of that copy, and of nothing else.
func TestKeepCopyWithoutFile(t *testing.T) {
	c := newCopier(t)
	c.between(hand{answer: func(r *http.Request, resp *http.Response) {
		if r.Method != http.MethodPut || resp.StatusCode == http.StatusPermanentRedirect {
			return
		}
		resp.Body.Close()
		resp.StatusCode, resp.Body, resp.ContentLength = http.StatusPermanentRedirect, http.NoBody, 0
		_, total, _ := strings.Cut(r.Header.Get("Content-Range"), "-")
		end, _, _ := strings.Cut(total, "/")
		resp.Header.Set("Range", "bytes=0-"+end)
	}})
	if _, err := c.keep(long); err == nil || !strings.Contains(err.Error(), "gave no file") {
		t.Errorf("%v", err)
	}
}

// An endless body.
type endless struct{ n int64 }

func (e *endless) Read(p []byte) (int, error) { e.n += int64(len(p)); return len(p), nil }
func (*endless) Close() error                 { return nil }

// TestEndlessAnswer: what a server answers is not read for ever.
func TestEndlessAnswer(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusBadRequest} {
		h, b := uploaded(t)
		body := &endless{}
		h.between(hand{answer: func(_ *http.Request, resp *http.Response) {
			resp.Body.Close()
			resp.StatusCode, resp.Body, resp.ContentLength = status, body, -1
		}})
		if _, err := h.d.Revisions(t.Context(), b.FileID); err == nil || body.n > 8*65<<20 {
			t.Errorf("%d: %d bytes read, %v", status, body.n, err)
		}
	}
}

// TestSilence: the meter tells how long Drive has not answered.
func TestSilence(t *testing.T) {
	h, b := uploaded(t)
	h.srv.Inject(drivetest.First(3, drivetest.Cut))
	if h.d.Revisions(t.Context(), b.FileID); h.d.Stats().Unheard != 0 || h.srv.Hits() != 3 {
		t.Errorf("answered after %d cuts: %+v", h.srv.Hits(), h.d.Stats())
	}
	h.srv.Inject(drivetest.Always(drivetest.Cut))
	before := h.d.Stats().Requests
	if _, err := h.d.Revisions(t.Context(), b.FileID); err == nil || h.d.Stats().Unheard != h.d.Stats().Requests-before {
		t.Errorf("%v after %d requests: %+v", err, h.d.Stats().Requests-before, h.d.Stats())
	}
}
