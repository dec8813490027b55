package config

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestLoad(t *testing.T) {
	h := newHome(t)
	c, err := h.load(t, `
backup = [
  "~/Documents/",   # with a comment, and [brackets]
  "Pictures", "$HOME_NOT_USED$$" ]
`)
	if c != nil || !strings.Contains(h.message(err), "4: backup: the variable $HOME_NOT_USED is not set") {
		t.Fatalf("%v, %v", c, err)
	}
	c, err = h.load(t, "\xef\xbb\xbf"+`
backup = ["${DOCS}/sub", "./Pictures/../Pictures", "notes.txt", "$W/[x]"]
ignore = ["*.tmp", "~/Documents/sub/x y/", "!${DOCS}/sub/z*"]
state = "state"
drive = { folder = "Backups", endpoint = "http://127.0.0.1:8080/", host = "Ana's", manifest_copy = "12KB" }
schedule.cron = ["0 4 * * *", "30 12 * * 1-5"]
schedule.verify = "0 3 * * 0"
schedule.jitter = "1h30m"
[limits]
upload = "08:00,512k 19:00,10M:off"
transfers = 8
writes_per_second = 0
[safety]
max_delete = "12.5%"
max_modify = "100%"
on_delete = "keep"
rehash = "2w"
check_drive = "off"
cross_devices = true
keep_revisions = "all"
[log]
level = "debug"
dir = "~/logs"
`)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Sources, []Source{
		{"${DOCS}/sub", h.path("Documents/sub"), 2}, {"./Pictures/../Pictures", h.path("Pictures"), 2},
		{"notes.txt", h.path("notes.txt"), 2}, {"$W/[x]", h.path("we$ird/[x]"), 2},
	}; !reflect.DeepEqual(got, want) {
		t.Errorf("sources %+v\nwant %+v", got, want)
	}
	if got, want := c.Drive, (Drive{
		Credentials: h.path("credentials.json"), Token: h.path("state/token.json"), Folder: "Backups",
		Host: "Ana's", Endpoint: Endpoint{URL: "http://127.0.0.1:8080"}, ManifestCopy: 12288,
	}); got != want {
		t.Errorf("drive %+v\nwant %+v", got, want)
	}
	if got, want := c.Safety, (Safety{0.125, 1, Keep, true, 14 * day, 0, true}); got != want {
		t.Errorf("safety %+v\nwant %+v", got, want)
	}
	if got, want := c.Log, (Log{h.path("logs"), 90, 1000, slog.LevelDebug}); got != want {
		t.Errorf("log %+v\nwant %+v", got, want)
	}
	if l := c.Limits; l.Transfers != 8 || l.WritesPerSecond != 0 || l.Upload.String() != "08:00,512k 19:00,10M:off" || l.Upload.IsZero() {
		t.Errorf("limits %+v", l)
	}
	if c.Schedule.Jitter != 90*time.Minute || c.Schedule.Cron.String() != "0 4 * * *; 30 12 * * 1-5" || c.Schedule.Verify.String() != "0 3 * * 0" {
		t.Errorf("schedule %+v", c.Schedule)
	}
	if len(c.Ignore) != 3 || c.Ignore[1].Text() != "~/Documents/sub/x y/" || c.Ignore[2].Line() != 3 {
		t.Errorf("ignore %+v", c.Ignore)
	}
}

func TestEmbedded(t *testing.T) {
	h := newHome(t)
	c, err := h.load(t, "backup = ['Pictures']\ndrive.endpoint = 'embedded:~/drive'\n")
	if err != nil || c.Drive.Endpoint != (Endpoint{Embedded: h.path("drive")}) {
		t.Fatalf("%+v, %v", c, err)
	}
}

func TestDefault(t *testing.T) {
	h := newHome(t)
	c, err := h.load(t, `backup = ["Pictures"]`)
	if err != nil {
		t.Fatal(err)
	}
	want := Default(h.path("acb.toml"), h.env)
	want.Sources = c.Sources
	if !reflect.DeepEqual(*c, want) {
		t.Errorf("%+v\nwant %+v", *c, want)
	}
	if c.Drive.Token != h.path(".state/acb/token.json") || c.Log.Dir != h.path(".state/acb/logs") || c.Drive.Host != "laptop" {
		t.Errorf("%+v", c)
	}
}

func TestMissingSources(t *testing.T) {
	h := newHome(t)
	c, err := h.load(t, "backup = [\"Pictures\",\n \"usb/stick\",\n \"notes.txt/x\"]")
	missing, only := MissingOnly(err)
	if c == nil || !only || len(missing) != 2 || missing[0] != c.Sources[1] || missing[1].Line != 3 || !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%+v, %v: %v %v", c, err, missing, only)
	}
	c, err = h.load(t, "backup = [\"usb\"]\nx = 1\n")
	if missing, only := MissingOnly(err); c != nil || only || len(missing) != 1 {
		t.Errorf("with another problem: %+v, %v: %v %v", c, err, missing, only)
	}
	if missing, only := MissingOnly(nil); missing != nil || only {
		t.Errorf("without an error: %v %v", missing, only)
	}
}

// TestNoSources: what backs nothing up can do without sources.
func TestNoSources(t *testing.T) {
	h := newHome(t)
	for text, ok := range map[string]bool{
		"[drive]\nhost = \"x\"": true, "backup = [\"usb\"]": true, "x = 1": false, "backup = [\"usb\"]\nx = 1": false, "backup = 3": false,
	} {
		if c, err := h.load(t, text); err == nil || SourcesOnly(err) != ok || (c != nil) != ok {
			t.Errorf("%q: %+v, %v", text, c, err)
		}
	}
	if SourcesOnly(nil) || SourcesOnly(fs.ErrNotExist) {
		t.Error("of no configuration at all")
	}
}

func TestFind(t *testing.T) {
	h := newHome(t)
	set := func(value string) Env {
		env := h.env
		env.Lookup = func(name string) (string, bool) { return value, name == "ACB_CONFIG" && value != "" }
		return env
	}
	for _, c := range []struct{ flag, variable, want string }{
		{"a.toml", "b.toml", "a.toml"},
		{"", "b.toml", "b.toml"},
		{"", "", h.path(".config/acb/acb.toml")},
	} {
		if got := Find(c.flag, set(c.variable)); got != c.want {
			t.Errorf("--config %q, $ACB_CONFIG %q: %q, want %q", c.flag, c.variable, got, c.want)
		}
	}
}

func TestSystem(t *testing.T) {
	h := newHome(t)
	t.Setenv("XDG_STATE_HOME", h.path("s"))
	t.Setenv("XDG_CONFIG_HOME", h.path("c"))
	if env := System(); env.StateHome != h.path("s") || env.ConfigHome != h.path("c") || env.Hostname == "" {
		t.Errorf("%+v", env)
	}
}

func TestUnreadable(t *testing.T) {
	h := newHome(t)
	big := h.path("big.toml")
	if err := os.WriteFile(big, []byte(strings.Repeat("# no\n", maxFile/5+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		h.path("none.toml"): "write one after acb.toml.example",
		h.path("Pictures"):  "is a folder",
		big:                 "larger than 1 MiB",
	} {
		if _, err := Load(file, h.env); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", filepath.Base(file), err, want)
		}
	}
}
