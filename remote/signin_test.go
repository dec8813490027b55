package remote_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/auth"
	"github.com/autocloudbackup/acb/remote/drivetest"
)

// newSigned is newAccount with a client that renews its sign-in, as the real
// one does. Its access token is some minutes old.
func newSigned(t *testing.T) (*house, *auth.Source) {
	t.Helper()
	h := newAccount(t, 1, 0, 4, drivetest.Throttle{})
	dir := t.TempDir()
	file, token := filepath.Join(dir, "credentials.json"), filepath.Join(dir, "token.json")
	signed, err := json.Marshal(h.srv.Token(drivetest.Ask{}))
	err = errors.Join(err, os.WriteFile(file, h.srv.Credentials(h.srv.URL, ""), 0o600), os.WriteFile(token, signed, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	creds, err := auth.LoadCredentials(file)
	if err != nil {
		t.Fatal(err)
	}
	var source *auth.Source
	h.opt.Client, source, err = auth.Client(creds, token, auth.Options{Base: &http.Client{Transport: h.srv.Transport()}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	h.small = smallest
	h.restart()
	time.Sleep(10 * time.Minute)
	return h, source
}

// works is what the tests of sign-ins have Drive do: folders and a batch,
// contents in one request and in sessions.
func (h *house) works() [][]*plan.Op {
	stages := [][]*plan.Op{{mkdir(7, manifest.Root, "d")}, h.uploads(12, 100)}
	h.write("large", large)
	return append(stages, []*plan.Op{h.upload(manifest.Root, "large")})
}

// refusals are the places where Drive answers 401 whatever the token.
var refusals = map[string]drivetest.Fault{
	"everything": drivetest.Only(drivetest.Always(drivetest.Unauthorized), append(sends, drivetest.Batch, drivetest.About, drivetest.GenerateIDs)...),
	"batches":    drivetest.Only(drivetest.Always(drivetest.Unauthorized), drivetest.Batch),
	"parts":      drivetest.Several(drivetest.InBatch(drivetest.Always(drivetest.Unauthorized)), drivetest.Only(drivetest.Always(drivetest.Unauthorized), drivetest.About)),
	"parts only": drivetest.InBatch(drivetest.Always(drivetest.Unauthorized)),
	"contents":   drivetest.Only(drivetest.Always(drivetest.Unauthorized), sends...),
	"small":      drivetest.Only(drivetest.Always(drivetest.Unauthorized), drivetest.UploadMulti),
	"chunks":     drivetest.Only(drivetest.Always(drivetest.Unauthorized), drivetest.UploadChunk, drivetest.UploadQuery),
}

var sends = []drivetest.Kind{drivetest.UploadMulti, drivetest.UploadStart, drivetest.UploadChunk, drivetest.UploadQuery}

// Drive refuses for a moment also the token that it has just given: the run
// waits, renews no more than it has to, and goes on.
func TestFreshTokenRefusedForAMoment(t *testing.T) {
	for name, fault := range refusals {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, source := newSigned(t)
				h.srv.Inject(fault)
				time.AfterFunc(25*time.Second, func() { h.srv.Inject(nil) })
				took := h.took(h.works()...)
				if took < 20*time.Second || took > 45*time.Second {
					t.Errorf("it took %s", took)
				}
				h.check()
				h.modest(source)
			})
		})
	}
}

// It refuses whatever it gives: after a minute the run ends, and says what to do.
func TestFreshTokenRefusedForGood(t *testing.T) {
	for name, fault := range refusals {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, source := newSigned(t)
				h.srv.Inject(fault)
				began := time.Now()
				_, err := h.d.Apply(t.Context(), h.works(), h.env())
				var e *remote.Error
				if !errors.As(err, &e) || e.Class != remote.Auth || !strings.Contains(err.Error(), "acb auth") {
					t.Fatalf("not a dead sign-in: %v", err)
				}
				if took := time.Since(began); took > 100*time.Second || took < 20*time.Second {
					t.Errorf("it took %s", took)
				}
				h.modest(source)
			})
		})
	}
}

// A sign-in that is over is not waited for.
func TestRevokedInARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, source := newSigned(t)
		h.srv.RevokeTokens()
		began := time.Now()
		_, err := h.d.Apply(t.Context(), h.works(), h.env())
		if err == nil || !strings.Contains(err.Error(), "Google has ended it") {
			t.Errorf("%v", err)
		}
		if took, n := time.Since(began), source.TokenRequests(); took > time.Second || n != 1 {
			t.Errorf("it took %s and %d renewals", took, n)
		}
	})
}

// modest demands that a minute of refusals was no storm: not more than 4
// transfers and a batch would send that wait between their tries, and a renewal
// now and then.
func (h *house) modest(source *auth.Source) {
	h.t.Helper()
	refused := 0
	for _, r := range h.srv.Log() {
		if r.Status == http.StatusUnauthorized {
			refused++
		}
	}
	renewed := source.TokenRequests()
	if refused > 5*8 || renewed > 4 {
		h.t.Errorf("%d requests were refused, with %d renewals", refused, renewed)
	}
}
