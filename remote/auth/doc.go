// Package auth turns Google's own credential files into an HTTP client that
// is signed in.
//
// [LoadCredentials] reads an OAuth desktop client or a service account key as
// the Google Cloud console hands it out. [SignIn] leads a person through the
// browser once and leaves a token file, [SignInOnce] leaves none. [Client] makes the HTTP client that
// everything else uses: it sends nothing until it is used, renews the access
// token when that is about to end, and counts what that costs. [ReadStatus]
// says what is there without asking anyone.
//
// A sign-in that no retry can mend is a [*DeadError], which names the likely
// cause and what a person can do. No error, log line or printed value of this
// package holds a token, a client secret or a private key.
package auth

// Scope is the permission that acb works with: files that it made itself.
// Source: Drive API guide, "Choose scopes".
const Scope = "https://www.googleapis.com/auth/drive.file"

// ReadAll is the permission to read all of a Drive. It is only asked for with
// [SignInOnce], to copy what another OAuth client made.
const ReadAll = "https://www.googleapis.com/auth/drive.readonly"
