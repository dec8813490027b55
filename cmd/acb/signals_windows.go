package main

import (
	"os"
	"syscall"
)

// Go delivers the closing of the console, logging off and shutting down as
// SIGTERM on Windows.
var stopSignals = []os.Signal{os.Interrupt, syscall.SIGTERM}

// outlivePipe does nothing: here a write to a pipe that is closed just fails.
func outlivePipe() {}
