package backup_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/autocloudbackup/acb/remote/auth"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// inBubble runs f in a bubble of testing/synctest, where waiting takes no
// time: pauses between tries, requests that nobody answers, tokens that end.
// Its clock begins at the present, for the disk has the time stamps of the
// system's.
func inBubble(t *testing.T, f func(t *testing.T, clock func() time.Time)) {
	t.Helper()
	present := time.Now().Add(time.Minute) // whatever is written meanwhile is not from the future
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		f(t, func() time.Time { return present.Add(time.Since(began)) })
	})
}

// An outside tells the time and waits outside of a bubble, where the disk is.
type outside struct {
	mu   sync.Mutex
	ask  chan time.Duration
	time chan time.Time
}

// newOutside is called outside of the bubble.
func newOutside(t *testing.T) *outside {
	o := &outside{ask: make(chan time.Duration), time: make(chan time.Time)}
	go func() {
		for d := range o.ask {
			time.Sleep(d)
			o.time <- time.Now()
		}
	}()
	t.Cleanup(func() { close(o.ask) })
	return o
}

// after returns the time outside when d has passed there.
func (o *outside) after(d time.Duration) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ask <- d
	return <-o.time
}

// fakeWorld makes a world for a bubble with the given clock: its Drive is
// behind pipes, its disk is in memory where that can be, for there are
// thousands of them, and each run signs in with the token file, as a process
// does.
func fakeWorld(t *testing.T, clock func() time.Time, o drivetest.Options, names ...string) *world {
	t.Helper()
	o.NoSHA, o.Now = true, clock
	w := emptyWorld(t, drivetest.Pipe(o), realDir(t, fastDir(t)), names)
	w.fake = func() time.Time { return clock().Add(time.Duration(w.jumped.Load())) }
	w.now = func() time.Time { return w.fake().Add(time.Hour) }
	dir := filepath.Dir(w.manifest)
	token, credentials := filepath.Join(dir, "token.json"), filepath.Join(dir, "credentials.json")
	text, err := json.Marshal(w.srv.Token(drivetest.Ask{}))
	w.must(err)
	w.must(os.WriteFile(token, text, 0o600))
	w.must(os.WriteFile(credentials, w.srv.Credentials(w.srv.URL, ""), 0o600))
	w.signIn = func() (*http.Client, func() int64) {
		creds, err := auth.LoadCredentials(credentials)
		w.must(err)
		client, source, err := auth.Client(creds, token, auth.Options{Base: &http.Client{Transport: w.srv.Transport()}, Now: w.fake})
		w.must(err)
		return client, source.TokenRequests
	}
	return w
}
