package runlog

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// pin is a part of every secret below: where it shows, something leaked.
const pin = "hUsHhUsH0"

// logged is the one line that a call of the logger writes.
func logged(t *testing.T, call func(*slog.Logger)) string {
	t.Helper()
	var out bytes.Buffer
	call(slog.New(handler(&out, nil)))
	var m map[string]any
	if err := json.Unmarshal(out.Bytes(), &m); err != nil {
		t.Fatalf("%v in %s", err, out.Bytes())
	}
	return out.String()
}

type tokenFile struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Path    string `json:"path"`
	Size    int64
}

type valuer struct{ s string }

func (v valuer) LogValue() slog.Value { return slog.StringValue("Bearer " + v.s) }

func TestSecretsStayOut(t *testing.T) {
	session := "https://www.googleapis.com/upload/drive/v3/files?uploadType=resumable&upload_id=" + pin + "-x&name=a"
	for name, call := range map[string]func(l *slog.Logger){
		"message":               func(l *slog.Logger) { l.Info("sent Authorization: Bearer " + pin) },
		"token":                 func(l *slog.Logger) { l.Info("m", "token", pin) },
		"Access-Token":          func(l *slog.Logger) { l.Info("m", "Access-Token", pin) },
		"refreshToken":          func(l *slog.Logger) { l.Info("m", "refreshToken", []byte(pin)) },
		"Authorization":         func(l *slog.Logger) { l.Info("m", "Authorization", "Basic "+pin) },
		"client_secret":         func(l *slog.Logger) { l.Info("m", "client_secret", pin) },
		"session":               func(l *slog.Logger) { l.Info("m", "session", "https://host/"+pin) },
		"upload_url":            func(l *slog.Logger) { l.Info("m", "upload_url", "https://host/"+pin) },
		"group":                 func(l *slog.Logger) { l.Info("m", slog.Group("token", "value", pin)) },
		"WithGroup":             func(l *slog.Logger) { l.WithGroup("oauth_token").Info("m", "value", pin) },
		"With":                  func(l *slog.Logger) { l.With("error", errors.New("Bearer "+pin)).Info("m") },
		"bearer":                func(l *slog.Logger) { l.Info("m", "header", "authorization: bearer "+pin) },
		"basic":                 func(l *slog.Logger) { l.Info("m", "header", "Authorization: Basic "+pin) },
		"access token":          func(l *slog.Logger) { l.Info("m", "x", "got ya29."+pin+"_-.x today") },
		"access token in path":  func(l *slog.Logger) { l.Info("m", "path", "/tmp/ya29."+pin) },
		"refresh token":         func(l *slog.Logger) { l.Info("m", "x", "1//0g"+pin+"-L9Ir") },
		"refresh token, quoted": func(l *slog.Logger) { l.Info("m", "x", "grant&t=1%2F%2F0g"+pin) },
		"auth code":             func(l *slog.Logger) { l.Info("m", "x", "pasted 4/0AfJohXn"+pin+"abcdefgh") },
		"redirect":              func(l *slog.Logger) { l.Info("m", "x", "GET /?state=s&code="+pin+"&scope=x") },
		"revoke":                func(l *slog.Logger) { l.Info("m", "x", "POST /revoke?token="+pin) },
		"client secret":         func(l *slog.Logger) { l.Info("m", "x", "id GOCSPX-"+pin) },
		"assertion":             func(l *slog.Logger) { l.Info("m", "x", "eyJhbGciOi.eyJpc3Mi."+pin) },
		"key": func(l *slog.Logger) {
			l.Info("m", "x", "-----BEGIN PRIVATE KEY-----\nMII"+pin+"\n-----END PRIVATE KEY-----\n")
		},
		"cut key":          func(l *slog.Logger) { l.Info("m", "x", "-----BEGIN RSA PRIVATE KEY-----\nMII"+pin) },
		"session in error": func(l *slog.Logger) { l.Error("m", "error", fmt.Errorf("put %q: %w", session, errors.New("EOF"))) },
		"url.Error": func(l *slog.Logger) {
			l.Error("m", "error", &url.Error{Op: "Put", URL: session, Err: errors.New("EOF")})
		},
		"quoted session":      func(l *slog.Logger) { l.Info("m", "x", "next=upload_id%3D"+pin) },
		"session as JSON":     func(l *slog.Logger) { l.Info("m", "x", `{"upload_id": "`+pin+`"}`) },
		"*url.URL":            func(l *slog.Logger) { u, _ := url.Parse(session); l.Info("m", "address", u) },
		"uploader header":     func(l *slog.Logger) { l.Info("m", "x", "X-Guploader-Uploadid: "+pin) },
		"token JSON":          func(l *slog.Logger) { l.Info("m", "body", `{"access_token":"`+pin+`","expires_in":3599}`) },
		"token form":          func(l *slog.Logger) { l.Info("m", "body", "client_id=x&client_secret="+pin+"&refresh_token="+pin) },
		"verifier":            func(l *slog.Logger) { l.Info("m", "body", "code_verifier="+pin) },
		"struct":              func(l *slog.Logger) { l.Info("m", "x", tokenFile{Access: pin, Refresh: pin}) },
		"pointer in a map":    func(l *slog.Logger) { l.Info("m", "x", map[string]any{"a": []*tokenFile{{Refresh: pin}}}) },
		"http.Header":         func(l *slog.Logger) { l.Info("m", "x", http.Header{"Authorization": {"Bearer " + pin}}) },
		"printed http.Header": func(l *slog.Logger) { l.Info("m", "x", fmt.Sprint(http.Header{"Authorization": {"Negotiate" + pin}})) },
		"strings":             func(l *slog.Logger) { l.Info("m", "x", []string{"a", "Bearer " + pin}) },
		"LogValuer":           func(l *slog.Logger) { l.Info("m", "x", valuer{pin}) },
		"not for JSON":        func(l *slog.Logger) { l.Info("m", "x", map[string]any{"f": func() {}, "s": "Bearer " + pin}) },
	} {
		line := logged(t, call)
		if strings.Contains(line, pin) {
			t.Errorf("%s: leaked: %s", name, line)
		}
		if !strings.Contains(line, redacted) {
			t.Errorf("%s: nothing says that something was left out: %s", name, line)
		}
	}
}

