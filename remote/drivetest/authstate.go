package drivetest

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// authState is what the sign-in servers know.
type authState struct {
	clients map[string]*Client
	order   []string // client ids as they were made
	access  map[string]*grant
	refresh map[string]*grant
	given   []string // refresh tokens in the order of issue
	codes   map[string]*authCode
	devices map[string]*device
	keys    map[string]*serviceKey // by e-mail address
	deny    bool
}

// Client is an OAuth client, as a developer registers it in Google's console.
type Client struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
}

// serviceKey is a service account with its public key.
type serviceKey struct {
	Email string `json:"email"`
	KeyID string `json:"keyId"`
	Key   string `json:"key"` // PKIX, base64

	pub *rsa.PublicKey
}

// maxRefresh is how many refresh tokens an account has with one client; a new
// one drops the oldest. Source: the OAuth overview of Google.
const maxRefresh = 100

func (a *authState) init() {
	a.clients, a.access, a.refresh = map[string]*Client{}, map[string]*grant{}, map[string]*grant{}
	a.codes, a.devices, a.keys = map[string]*authCode{}, map[string]*device{}, map[string]*serviceKey{}
}

// load takes a record of the journal.
func (a *authState) load(kind byte, p []byte) error {
	switch kind {
	case recClient:
		c := new(Client)
		if err := json.Unmarshal(p, c); err != nil {
			return err
		}
		a.clients[c.ID] = c
		a.order = append(a.order, c.ID)
	case recAccess, recRefresh:
		g := new(grant)
		if err := json.Unmarshal(p, g); err != nil {
			return err
		}
		if kind == recAccess {
			a.access[g.Token] = g
			return nil
		}
		a.refresh[g.Token] = g
		a.given = append(a.given, g.Token)
	case recNoToken:
		a.forget(string(p))
	case recKey:
		k := new(serviceKey)
		if err := json.Unmarshal(p, k); err != nil {
			return err
		}
		der, err := base64.StdEncoding.DecodeString(k.Key)
		if err != nil {
			return err
		}
		pub, err := x509.ParsePKIXPublicKey(der)
		if err != nil {
			return err
		}
		var ok bool
		if k.pub, ok = pub.(*rsa.PublicKey); !ok {
			return fmt.Errorf("key of %s is not RSA", k.Email)
		}
		a.keys[k.Email] = k
	default:
		return fmt.Errorf("unknown record %q", kind)
	}
	return nil
}

// forget ends a token; with a refresh token end the access tokens that came from it.
func (a *authState) forget(token string) {
	delete(a.access, token)
	if a.refresh[token] == nil {
		return
	}
	delete(a.refresh, token)
	a.given = slices.DeleteFunc(a.given, func(t string) bool { return t == token })
	for t, g := range a.access {
		if g.Refresh == token {
			delete(a.access, t)
		}
	}
}

func (a *authState) records() int {
	return len(a.clients) + len(a.access) + len(a.refresh) + len(a.keys)
}

func (a *authState) snapshot(enc func(kind byte, v any)) {
	for _, id := range a.order {
		enc(recClient, a.clients[id])
	}
	for _, t := range a.given {
		enc(recRefresh, a.refresh[t])
	}
	for _, g := range a.access {
		enc(recAccess, g)
	}
	for _, k := range a.keys {
		enc(recKey, k)
	}
}

// addClient registers a client. The lock must be held.
func (d *Drive) addClient(name string) *Client {
	c := &Client{ID: "1" + name + "-" + d.random(12) + ".apps.googleusercontent.com", Secret: "GOCSPX-" + d.random(21)}
	d.auth.clients[c.ID] = c
	d.auth.order = append(d.auth.order, c.ID)
	d.put(recClient, c)
	return c
}

// AddClient registers another OAuth client. Under drive.file, and for
// appProperties, what one client made is hidden from the others.
func (d *Drive) AddClient(name string) Client {
	d.mu.Lock()
	defer d.mu.Unlock()
	return *d.addClient(name)
}

// OAuthClient gives the OAuth client that every Drive has.
func (d *Drive) OAuthClient() Client {
	d.mu.Lock()
	defer d.mu.Unlock()
	return *d.auth.clients[d.auth.order[0]]
}

