package runlog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// redacted stands where a secret was.
const redacted = "[redacted]"

// handler writes JSON lines in which no secret and no broken string is left.
func handler(w io.Writer, level slog.Leveler) slog.Handler {
	return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: clean})
}

// clean is called by slog for every attribute, the message included.
func clean(groups []string, a slog.Attr) slog.Attr {
	v := a.Value
	if secretKey(a.Key) || slices.ContainsFunc(groups, secretKey) {
		// Numbers and flags under such a name are counts: token_requests.
		if k := v.Kind(); k == slog.KindString || k == slog.KindAny {
			return slog.String(a.Key, redacted)
		}
	}
	switch v.Kind() {
	case slog.KindString:
		return slog.String(a.Key, scrub(a.Key, v.String()))
	case slog.KindDuration:
		return slog.Float64(a.Key, v.Duration().Seconds())
	case slog.KindAny:
		if _, ok := v.Any().(slog.Level); ok {
			return a
		}
		return slog.Any(a.Key, cleanAny(a.Key, v.Any()))
	}
	return a
}

// cleanAny is what JSON would make of v, cleaned. What has a text of its own is
// that text, and bytes are taken for text.
func cleanAny(key string, v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case error:
		return scrub(key, textOf(v, v.Error))
	case fmt.Stringer: // hashes, addresses, kinds: as people read them
		return scrub(key, textOf(v, v.String))
	case []byte:
		return scrub(key, string(v))
	}
	// Strings by another name, such as paths, and lists of them: marshalling
	// would put U+FFFD for each byte that is not UTF-8.
	switch rv := reflect.ValueOf(v); {
	case rv.Kind() == reflect.String:
		return scrub(key, rv.String())
	case rv.Kind() == reflect.Slice && rv.Type().Elem().Kind() == reflect.String:
		out := make([]string, rv.Len())
		for i := range out {
			out[i] = scrub(key, rv.Index(i).String())
		}
		return out
	}
	data, err := json.Marshal(v)
	if err != nil {
		return scrub(key, fmt.Sprintf("%+v", v))
	}
	var tree any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // a file's size must not become a float
	if err := d.Decode(&tree); err != nil {
		return redacted // a MarshalJSON that writes nonsense: print none of it
	}
	return cleanTree(key, tree)
}

// cleanTree cleans decoded JSON; key is the name of what holds v.
func cleanTree(key string, v any) any {
	switch v := v.(type) {
	case string:
		return scrub(key, v)
	case []any:
		for i := range v {
			v[i] = cleanTree(key, v[i])
		}
	case map[string]any:
		for k, inner := range v {
			if _, number := inner.(json.Number); !number && secretName(k) {
				v[k] = redacted
				continue
			}
			v[k] = cleanTree(k, inner)
		}
	}
	return v
}

// textOf calls text, a method of v. A nil pointer inside v is a mistake that
// must not end a backup because it was logged.
func textOf(v any, text func() string) (s string) {
	defer func() {
		if r := recover(); r != nil {
			s = fmt.Sprintf("%T without text", v)
		}
	}()
	return text()
}

// secretWords make a name that of a secret, wherever they stand in it.
var secretWords = []string{"token", "secret", "authorization", "password", "passphrase", "cookie", "apikey", "privatekey",
	"assertion", "codeverifier", "authcode", "devicecode", "uploadid", "uploadurl", "sessionurl", "sessionuri"}

func secretName(key string) bool {
	key = strings.ToLower(key)
	if strings.ContainsAny(key, "-_ .") {
		key = strings.NewReplacer("-", "", "_", "", " ", "", ".", "").Replace(key)
	}
	if key == "session" {
		return true // the address of an upload session, which is as good as a token
	}
	return containsAny(key, secretWords)
}

// secretKeys remembers what secretName says of the keys of attributes, which
// are constants in the code, so that there are few.
var secretKeys sync.Map

