package main

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/autocloudbackup/acb/internal/machine"
	"github.com/autocloudbackup/acb/remote/drivetest"
	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts in testdata/script are acb as a user meets it: real processes,
// real files, and for each script a Drive look-alike of its own in the test
// process. A script is named subject first and opens with a sentence that
// says what the user sees.
//
// A script finds in $WORK, where it starts:
//
//	acb.toml          its own, else one that backs up src; $ACB_CONFIG names it.
//	                  In any *.toml, ENDPOINT stands for the look-alike's address.
//	                  An acb.toml without [drive] is given one.
//	state/            the state folder, with token.json in it: acb is signed in
//	credentials.json  the OAuth client
//
// Every file and folder of the archive is an hour old when the script starts,
// so that no time stamp is too young to be trusted.
//
// Besides the commands of testscript there are:
//
//	exits CODE [-int REGEXP | -open] COMMAND...
//		runs a command that must end with this exit code. -int interrupts it
//		when a line of its output matches; -open opens the link it prints,
//		as a browser would, and follows where it leads.
//	summary KEY=VALUE...
//		compares counters in the last line of a --json output on stdout.
//		"summary keys" prints the names of all of them, one a line;
//		"summary same FILE KEY..." compares with the summary in FILE.
//	file NAME SIZE
//		makes a file of so many bytes that look random, the same for the same
//		NAME. NAME and those below are Go's quoted strings without the quotes,
//		so that \n and \xff can be written.
//	many NAME N [TEXT]
//		makes N small files NAME-1, NAME-2, ..., with their name and TEXT in them
//	copytree FOLDER NEW
//		copies a folder with what is in it.
//	otherfs FOLDER NAME
//		copies a folder to another file system and makes NAME a link to it.
//	mtime NAME DURATION
//		makes a file so old; "mtime NAME 2024-05-06T07:08:09Z" sets the time.
//	older MANIFEST
//		makes a manifest one as the acb of format 5 has left it.
//	fifo NAME
//		makes a named pipe.
//	disk SUBCOMMAND...
//		mounts a disk, fills it, or makes it read-only; see diskCommand.
//	acb-later ARGUMENTS...
//		is acb three days from now.
//	acb-elsewhere ARGUMENTS...
//		is acb on another machine.
//	drive SUBCOMMAND...
//		looks into the look-alike and acts in it; see driveCommands.
//
// Conditions: [root] for tests that permissions cannot stop, [otherfs] where
// a second file system can be written to, [disk] where one can be mounted, [fat]
// where one with FAT can,
// [soak] under make soak.

// update rewrites the golden sections of scripts from what acb prints.
var update = flag.Bool("update", false, "rewrite golden sections of scripts")

func TestMain(m *testing.M) {
	// Scripts wait for disks and for the pauses between tries, not for processors.
	flag.Set("test.parallel", "8")
	testscript.Main(m, map[string]func(){
		"acb": func() { os.Exit(Main()) },
		"acb-later": func() {
			os.Exit(start(func() time.Time { return time.Now().AddDate(0, 0, 3) }, machine.ID))
		},
		"acb-elsewhere": func() {
			os.Exit(start(time.Now, func(purpose string) string { return machine.ID(purpose + " elsewhere") }))
		},
		"acb-traced": func() { beTraced(); os.Exit(Main()) },
		"xdg-open":   func() { os.Exit(openLink(os.Args[1])) },
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                filepath.Join("..", "..", "testdata", "script"),
		Setup:              setup,
		RequireUniqueNames: true,
		UpdateScripts:      *update,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exitsCommand, "summary": summaryCommand, "drive": driveCommand,
			"file": fileCommand, "many": manyCommand, "copytree": copyTreeCommand, "otherfs": otherFSCommand, "mtime": mtimeCommand, "fifo": fifoCommand, "older": olderCommand,
			"disk": diskCommand,
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "root":
				return os.Geteuid() == 0, nil
			case "soak":
				return os.Getenv("ACB_SEEDS") != "", nil
			case "fat":
				return canFAT(), nil
			case "disk":
				return canMount(), nil
			case "otherfs":
				info, err := os.Stat(shm)
				return err == nil && info.IsDir(), nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
	})
}

// driveKey is where a script keeps its look-alike among the environment's values.
type driveKey struct{}

const defaultConfig = `backup = ["src"]
state = "state"
`

const driveConfig = `
[drive]
endpoint = "ENDPOINT"
host = "laptop"
manifest_copy = "off" # so that a script counts what it is about

[limits]
writes_per_second = 0
`

// setup gives a script its look-alike, signs it in, and ages its files.
func setup(env *testscript.Env) error {
	d := drivetest.Start()
	env.Defer(func() { d.Close() })
	env.Values[driveKey{}] = d
	for _, dir := range []string{"src", "state", "home"} {
		if err := os.MkdirAll(filepath.Join(env.WorkDir, dir), 0o700); err != nil {
			return err
		}
	}
	creds := filepath.Join(env.WorkDir, "credentials.json")
	if err := os.WriteFile(creds, d.Credentials(d.URL, ""), 0o600); err != nil {
		return err
	}
	if err := signIn(d, env.WorkDir); err != nil {
		return err
	}
	if err := configs(env.WorkDir, d.URL); err != nil {
		return err
	}
	home := filepath.Join(env.WorkDir, "home")
	for _, kv := range [][2]string{
		{"ACB_CONFIG", filepath.Join(env.WorkDir, "acb.toml")},
		{"HOME", home}, {"USERPROFILE", home}, {"LOCALAPPDATA", home},
		{"XDG_CONFIG_HOME", ""}, {"XDG_STATE_HOME", ""}, {"DISPLAY", ":0"}, // a browser can be shown
		{"TZ", "UTC"}, {"LANG", "C.UTF-8"},
	} {
		env.Setenv(kv[0], kv[1])
	}
	return age(env.WorkDir)
}

// configs completes acb.toml and fills the address in.
func configs(work, url string) error {
	main := filepath.Join(work, "acb.toml")
	text, err := os.ReadFile(main)
	if os.IsNotExist(err) {
		text = []byte(defaultConfig)
	} else if err != nil {
		return err
	}
	if !strings.Contains(string(text), "[drive]") {
		text = append(text, driveConfig...)
	}
	if err := os.WriteFile(main, text, 0o600); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(work, "*.toml"))
	if err != nil {
		return err
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		if err := os.WriteFile(f, []byte(strings.ReplaceAll(string(text), "ENDPOINT", url)), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// age makes all files and folders an hour old.
func age(dir string) error {
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.Type()&fs.ModeSymlink != 0 {
			return err
		}
		return os.Chtimes(path, old, old)
	})
}
