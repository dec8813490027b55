package drivetest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
)

const jwtGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// ServiceAccount makes a service account and gives Google's JSON for its key,
// with the token address of a server at base. Such an account has a My Drive
// of its own, without storage.
func (d *Drive) ServiceAccount(base, name string) ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make key of service account %s: %w", name, err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("write key of service account %s: %w", name, err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("write key of service account %s: %w", name, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	k := &serviceKey{
		Email: name + "@acb-look-alike.iam.gserviceaccount.com", KeyID: d.random(20),
		Key: base64.StdEncoding.EncodeToString(public), pub: &key.PublicKey,
	}
	d.auth.keys[k.Email] = k
	d.put(recKey, k)
	return mustJSON(map[string]any{
		"type": "service_account", "project_id": "acb-look-alike", "private_key_id": k.KeyID,
		"private_key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		"client_email": k.Email, "client_id": permissionID(k.Email),
		"auth_uri": base + "/o/oauth2/auth", "token_uri": base + "/token",
	}), nil
}

// serviceToken answers a JWT bearer grant. Source: Google's page on OAuth for
// service accounts.
func (d *Drive) serviceToken(assertion, base string) *reply {
	bad := func(why string) *reply { return oauthError(400, "invalid_grant", "Invalid JWT: "+why) }
	part := strings.Split(assertion, ".")
	if len(part) != 3 {
		return bad("it must have three parts.")
	}
	var head, claims map[string]json.RawMessage
	if !decodeJWT(part[0], &head) || !decodeJWT(part[1], &claims) || jsonString(head["alg"]) != "RS256" {
		return bad("it must be RS256.")
	}
	email := jsonString(claims["iss"])
	k := d.auth.keys[email]
	if k == nil {
		return bad("account not found.")
	}
	sig, err := base64.RawURLEncoding.DecodeString(part[2])
	sum := sha256.Sum256([]byte(part[0] + "." + part[1]))
	if err != nil || rsa.VerifyPKCS1v15(k.pub, crypto.SHA256, sum[:], sig) != nil {
		return oauthError(400, "invalid_grant", "Invalid JWT Signature.")
	}
	var from, until int64
	if json.Unmarshal(claims["iat"], &from) != nil || json.Unmarshal(claims["exp"], &until) != nil {
		return bad("iat and exp are needed.")
	}
	now := d.ms() / 1000
	if until < now || from > now+300 || until-from > 3600 { // an hour at most, some minutes of skew
		return bad("Token must be a short-lived token (60 minutes) and in a reasonable timeframe.")
	}
	if aud := jsonString(claims["aud"]); aud != base+"/token" {
		return bad("wrong audience.")
	}
	scopes := strings.Fields(jsonString(claims["scope"]))
	if len(scopes) == 0 || !all(scopes, goodScope) {
		return oauthError(400, "invalid_scope", "Invalid OAuth scope or ID token audience provided.")
	}
	user, service := email, true
	if sub := jsonString(claims["sub"]); sub != "" && sub != email {
		return oauthError(401, "unauthorized_client", "Client is unauthorized to retrieve access tokens using this method.")
	}
	return tokenReply(d.newAccess(user, email, "", scopes, service), nil, d)
}

func decodeJWT(s string, v any) bool {
	p, err := base64.RawURLEncoding.DecodeString(s)
	return err == nil && json.Unmarshal(p, v) == nil
}
