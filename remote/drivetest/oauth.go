package drivetest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// authCode is a consent that was given and not yet turned into tokens.
type authCode struct {
	client, user, redirect string
	scopes                 []string
	challenge, method      string
	offline                bool
	until                  int64
}

// codeLife and deviceLife are how long a consent waits. Source: Google's
// device flow answers 1800 s; for codes no number is documented.
const (
	codeLife   = 10 * 60 * 1000
	deviceLife = 1800 * 1000
)

// oauthKind gives the kind of a request to the sign-in servers, "" for others.
func oauthKind(method, path string) Kind {
	switch path {
	case "/o/oauth2/auth", "/o/oauth2/v2/auth":
		return Consent
	case "/token", "/oauth2/v4/token":
		return TokenGrant
	case "/device/code":
		return DeviceCode
	case "/revoke", "/o/oauth2/revoke":
		return Revoke
	}
	return ""
}

// oauth answers a request to the sign-in servers.
func (c *call) oauth() *reply {
	if c.kind == Consent {
		if c.method != http.MethodGet {
			return notFoundPage()
		}
		return c.consent()
	}
	if c.method != http.MethodPost {
		return oauthError(405, "invalid_request", "The method must be POST.")
	}
	form := c.query
	p, err := io.ReadAll(io.LimitReader(c.body, 1<<20))
	if err != nil {
		return nil
	}
	if len(p) > 0 {
		if !strings.HasPrefix(c.header.Get("Content-Type"), "application/x-www-form-urlencoded") {
			return oauthError(400, "invalid_request", "The body must be a form.")
		}
		if form, err = url.ParseQuery(string(p)); err != nil {
			return oauthError(400, "invalid_request", "The body must be a form.")
		}
		for k, v := range c.query {
			if !form.Has(k) {
				form[k] = v
			}
		}
	}
	switch c.kind {
	case TokenGrant:
		return c.token(form)
	case DeviceCode:
		return c.deviceCode(form)
	}
	return c.revoke(form)
}

func oauthError(code int, kind, description string) *reply {
	v := map[string]string{"error": kind}
	if description != "" {
		v["error_description"] = description
	}
	return oauthJSON(code, v)
}

func oauthJSON(code int, v any) *reply {
	return &reply{status: code, body: mustJSON(v), header: http.Header{
		"Content-Type": {"application/json; charset=utf-8"}, "Cache-Control": {"no-cache, no-store, max-age=0, must-revalidate"},
	}}
}

func page(code int, text string) *reply {
	return &reply{status: code, body: []byte("<!DOCTYPE html>\n<title>Sign in</title>\n<p>" + text + "\n"),
		header: http.Header{"Content-Type": {"text/html; charset=UTF-8"}}}
}

// knownScopes are those of Drive and of plain sign-in.
var knownScopes = strings.Fields("drive drive.file drive.appdata drive.appfolder drive.install drive.apps.readonly drive.readonly" +
	" drive.metadata drive.metadata.readonly drive.scripts drive.photos.readonly drive.meet.readonly userinfo.email userinfo.profile")

func fullScope(s string) string {
	if slices.Contains(knownScopes, s) {
		return scopePrefix + s
	}
	return s
}

func goodScope(s string) bool {
	short, ok := strings.CutPrefix(s, scopePrefix)
	return ok && slices.Contains(knownScopes, short) || s == "openid" || s == "email" || s == "profile"
}

