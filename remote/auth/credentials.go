package auth

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jwt"
)

// Kind says what a credentials file is.
type Kind uint8

// The kinds.
const (
	Desktop        Kind = iota // an OAuth client of type "Desktop app"; a person signs in
	ServiceAccount             // a key that signs in by itself
)

// String returns the kind as the console calls it.
func (k Kind) String() string {
	if k == ServiceAccount {
		return "service account"
	}
	return "desktop client"
}

// Credentials are who acb is for Google: the content of a credentials file.
type Credentials struct {
	Kind     Kind
	File     string // where they were read
	ClientID string // of a desktop client
	Email    string // of a service account

	secret   string // of a desktop client
	key      string // PEM of a service account
	keyID    string
	authURL  string
	tokenURL string
}

// Format keeps secret and key out of whatever prints Credentials.
func (c Credentials) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "%s %s", c.Kind, c.name())
}

// name is what the console lists these credentials under, shortened.
func (c Credentials) name() string {
	if c.Kind == ServiceAccount {
		return c.Email
	}
	return short(c.ClientID)
}

// short is a client id as a person compares it: without the part all have.
func short(clientID string) string {
	s := strings.TrimSuffix(clientID, ".apps.googleusercontent.com")
	if len(s) > 20 {
		s = s[:20] + "…"
	}
	return s
}

// where leads a person to a file that acb can use.
const where = "download one at https://console.cloud.google.com/auth/clients: Create client, type \"Desktop app\", Download JSON"

// credentialsJSON is Google's file: one member names the type of an OAuth
// client, a service account has its fields on top.
// Source: files downloaded from the Google Cloud console.
type credentialsJSON struct {
	Installed *clientJSON `json:"installed"`
	Web       *clientJSON `json:"web"`

	Type         string `json:"type"`
	ClientEmail  string `json:"client_email"`
	PrivateKey   string `json:"private_key"`
	PrivateKeyID string `json:"private_key_id"`
	TokenURI     string `json:"token_uri"`

	AccessToken  json.RawMessage `json:"access_token"`  // only seen in token files
	RefreshToken json.RawMessage `json:"refresh_token"` // likewise
}

type clientJSON struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	AuthURI      string `json:"auth_uri"`
	TokenURI     string `json:"token_uri"`
}

// A CredentialsError is a credentials file that acb cannot work with.
type CredentialsError struct{ Err error }

// Error names the file and what is wrong with it.
func (e *CredentialsError) Error() string { return "read credentials: " + e.Err.Error() }

// Unwrap returns what is wrong.
func (e *CredentialsError) Unwrap() error { return e.Err }

// LoadCredentials reads a credentials file. Its errors, each a
// [*CredentialsError], name the file, what is wrong with it and where a right
// one comes from. A service account key that others can read is refused: it is
// all that is needed to be that account.
func LoadCredentials(file string) (*Credentials, error) {
	c, err := readCredentials(file)
	if err != nil {
		return nil, &CredentialsError{err}
	}
	return c, nil
}

func readCredentials(file string) (*Credentials, error) {
	b, private, err := readSmall(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("no file %s; %s", file, where)
	case err != nil:
		return nil, err
	}
	c, err := parseCredentials(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if c.Kind == ServiceAccount && private != nil {
		return nil, private
	}
	c.File = file
	return c, nil
}

func parseCredentials(b []byte) (*Credentials, error) {
	var j credentialsJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return nil, fmt.Errorf("%s; %s", jsonCause(err), where)
	}
	switch {
	case j.Installed != nil && (j.Web != nil || j.Type != ""):
		return nil, errors.New("holds more than one set of credentials; keep one file for each")
	case j.Installed != nil:
		return desktop(j.Installed)
	case j.Web != nil:
		return nil, errors.New("is a client of type \"Web application\", which may only send the browser back to addresses registered " +
			"beforehand, and acb listens on a free port of this machine; " + where)
	case j.Type == "service_account":
		return serviceAccount(&j)
	case j.AccessToken != nil || j.RefreshToken != nil && j.Type == "":
		return nil, errors.New("is a token file, not a credentials file (credentials and token are swapped in the config?); " + where)
	case j.Type != "":
		return nil, fmt.Errorf("has type %s, and acb takes a desktop client or a service_account; %s", quote(j.Type), where)
	}
	return nil, errors.New("is neither an OAuth client (\"installed\") nor a service account key; " + where)
}