// newAccess issues an access token.
func (d *Drive) newAccess(user, client, refresh string, scopes []string, service bool) *grant {
	now := d.ms()
	for t, g := range d.auth.access {
		if g.Until <= now {
			delete(d.auth.access, t)
		}
	}
	g := &grant{
		Token: "ya29." + d.random(60), Refresh: refresh, User: user, Client: client, Scopes: scopes, Service: service,
		Until: now + d.opt.TokenLife.Milliseconds(),
	}
	d.account(user)
	d.auth.access[g.Token] = g
	d.put(recAccess, g)
	return g
}

func (d *Drive) newRefresh(user, client string, scopes []string) *grant {
	var same []string
	for _, t := range d.auth.given {
		if r := d.auth.refresh[t]; r.User == user && r.Client == client {
			same = append(same, t)
		}
	}
	if len(same) >= maxRefresh {
		d.endToken(same[0])
	}
	g := &grant{Token: "1//" + d.random(48), User: user, Client: client, Scopes: scopes}
	d.auth.refresh[g.Token] = g
	d.auth.given = append(d.auth.given, g.Token)
	d.put(recRefresh, g)
	return g
}

func (d *Drive) endToken(t string) {
	d.auth.forget(t)
	d.putRaw(recNoToken, []byte(t))
}

// Token is an issued token in the JSON form of golang.org/x/oauth2.
type Token struct {
	AccessToken  string    `json:"access_token"`
	TokenType    string    `json:"token_type"`
	RefreshToken string    `json:"refresh_token,omitempty"`
	Expiry       time.Time `json:"expiry"`
}

// Ask says whose token is wanted; the zero value means the account and the
// client that every Drive has, and scope drive.file.
type Ask struct {
	User   string   // e-mail address; an unknown one becomes a new account
	Client string   // id
	Scopes []string // with or without their common prefix
}

// Token issues tokens as if the person had agreed in the browser.
func (d *Drive) Token(a Ask) Token {
	d.mu.Lock()
	defer d.mu.Unlock()
	user := firstOf(a.User, d.opt.User)
	client := firstOf(a.Client, d.auth.order[0])
	scopes := []string{scopePrefix + "drive.file"}
	if len(a.Scopes) > 0 {
		scopes = nil
		for _, s := range a.Scopes {
			scopes = append(scopes, fullScope(s))
		}
	}
	r := d.newRefresh(user, client, scopes)
	g := d.newAccess(user, client, r.Token, scopes, false)
	return Token{AccessToken: g.Token, TokenType: "Bearer", RefreshToken: r.Token, Expiry: time.UnixMilli(g.Until).UTC()}
}

// Credentials gives Google's JSON for a desktop client, with the addresses of
// a server at base, as http://127.0.0.1:1234. client "" means the one that every Drive has.
func (d *Drive) Credentials(base, client string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.auth.clients[firstOf(client, d.auth.order[0])]
	return mustJSON(map[string]any{"installed": map[string]any{
		"client_id": c.ID, "client_secret": c.Secret, "project_id": "acb-look-alike",
		"auth_uri": base + "/o/oauth2/auth", "token_uri": base + "/token",
		"auth_provider_x509_cert_url": base + "/oauth2/v1/certs", "redirect_uris": []string{"http://localhost"},
	}})
}

// ExpireTokens ends the life of all access tokens now; refresh tokens stay.
func (d *Drive) ExpireTokens() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for t := range d.auth.access {
		d.endToken(t)
	}
}

// RevokeTokens ends all tokens, as a person does who removes the app from the account.
func (d *Drive) RevokeTokens() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range slices.Clone(d.auth.given) {
		d.endToken(t)
	}
	for t := range d.auth.access {
		d.endToken(t)
	}
}

// DenyConsent lets the person at the consent page say no, or yes again.
func (d *Drive) DenyConsent(no bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.auth.deny = no
}

func mustJSON(v any) []byte {
	p, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic("drivetest: encode JSON: " + err.Error()) // strings only
	}
	return append(p, '\n')
}
