package drivetest

import (
	crand "crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

// A Drive is one look-alike: accounts, files, tokens, counters and faults. It
// serves HTTP; its methods may be called at any time from any goroutine.
type Drive struct {
	opt   Options
	blobs *blobs
	rec   *recorder

	mu       sync.Mutex // guards everything below
	rng      *rand.Rand
	log      *journal // nil in memory
	items    map[string]*item
	gone     map[string]*tombstone
	roots    map[string]*item // by account, shared drive, and appdata client
	drives   []*sharedDrive
	reserved map[string]*reservation
	oldest   []string // reserved ids in the order of their making
	changes  []change
	seq      int64            // of the last change
	created  int              // items ever created
	lists    int              // files.list calls so far
	used     map[string]int64 // bytes by account or shared drive
	inDrive  map[string]int   // items by shared drive
	today    map[string]*dayUse
	auth     authState
	sessions map[string]*session
	sessionQ []string            // ids in the order of their beginning
	sending  map[string]*session // the latest unfinished one by key
	cursors  map[string]*cursor
	cursorQ  []string
	closed   bool
}

// tombstone remembers a deleted file for changes.list and for its id.
type tombstone struct {
	ID     string `json:"id"`
	Seq    int64  `json:"seq"`
	At     int64  `json:"at"`
	Owner  string `json:"owner"`
	Client string `json:"client"`
	Drive  string `json:"drive,omitempty"`
	Space  string `json:"space,omitempty"`
}

// reservation is an id from files.generateIds that no file has taken yet.
type reservation struct {
	User  string `json:"user"`
	Space string `json:"space"`
	Type  string `json:"type"` // files or shortcuts
	Until int64  `json:"until"`
}

type sharedDrive struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Created int64  `json:"created"`
	Hidden  bool   `json:"hidden,omitempty"`
	Request string `json:"request,omitempty"` // requestId that made it
}

// change is an entry of the change log; it is stale when the file has changed since.
type change struct {
	seq int64
	id  string
}

// dayUse counts what one account sent in the last 24 hours.
type dayUse struct {
	since time.Time
	bytes int64
	until time.Time // nothing more is taken before
}

// New makes a Drive. With Options.Dir it opens the state kept there, or begins
// it; a folder is open in one Drive at a time. Errors are those of the folder.
func New(o Options) (*Drive, error) {
	o = o.withDefaults()
	d := &Drive{
		opt: o, items: map[string]*item{}, gone: map[string]*tombstone{}, roots: map[string]*item{},
		reserved: map[string]*reservation{}, used: map[string]int64{}, inDrive: map[string]int{}, today: map[string]*dayUse{},
		sessions: map[string]*session{}, sending: map[string]*session{}, cursors: map[string]*cursor{},
	}
	d.auth.init()
	d.rec = newRecorder(o)
	seed := o.Seed
	if seed == 0 {
		var b [8]byte
		crand.Read(b[:]) // never fails
		seed = binary.LittleEndian.Uint64(b[:])
	}
	d.rng = rand.New(rand.NewPCG(seed, 0x61636264))
	var err error
	if d.blobs, err = openBlobs(o); err != nil {
		return nil, fmt.Errorf("open look-alike: %w", err)
	}
	if o.Dir != "" {
		if err := d.openJournal(); err != nil {
			return nil, fmt.Errorf("open look-alike in %s: %w", o.Dir, err)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.account(o.User)
	if len(d.auth.clients) == 0 {
		d.addClient("acb")
	}
	return d, nil
}

// Close ends the Drive; what it acknowledged is on disk already. Requests
// after it answer 503.
func (d *Drive) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	open := slices.Collect(maps.Values(d.sessions))
	d.mu.Unlock()
	for _, s := range open {
		s.close()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.log == nil {
		return nil
	}
	return d.log.close()
}

// account gives the My Drive root of a user, made on first use.
func (d *Drive) account(user string) *item {
	if r := d.roots[user]; r != nil {
		return r
	}
	r := &item{ID: d.newRootID(), Name: "My Drive", Mime: mimeFolder, Owner: user, Root: true, Version: 1}
	r.Created = d.ms()
	r.Modified = r.Created
	d.roots[user] = r
	d.link(r)
	d.save(r)
	return r
}

// ms is the present in milliseconds since 1970.
func (d *Drive) ms() int64 { return d.opt.Now().UnixMilli() }

// newID makes an id in the form of Drive's: "1" and 32 characters.
func (d *Drive) newID() string {
	for {
		id := "1" + d.random(24)
		if d.items[id] == nil && d.gone[id] == nil && d.reserved[id] == nil {
			return id
		}
	}
}

func (d *Drive) newRootID() string { return "0A" + d.random(11) + "Uk9PVA" }

// random gives n random bytes in URL-safe letters.
func (d *Drive) random(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(d.rng.Uint32())
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// link puts an item into the tree; its parent must be there already, or it is a root.
func (d *Drive) link(it *item) {
	d.items[it.ID] = it
	if it.Parent == "" {
		return
	}
	if it.Drive != "" {
		d.inDrive[it.Drive]++
	}
	it.up = d.items[it.Parent]
	if it.up == nil {
		return
	}
	if it.up.kids == nil {
		it.up.kids = map[string]*item{}
	}
	it.up.kids[it.ID] = it
}

func (d *Drive) unlink(it *item) {
	if it.up != nil {
		delete(it.up.kids, it.ID)
	}
	it.up = nil
}

// touch records a change of it: a higher version, a new place in the change
// log, the journal. steps is by how much the version grows; Drive's grows by
// more than one at times, so a client must not count on the difference.
func (d *Drive) touch(it *item, steps int64) {
	it.Version += steps
	d.seq++
	it.Seq = d.seq
	d.changes = append(d.changes, change{d.seq, it.ID})
	d.trimChanges()
	d.save(it)
}

// trimChanges drops the stale half of the change log, when it is half stale.
func (d *Drive) trimChanges() {
	if len(d.changes) < 1024 || len(d.changes) < 2*(len(d.items)+len(d.gone)) {
		return
	}
	kept := d.changes[:0]
	for _, c := range d.changes {
		if d.live(c) {
			kept = append(kept, c)
		}
	}
	d.changes = kept
}

// live says whether c is the last change of its file.
func (d *Drive) live(c change) bool {
	if it := d.items[c.id]; it != nil {
		return it.Seq == c.seq
	}
	t := d.gone[c.id]
	return t != nil && t.Seq == c.seq
}

// remove deletes an item and all below it for good.
func (d *Drive) remove(top *item) {
	d.unlink(top)
	top.walk(func(it *item) {
		d.used[d.purse(it)] -= it.used()
		for _, r := range it.Revs {
			d.blobs.remove(r.Blob)
		}
		d.seq++
		t := &tombstone{ID: it.ID, Seq: d.seq, At: d.ms(), Owner: it.Owner, Client: it.Client, Drive: it.Drive, Space: it.Space}
		d.gone[it.ID] = t
		d.changes = append(d.changes, change{d.seq, it.ID})
		delete(d.items, it.ID)
		if it.Drive != "" {
			d.inDrive[it.Drive]--
		}
		d.saveGone(t)
	})
	d.trimChanges()
}

// purse names who pays for an item's storage.
func (d *Drive) purse(it *item) string {
	if it.Drive != "" {
		return it.Drive
	}
	return it.Owner
}

var _ http.Handler = (*Drive)(nil)
