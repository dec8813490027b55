package drivetest

import (
	"slices"
	"strings"
)

// grant is an access or refresh token: who may do what through which client.
type grant struct {
	Token   string   `json:"token"`
	Refresh string   `json:"refresh,omitempty"` // the refresh token an access token came from
	User    string   `json:"user"`
	Client  string   `json:"client"`
	Scopes  []string `json:"scopes"`
	Until   int64    `json:"until,omitempty"` // ms; 0 means it does not expire
	Service bool     `json:"service,omitempty"`
}

// may says whether the grant has one of the scopes, named without prefix.
func (g *grant) may(scopes ...string) bool {
	for _, s := range scopes {
		if slices.Contains(g.Scopes, scopePrefix+s) {
			return true
		}
	}
	return false
}

// wide says whether the grant sees all files of the account.
func (g *grant) wide() bool {
	return g.may("drive", "drive.readonly", "drive.metadata", "drive.metadata.readonly")
}

// authorize finds the token of a call and checks it against the method's scopes.
func (c *call) authorize() error {
	text := c.get("access_token")
	if text == "" {
		text = c.get("oauth_token")
	}
	if h := c.header.Get("Authorization"); h != "" {
		scheme, t, ok := strings.Cut(h, " ")
		if !ok || !strings.EqualFold(scheme, "Bearer") {
			return errUnauthorized()
		}
		text = strings.TrimSpace(t)
	}
	if text == "" {
		return errNoCredentials(c.method)
	}
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	g := c.d.auth.access[text]
	if g == nil || g.Until <= c.d.ms() {
		return errUnauthorized()
	}
	c.tok = g
	for _, s := range g.Scopes {
		if s == scopePrefix+"drive.appfolder" {
			s = scopePrefix + "drive.appdata"
		}
		if c.route.scopes[s] && (c.kind != Download || !strings.HasPrefix(s, scopePrefix+"drive.metadata")) {
			return nil
		}
	}
	return errScope()
}

// sees says whether the caller's token lets it know of an item at all.
func (c *call) sees(it *item) bool {
	g := c.tok
	if it.Space == appData {
		return it.Owner == g.User && it.Client == g.Client && g.may("drive.appdata", "drive.appfolder")
	}
	if it.Owner != g.User && it.Drive == "" && !it.ReadOnly {
		return false
	}
	if g.wide() {
		return true
	}
	if !g.may("drive.file") {
		return false
	}
	return it.Root && it.Drive == "" || it.openTo(g.Client)
}

// openTo says whether an item was made by a client, or opened with it.
func (it *item) openTo(client string) bool {
	return it.Client == client || slices.Contains(it.Granted, client) || slices.Contains(it.Granted, "*")
}

// mayChange says whether the caller's token lets it change an item that it sees:
// one that only reads everything changes no more than drive.file lets it.
func (c *call) mayChange(it *item) bool {
	return it.Root || it.Space == appData || c.tok.may("drive", "drive.metadata") || c.tok.may("drive.file") && it.openTo(c.tok.Client)
}

// seenTomb is sees for a file that is gone.
func (c *call) seenTomb(t *tombstone) bool {
	it := item{Owner: t.Owner, Client: t.Client, Drive: t.Drive, Space: t.Space}
	return c.sees(&it)
}

const appData = "appDataFolder"

// find gives the item of an id or alias, or 404. Items of shared drives are
// found only by callers that know of them. The lock must be held.
func (c *call) find(id string) (*item, error) {
	it := c.d.items[id]
	switch id {
	case "root":
		it = c.d.account(c.tok.User)
	case appData:
		it = c.d.appDataRoot(c.tok)
	}
	if it == nil || !c.sees(it) || it.Drive != "" && !c.allDrives() {
		return nil, errNotFound(id)
	}
	if it.missing > 0 {
		it.missing--
		return nil, errNotFound(id)
	}
	return it, nil
}

// appDataRoot gives the hidden folder of one client in one account, nil
// without the scope for it.
func (d *Drive) appDataRoot(g *grant) *item {
	if !g.may("drive.appdata", "drive.appfolder") {
		return nil
	}
	key := appData + "/" + g.User + "/" + g.Client
	if r := d.roots[key]; r != nil {
		return r
	}
	r := &item{
		ID: d.newRootID(), Name: "Application Data", Mime: mimeFolder, Owner: g.User, Client: g.Client,
		Space: appData, Root: true, Version: 1, Created: d.ms(), Modified: d.ms(),
	}
	d.roots[key] = r
	d.link(r)
	d.save(r)
	return r
}

// canEdit refuses changes to what the caller may only read.
func (c *call) canEdit(it *item) error {
	switch {
	case it.ReadOnly:
		return errForbidden("insufficientFilePermissions", "The user does not have sufficient permissions for this file.")
	case !c.mayChange(it):
		return errForbidden("appNotAuthorizedToFile", "The user has not granted the app %s write access to the file %s.", c.tok.Client, it.ID)
	}
	return nil
}
