//go:build !linux

package main

import "github.com/rogpeppe/go-internal/testscript"

func diskCommand(ts *testscript.TestScript, _ bool, _ []string) { ts.Fatalf("disk: only on Linux") }

func canMount() bool { return false }

func canFAT() bool { return false }
