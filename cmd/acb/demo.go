package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
	"github.com/spf13/cobra"
)

func (a *app) demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo [DIR]",
		Short: "Show a backup of a real folder, without an account",
		Long: `Demo copies DIR (by default the source of the Go toolchain) to a temporary
folder, backs the copy up to a Drive look-alike in this process, then edits,
adds, deletes and moves things in the copy and backs up again. DIR is only
read. What a person would see on Drive is laid out as plain files at the end.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := demoTree(args)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			return a.demo(cmd.Context(), dir)
		},
	}
}

// demoTree returns the folder to show a backup of.
func demoTree(args []string) (string, error) {
	if len(args) > 0 {
		info, err := os.Stat(args[0])
		if err == nil && !info.IsDir() {
			err = fmt.Errorf("%s is not a folder", args[0])
		}
		return args[0], err
	}
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", errors.New("there is no Go toolchain to show a backup of: name a folder, as in: acb demo ~/Documents")
	}
	return filepath.Join(strings.TrimSpace(string(out)), "src"), nil
}

// A demo is the stage on which the demo plays.
type demo struct {
	*app
	work  string // all below is in it
	files string // the copy that is backed up
	drive string // what Drive holds, as plain files
	state string // of the look-alike
}

func (a *app) demo(ctx context.Context, dir string) error {
	work, err := os.MkdirTemp("", "acb-demo-")
	if err != nil {
		return err
	}
	d := &demo{
		app: a, work: work, files: filepath.Join(work, "files"),
		drive: filepath.Join(work, "drive"), state: filepath.Join(work, "look-alike"),
	}
	a.configFile = filepath.Join(work, "acb.toml")
	d.title("copying %s to %s", dir, d.files)
	if err := os.CopyFS(d.files, os.DirFS(dir)); err != nil {
		return fmt.Errorf("copy %s: %w", dir, err)
	}
	if err := d.settle(); err != nil {
		return err
	}
	config := fmt.Sprintf("backup = [%q]\nstate = %q\n\n[drive]\nendpoint = %q\n\n[limits]\nwrites_per_second = 0  # the look-alike bears more than a Google account\n",
		d.files, filepath.Join(work, "state"), "embedded:"+d.state)
	if err := os.WriteFile(a.configFile, []byte(config), 0o600); err != nil {
		return err
	}
	fmt.Fprint(a.out, config)

	d.title("the first backup: everything is sent")
	if err := a.scan(ctx, scanFlags{}); err != nil {
		return err
	}
	d.title("a day of work")
	if err := d.edit(); err != nil {
		return err
	}
	d.title("what would a backup do now? (acb scan -n)")
	if err := a.scan(ctx, scanFlags{dryRun: true}); err != nil {
		return err
	}
	d.title("the second backup: only what changed; the moved folder is one operation")
	if err := a.scan(ctx, scanFlags{}); err != nil {
		return err
	}
	d.title("the third backup: nothing changed")
	if err := a.scan(ctx, scanFlags{}); err != nil {
		return err
	}
	d.title("a backup exists when it has been restored: everything, into another folder, as it is and as it was")
	if err := d.bringBack(ctx); err != nil {
		return err
	}
	return d.layOut()
}

// bringBack restores what the last backup holds and what the first held, and
// compares the former with the files.
func (d *demo) bringBack(ctx context.Context) error {
	for _, f := range []restoreFlags{{to: filepath.Join(d.work, "restored")}, {to: filepath.Join(d.work, "restored-as-of-run-1"), at: "1", unpin: true}} {
		if err := d.restore(ctx, f, []string{d.files}); err != nil {
			return err
		}
	}
	n := 0
	err := filepath.WalkDir(d.files, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		n++
		a, errA := os.ReadFile(path)
		b, errB := os.ReadFile(filepath.Join(d.work, "restored", filepath.Base(d.files), d.rel(path)))
		if errA == nil && errB == nil && !bytes.Equal(a, b) {
			errB = fmt.Errorf("%s came back with another content", d.rel(path))
		}
		return errors.Join(errA, errB)
	})
	if err == nil {
		fmt.Fprintf(d.out, "compared: all %d files came back as they are\n", n)
	}
	return err
}

func (d *demo) title(format string, args ...any) {
	fmt.Fprintf(d.out, "\n== "+format+"\n", args...)
}

// settle gives the copies an age, as files have that nobody just wrote.
func (d *demo) settle() error {
	old := d.now().Add(-time.Hour)
	return filepath.WalkDir(d.files, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		return os.Chtimes(path, old, old)
	})
}

// edit plays a day of work: files edited, added and deleted, and the folder
// with the most files moved.
func (d *demo) edit() error {
	var files []string
	folders := make(map[string]int) // files in it and below
	err := filepath.WalkDir(d.files, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		files = append(files, path)
		for dir := filepath.Dir(path); dir != d.files; dir = filepath.Dir(dir) {
			folders[dir]++
		}
		return nil
	})
	if err != nil {
		return err
	}
	mover := ""
	for dir, n := range folders {
		// Hundreds of files, but not the better part of the tree.
		if n*3 <= len(files) && (n > folders[mover] || n == folders[mover] && dir < mover) {
			mover = dir
		}
	}
	var edited, deleted int
	for i, f := range files {
		if mover != "" && strings.HasPrefix(f, mover+string(filepath.Separator)) {
			continue
		}
		switch {
		case i%97 == 1 && edited < 5:
			edited++
			err = appendTo(f, "\nedited by acb demo\n")
		case i%97 == 2 && deleted < 5:
			deleted++
			err = os.Remove(f)
		}
		if err != nil {
			return err
		}
	}
	notes := filepath.Join(d.files, "new notes")
	if err := os.Mkdir(notes, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"one.txt", "zwei.txt", "три.txt"} {
		if err := os.WriteFile(filepath.Join(notes, name), []byte("a new file: "+name+"\n"), 0o644); err != nil {
			return err
		}
	}
	fmt.Fprintf(d.out, "%d files edited, 3 added in a new folder, %d deleted\n", edited, deleted)
	if mover != "" {
		to := filepath.Join(notes, "moved "+filepath.Base(mover))
		if err := os.Rename(mover, to); err != nil {
			return err
		}
		fmt.Fprintf(d.out, "a folder of %d files moved: %s -> %s\n", folders[mover], d.rel(mover), d.rel(to))
	}
	return nil
}

func (d *demo) rel(path string) string {
	rel, err := filepath.Rel(d.files, path)
	if err != nil {
		return path
	}
	return rel
}

func appendTo(file, text string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// layOut shows what the look-alike holds as plain files.
func (d *demo) layOut() error {
	held, err := drivetest.New(drivetest.Options{Dir: d.state})
	if err != nil {
		return err
	}
	defer held.Close()
	if err := held.Export("root", d.drive); err != nil {
		return err
	}
	d.title("look around")
	fmt.Fprintf(d.out, `what was backed up   %s
what Drive holds     %s
what came back       %s
configuration        %s
the runs' logs       %s
once more            acb scan --config %s
when done            rm -r %s
`, d.files, d.drive, filepath.Join(d.work, "restored"), d.configFile, filepath.Join(d.work, "state", "logs"), d.configFile, d.work)
	return nil
}
