package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/api/googleapi"

	"github.com/autocloudbackup/acb/manifest"
)

// Class says what a caller can do about an error.
type Class uint8

// The classes.
const (
	Permanent   Class = iota // this operation is refused for good, the others may go on
	Transient                // the same request may succeed later; its work may have been done
	RateLimit                // too fast; nothing was done
	StorageFull              // no room on Drive: content waits, everything else goes on
	ItemsFull                // no more items in the account or shared drive: what is new waits
	DailyCap                 // today's upload volume or quota is spent: content waits
	Auth                     // the sign-in is dead or too narrow: nothing more will work
	NotFound                 // Drive has no such item, or does not show it to us
	Conflict                 // an item with this id exists already
	BadID                    // a reserved id that Drive does not take any more
	Canceled                 // the caller's context ended
)

var classNames = [...]string{
	"permanent", "transient", "rate limit", "storage full", "items full", "daily cap",
	"auth", "not found", "conflict", "bad id", "canceled",
}

// String returns the class as logs use it.
func (c Class) String() string { return classNames[c] }

// MarshalText writes the class as logs do.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (c *Class) UnmarshalText(text []byte) error {
	i := slices.Index(classNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("no class of errors is called %.40q", text)
	}
	*c = Class(i)
	return nil
}

// An Error is a request that did not succeed.
type Error struct {
	Do         string        // what was tried, as "upload" or "reserve ids"
	Path       manifest.Path // of the item on disk; empty where there is none
	FileID     manifest.FileID
	Class      Class
	Status     int           // HTTP status; 0 when no answer came
	Reason     string        // Drive's reason code
	Message    string        // Drive's words
	RetryAfter time.Duration // what the answer asked for; 0 when it did not
	Until      time.Time     // of a DailyCap: when it is over, at the latest; zero when unknown
	Err        error         // the cause when no answer came; never holds a session address

	item manifest.Path // Path, for what a person can do, even where a list leaves Path out
}

