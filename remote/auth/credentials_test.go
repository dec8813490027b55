package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

const goodClient = `{"installed":{"client_id":"1-a.apps.googleusercontent.com","client_secret":"GOCSPX-hidden","project_id":"p",
"auth_uri":"https://accounts.google.com/o/oauth2/auth","token_uri":"https://oauth2.googleapis.com/token","redirect_uris":["http://localhost"]}}`

func TestLoadCredentials(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials.json")
	write(t, file, []byte(goodClient), 0o644) // as browsers save it; it is no key
	c, err := LoadCredentials(file)
	if err != nil {
		t.Fatal(err)
	}
	if c.Kind != Desktop || c.File != file || c.ClientID != "1-a.apps.googleusercontent.com" || c.secret != "GOCSPX-hidden" {
		t.Errorf("got %v", c)
	}
	noSecrets(t, c, "GOCSPX-hidden")
	noSecrets(t, *c, "GOCSPX-hidden")
	noSecrets(t, struct{ C Credentials }{*c}, "GOCSPX-hidden")
}

func TestLoadCredentialsRefuses(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	ecPEM := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	account := func(key, tokenURI string) string {
		b, err := json.Marshal(map[string]string{"type": "service_account", "client_email": "a@b", "private_key": key, "token_uri": tokenURI})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	swap := func(old, new string) string {
		if !strings.Contains(goodClient, old) {
			t.Fatalf("no %q to swap", old)
		}
		return strings.Replace(goodClient, old, new, 1)
	}
	cases := []struct{ name, body, want string }{
		{"empty", "", "not JSON, at byte 0; download one at"},
		{"cut", goodClient[:60], "not JSON, at byte 60"},
		{"two", goodClient + goodClient, "not JSON"},
		{"list", "[]", "not the JSON that was expected"},
		{"number", swap(`"1-a.apps.googleusercontent.com"`, "17"), "installed.client_id has the wrong type"},
		{"nothing", "{}", "neither an OAuth client"},
		{"web", `{"web":{"client_id":"x","client_secret":"hidden"}}`, "type \"Web application\""},
		{"both", `{"installed":{},"type":"service_account"}`, "more than one set"},
		{"user", `{"type":"authorized_user","refresh_token":"hidden"}`, `has type "authorized_user"`},
		{"token", `{"access_token":"hidden","refresh_token":"hidden"}`, "is a token file"},
		{"no id", swap("client_id", "id"), "lacks client_id"},
		{"no secret", swap("client_secret", "secret"), "lacks client_secret"},
		{"no auth", swap("auth_uri", "auth"), "lacks auth_uri"},
		{"no token uri", swap("token_uri", "token"), "lacks token_uri"},
		{"plain token", swap("https://oauth2", "http://oauth2"), "token_uri is not https"},
		{"plain auth", swap("https://accounts", "http://accounts"), "auth_uri is not https"},
		{"like loopback", swap("https://oauth2.googleapis.com", "http://127.0.0.1.example"), "token_uri is not https"},
		{"file", swap("https://oauth2.googleapis.com/token", "file:///etc/passwd"), "token_uri is not the address"},
		{"password", swap("https://oauth2", "https://me:hidden@oauth2"), "token_uri is not the address"},
		{"account without key", account("", "https://x/token"), "lacks private_key"},
		{"broken key", account("-----BEGIN PRIVATE KEY-----\nhidden\n-----END PRIVATE KEY-----\n", "https://x/token"), "not an RSA key in PEM form"},
		{"EC key", account(ecPEM, "https://x/token"), "not an RSA key in PEM form"},
		{"bare key", account("hidden", "https://x/token"), "not an RSA key in PEM form"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "c.json")
			write(t, file, []byte(c.body), 0o600)
			_, err := LoadCredentials(file)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), file) {
				t.Fatalf("got %v, want %q and the file", err, c.want)
			}
			noSecrets(t, err, "hidden", ecPEM)
		})
	}
	_, err = LoadCredentials(filepath.Join(t.TempDir(), "none.json"))
	if err == nil || !strings.Contains(err.Error(), "no file ") || !strings.Contains(err.Error(), "console.cloud.google.com") {
		t.Errorf("missing file: %v", err)
	}
	if _, err := LoadCredentials(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("folder: %v", err)
	}
}

func TestCredentialsOnLoopback(t *testing.T) {
	for _, host := range []string{"http://127.0.0.1:9", "http://localhost:9", "http://[::1]:9", "https://drive.example"} {
		if err := checkURL("token_uri", host+"/token"); err != nil {
			t.Error(err)
		}
	}
}

func TestKeyFileMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	w := newWorld(t)
	b, err := w.ServiceAccount(w.URL, "robot")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key file.json")
	write(t, file, b, 0o640)
	if _, err := LoadCredentials(file); err == nil || !strings.Contains(err.Error(), "(mode 0640); run: chmod 600 '"+file+"'") {
		t.Errorf("got %v", err)
	}
	if err := os.Chmod(file, 0o400); err != nil {
		t.Fatal(err)
	}
	c, err := LoadCredentials(file)
	if err != nil {
		t.Fatal(err)
	}
	noSecrets(t, c, c.key)
}

// FuzzParseCredentials: whatever a file holds, it is either whole and usable,
// or refused.
func FuzzParseCredentials(f *testing.F) {
	f.Add([]byte(goodClient))
	f.Add([]byte(`{"type":"service_account","private_key":"x","client_email":"e","token_uri":"https://h/"}`))
	f.Add([]byte(`{"web":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseCredentials(b)
		if err != nil {
			return
		}
		if checkURL("token_uri", c.tokenURL) != nil || c.Kind == Desktop && (c.ClientID == "" || c.secret == "" || checkURL("auth_uri", c.authURL) != nil) ||
			c.Kind == ServiceAccount && (c.Email == "" || !isRSAKey(c.key)) {
			t.Errorf("accepted %q", b)
		}
	})
}
