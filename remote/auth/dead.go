package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// A DeadError is a sign-in that no retry can mend: a person has to act.
type DeadError struct {
	Cause string // what is wrong, as far as can be told
	Hint  string // what to do
	Err   error  // the refusal, a [*oauth2.RetrieveError] without body; nil when no request was made
}

// Error gives cause and hint.
func (e *DeadError) Error() string { return "sign-in: " + e.Cause + "; " + e.Hint }

// SignInDead tells this error from those that may pass.
func (e *DeadError) SignInDead() {}

// Unwrap returns the refusal.
func (e *DeadError) Unwrap() error { return e.Err }

// testingLife is how long a grant lasts while the consent screen of an
// external app has the status "Testing"; idleLife how long one lasts unused.
// Source: Google's OAuth 2.0 guide, "Refresh token expiration".
const (
	testingLife = 7 * 24 * time.Hour
	idleLife    = 182 * 24 * time.Hour
)

const (
	signInAgain = "run: acb auth"
	publishHint = "publish the app at https://console.cloud.google.com/auth/audience (\"Publish app\"; no review is needed for yourself), then " + signInAgain
)

// deadCodes are refusals that are final whatever their status.
// Source: RFC 6749 §5.2; Google's OAuth 2.0 guide, "Errors".
var deadCodes = map[string]struct{ cause, hint string }{
	"invalid_client":         {"Google does not know the client or its secret: the client was deleted (clients unused for six months are), or its secret replaced", "put a fresh credentials file in place (" + where + "), then " + signInAgain},
	"deleted_client":         {"the client was deleted", "put a fresh credentials file in place (" + where + "), then " + signInAgain},
	"disabled_client":        {"the client was disabled", "see https://console.cloud.google.com/auth/clients, then " + signInAgain},
	"unauthorized_client":    {"the client may not sign in this way", "use a client of type \"Desktop app\": " + where},
	"admin_policy_enforced":  {"the administrator of this Google Workspace does not allow this app", "ask the administrator to trust the client id, then " + signInAgain},
	"org_internal":           {"the app is only for accounts of its own organisation", "sign in with an account of it, or make the app external: https://console.cloud.google.com/auth/audience"},
	"access_denied":          {"access was denied by the account or its administrator", signInAgain},
	"invalid_scope":          {"the permission that acb needs (drive.file) is not allowed for this client", "allow it at https://console.cloud.google.com/auth/scopes, then " + signInAgain},
	"unsupported_grant_type": {"the token_uri of the credentials file does not lead to Google's token endpoint", "put a fresh credentials file in place (" + where + ")"},
	"invalid_rapt":           {"the organisation wants people to sign in anew after some hours", "ask the administrator to exempt this app from the session control of Google Cloud, then " + signInAgain},
}

// refusal is what the token endpoint answered.
type refusal struct {
	status            int
	code, sub, detail string
}

// readRefusal takes an answer apart and drops the rest of it. Words of the
// server lose the secrets that they might repeat.
func readRefusal(re *oauth2.RetrieveError, secrets ...string) refusal {
	var body struct {
		Error       json.RawMessage `json:"error"`
		Subtype     string          `json:"error_subtype"`
		Description string          `json:"error_description"`
	}
	_ = json.Unmarshal(re.Body, &body) // no JSON: a proxy's page, and the status has to do
	r := refusal{sub: body.Subtype, detail: body.Description}
	var api struct{ Status, Message string } // as Google's other endpoints word it
	switch {
	case json.Unmarshal(body.Error, &r.code) == nil:
	case json.Unmarshal(body.Error, &api) == nil:
		r.code, r.detail = api.Status, api.Message
	}
	if re.Response != nil {
		r.status = re.Response.StatusCode
	}
	for _, s := range []*string{&r.code, &r.sub, &r.detail} {
		*s = clean(*s, secrets)
	}
	return r
}

// clean makes foreign text fit for an error: without the secrets, short, and
// without control characters.
func clean(s string, secrets []string) string {
	for _, x := range secrets {
		if x != "" {
			s = strings.ReplaceAll(s, x, "(secret)")
		}
	}
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}

func quote(s string) string { return fmt.Sprintf("%q", clean(s, nil)) }

// Error words the refusal.
func (r refusal) Error() string {
	s := fmt.Sprintf("the token endpoint answered %d", r.status)
	for _, part := range []string{r.code, r.sub, r.detail} {
		if part != "" {
			s += " " + part
		}
	}
	return s
}

// plain is the refusal in the library's type, for callers that look for it.
func (r refusal) plain() *oauth2.RetrieveError {
	return &oauth2.RetrieveError{
		Response:  &http.Response{StatusCode: r.status, Status: fmt.Sprintf("%d %s", r.status, http.StatusText(r.status))},
		ErrorCode: r.code, ErrorDescription: r.detail,
	}
}

