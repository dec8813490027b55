//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

var stopSignals = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}

// outlivePipe lets a command go on whose output nobody reads any more, as in
// "acb scan -v | head": its writes fail, and do not end it in the middle of
// its work.
func outlivePipe() { signal.Ignore(syscall.SIGPIPE) }