// Error says what was tried, on what, and what came of it.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Do)
	if e.Path != "" {
		b.WriteString(" " + string(e.Path))
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if e.Status == 0 && e.Err != nil {
		b.WriteString(e.Err.Error())
	} else {
		b.WriteString(e.answer())
	}
	if h := e.hint(); h != "" {
		b.WriteString(" (" + h + ")")
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// refusal reports whether e is Drive's word that a write was not carried out,
// and will not have been by an earlier request either.
func (e *Error) refusal() bool {
	return e != nil && e.Status >= 400 && e.Status < 500 && e.Class != Transient && e.Class != Conflict
}

// answer puts what Drive answered into one line, what is not known left out.
func (e *Error) answer() string {
	s := cmp.Or(e.Reason, http.StatusText(e.Status))
	if e.Status != 0 {
		s = strconv.Itoa(e.Status) + " " + s
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s
}

// hint says what a person can do.
func (e *Error) hint() string {
	if h := hints[e.Reason]; h != nil {
		folder, _ := e.item.Split()
		return h(string(folder), string(e.item))
	}
	switch e.Class {
	case StorageFull:
		return "Drive is full: free some room, empty its trash, or get more storage"
	case DailyCap:
		if e.Until.IsZero() {
			return "today's upload quota is spent; the next run after it renews goes on from here"
		}
		return "today's upload quota is spent; uploads go on after " + e.Until.Format("2006-01-02 15:04")
	case Auth:
		if _, told := e.Err.(deadSignIn); told {
			return ""
		}
		return "sign in with: acb auth"
	case Transient:
		switch {
		case e.Status == http.StatusNotFound:
			return "this is not Drive's answer: look at [drive] endpoint, and at what is between here and there"
		case errors.As(e.Err, new(*url.Error)):
			return "is this machine online? Run it again then: what was done is kept"
		}
	}
	return ""
}

// reasonCrowded is Drive's reason for a folder that takes no more items.
const reasonCrowded = "numChildrenInNonRootLimitExceeded"

// hints say what to do about one reason, given the path of the item that was
// refused and the folder that it is in.
// Source: Drive API guides, folder and shared drive limits, "Resolve errors".
var hints = map[string]func(folder, path string) string{
	reasonCrowded: func(folder, _ string) string {
		return "Drive allows 500,000 items in one folder, those in its trash included, and " + folder +
			" has them: divide the folder up, or empty the trash of Drive"
	},
	"myDriveHierarchyDepthLimitExceeded": tooDeep,
	"teamDriveHierarchyTooDeep":          tooDeep,
	"teamDriveFileLimitExceeded": func(string, string) string {
		return "a shared drive holds 500,000 items at most, those in its trash included: empty its trash, or use another one"
	},
	"activeItemCreationLimitExceeded": func(string, string) string {
		return "an account may create 500 million items: delete what it does not need, or use another one"
	},
	"downloadQuotaExceeded": func(string, string) string {
		return "today's download quota is spent: go on tomorrow"
	},
	"accessNotConfigured": func(string, string) string {
		return "enable the Google Drive API in the Google Cloud project of your credentials"
	},
	"domainPolicy": func(string, string) string {
		return "the administrator of this Google Workspace does not allow Drive apps: ask for acb's client id to be trusted"
	},
	"teamDriveMembershipRequired": func(string, string) string {
		return "this account is no member of the shared drive: have it added, or sign in with one that is: acb auth"
	},
	"insufficientParentPermissions": func(folder, _ string) string {
		return "this account may not write any more into the folder on Drive that holds " + folder
	},
	"insufficientFilePermissions": func(string, string) string {
		return "this account may not change the item on Drive any more: somebody else has made it theirs, or read-only"
	},
	"appNotAuthorizedToFile": func(string, string) string {
		return "acb has no access to the item on Drive any more: it was made with other credentials, or access was taken away in the account"
	},
}

func tooDeep(_, path string) string {
	return "Drive allows 100 folders within each other, and " + path + " would be one more: move it up, or put it into ignore"
}

// reasons gives the class of a refusal that only its reason tells, whatever
// its status. Source: Drive API guide, "Resolve errors"; client practice for
// the reasons the guide leaves out.
var reasons = map[string]Class{
	"userRateLimitExceeded":           RateLimit,
	"rateLimitExceeded":               RateLimit,
	"sharingRateLimitExceeded":        RateLimit,
	"failedPrecondition":              RateLimit, // seen as a passing quota refusal
	"dailyLimitExceeded":              DailyCap,
	"downloadQuotaExceeded":           DailyCap,
	"storageQuotaExceeded":            StorageFull,
	"quotaExceeded":                   StorageFull,
	"activeItemCreationLimitExceeded": ItemsFull,
	"teamDriveFileLimitExceeded":      ItemsFull,
	"domainPolicy":                    Auth, // no sign-in of this account will do
	"teamDriveMembershipRequired":     Auth, // likewise
	"insufficientPermissions":         Auth, // the token lacks the scope
	"accessNotConfigured":             Auth, // the Drive API is off in the user's Google project
	"authError":                       Auth,
	"fileIdInUse":                     Conflict,
	"fileIdNotUsable":                 BadID,
	"notFound":                        NotFound,
	"backendError":                    Transient,
	"internalError":                   Transient,
}

// classOf classifies an answer.
func classOf(status int, reason, message string) Class {
	if c, ok := reasons[reason]; ok && status >= 400 && status < 500 {
		return c
	}
	switch {
	case status == http.StatusUnauthorized:
		return Auth
	case status == http.StatusNotFound:
		return Transient // Drive gives its reason; this is somebody between here and there
	case status == http.StatusConflict:
		return Conflict
	case status == http.StatusTooManyRequests:
		return RateLimit
	case status == http.StatusRequestTimeout || status >= 500:
		return Transient
	case status == http.StatusBadRequest && strings.Contains(strings.ToLower(message), "usable"):
		return BadID // the reason is "invalid" in some reports, the words agree
	}
	return Permanent
}

// capMessage is the wording that Drive uses for the 750 GB day, under the
// reason of an ordinary rate limit; the ordinary one has capitals and no full
// stop. Source: rclone's Drive backend and issue threads.
const capMessage = "User rate limit exceeded."

// classify makes an Error of whatever a request ended with; nil stays nil.
func classify(err error) *Error {
	if err == nil {
		return nil
	}
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	var g *googleapi.Error
	if errors.As(err, &g) {
		return fromAnswer(g)
	}
	e := &Error{Class: Transient, Err: withoutQuery(err)}
	var dead deadSignIn
	switch {
	case errors.Is(err, context.Canceled):
		e.Class = Canceled
	case errors.As(err, &dead):
		// Its words name cause and cure; the address that was asked does not.
		e.Class, e.Err = Auth, dead
	}
	return e
}

// deadSignIn is the error of a client below us whose sign-in no retry can
// mend. Which those are the client knows; any other of its errors may pass.
type deadSignIn interface {
	error
	SignInDead()
}

func fromAnswer(g *googleapi.Error) *Error {
	e := &Error{Status: g.Code, Message: g.Message, RetryAfter: retryAfter(g.Header)}
	if len(g.Errors) > 0 {
		e.Reason = g.Errors[0].Reason
		if e.Message == "" {
			e.Message = g.Errors[0].Message
		}
	}
	if e.Message == "" {
		e.Message = plainText(g.Body) // upload servers answer in plain text
	}
	if strings.Contains(e.Message, "upload_id") { // the address of a session is not to be repeated
		e.Message = ""
	}
	e.Class = classOf(e.Status, e.Reason, e.Message)
	if e.Class == RateLimit && e.RetryAfter > longestWait {
		e.Class = DailyCap
	}
	return e
}

// longestWait is the longest that a run stands still because an answer asks it
// to; a refusal for longer is one for the day.
const longestWait = time.Hour

// wait is how long nothing may leave after e.
func (e *Error) wait() time.Duration {
	if e.Class == DailyCap {
		return 0 // it concerns contents, and the run knows
	}
	return min(e.RetryAfter, longestWait)
}

// retryAfter reads a Retry-After, which Drive does not promise to send: seconds,
// or a date. Clocks differ, so the date counts from that of the same answer.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if s, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(s) * time.Second
	}
	at, err1 := http.ParseTime(text)
	sent, err2 := http.ParseTime(h.Get("Date"))
	if err1 != nil || err2 != nil {
		return 0
	}
	return max(at.Sub(sent), 0)
}

// withoutQuery drops the query of the address that net/http puts into its
// errors: a session's upload_id there is as good as a password.
func withoutQuery(err error) error {
	var u *url.Error
	if !errors.As(err, &u) {
		return err
	}
	at := u.URL
	if i := strings.IndexByte(at, '?'); i >= 0 {
		at = at[:i]
	}
	return &url.Error{Op: u.Op, URL: at, Err: u.Err}
}

// plainText returns the first line of an answer that is no JSON. A page for
// browsers says nothing in it.
func plainText(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	if strings.HasPrefix(s, "<") {
		return ""
	}
	return strings.ToValidUTF8(s[:min(len(s), 200)], "")
}

// again returns the error for another operation that it keeps from running.
func (e *Error) again() *Error {
	own := *e
	own.Do, own.Path, own.item, own.FileID = "", "", "", ""
	return &own
}

// about says what was tried and returns e, a nil included.
func (e *Error) about(do string, path manifest.Path, id manifest.FileID) *Error {
	if e != nil && e.Do == "" {
		e.Do, e.Path, e.item, e.FileID = do, path, path, id
	}
	return e
}
