package remote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// clock is a clock on which sleeping takes no time.
type clock struct {
	mu    sync.Mutex
	t     time.Time
	slept time.Duration
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(max(d, 0))
	c.slept += max(d, 0)
	return ctx.Err()
}

// house is a disk, a manifest and a Drive, as far as remote knows them.
type house struct {
	t     *testing.T
	srv   *drivetest.Server
	clock *clock
	opt   remote.Options
	d     *remote.Drive
	lay   remote.Layout
	small int64 // see Shrink; 0 leaves the sizes as they are

	mu      sync.Mutex
	disk    map[manifest.Path]*file
	folders map[manifest.FolderID]manifest.FileID
	begun   map[manifest.FileID]*plan.Op
	begins  int
	acks    []remote.Ack
	halves  map[manifest.Path]manifest.Session
	onKeep  func(manifest.Session) error
	failed  map[manifest.Path]error
	undone  []manifest.Path // of those that failed
	still   map[manifest.Path]error
	gens    []int64 // that the manifest knows
	lastGen int64   // that any copy of it has made up
	onDone  func(remote.Ack) error
	keep    remote.Keeping // what Env.Keep says
}

// file is one file on the disk.
type file struct {
	data   []byte
	stat   manifest.Stat
	reads  int
	onRead func(*file) // called after each read
	onEnd  func(*file) // called when the file has been read to its end
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	n, err := bytes.NewReader(f.data).ReadAt(p, off)
	if f.onRead != nil {
		f.onRead(f)
	}
	if n > 0 && off+int64(n) >= int64(len(f.data)) {
		f.reads++
		if f.onEnd != nil {
			f.onEnd(f)
		}
	}
	return n, err
}
func (f *file) Stat() (manifest.Stat, error) { return f.stat, nil }
func (f *file) Close() error                 { return nil }

// newHouse makes a house with an empty disk and no layout yet. change may
// change the options.
func newHouse(t *testing.T, o drivetest.Options, change ...func(*remote.Options)) *house {
	t.Helper()
	clock := newClock()
	if o.Now == nil {
		o.Now = clock.Now
	}
	return houseOf(t, clock, drivetest.Start(o), change...)
}

// houseOf is a house whose Drive there is already.
func houseOf(t *testing.T, c *clock, srv *drivetest.Server, change ...func(*remote.Options)) *house {
	t.Helper()
	h := &house{
		t: t, clock: c, disk: map[manifest.Path]*file{}, folders: map[manifest.FolderID]manifest.FileID{},
		begun: map[manifest.FileID]*plan.Op{}, halves: map[manifest.Path]manifest.Session{},
		failed: map[manifest.Path]error{}, still: map[manifest.Path]error{},
		gens: []int64{1}, lastGen: 1,
	}
	h.srv = srv
	t.Cleanup(func() { h.srv.Close() })
	h.opt = remote.Options{
		Endpoint: h.srv.URL, Client: h.srv.Client(), Folder: "Auto Cloud Backup", Host: "laptop",
		Installation: "inst-1", Transfers: 2, Now: h.clock.Now, Sleep: h.clock.Sleep,
	}
	for _, f := range change {
		f(&h.opt)
	}
	h.restart()
	return h
}

// restart is a new process.
func (h *house) restart() {
	h.t.Helper()
	d, err := remote.New(h.opt)
	if err != nil {
		h.t.Fatal(err)
	}
	h.d = d
	if h.small > 0 {
		d.Shrink(h.small, 256<<10)
	}
}

// settle finds or makes the host folder.
func (h *house) settle() {
	h.t.Helper()
	if err := h.trySettle(); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) trySettle() error {
	lay, err := h.d.HostFolder(h.t.Context(), h.lay, func(l remote.Layout) error { h.lay = l; return nil })
	if err == nil {
		h.lay = lay
		h.folders[manifest.Root] = lay.Host
	}
	return err
}

func (h *house) Folder(id manifest.FolderID) (manifest.FileID, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f, ok := h.folders[id]; ok {
		return f, nil
	}
	return "", fmt.Errorf("folder %d is not known", id)
}

func (h *house) Open(op *plan.Op) (remote.Content, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f, ok := h.disk[op.Path]; ok {
		return f, nil
	}
	return nil, &fs.PathError{Op: "open", Path: string(op.Path), Err: fs.ErrNotExist}
}

func (h *house) Still(op *plan.Op) error { return h.still[op.Path] }

func (h *house) Begin(ops []*plan.Op) error {
	h.begins++
	for _, op := range ops {
		if op.FileID == "" {
			return errors.New("no id")
		}
		h.begun[op.FileID] = op
	}
	return nil
}

