package auth

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestTokenFileModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	w := newWorld(t)
	w.sign(t)
	for mode, good := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o620: false, 0o666: false} {
		if err := os.Chmod(w.file, mode); err != nil {
			t.Fatal(err)
		}
		_, err := loadRecord(w.file)
		if (err == nil) != good {
			t.Errorf("mode %o: %v", mode, err)
		}
		if !good && !strings.Contains(err.Error(), "run: chmod 600 "+w.file) {
			t.Errorf("mode %o: no way out in %v", mode, err)
		}
		if st := ReadStatus(w.creds, w.file, w.clock.now()); st.SignedIn != good || (st.Problem == nil) != good {
			t.Errorf("mode %o: status %+v", mode, st)
		}
	}
	// What replaces a file that others could read is not readable by them.
	w.put(t, record{RefreshToken: "r"})
	wantMode(t, w.file)
}

func TestTokenFileOwner(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	w := newWorld(t)
	w.sign(t)
	if err := os.Chown(w.file, 12345, -1); err != nil {
		t.Fatal(err)
	}
	if _, err := loadRecord(w.file); err == nil || !strings.Contains(err.Error(), "belongs to user id 12345, and acb runs as 0") {
		t.Errorf("got %v", err)
	}
}

func TestTokenFileDamaged(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token.json")
	for body, want := range map[string]string{
		"":                                  "damaged: not JSON, at byte 0",
		`{"access_token":"hidden","refresh`: "damaged: not JSON",
		`{"access_token":"hidden"}`:         "holds no refresh token",
		`{"refresh_token":17}`:              "refresh_token has the wrong type",
		`{"refresh_token":"r","expiry":"hidden"}`: "damaged: not the JSON that was expected",
	} {
		write(t, file, []byte(body), 0o600)
		_, err := loadRecord(file)
		wantDead(t, err, want, "acb auth")
		noSecrets(t, err, "hidden")
	}
	if _, err := loadRecord(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("folder: %v", err)
	}
}

func TestTokenFileBehindLink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "real.json"), filepath.Join(dir, "token.json")
	write(t, target, []byte("{}"), 0o600)
	if err := os.Symlink(target, link); err != nil {
		t.Skip(err)
	}
	if err := saveRecord(link, record{RefreshToken: "r"}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v", err)
	}
	if r, err := loadRecord(target); err != nil || r.RefreshToken != "r" {
		t.Errorf("behind the link: %v", err)
	}
}

func TestReadStatus(t *testing.T) {
	w := newWorld(t)
	st := ReadStatus(w.creds, w.file, w.clock.now())
	if st.SignedIn || st.Problem == nil || st.Age != 0 {
		t.Errorf("nothing there: %+v", st)
	}
	r := w.sign(t)
	w.clock.pass(3 * time.Hour)
	st = ReadStatus(w.creds, w.file, w.clock.now())
	if !st.SignedIn || st.Kind != Desktop || st.Age != 3*time.Hour || !st.Expiry.Equal(r.Expiry) || st.Scope != Scope || st.File != w.file {
		t.Errorf("signed in: %+v", st)
	}
	if strings.Contains(st.Client, "googleusercontent") || st.Client == "" {
		t.Errorf("client %q", st.Client)
	}
	noSecrets(t, st, r.RefreshToken, r.AccessToken)
	if n := w.Stats().TokenRequests() + w.Stats().Total(); n != 0 {
		t.Errorf("%d requests", n)
	}
}
