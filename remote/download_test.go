package remote_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// uploaded is a house whose big.bin is on Drive.
func uploaded(t *testing.T) (*house, remote.Blob) {
	h := newHouse(t, drivetest.Options{})
	h.settle()
	h.write("big.bin", large)
	h.apply([]*plan.Op{h.upload(manifest.Root, "big.bin")})
	return h, remote.Blob{FileID: h.ack("big.bin").Content.FileID, Size: int64(len(large))}
}

func TestDownload(t *testing.T) {
	h, b := uploaded(t)
	for _, span := range [][2]int64{{0, b.Size}, {0, 1}, {5, 5}, {100, b.Size}, {b.Size - 1, b.Size}, {3, 70_000}} {
		var got bytes.Buffer
		n, err := h.d.Download(t.Context(), b, span[0], span[1], &got)
		if err != nil || n != span[1]-span[0] || got.String() != large[span[0]:span[1]] {
			t.Errorf("%v: %d bytes, %v", span, n, err)
		}
	}
	if st := h.d.Stats(); st.Received != int64(2*len(large)-100+2+70_000-3) {
		t.Errorf("received %d bytes", st.Received)
	}
}

// TestDownloadFaults: whatever happens to any of its requests, a download ends
// with the right bytes, and takes none twice that had arrived.
func TestDownloadFaults(t *testing.T) {
	for _, e := range []drivetest.Effect{
		drivetest.Torn, drivetest.Lost, drivetest.Cut, drivetest.Unavailable, drivetest.RateLimited, drivetest.Unauthorized,
		drivetest.TooMany(time.Second), drivetest.Refuse(403, "cannotDownloadAbusiveFile"),
	} {
		h, b := uploaded(t)
		h.srv.ResetStats()
		h.srv.Inject(drivetest.Nth(drivetest.Download, 0, e))
		var got bytes.Buffer
		if _, err := h.d.Download(t.Context(), b, 0, b.Size, &got); err != nil || got.String() != large {
			t.Errorf("%v: %d bytes, %v", e, got.Len(), err)
		}
		if st := h.srv.Stats(); h.srv.Hits() != 1 || st.Total() != 2 || h.d.Stats().Received != b.Size {
			t.Errorf("%v struck %d times: %v; %d bytes received", e, h.srv.Hits(), st, h.d.Stats().Received)
		}
	}
}