func desktop(j *clientJSON) (*Credentials, error) {
	c := &Credentials{Kind: Desktop, ClientID: j.ClientID, secret: j.ClientSecret, authURL: j.AuthURI, tokenURL: j.TokenURI}
	for _, f := range []struct{ name, value string }{
		{"client_id", c.ClientID}, {"client_secret", c.secret}, {"auth_uri", c.authURL}, {"token_uri", c.tokenURL},
	} {
		if f.value == "" {
			return nil, fmt.Errorf("\"installed\" lacks %s; download the file again: %s", f.name, where)
		}
	}
	if err := checkURL("auth_uri", c.authURL); err != nil {
		return nil, err
	}
	return c, checkURL("token_uri", c.tokenURL)
}

func serviceAccount(j *credentialsJSON) (*Credentials, error) {
	const again = "make a new key at https://console.cloud.google.com/iam-admin/serviceaccounts: Keys, Add key, JSON"
	c := &Credentials{Kind: ServiceAccount, Email: j.ClientEmail, key: j.PrivateKey, keyID: j.PrivateKeyID, tokenURL: j.TokenURI}
	for _, f := range []struct{ name, value string }{
		{"client_email", c.Email}, {"private_key", c.key}, {"token_uri", c.tokenURL},
	} {
		if f.value == "" {
			return nil, fmt.Errorf("the service account key lacks %s; %s", f.name, again)
		}
	}
	if !isRSAKey(c.key) {
		return nil, errors.New("private_key is not an RSA key in PEM form; " + again)
	}
	return c, checkURL("token_uri", c.tokenURL)
}

// isRSAKey looks at a key at once, so that a broken one is met here and not in
// the middle of a run, where the library's error would quote what it met.
func isRSAKey(s string) bool {
	block, _ := pem.Decode([]byte(s))
	if block == nil {
		return false
	}
	if k, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		_, ok := k.(*rsa.PrivateKey)
		return ok
	}
	_, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	return err == nil
}

// checkURL lets secrets travel only encrypted, or not at all beyond this
// machine. The value itself stays out of the error: it may hold a password.
func checkURL(field, value string) error {
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return fmt.Errorf("%s is not the address of a server; download the file again", field)
	case u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%s is not https (plain http is only for this machine, as 127.0.0.1)", field)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// jsonCause words a JSON error without quoting the input.
func jsonCause(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("not JSON, at byte %d", syntax.Offset)
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Sprintf("%s has the wrong type", kind.Field)
	}
	return "not the JSON that was expected"
}

// oauth is the library's form of a desktop client.
func (c *Credentials) oauth() *oauth2.Config {
	return &oauth2.Config{
		ClientID:     c.ClientID,
		ClientSecret: c.secret,
		Scopes:       []string{Scope},
		// Google takes the secret as a parameter; left open, the library would
		// try the header first and spend a request on it.
		Endpoint: oauth2.Endpoint{AuthURL: c.authURL, TokenURL: c.tokenURL, AuthStyle: oauth2.AuthStyleInParams},
	}
}

// jwt is the library's form of a service account.
func (c *Credentials) jwt() *jwt.Config {
	return &jwt.Config{
		Email: c.Email, PrivateKey: []byte(c.key), PrivateKeyID: c.keyID,
		Scopes: []string{Scope}, TokenURL: c.tokenURL,
	}
}
