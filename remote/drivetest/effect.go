package drivetest

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// An Effect is what goes wrong with one request. It prints as its name.
type Effect struct {
	name string
	op   op
	err  *apiError     // refuse, lostAs
	n    int64         // bytes or calls
	d    time.Duration // slow
}

type op uint8

const (
	opNone        op = iota
	opRefuse         // before effect
	opCut            // before effect, connection closed
	opCutBody        // connection closed after n bytes of the request body
	opLost           // effect, connection closed
	opLostAs         // effect, then an error answer
	opTorn           // effect, half of the answer
	opSlow           // a pause before
	opHang           // before effect, until the client gives up
	opHangAfter      // effect, then hang
	opSessionLost    // the upload session is gone
	opPartial        // only n bytes of a chunk are kept
	opNoRange        // nothing of a chunk is kept, 308 without Range
	opCorrupt        // content is stored with a flipped bit
	opWrongMD5       // the answer's md5Checksum is wrong, what is stored is right
	opFresh404       // what the call made is 404 for n calls
	opDropPart       // effect, but the part is missing in the batch answer
)

func (e Effect) String() string { return e.name }

// applies says whether the effect means anything for a request; a
// fault that does not apply does not count as a hit.
func (e Effect) applies(p Point) bool {
	k := p.Kind
	switch e.op {
	case opNone:
		return false
	case opSessionLost:
		return k == UploadChunk || k == UploadQuery
	case opPartial, opNoRange:
		return k == UploadChunk && !p.no308
	case opDropPart:
		return p.Inner
	case opCorrupt:
		return k.upload()
	case opWrongMD5:
		return k.upload() || k == Create || k == Update || k == Get || k == Copy
	case opFresh404:
		return k.upload() || k == Create || k == Copy
	}
	return true
}

// Effects without a parameter.
var (
	// Lost: Drive does it, the connection is closed before an answer. In a
	// batch, that part answers 503.
	Lost = Effect{name: "lost", op: opLost}
	// Cut: the connection is closed before Drive does anything. In a batch, that part answers 503.
	Cut = Effect{name: "cut", op: opCut}
	// Torn: Drive does it, half of the answer's body arrives, then the connection is closed.
	Torn = Effect{name: "torn", op: opTorn}
	// Hang: nothing happens and nothing is answered until the client gives up.
	Hang = Effect{name: "hang", op: opHang}
	// HangAfter: Drive does it, then nothing is answered until the client gives up.
	HangAfter = Effect{name: "hangafter", op: opHangAfter}
	// Unavailable: 503 backendError, nothing done.
	Unavailable = Refuse(503, "backendError")
	// RateLimited: 403 userRateLimitExceeded, nothing done.
	RateLimited = Refuse(403, "userRateLimitExceeded")
	// Unauthorized: 401 authError, nothing done; the token itself stays good.
	Unauthorized = Effect{name: "unauthorized", op: opRefuse, err: errUnauthorized()}
	// NoRange: a chunk is not kept; the answer is 308 without Range. Does not
	// strike a client that sent X-GUploader-No-308.
	NoRange = Effect{name: "norange", op: opNoRange}
	// Corrupt: the content is stored with a flipped bit, and Drive reports it honestly.
	Corrupt = Effect{name: "corrupt", op: opCorrupt}
	// WrongMD5: the content is stored well, the answer holds another md5Checksum.
	WrongMD5 = Effect{name: "wrongmd5", op: opWrongMD5}
	// DropPart: the part is done, but its answer is missing in the batch's.
	DropPart = Effect{name: "droppart", op: opDropPart}
)

// Refuse answers an error and does nothing. domain usageLimits is used for
// reasons that speak of limits.
func Refuse(code int, reason string) Effect {
	e := &apiError{code: code, reason: reason, message: messageOf(code, reason)}
	if code == 429 || reason == "userRateLimitExceeded" || reason == "rateLimitExceeded" || reason == "dailyLimitExceeded" {
		e.domain = "usageLimits"
	}
	return Effect{name: strconv.Itoa(code) + " " + reason, op: opRefuse, err: e}
}

// TooMany answers 429 rateLimitExceeded with a Retry-After of whole seconds, and does nothing.
func TooMany(retryAfter time.Duration) Effect {
	e := errRate(true)
	e.header = http.Header{"Retry-After": {strconv.Itoa(int(retryAfter.Seconds()))}}
	return Effect{name: fmt.Sprintf("429 after %s", retryAfter), op: opRefuse, err: e}
}

// LostAs does what was asked and then answers an error, as 500 or 503.
func LostAs(code int) Effect {
	return Effect{
		name: fmt.Sprintf("done but %d", code), op: opLostAs,
		err: &apiError{code: code, reason: "internalError", message: messageOf(code, "")},
	}
}

// CutBody closes the connection after n bytes of the request's body. A
// resumable session keeps the whole blocks of 256 KiB among them.
func CutBody(n int64) Effect { return Effect{name: fmt.Sprintf("cutbody %d", n), op: opCutBody, n: n} }

// Slow waits before anything is done.
func Slow(d time.Duration) Effect { return Effect{name: "slow " + d.String(), op: opSlow, d: d} }

// SessionLost ends the upload session and answers code, 404 or 410.
func SessionLost(code int) Effect {
	return Effect{name: fmt.Sprintf("session %d", code), op: opSessionLost, n: int64(code)}
}

// PartialChunk keeps only n bytes of a chunk, rounded down to 256 KiB, and
// answers 308 with the Range that it has. Does not strike a client that sent X-GUploader-No-308.
func PartialChunk(n int64) Effect {
	return Effect{name: fmt.Sprintf("partial %d", n), op: opPartial, n: n}
}

// Fresh404 lets the file that the call makes be 404 for n calls.
func Fresh404(n int) Effect {
	return Effect{name: fmt.Sprintf("fresh404 %d", n), op: opFresh404, n: int64(n)}
}

func messageOf(code int, reason string) string {
	switch reason {
	case "userRateLimitExceeded":
		return "User Rate Limit Exceeded"
	case "rateLimitExceeded":
		return "Rate Limit Exceeded"
	case "storageQuotaExceeded":
		return errStorage().message
	}
	return http.StatusText(code)
}