func TestTheRestStays(t *testing.T) {
	var nobody *url.Error
	for _, c := range []struct {
		value any
		want  string // the JSON of the attribute
	}{
		{"refresh token: invalid_grant", `"refresh token: invalid_grant"`},
		{"move a.txt: 503 Service Unavailable", `"move a.txt: 503 Service Unavailable"`},
		{errors.New("exit code=5"), `"exit code=5"`},
		{int64(1<<62 + 1), `4611686018427387905`},
		{true, `true`},
		{nil, `null`},
		{1500 * time.Microsecond, `0.0015`},
		{[]string{"a\nb", "c"}, `["a\nb","c"]`},
		{struct{ N int64 }{1<<62 + 1}, `{"N":4611686018427387905}`},
		{tokenFile{Path: "/a/The Bearer of Bad News.pdf"}, `"path":"/a/The Bearer of Bad News.pdf"`},
		{path("1/2"), `"1/2"`},
		{hash{1, 255}, `"01ff"`},
		{error(nobody), `"*url.Error without text"`},
	} {
		line := logged(t, func(l *slog.Logger) { l.Info("m", "x", c.value) })
		if !strings.Contains(line, c.want) {
			t.Errorf("%v: %s lacks %s", c.value, line, c.want)
		}
	}
	line := logged(t, func(l *slog.Logger) {
		l.Info("m", "path", "/a/The Bearer of Bad News.pdf", "token_requests", 2, "from", "a/upload_ideas.txt")
	})
	for _, want := range []string{`"path":"/a/The Bearer of Bad News.pdf"`, `"token_requests":2`, `"from":"a/upload_ideas.txt"`} {
		if !strings.Contains(line, want) {
			t.Errorf("%s lacks %s", line, want)
		}
	}
}

type path string

type hash [2]byte

func (h hash) String() string { return hex.EncodeToString(h[:]) }

func TestNamesThatAreNotUTF8(t *testing.T) {
	for in, want := range map[string]string{
		"plain ü.txt":        "plain ü.txt",
		"new\nline\t\"q\"\\": "new\nline\t\"q\"\\",
		"caf\xe9.txt":        "caf‛E9.txt",
		"\xff\xfe":           "‛FF‛FE",
		"caf‛E9.txt":         "caf‛E2‛80‛9BE9.txt", // a look-alike of the one above
		"‛e9 and ‛ alone":    "‛e9 and ‛ alone",
		"‛\xe9":              "‛‛E9",
		"\ufffd":             "\ufffd", // a real one, not a mark of damage
		"half \xe2\x80":      "half ‛E2‛80",
	} {
		for _, v := range []any{in, path(in), []path{path(in)}, []byte(in), errors.New(in)} {
			line := logged(t, func(l *slog.Logger) { l.Info("m", "path", v) })
			var m map[string]any
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatal(err)
			}
			got := m["path"]
			if list, ok := got.([]any); ok {
				got = list[0]
			}
			if got != want {
				t.Errorf("%T %q is logged as %q, want %q", v, in, got, want)
			}
		}
	}
}

// unquote is what Quote's comment says gives a name back.
func unquote(s string) string {
	var out []byte
	for i := 0; i < len(s); i++ {
		if rest, ok := strings.CutPrefix(s[i:], string(mark)); ok && hexPair(rest) {
			var b byte
			fmt.Sscanf(rest[:2], "%02X", &b)
			out = append(out, b)
			i += len(string(mark)) + 1
			continue
		}
		out = append(out, s[i])
	}
	return string(out)
}

func FuzzQuote(f *testing.F) {
	for _, s := range []string{"a", "\xff", "‛FF", "‛‛FF", "‛\xe2\x80\x9bE9", "‛E2‛80‛9BFF"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q := Quote(s)
		if got := unquote(q); got != s {
			t.Fatalf("%q is quoted as %q, which reads as %q", s, q, got)
		}
		data, err := json.Marshal(q)
		var back string
		if err != nil || json.Unmarshal(data, &back) != nil || back != q {
			t.Fatalf("%q does not survive JSON: %s", q, data)
		}
	})
}

func BenchmarkLine(b *testing.B) {
	log := slog.New(handler(discard{}, nil))
	for b.Loop() {
		log.Info("upload", "path", "/home/ana/Documents/2026/invoices/november.pdf", "id", "1AbCdEfGhIjKlMnOpQrStUvWxYz", "bytes", 12345, "seconds", 0.25)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
