package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"google.golang.org/api/drive/v3"
	"google.golang.org/api/option"
)

// Options describes a Drive and how to talk to it.
type Options struct {
	Endpoint string       // root URL, as "https://www.googleapis.com"
	Client   *http.Client // authenticated; its transport should stand on NewTransport
	Folder   string       // name of the top folder
	Host     string       // name of this machine's folder below it
	// Installation names this installation in appProperties; at most 64 bytes.
	Installation    string
	SharedDrive     string  // id of a shared drive; empty means My Drive
	WritesPerSecond float64 // sustained; 0 means only adapt to what Drive refuses
	Transfers       int     // contents sent at a time; 0 means 4
	Line            *Line   // what the Client's transport is limited by; nil means nothing
	UserAgent       string
	Now             func() time.Time // the clock
	// Sleep waits; nil means the system's timers. With a clock of its own, a
	// test's Sleep must move that clock on.
	Sleep func(context.Context, time.Duration) error
	// Random picks a part of a pause, below what it is given; nil means at
	// random, by a seed from the system. It is called from any goroutine.
	Random func(below time.Duration) time.Duration
	Log    *slog.Logger // operations at Info, what was put right at Warn; nil discards
}

// A Drive is the only door to Google Drive. Its methods may be called from any
// goroutine, but only one Apply may run at a time.
type Drive struct {
	opt   Options
	root  *url.URL // ends in a slash
	http  *http.Client
	svc   *drive.Service
	pace  *pacer
	meter meter
	ids   idPool
	small int64         // smallFile; the package's tests lower it
	chunk int64         // firstChunk; likewise
	stall time.Duration // stallLimit; likewise
	fresh bool          // HostFolder has just made the host folder; until the end of the next Apply

	looked time.Time // when the generation was last found to be ours; of the Apply that runs

	accountOnce sync.Mutex
	account     *Account
}

// New checks the options and returns a Drive. No request leaves.
func New(o Options) (*Drive, error) {
	root, err := url.Parse(o.Endpoint)
	switch {
	case err != nil:
		return nil, fmt.Errorf("open Drive: endpoint: %w", err)
	case root.Scheme != "http" && root.Scheme != "https" || root.Host == "":
		return nil, fmt.Errorf("open Drive: endpoint %q is no http or https address", o.Endpoint)
	case o.Client == nil || o.Now == nil:
		return nil, errors.New("open Drive: Client and Now must be set")
	case o.Folder == "" || o.Host == "":
		return nil, errors.New("open Drive: Folder and Host must be set")
	case o.Installation == "" || len(o.Installation) > 64:
		return nil, errors.New("open Drive: Installation must have 1 to 64 bytes")
	case o.WritesPerSecond < 0 || o.Transfers < 0:
		return nil, errors.New("open Drive: WritesPerSecond and Transfers must not be negative")
	}
	if o.Transfers == 0 {
		o.Transfers = 4
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Random == nil {
		o.Random = rand.N[time.Duration]
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.UserAgent == "" {
		o.UserAgent = "acb"
	}
	if !strings.HasSuffix(root.Path, "/") {
		root.Path += "/"
	}
	d := &Drive{opt: o, root: root, small: smallFile, chunk: firstChunk, stall: stallLimit, ids: idPool{asking: newTurn()}}
	next := o.Client.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	client := *o.Client
	client.Transport = &counter{next: next, meter: &d.meter}
	client.Timeout = 0 // a large upload may take days; stalls are watched instead
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	d.http = &client
	d.svc, err = drive.NewService(context.Background(),
		option.WithHTTPClient(d.http), option.WithEndpoint(d.url("drive/v3/", nil)))
	if err != nil {
		return nil, fmt.Errorf("open Drive: %w", err)
	}
	d.svc.UserAgent = d.agent(true)
	d.pace = newPacer(o)
	return d, nil
}

// Transfers returns how many contents go over the line at a time.
func (d *Drive) Transfers() int { return d.opt.Transfers }

// url returns the address of path below the endpoint.
func (d *Drive) url(path string, query url.Values) string {
	u := *d.root
	u.Path += path
	u.RawQuery = query.Encode()
	return u.String()
}

// agent returns the User-Agent. Google compresses answers only for those that
// hold the word gzip; it is not worth it for one small answer.
// Source: Drive API guide, "Improve performance".
func (d *Drive) agent(large bool) string {
	if large {
		return d.opt.UserAgent + " (gzip)"
	}
	return d.opt.UserAgent
}

// shared adds what calls on a shared drive need, else they answer 404.
// Source: Drive API guide, "Implement shared drive support".
func (d *Drive) shared(q url.Values) url.Values {
	if d.opt.SharedDrive != "" {
		q.Set("supportsAllDrives", "true")
	}
	return q
}

// An Account says whose Drive it is and how full.
type Account struct {
	PermissionID string // identifies the user for good; the address may change
	Email        string
	Name         string
	Limit        int64 // bytes; 0 means unlimited
	Usage        int64 // bytes
}

// Account asks whose Drive it is, at most once.
func (d *Drive) Account(ctx context.Context) (Account, error) {
	d.accountOnce.Lock()
	defer d.accountOnce.Unlock()
	if d.account != nil {
		return *d.account, nil
	}
	got, e := d.about(ctx)
	if e != nil {
		return Account{}, e.about("ask whose Drive it is", "", "")
	}
	d.account = accountOf(got)
	return *d.account, nil
}

// accountFields are what Account is made of.
const accountFields = "user(permissionId,emailAddress,displayName),storageQuota"

const aboutPath = "drive/v3/about"

// aboutCall asks the same in a batch.
func aboutCall() *call {
	return &call{method: http.MethodGet, path: aboutPath, query: url.Values{"fields": {accountFields}}}
}

// takeAccount keeps what such a call has answered, so that Account need not ask.
func (d *Drive) takeAccount(c *call) {
	got := new(drive.About)
	if c.path != aboutPath || c.err != nil || json.Unmarshal(c.answer, got) != nil {
		return
	}
	d.accountOnce.Lock()
	defer d.accountOnce.Unlock()
	d.account = accountOf(got)
}

func accountOf(got *drive.About) *Account {
	a := &Account{}
	if got.User != nil {
		a.PermissionID, a.Email, a.Name = got.User.PermissionId, got.User.EmailAddress, got.User.DisplayName
	}
	if got.StorageQuota != nil {
		a.Limit, a.Usage = got.StorageQuota.Limit, got.StorageQuota.Usage
	}
	return a
}

func (d *Drive) about(ctx context.Context) (got *drive.About, e *Error) {
	e = d.read(ctx, func(ctx context.Context) (err error) {
		got, err = d.svc.About.Get().Fields(accountFields).Context(ctx).Do()
		return err
	})
	return got, e
}

// left is how many bytes Drive has room for at this moment; ok is false if it
// does not say. What a shared drive has left, it never says.
func (d *Drive) left(ctx context.Context) (bytes int64, ok bool) {
	if d.opt.SharedDrive != "" {
		return 0, false
	}
	got, e := d.about(ctx)
	if e != nil || got.StorageQuota == nil || got.StorageQuota.Limit == 0 {
		return 0, false
	}
	return max(got.StorageQuota.Limit-got.StorageQuota.Usage, 0), true
}
