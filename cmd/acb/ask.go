package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
)

// ask asks a person and returns the line that is answered. Reading a terminal
// cannot be interrupted, so that an interrupt leaves it behind: it ends with
// the process.
func (a *app) ask(ctx context.Context, question string) (string, error) {
	fmt.Fprint(a.err, question)
	var line string
	var err error
	answered := make(chan struct{})
	go func() {
		line, err = bufio.NewReader(a.in).ReadString('\n')
		close(answered)
	}()
	select {
	case <-answered:
		return strings.TrimRight(line, "\r\n"), err
	case <-ctx.Done():
		fmt.Fprintln(a.err) // behind ^C
		return "", ctx.Err()
	}
}

// agree asks whether to go on. Where nobody can be asked, --yes must have been
// said.
func (a *app) agree(ctx context.Context, yes bool, question string, args ...any) error {
	if yes {
		return nil
	}
	if !isTerminal(a.in) || !isTerminal(a.err) {
		a.warn(question, args...)
		return &exitError{exitUsage, errors.New("nothing is done without your word: say --yes")}
	}
	answer, err := a.ask(ctx, fmt.Sprintf(question+" [y/N] ", args...))
	if ctx.Err() != nil {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return &exitError{exitUsage, errors.New("nothing was done")}
}