func (h *house) KeepSession(op *plan.Op, s manifest.Session) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.halves[op.Path] = s
	if h.onKeep != nil {
		return h.onKeep(s)
	}
	return nil
}

func (h *house) Session(op *plan.Op) manifest.Session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.halves[op.Path]
}

func (h *house) Done(a remote.Ack) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.halves, a.Op.Path)
	h.acks = append(h.acks, a)
	if a.Op.Kind == plan.CreateFolder {
		h.folders[a.Op.Folder] = a.Content.FileID
	}
	if h.onDone != nil {
		return h.onDone(a)
	}
	return nil
}

func (h *house) Failed(op *plan.Op, err error, undone bool) {
	h.failed[op.Path] = err
	if undone {
		h.undone = append(h.undone, op.Path)
	}
}

func (h *house) env() remote.Env {
	return remote.Env{
		Folder: h.Folder, Open: h.Open, Still: h.Still, Journal: h, Gen: remote.Gen{Known: h.gens, Next: h.nextGen},
		Keep: func(*plan.Op) remote.Keeping { return h.keep },
	}
}

// apply carries out stages and fails the test on an error.
func (h *house) apply(stages ...[]*plan.Op) remote.Result {
	h.t.Helper()
	r, err := h.d.Apply(h.t.Context(), stages, h.env())
	if err != nil {
		h.t.Fatal(err)
	}
	h.gens = r.Gens
	return r
}

func (h *house) nextGen() (int64, error) {
	h.lastGen++
	h.gens = append(slices.Clone(h.gens), h.lastGen)
	return h.lastGen, nil
}

// write puts a file on the disk.
func (h *house) write(path manifest.Path, data string) *file {
	f := &file{data: []byte(data), stat: manifest.Stat{
		Kind: manifest.File, Mode: 0o644, Size: int64(len(data)), Inode: 7,
		ModTime: time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC).UnixNano(),
	}}
	h.disk[path] = f
	return f
}

func mkdir(id, parent manifest.FolderID, path manifest.Path) *plan.Op {
	_, name := path.Split()
	return &plan.Op{
		Kind: plan.CreateFolder, Path: path, Name: name, Parent: parent, Folder: id, Sources: []int{0},
		Stat: manifest.Stat{Kind: manifest.Dir, Mode: 0o755, ModTime: 1_700_000_000_000_000_000},
	}
}

// upload makes the operation that sends a file on the disk.
func (h *house) upload(parent manifest.FolderID, path manifest.Path) *plan.Op {
	_, name := path.Split()
	return &plan.Op{Kind: plan.Upload, Path: path, Name: name, Parent: parent, Stat: h.disk[path].stat, Sources: []int{0}}
}

// again makes an operation of kind on the item of an acknowledged one.
func again(kind plan.OpKind, a remote.Ack) *plan.Op {
	op := *a.Op
	op.Kind, op.FileID, op.Old, op.OldParent = kind, a.Content.FileID, &a.Content, op.Parent
	return &op
}

func (h *house) ack(path manifest.Path) remote.Ack {
	h.t.Helper()
	for _, a := range slices.Backward(h.acks) {
		if a.Op.Path == path {
			return a
		}
	}
	h.t.Fatalf("no acknowledgement of %s", path)
	return remote.Ack{}
}

// tree returns what is below the host folder, path by path.
func (h *house) tree() map[string]drivetest.Node { return h.srv.Tree(string(h.lay.Host)) }

// check compares Drive with the disk: the same files with the same content,
// and nothing twice.
func (h *house) check() {
	h.t.Helper()
	got := map[string]bool{}
	for path, n := range h.tree() {
		if n.Kind == "folder" {
			if strings.Contains(path, "#") {
				h.t.Errorf("folder twice: %s", path)
			}
			continue
		}
		got[path] = true
		f := h.disk[manifest.Path(path)]
		if f == nil {
			h.t.Errorf("on Drive, not on disk: %s", path)
			continue
		}
		if n.MD5 != md5of(f.data) {
			h.t.Errorf("%s: other content on Drive", path)
		}
		if !n.ModTime.Equal(f.stat.ModifiedAt().Truncate(time.Millisecond)) {
			h.t.Errorf("%s: modified %s on Drive, %s on disk", path, n.ModTime, f.stat.ModifiedAt())
		}
	}
	for path := range h.disk {
		if !got[string(path)] {
			h.t.Errorf("not on Drive: %s", path)
		}
	}
}