func secretKey(key string) bool {
	if known, ok := secretKeys.Load(key); ok {
		return known.(bool)
	}
	is := secretName(key)
	secretKeys.Store(key, is)
	return is
}

// pathNames are the attributes that hold paths, which are cleaned of tokens
// alone: "The Bearer of Bad News.pdf" is a name.
var pathNames = map[string]bool{"path": true, "from": true, "to": true, "target": true, "source": true, "dir": true, "file": true, "name": true}

// A shape is a form that secrets take inside longer texts.
type shape struct {
	hints  []string // one is in the lower case text, or the form cannot match: most texts need no costly look
	form   *regexp.Regexp
	with   string
	inPath bool // a token by its own form, wherever it is found
}

// The first group, where there is one, is kept. Sources: the tokens that
// Google's OAuth endpoints give out, the parameters of RFC 6749, 7636 and
// 8628, and the upload session's address and header of Drive's resumable
// uploads.
var shapes = []shape{
	{[]string{"ya29."}, regexp.MustCompile(`ya29\.[0-9A-Za-z._~+/=-]+`), redacted, true},
	{[]string{"1//"}, regexp.MustCompile(`\b1//[0-9A-Za-z_-]{10,}`), redacted, true},
	{[]string{"1%2f%2f"}, regexp.MustCompile(`(?i)\b1%2f%2f[0-9A-Z_-]{10,}`), redacted, true},
	{[]string{"4/0"}, regexp.MustCompile(`\b4/0[0-9A-Za-z_-]{20,}`), redacted, true},
	{[]string{"gocspx-"}, regexp.MustCompile(`GOCSPX-[0-9A-Za-z_-]+`), redacted, true},
	{[]string{"eyj"}, regexp.MustCompile(`eyJ[0-9A-Za-z_-]{5,}\.eyJ[0-9A-Za-z_-]{5,}\.[0-9A-Za-z_-]*`), redacted, true},
	{[]string{"private key-----"}, regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\z)`), redacted, true},
	{[]string{"upload_id"}, regexp.MustCompile(`(?i)(upload_id["']?\s*(?:=|:|%3d)\s*["']?)[^\s"'&;,)]+`), "${1}" + redacted, true},
	{[]string{"bearer"}, regexp.MustCompile(`(?i)\b(bearer\s+)[^\s"',;]+`), "${1}" + redacted, false},
	{[]string{"authorization"}, regexp.MustCompile(`(?i)(authorization["']?\s*[=:]\s*["'\[]*(?:bearer\s+|basic\s+)?)[^\s"',;\]]+`), "${1}" + redacted, false},
	{[]string{"uploadid"}, regexp.MustCompile(`(?i)(x-guploader-uploadid["']?\s*[=:]\s*["'\[]*)[^\s"',;\]]+`), "${1}" + redacted, false},
	{[]string{"_token", "_secret", "_verifier", "device_code", "private_key", "assertion"}, regexp.MustCompile(`(?i)((?:access_token|refresh_token|id_token|oauth_token|client_secret|code_verifier|device_code|private_key|assertion)["']?\s*[=:]\s*["'\[]*)[^\s"'&;,}\]]+`), "${1}" + redacted, false},
	{[]string{"code="}, regexp.MustCompile(`(?i)([?&]code=)[^\s"'&]+`), "${1}" + redacted, false},
	{[]string{"token="}, regexp.MustCompile(`(?i)([?&]token=)[^\s"'&]+`), "${1}" + redacted, false},
}

// scrub takes secrets out of s, the text of the attribute key, and makes it
// valid UTF-8.
func scrub(key, s string) string {
	low := strings.ToLower(s)
	for i := range shapes {
		sh := &shapes[i]
		if !sh.inPath && pathNames[key] || !containsAny(low, sh.hints) {
			continue
		}
		s = sh.form.ReplaceAllString(s, sh.with)
	}
	return Quote(s)
}

func containsAny(s string, parts []string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}