// final reports whether the same request can never succeed. Google also uses
// this endpoint's 4xx for a passing overload, which is not; a 401 always means
// that it does not accept who asks.
func (r refusal) final() bool {
	if _, ok := deadCodes[r.code]; ok || r.code == "invalid_grant" {
		return true
	}
	switch r.code {
	case "":
		return r.status == http.StatusUnauthorized
	case "temporarily_unavailable", "server_error", "internal_failure", "rate_limit_exceeded", "slow_down":
		return false
	}
	return r.status == http.StatusBadRequest || r.status == http.StatusUnauthorized
}

// diagnose makes the error of a failed renewal. rec is what was renewed.
func diagnose(err error, c *Credentials, rec record, now time.Time) error {
	var re *oauth2.RetrieveError
	if !errors.As(err, &re) {
		return fmt.Errorf("renew sign-in: %w", err) // no answer: network, or not a token
	}
	r := readRefusal(re, rec.RefreshToken, rec.AccessToken, c.secret, c.key)
	if !r.final() {
		return fmt.Errorf("renew sign-in: %w", r)
	}
	d := &DeadError{Hint: signInAgain, Err: r.plain()}
	switch known, ok := deadCodes[r.code]; {
	case r.sub == "invalid_rapt":
		d.Cause, d.Hint = deadCodes[r.sub].cause, deadCodes[r.sub].hint
	case ok:
		d.Cause, d.Hint = known.cause, known.hint
	case r.code == "invalid_grant" && c.Kind == ServiceAccount:
		d.Cause, d.Hint = deadKey(c, r.detail)
	case r.code == "invalid_grant":
		d.Cause, d.Hint = deadGrant(c, rec, r.detail, now)
	default:
		d.Cause = "Google refuses it"
	}
	d.Cause += fmt.Sprintf(" (%s)", r.Error())
	return d
}

// deadGrant finds the likely reason for invalid_grant, which Google gives for
// everything. What a grant lived through tells a lot: one that was renewed
// after its seventh day was not under the rule of the seventh day.
func deadGrant(c *Credentials, rec record, detail string, now time.Time) (cause, hint string) {
	lower := strings.ToLower(detail)
	switch {
	case strings.Contains(lower, "account") && (strings.Contains(lower, "deleted") || strings.Contains(lower, "disabled")):
		return "the Google account was deleted or disabled", "sign in with another one: acb auth"
	case rec.ClientID != "" && rec.ClientID != c.ClientID:
		return changedClient(c, rec), signInAgain
	case rec.Obtained.IsZero():
		return "Google has ended it (access removed in the account, the password or an administrator's rule changed, six months unused, " +
			"or seven days over while the app has the status \"Testing\")", signInAgain + "; should it end every seven days, " + publishHint
	}
	age := now.Sub(rec.Obtained)
	renewed := rec.Expiry.Add(-time.Hour) // access tokens last an hour
	grant := fmt.Sprintf("it was %s old", days(age))
	switch {
	case age < testingLife:
		return "Google has ended it, and " + grant + ": access was removed in the account (https://myaccount.google.com/connections), " +
			"or an administrator or a newer sign-in replaced it", signInAgain
	case rec.Expiry.IsZero() || renewed.Before(rec.Obtained.Add(testingLife)):
		cause = "Google has ended it, and " + grant + ": most likely the app has the status \"Testing\", in which sign-ins last seven days"
		if !rec.Expiry.IsZero() && now.Sub(renewed) > idleLife {
			cause += ", or it was not used for six months"
		}
		return cause, publishHint
	case now.Sub(renewed) > idleLife:
		return "Google has ended it: it was not used for six months", signInAgain
	}
	return "Google has ended it, and " + grant + ", so the seven days of an app in \"Testing\" are not the reason: access was removed in " +
		"the account (https://myaccount.google.com/connections), or an administrator's rule ended it", signInAgain
}

func changedClient(c *Credentials, rec record) string {
	return fmt.Sprintf("it was given to client %s, and %s now holds client %s", short(rec.ClientID), c.File, short(c.ClientID))
}

// deadKey is deadGrant for a service account.
// Source: Google's guide "Using OAuth 2.0 for Server to Server Applications", error codes.
func deadKey(c *Credentials, detail string) (cause, hint string) {
	lower := strings.ToLower(detail)
	switch {
	case strings.Contains(lower, "reasonable timeframe") || strings.Contains(lower, "iat and exp"):
		return "the clock of this machine is wrong", "set it right"
	case strings.Contains(lower, "account not found"):
		return "the service account " + c.Email + " does not exist any more", "put another key in place of " + c.File
	}
	return "Google does not accept the key of " + c.Email + " any more: it was deleted, or the clock of this machine is wrong",
		"check the clock; otherwise put a new key in place of " + c.File
}

// days is an age for a person.
func days(d time.Duration) string {
	switch n := int(d / (24 * time.Hour)); n {
	case 0:
		return "less than a day"
	case 1:
		return "a day"
	default:
		return fmt.Sprintf("%d days", n)
	}
}
