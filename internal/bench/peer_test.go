package main

import (
	"context"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/internal/ignore"
	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/remote/drivetest"
	"github.com/autocloudbackup/acb/scan"
)

// TestLivePeer: a tree that acb backed up comes down with a plain Drive client
// that knows nothing of acb, and equals the source in names, content, times
// (of which Drive keeps milliseconds), links and folders. "make live-peer"
// runs it with the rclone that $RCLONE names.
func TestLivePeer(t *testing.T) {
	rclone := os.Getenv("RCLONE")
	if rclone == "" {
		t.Skip("SKIPPED: needs rclone, as in RCLONE=$(command -v rclone) make live-peer")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	srv := drivetest.Start(drivetest.Options{})
	defer srv.Close()
	src, target := filepath.Join(dir, "src"), filepath.Join(dir, "target")
	for seed := range uint64(3) {
		plant(t, src, seed)
		backUp(t, srv, src, filepath.Join(dir, "manifest.db"))
		fetch(t, srv, rclone, dir, src, target)
		if d := cmp.Diff(drawn(t, src), drawn(t, target)); d != "" {
			t.Fatalf("seed %d: -source +restored by rclone:\n%s", seed, d)
		}
	}
	t.Logf("%d files, links and folders came down equal", len(drawn(t, target)))
}

// oddNames are legal on disk and on Drive, and mean something to somebody.
// Those that rclone writes its own way are left out: invalid UTF-8, and names
// with its own quotation marks in them.
var oddNames = []string{
	"caf\u00e9", "cafe\u0301", "CAFE", "cafe", " leading", "trailing ", "dots..", ".hidden", "-dash", "a\\b", "q?*<>|\":", "it's",
	"new\nline", "tab\t", "\u202eright", "\U0001f600.txt", "%41", "con", "name.rclonelink.txt", strings.Repeat("n", 240), "{a,b}", "[1]", "#", "~",
}

// plant makes or changes a tree at random.
func plant(t *testing.T, root string, seed uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 7))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dirs := []string{root}
	must(os.MkdirAll(root, 0o755))
	for i := range 30 {
		d := filepath.Join(dirs[rng.IntN(len(dirs))], fmt.Sprint("dir", seed, "-", i))
		if i < len(oddNames) {
			d = filepath.Join(root, oddNames[i]+" d")
		}
		must(os.MkdirAll(d, 0o755))
		dirs = append(dirs, d)
	}
	put := func(name string, size int) {
		must(os.RemoveAll(name))
		content := make([]byte, size)
		for i := range content {
			content[i] = byte(rng.Uint32())
		}
		must(os.WriteFile(name, content, 0o644))
		at := time.Unix(1_000_000_000+rng.Int64N(700_000_000), rng.Int64N(1e9))
		must(os.Chtimes(name, at, at))
	}
	for _, name := range oddNames {
		put(filepath.Join(root, name), rng.IntN(300))
	}
	for i := range 60 {
		put(filepath.Join(dirs[rng.IntN(len(dirs))], fmt.Sprint("file", i)), rng.IntN(20_000))
	}
	put(filepath.Join(root, "large"), 6<<20+int(seed))
	put(filepath.Join(root, "empty"), 0)
	for i, to := range []string{"cafe", "../elsewhere", "/nowhere", "caf\u00e9 d", "with space"} {
		link := filepath.Join(dirs[rng.IntN(len(dirs))], fmt.Sprint("link", seed, "-", i))
		must(os.Symlink(to, link))
	}
}

// backUp makes a run of acb.
func backUp(t *testing.T, srv *drivetest.Server, src, manifestFile string) {
	t.Helper()
	store, err := manifest.Open(manifestFile)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	drive, err := remote.New(remote.Options{
		Endpoint: srv.URL, Client: srv.Client(), Folder: "Auto Cloud Backup", Host: "laptop", Installation: "inst-1", Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := scan.PathOf(src)
	if err != nil {
		t.Fatal(err)
	}
	b := &backup.Backup{
		Scan:   scan.Options{Now: func() time.Time { return time.Now().Add(time.Hour) }},
		Limits: plan.Options{MaxDelete: 1, MaxModify: 1}, Store: store, Drive: drive,
		Log: slog.New(slog.DiscardHandler), TokenRequests: func() int64 { return 0 },
		Sources: []scan.Source{{Path: p, Root: src, Rules: ignore.New(src, "acb.toml", nil)}},
	}
	sum, err := b.Run(context.Background(), backup.Request{})
	if err != nil || len(sum.Conditions) > 0 {
		t.Fatalf("backup: %v, %v, %v", err, sum.Conditions, sum.Failures)
	}
}

// fetch brings the backup down with rclone, which finds the look-alike at
// Google's own addresses.
func fetch(t *testing.T, srv *drivetest.Server, rclone, dir, src, target string) {
	t.Helper()
	front, stop, err := serveFront(srv.Drive)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	hello := greet(srv, front)
	token, err := json.Marshal(hello.Token)
	if err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "rclone.conf")
	text := fmt.Sprintf("[peer]\ntype = drive\nscope = drive.file\ntoken = %s\n", token)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := front.write(dir); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(rclone, "--config", conf, "sync", "peer:Auto Cloud Backup/laptop"+filepath.ToSlash(src), target,
		"--links", "--create-empty-src-dirs", "--no-unicode-normalization", "--drive-pacer-min-sleep=0", "--drive-pacer-burst=1000", "--log-level=ERROR")
	cmd.Env = append(os.Environ(), front.env(dir)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("rclone: %v\n%s", err, out)
	}
}

// drawn draws a tree: names, kinds, content, links, and times of files and
// links in milliseconds.
func drawn(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		st, err := os.Lstat(p)
		if err != nil {
			return err
		}
		line := fmt.Sprint(st.ModTime().UTC().Truncate(time.Millisecond))
		switch {
		case st.IsDir():
			line = "folder"
		case st.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(p)
			if err != nil {
				return err
			}
			line += " -> " + to
		default:
			content, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %d bytes, %x", len(content), md5.Sum(content))
		}
		all[strings.TrimPrefix(p, dir)] = line
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
