//go:build unix

package main

import "github.com/kballard/go-shellquote"

// word writes an argument as a shell takes it.
func word(s string) string { return shellquote.Join(s) }
