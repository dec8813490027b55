// Command bench measures what acb promises in numbers, as ratios to floors
// that are taken in the same run: find for a walk, BLAKE3 and MD5 for hashing
// and sending, rclone for a first run. README quotes its output.
//
//	go run ./internal/bench                        everything; 20 to 30 minutes at first, for the million files
//	go run ./internal/bench -parts unchanged,hash  some parts
//	go run ./internal/bench -check                 exit code 1 if a limit is missed
//	RCLONE=/usr/bin/rclone go run ./internal/bench -parts first
//
// Trees and manifests are kept in acb-bench in the folder for temporary files
// and used again; remove it to begin anew.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

// A bench is one invocation.
type bench struct {
	acb        string // the binary
	cache      string // the folder for trees and manifests
	rclone     string // a binary, or ""
	pairs      int    // measurements of each side
	dropCaches bool   // measure with cold caches too
	report     *report
}

// parts are what can be measured, in this order.
var parts = []struct {
	name string
	run  func(*bench, context.Context) error
}{
	{"requests", (*bench).requests},
	{"hash", (*bench).hash},
	{"send", (*bench).send},
	{"bandwidth", (*bench).bandwidth},
	{"pacer", (*bench).pacer},
	{"unchanged", func(b *bench, ctx context.Context) error {
		return b.unchanged(ctx, hundredThousand, unchangedLimits{wall: 0.85, cpu: 1.35, peak: 48})
	}},
	{"first", (*bench).first},
	{"restore", (*bench).restore},
	{"verify", (*bench).verify},
	{"million", func(b *bench, ctx context.Context) error {
		return b.unchanged(ctx, million, unchangedLimits{wall: 0.75, cpu: 1.3, cold: 0.65, peak: 64})
	}},
	{"lists", (*bench).lists},
}

func main() {
	var err error
	switch args := os.Args[1:]; {
	case len(args) > 1 && args[0] == measureFlag:
		err = measureChild(args[1:], os.Stdout)
	case len(args) == 2 && args[0] == lookAlikeFlag:
		err = serveLookAlike(args[1], os.Stdin, os.Stdout)
	case len(args) > 1 && args[0] == hashFloorFlag:
		err = hashFloor(args[1:])
	case len(args) == 4 && args[0] == downloadFlag:
		err = download(args[1], args[2], args[3])
	default:
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		err = run(ctx, args, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures what args ask for and prints the report to out.
func run(ctx context.Context, args []string, out io.Writer) error {
	b := &bench{report: &report{out: out}, rclone: os.Getenv("RCLONE")}
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	fl := flag.NewFlagSet("bench", flag.ContinueOnError)
	fl.SetOutput(out)
	chosen := fl.String("parts", strings.Join(names, ","), "what to measure")
	check := fl.Bool("check", false, "exit with 1 if a limit is missed")
	fl.StringVar(&b.acb, "acb", "bin/acb", "the acb to measure")
	fl.StringVar(&b.cache, "cache", filepath.Join(os.TempDir(), "acb-bench"), "where trees and manifests are kept")
	profiles := fl.String("profiles", "", "build and run an acb that writes profiles into this folder")
	fl.IntVar(&b.pairs, "pairs", 7, "how often each side is measured")
	fl.BoolVar(&b.dropCaches, "cold", true, "also measure with cold caches, which empties those of the whole machine")
	if err := fl.Parse(args); err != nil {
		return err
	}
	want := strings.Split(*chosen, ",")
	for _, w := range want {
		if !slices.Contains(names, w) {
			return fmt.Errorf("there is no part %q: there are %s", w, strings.Join(names, ", "))
		}
	}
	var err error
	if *profiles != "" {
		if b.acb, err = profiledAcb(ctx, *profiles); err != nil {
			return err
		}
	}
	if b.acb, err = filepath.Abs(b.acb); err != nil {
		return err
	}
	if _, err := os.Stat(b.acb); err != nil {
		return fmt.Errorf("find acb: %w: run \"make build\" first, or name it with -acb", err)
	}
	for _, p := range parts {
		if !slices.Contains(want, p.name) {
			continue
		}
		if err := p.run(b, ctx); err != nil {
			b.report.finish()
			return fmt.Errorf("measure %s: %w", p.name, err)
		}
	}
	if missed := b.report.finish(); missed > 0 && *check {
		return fmt.Errorf("%d limits missed", missed)
	}
	return nil
}
