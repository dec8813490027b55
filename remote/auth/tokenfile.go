package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/natefinch/atomic"
)

// record is the token file: x/oauth2's JSON form of a token, and beside it
// what acb wants to know when the sign-in dies.
type record struct {
	AccessToken  string    `json:"access_token"`
	TokenType    string    `json:"token_type,omitempty"`
	RefreshToken string    `json:"refresh_token,omitempty"`
	Expiry       time.Time `json:"expiry,omitzero"` // zero: unknown, good until refused

	ClientID string    `json:"client_id,omitempty"` // whom the grant was given to
	Scope    string    `json:"scope,omitempty"`     // what was granted, separated by spaces
	Obtained time.Time `json:"obtained,omitzero"`   // when a person signed in
}

// early is how long before its end a token is renewed, so that it does not end
// on the way. Source: x/oauth2 does the same.
const early = 10 * time.Second

// usable reports whether the access token can be sent at now.
func (r record) usable(now time.Time) bool {
	return r.AccessToken != "" && (r.Expiry.IsZero() || now.Before(r.Expiry.Add(-early)))
}

// sameToken reports whether both hold the same tokens.
func (r record) sameToken(o record) bool {
	return r.AccessToken == o.AccessToken && r.RefreshToken == o.RefreshToken
}

// covers reports whether a granted scope lets acb work. An unrecorded one is
// given the benefit of the doubt: Drive will say.
func covers(scope string) bool {
	list := strings.Fields(scope)
	return len(list) == 0 || slices.Contains(list, Scope) || slices.Contains(list, "https://www.googleapis.com/auth/drive")
}

// maxFile is far above any token or key file, in bytes.
const maxFile = 1 << 20

// readSmall reads a file that may hold secrets. private tells why it is not
// for its owner alone, nil when it is.
func readSmall(file string) (b []byte, private, err error) {
	info, err := os.Stat(file) // before opening: a pipe would block
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is not a file", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil { // of what was opened
		return nil, nil, err
	}
	if b, err = io.ReadAll(io.LimitReader(f, maxFile)); err != nil {
		return nil, nil, err
	}
	return b, checkPrivate(file, info), nil
}

// loadRecord reads a token file. One that others can read or that belongs to
// someone else is refused, one that is not there is a [*DeadError].
func loadRecord(file string) (record, error) {
	b, private, err := readSmall(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return record{}, &DeadError{Cause: "nobody has signed in yet: no file " + file, Hint: signInAgain}
	case err != nil:
		return record{}, fmt.Errorf("read sign-in: %w", err)
	case private != nil:
		return record{}, fmt.Errorf("read sign-in: %w", private)
	}
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return record{}, &DeadError{Cause: fmt.Sprintf("the token file %s is damaged: %s", file, jsonCause(err)), Hint: signInAgain}
	}
	if r.RefreshToken == "" {
		return record{}, &DeadError{Cause: fmt.Sprintf("the token file %s holds no refresh token", file), Hint: signInAgain}
	}
	return r, nil
}

// saveRecord replaces the token file: readers meet the old or the new one,
// whole, and never one that others may read. A link is kept, its target
// replaced.
func saveRecord(file string, r record) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("save sign-in: %w", err)
		}
	}()
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target
	}
	// Not atomic.WriteFile: it would give the new file the mode of the old.
	f, err := os.CreateTemp(filepath.Dir(file), ".token-*") // 0600 from the start
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = atomic.ReplaceFile(f.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
