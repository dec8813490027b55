// Package config turns acb.toml into a checked [Config].
//
// [Find] names the file, [Load] reads it. Load is strict: an unknown key, a
// wrong type, an impossible value, a source that is missing or lies in another
// one are all refused, and all of them are reported at once, each with file,
// line, key and what to do. The keys are those of the table in keys.go, and
// acb.toml.example shows every one of them; a test holds the two together.
package config