// consent is the page in the browser. Nobody has to click: it sends the
// browser back at once, with a code or with a refusal.
func (c *call) consent() *reply {
	d := c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.auth.clients[c.get("client_id")] == nil {
		return page(401, "Error 401: invalid_client. The OAuth client was not found.")
	}
	back, err := url.Parse(c.get("redirect_uri"))
	if err != nil || back.Scheme != "http" || !loopback(back.Hostname()) {
		return page(400, "Error 400: redirect_uri_mismatch. A desktop client must use a loopback address.")
	}
	if c.get("response_type") != "code" {
		return page(400, "Error 400: unsupported_response_type.")
	}
	scopes := strings.Fields(c.get("scope"))
	if len(scopes) == 0 || !all(scopes, goodScope) {
		return page(400, "Error 400: invalid_scope.")
	}
	method := firstOf(c.get("code_challenge_method"), "plain")
	challenge := c.get("code_challenge")
	if challenge != "" && method != "plain" && method != "S256" || challenge == "" && c.has("code_challenge_method") {
		return page(400, "Error 400: invalid_request. The code challenge is not usable.")
	}
	q := back.Query()
	if c.has("state") {
		q.Set("state", c.get("state"))
	}
	if d.auth.deny {
		q.Set("error", "access_denied")
	} else {
		code := "4/0A" + d.random(40)
		d.auth.codes[code] = &authCode{
			client: c.get("client_id"), user: d.opt.User, redirect: c.get("redirect_uri"), scopes: scopes,
			challenge: challenge, method: method, offline: c.get("access_type") == "offline", until: d.ms() + codeLife,
		}
		q.Set("code", code)
		q.Set("scope", strings.Join(scopes, " "))
	}
	back.RawQuery = q.Encode()
	return &reply{status: http.StatusFound, header: http.Header{"Location": {back.String()}}}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func all(list []string, ok func(string) bool) bool {
	return !slices.ContainsFunc(list, func(s string) bool { return !ok(s) })
}

// token answers POST /token.
func (c *call) token(form url.Values) *reply {
	d := c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	grantType := form.Get("grant_type")
	if grantType == jwtGrant {
		return d.serviceToken(form.Get("assertion"), c.base)
	}
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if u, p, ok := basicAuth(c.header); ok {
		id, secret = u, p
	}
	client := d.auth.clients[id]
	if client == nil {
		return oauthError(401, "invalid_client", "The OAuth client was not found.")
	}
	if subtle.ConstantTimeCompare([]byte(secret), []byte(client.Secret)) != 1 {
		return oauthError(401, "invalid_client", "The provided client secret is invalid.")
	}
	switch grantType {
	case "authorization_code":
		return d.codeToken(client, form)
	case "refresh_token":
		g := d.auth.refresh[form.Get("refresh_token")]
		if g == nil || g.Client != id {
			return oauthError(400, "invalid_grant", "Token has been expired or revoked.")
		}
		return tokenReply(d.newAccess(g.User, g.Client, g.Token, g.Scopes, false), nil, d)
	case deviceGrant:
		return d.deviceToken(client, form)
	case "":
		return oauthError(400, "invalid_request", "Missing required parameter: grant_type")
	}
	return oauthError(400, "unsupported_grant_type", "Invalid grant_type: "+grantType)
}

func basicAuth(h http.Header) (user, password string, ok bool) {
	r := http.Request{Header: h}
	user, password, ok = r.BasicAuth()
	if !ok {
		return "", "", false
	}
	u, err1 := url.QueryUnescape(user)
	p, err2 := url.QueryUnescape(password)
	return u, p, err1 == nil && err2 == nil
}

// codeToken turns the code of a consent into tokens; a code works once.
func (d *Drive) codeToken(client *Client, form url.Values) *reply {
	code := d.auth.codes[form.Get("code")]
	delete(d.auth.codes, form.Get("code"))
	if code == nil || code.client != client.ID || code.until < d.ms() {
		return oauthError(400, "invalid_grant", "Malformed auth code.")
	}
	if form.Get("redirect_uri") != code.redirect {
		return oauthError(400, "redirect_uri_mismatch", "Bad Request")
	}
	verifier := form.Get("code_verifier")
	switch {
	case code.challenge == "" && verifier == "":
	case verifier == "":
		return oauthError(400, "invalid_grant", "Missing code verifier.")
	case len(verifier) < 43 || len(verifier) > 128: // RFC 7636
		return oauthError(400, "invalid_grant", "Invalid code verifier.")
	default:
		got := verifier
		if code.method == "S256" {
			sum := sha256.Sum256([]byte(verifier))
			got = base64.RawURLEncoding.EncodeToString(sum[:])
		}
		if got != code.challenge {
			return oauthError(400, "invalid_grant", "Invalid code verifier.")
		}
	}
	var refresh *grant
	from := ""
	if code.offline {
		refresh = d.newRefresh(code.user, client.ID, code.scopes)
		from = refresh.Token
	}
	return tokenReply(d.newAccess(code.user, client.ID, from, code.scopes, false), refresh, d)
}

func tokenReply(g, refresh *grant, d *Drive) *reply {
	v := map[string]any{
		"access_token": g.Token, "expires_in": (g.Until - d.ms()) / 1000, "scope": strings.Join(g.Scopes, " "), "token_type": "Bearer",
	}
	if refresh != nil {
		v["refresh_token"] = refresh.Token
	}
	return oauthJSON(200, v)
}

// revoke answers POST /revoke.
func (c *call) revoke(form url.Values) *reply {
	d := c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	t := form.Get("token")
	if g := d.auth.access[t]; g != nil {
		if g.Refresh != "" {
			d.endToken(g.Refresh)
		}
		d.endToken(t)
		return oauthJSON(200, map[string]any{})
	}
	if d.auth.refresh[t] == nil {
		return oauthError(400, "invalid_token", "Token expired or revoked")
	}
	d.endToken(t)
	return oauthJSON(200, map[string]any{})
}

// jsonString is a JSON value that must be a string.
func jsonString(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}
