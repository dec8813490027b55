package drivetest

import (
	"fmt"
	"net/http"
)

// apiError is an answer that refuses a request. Source of the shapes: the
// Drive guide "Resolve errors", and recorded answers.
type apiError struct {
	code     int
	domain   string
	reason   string
	message  string
	location string
	locType  string // parameter or header
	long     string // message at the top, when it differs from the entry's
	status   string // only on auth, typed-value and quota errors
	details  []any
	header   http.Header
	text     string // a plain-text body instead of JSON, as upload servers send
}

func (e *apiError) Error() string { return fmt.Sprintf("%d %s: %s", e.code, e.reason, e.message) }

// body gives the JSON value of the answer.
func (e *apiError) body() any {
	entry := map[string]any{"message": e.message, "reason": e.reason}
	if e.domain != "-" {
		entry["domain"] = e.domain
		if e.domain == "" {
			entry["domain"] = "global"
		}
	}
	if e.location != "" {
		entry["location"] = e.location
		entry["locationType"] = e.locType
		if e.locType == "" {
			entry["locationType"] = "parameter"
		}
	}
	top := e.long
	if top == "" {
		top = e.message
	}
	inner := map[string]any{"code": e.code, "message": top, "errors": []any{entry}}
	if e.status != "" {
		inner["status"] = e.status
	}
	if e.details != nil {
		inner["details"] = e.details
	}
	return map[string]any{"error": inner}
}

func errNotFound(id string) *apiError {
	return &apiError{code: 404, reason: "notFound", message: "File not found: " + id + ".", location: "fileId"}
}

// errInvalid refuses the value of a query parameter.
func errInvalid(param string) *apiError {
	return &apiError{code: 400, reason: "invalid", message: "Invalid Value", location: param}
}

func errBad(format string, args ...any) *apiError {
	return &apiError{code: 400, reason: "badRequest", message: fmt.Sprintf(format, args...)}
}

func errForbidden(reason, format string, args ...any) *apiError {
	return &apiError{code: 403, reason: reason, message: fmt.Sprintf(format, args...)}
}

func errFieldNotWritable(field string) *apiError {
	return errForbidden("fieldNotWritable", "The resource body includes fields which are not directly writable: %s", field)
}

// errTyped refuses a query parameter that is not of its type. kind is Google's
// name for the type, as TYPE_BOOL.
func errTyped(param, kind, value string) *apiError {
	msg := fmt.Sprintf("Invalid value at '%s' (%s), %q", snake(param), kind, value)
	return &apiError{
		code: 400, domain: "-", reason: "invalid", message: msg, status: "INVALID_ARGUMENT",
		details: []any{map[string]any{
			"@type":           "type.googleapis.com/google.rpc.BadRequest",
			"fieldViolations": []any{map[string]any{"field": snake(param), "description": msg}},
		}},
	}
}

// snake gives page_size for pageSize, as Google's typed errors do.
func snake(s string) string {
	var b []byte
	for i := range len(s) {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			b = append(b, '_', c+'a'-'A')
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}

func errUnauthorized() *apiError {
	return &apiError{
		code: 401, reason: "authError", message: "Invalid Credentials", location: "Authorization", locType: "header",
		long:   "Request had invalid authentication credentials. Expected an OAuth 2 access token.",
		status: "UNAUTHENTICATED",
		header: http.Header{"Www-Authenticate": {`Bearer realm="https://accounts.google.com/", error="invalid_token"`}},
	}
}

// errNoCredentials is the answer to a request without any token. It differs by
// method, as recorded.
func errNoCredentials(method string) *apiError {
	if method == http.MethodGet || method == http.MethodHead {
		return &apiError{
			code: 403, reason: "forbidden", status: "PERMISSION_DENIED",
			message: "Method doesn't allow unregistered callers (callers without established identity).",
		}
	}
	return &apiError{
		code: 401, reason: "required", message: "Login Required.", location: "Authorization", locType: "header",
		long: "Request is missing required authentication credential.", status: "UNAUTHENTICATED",
	}
}

func errScope() *apiError {
	return &apiError{
		code: 403, reason: "insufficientPermissions", message: "Insufficient Permission",
		long: "Request had insufficient authentication scopes.", status: "PERMISSION_DENIED",
		details: []any{map[string]any{
			"@type": "type.googleapis.com/google.rpc.ErrorInfo", "domain": "googleapis.com",
			"reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "metadata": map[string]any{"service": "drive.googleapis.com"},
		}},
	}
}

// errRate refuses for going too fast; tooMany chooses 429 over 403.
func errRate(tooMany bool) *apiError {
	if tooMany {
		return &apiError{code: 429, domain: "usageLimits", reason: "rateLimitExceeded", message: "Rate Limit Exceeded"}
	}
	return &apiError{code: 403, domain: "usageLimits", reason: "userRateLimitExceeded", message: "User Rate Limit Exceeded"}
}

// errQuota refuses for too many quota units in a minute.
func errQuota(limit int) *apiError {
	return &apiError{
		code: 403, domain: "usageLimits", reason: "rateLimitExceeded", status: "PERMISSION_DENIED",
		message: "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute per user'.",
		details: []any{map[string]any{
			"@type": "type.googleapis.com/google.rpc.ErrorInfo", "domain": "googleapis.com", "reason": "RATE_LIMIT_EXCEEDED",
			"metadata": map[string]any{
				"service": "drive.googleapis.com", "quota_metric": "drive.googleapis.com/default",
				"quota_limit": "defaultPerMinutePerUser", "quota_limit_value": fmt.Sprint(limit),
			},
		}},
	}
}

func errStorage() *apiError {
	return errForbidden("storageQuotaExceeded", "The user's Drive storage quota has been exceeded.")
}

// errPlain is a refusal by the upload server, whose bodies are plain text.
func errPlain(code int, text string) *apiError {
	return &apiError{code: code, reason: "text", message: text, text: text}
}