// TestDownloadErrors: what cannot be had says why.
func TestDownloadErrors(t *testing.T) {
	h, b := uploaded(t)
	full := errors.New("the disk is full")
	failing := writer(func([]byte) (int, error) { return 0, full })
	shorter, none, unpinned := b, b, b
	shorter.Size--
	none.FileID += "x"
	h.write("big.bin", large+"!")
	update := again(plan.Update, h.ack("big.bin"))
	update.Stat = h.disk["big.bin"].stat
	unpinned.Revision = update.Old.HeadRevision
	for name, tt := range map[string]struct {
		blob  remote.Blob
		class remote.Class
		text  string
	}{
		"other size":    {shorter, remote.Permanent, "asked for"},
		"no such item":  {none, remote.NotFound, "File not found"},
		"not pinned":    {unpinned, remote.Permanent, "fileNotDownloadable"},
		"no such state": {remote.Blob{FileID: b.FileID, Revision: "none", Size: b.Size}, remote.NotFound, "Revision not found"},
	} {
		var e *remote.Error
		_, err := h.d.Download(t.Context(), tt.blob, 0, tt.blob.Size, new(bytes.Buffer))
		if !errors.As(err, &e) || e.Class != tt.class || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.srv.ResetStats()
	if _, err := h.d.Download(t.Context(), b, 0, b.Size, failing); !errors.Is(err, full) || h.srv.Stats().Total() != 1 {
		t.Errorf("a writer that fails: %v after %d requests", err, h.srv.Stats().Total())
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// TestRevisions: an old content is listed, pinned, fetched and let go.
func TestRevisions(t *testing.T) {
	h, b := uploaded(t)
	before := h.ack("big.bin").Content
	h.write("big.bin", large+"!")
	update := again(plan.Update, h.ack("big.bin"))
	update.Stat = h.disk["big.bin"].stat
	h.apply([]*plan.Op{update})

	list, err := h.d.Revisions(t.Context(), b.FileID)
	if err != nil || len(list) != 2 || list[0].ID != before.HeadRevision || list[0].MD5 != before.MD5 || list[0].Size != b.Size || list[0].Pinned {
		t.Fatalf("Revisions = %+v, %v", list, err)
	}
	old := remote.Blob{FileID: b.FileID, Revision: list[0].ID, Size: b.Size}
	gone := remote.Blob{FileID: b.FileID, Revision: "none"}
	seen, hidden, err := h.d.LookAt(t.Context(), []remote.Blob{old, gone})
	if err != nil || len(hidden) != 0 || len(seen) != 1 || seen[old] != list[0] {
		t.Errorf("LookAt = %+v, %v, %v", seen, hidden, err)
	}
	h.srv.Inject(drivetest.InBatch(drivetest.At(0, drivetest.Refuse(403, "insufficientFilePermissions"))))
	seen, hidden, err = h.d.LookAt(t.Context(), []remote.Blob{gone, old})
	if err != nil || len(hidden) != 1 || hidden[gone] == nil || seen[old] != list[0] {
		t.Errorf("one that is not shown: %+v, %v, %v", seen, hidden, err)
	}
	h.srv.Inject(drivetest.InBatch(drivetest.Always(drivetest.Refuse(403, "domainPolicy"))))
	if seen, _, err := h.d.LookAt(t.Context(), []remote.Blob{old}); err == nil {
		t.Errorf("what is not known is said to be absent: %+v", seen)
	}
	h.srv.Inject(nil)
	failed, err := h.d.Pin(t.Context(), []remote.Blob{old, gone})
	if err != nil || len(failed) != 1 || failed[gone] == nil || !strings.Contains(failed[gone].Error(), "pin revision none") {
		t.Errorf("Pin: %v, %v", failed, err)
	}
	var got bytes.Buffer
	if _, err := h.d.Download(t.Context(), old, 0, old.Size, &got); err != nil || got.String() != large {
		t.Errorf("the old content: %d bytes, %v", got.Len(), err)
	}
	h.srv.Inject(drivetest.InBatch(drivetest.First(1, drivetest.Lost)))
	if failed, err := h.d.Unkeep(t.Context(), []remote.Blob{old}); err != nil || len(failed) > 0 {
		t.Errorf("Unkeep, its first answer lost: %v, %v", failed, err)
	}
	if list, err := h.d.Revisions(t.Context(), b.FileID); err != nil || len(list) != 1 {
		t.Errorf("Revisions = %+v, %v", list, err)
	}
}

// TestList: every item of the installation once, in ⌈n/1000⌉ requests.
func TestList(t *testing.T) {
	for _, unsettled := range []drivetest.Unsettled{{}, {RepeatAcrossPages: true}} {
		h := newHouse(t, drivetest.Options{Unsettled: unsettled})
		h.settle()
		var ops []*plan.Op
		for i := range 1100 {
			ops = append(ops, mkdir(manifest.FolderID(i+2), manifest.Root, manifest.Path(fmt.Sprint("d", i))))
		}
		h.apply(ops)
		if err := h.srv.Trash(string(h.ack("d7").Content.FileID)); err != nil {
			t.Fatal(err)
		}
		if _, err := h.srv.AddFolder(string(h.lay.Host), "somebody else's"); err != nil {
			t.Fatal(err)
		}
		for _, trash := range []bool{false, true} {
			h.srv.ResetStats()
			got := map[string]int{}
			err := h.d.List(t.Context(), "inst-1", trash, func(id manifest.FileID, s remote.State) error {
				got[s.Name]++
				if s.Name == "d8" && (id != h.ack("d8").Content.FileID || s.Parent != h.lay.Host || s.Kind != manifest.Dir) {
					t.Errorf("d8 is %+v", s)
				}
				return nil
			})
			want := 1100 - 1 + 2 // top and host folder
			if trash {
				want++
			}
			if err != nil || len(got) != want || got["d8"] != 1 || got["laptop"] != 1 {
				t.Errorf("%d names of %d, %v", len(got), want, err)
			}
			if n := h.srv.Stats().Total(); n != 2 {
				t.Errorf("%d requests", n)
			}
		}
	}
	h := newHouse(t, drivetest.Options{})
	h.settle()
	h.srv.Inject(drivetest.Always(drivetest.Unavailable))
	if err := h.d.List(t.Context(), "inst-1", false, func(manifest.FileID, remote.State) error { return nil }); err == nil {
		t.Error("a listing that failed is an empty one")
	}
}
