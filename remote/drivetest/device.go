package drivetest

import (
	"net/url"
	"slices"
	"strings"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// device is a sign-in that waits for a person at another screen.
type device struct {
	client string
	scopes []string
	user   string // the code shown to the person
	state  byte   // waiting, agreed, denied
	asked  int64
	until  int64
}

const (
	deviceWaiting = iota
	deviceAgreed
	deviceDenied
)

// deviceScopes are the only ones that this flow grants. Source: Google's page
// on limited-input devices.
var deviceScopes = []string{"email", "openid", "profile", scopePrefix + "drive.appdata", scopePrefix + "drive.file"}

// pollInterval is the least time between two questions, in ms.
const pollInterval = 5000

// deviceCode answers POST /device/code.
func (c *call) deviceCode(form url.Values) *reply {
	d := c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.auth.clients[form.Get("client_id")] == nil {
		return oauthError(401, "invalid_client", "The OAuth client was not found.")
	}
	scopes := strings.Fields(form.Get("scope"))
	if len(scopes) == 0 || !all(scopes, func(s string) bool { return slices.Contains(deviceScopes, s) }) {
		return oauthError(400, "invalid_scope", "Invalid device flow scope: "+form.Get("scope"))
	}
	code := "AH-" + d.random(60)
	dev := &device{client: form.Get("client_id"), scopes: scopes, user: strings.ToUpper(d.random(6)), until: d.ms() + deviceLife}
	d.auth.devices[code] = dev
	return oauthJSON(200, map[string]any{
		"device_code": code, "user_code": dev.user, "verification_url": "https://www.google.com/device",
		"expires_in": deviceLife / 1000, "interval": pollInterval / 1000,
	})
}

// EnterDeviceCode is the person at the other screen, who types the code and
// agrees, or does not. It reports whether the code is one that waits.
func (d *Drive) EnterDeviceCode(userCode string, agree bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, dev := range d.auth.devices {
		if dev.user == userCode && dev.state == deviceWaiting {
			dev.state = deviceDenied
			if agree {
				dev.state = deviceAgreed
			}
			return true
		}
	}
	return false
}

// deviceToken answers a poll of the device.
func (d *Drive) deviceToken(client *Client, form url.Values) *reply {
	code := form.Get("device_code")
	dev := d.auth.devices[code]
	switch {
	case dev == nil || dev.client != client.ID:
		return oauthError(400, "invalid_grant", "Malformed device code.")
	case dev.until < d.ms():
		return oauthError(400, "expired_token", "The device code has expired.")
	case dev.state == deviceDenied:
		return oauthError(403, "access_denied", "Forbidden")
	case dev.state == deviceWaiting:
		last := dev.asked
		dev.asked = d.ms()
		if last != 0 && dev.asked-last < pollInterval {
			return oauthError(403, "slow_down", "Forbidden")
		}
		return oauthError(428, "authorization_pending", "Precondition Required")
	}
	delete(d.auth.devices, code)
	r := d.newRefresh(d.opt.User, client.ID, dev.scopes)
	return tokenReply(d.newAccess(d.opt.User, client.ID, r.Token, dev.scopes, false), r, d)
}
