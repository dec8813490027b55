package auth

import "time"

// Status is what can be told of a sign-in without asking Google.
type Status struct {
	Kind     Kind
	Client   string        // client id, shortened; e-mail address of a service account
	File     string        // the token file; "" for a service account
	SignedIn bool          // nothing speaks against the next request; Google may still refuse it
	Scope    string        // what was granted, separated by spaces; "" when not recorded
	Expiry   time.Time     // of the access token, which is renewed by itself; zero when unknown
	Obtained time.Time     // when a person signed in; zero when not recorded
	Age      time.Duration // since Obtained
	Problem  error         // why SignedIn is false: a [*DeadError], or a file that others can read
}

// ReadStatus looks at a sign-in as of now. It sends nothing.
func ReadStatus(creds *Credentials, tokenFile string, now time.Time) Status {
	s := Status{Kind: creds.Kind, Client: creds.name()}
	if creds.Kind == ServiceAccount {
		s.SignedIn, s.Scope = true, Scope
		return s
	}
	s.File = tokenFile
	r, err := loadRecord(tokenFile)
	if err == nil {
		err = belongs(r, creds)
	}
	s.SignedIn, s.Problem = err == nil, err
	s.Scope, s.Expiry, s.Obtained = r.Scope, r.Expiry, r.Obtained
	if !r.Obtained.IsZero() {
		s.Age = now.Sub(r.Obtained)
	}
	return s
}
