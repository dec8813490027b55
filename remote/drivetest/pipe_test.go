package drivetest_test

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// A Drive behind pipes answers as one on a port does, and a request that it
// lets hang waits on the clock of the bubble.
func TestPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := drivetest.Pipe()
		defer d.Close()
		client := d.Client()
		client.Timeout = 10 * time.Minute
		get := func() (int, error) {
			resp, err := client.Get(d.URL + "/drive/v3/about?fields=user")
			if err != nil {
				return 0, err
			}
			defer resp.Body.Close()
			_, err = io.Copy(io.Discard, resp.Body)
			return resp.StatusCode, err
		}
		if code, err := get(); code != http.StatusOK || err != nil {
			t.Fatal(code, err)
		}
		began := time.Now()
		d.Inject(drivetest.At(0, drivetest.Hang))
		if code, err := get(); err == nil || time.Since(began) != client.Timeout {
			t.Errorf("%d, %v after %v", code, err, time.Since(began))
		}
		d.Inject(drivetest.At(0, drivetest.Lost))
		if code, err := get(); err == nil {
			t.Errorf("an answer that was lost: %d", code)
		}
		if code, err := get(); code != http.StatusOK || err != nil {
			t.Error(code, err)
		}
		if n := d.Stats().Conns; n < 2 {
			t.Errorf("%d connections", n)
		}
	})
}
