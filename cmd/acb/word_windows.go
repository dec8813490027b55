package main

import "strings"

// word writes an argument as both cmd and PowerShell take it. No path holds a
// quotation mark.
func word(s string) string {
	if strings.ContainsAny(s, " \t&|<>^%!,;=()[]{}@'`$#~+") {
		return `"` + s + `"`
	}
	return s
}
