package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestProblems has one entry for each message that a user can meet: what each
// line of it has to hold.
func TestProblems(t *testing.T) {
	h := newHome(t)
	link := h.path("link")
	if err := os.Symlink(h.path("Documents/sub"), link); err != nil {
		t.Fatal(err)
	}
	const ok = "backup = ['Pictures']\n"
	for _, c := range []struct{ src, want string }{
		// Keys.
		{ok + "[drive]\nfodler = 'x'", "3: drive.fodler: unknown key: did you mean drive.folder?"},
		{ok + "folder = 'x'", "2: folder: unknown key: did you mean drive.folder? Write folder below [drive]"},
		{ok + "[log]\nignore = []", "3: log.ignore: unknown key: did you mean ignore? Write it above the first [table]"},
		{ok + "[limits]\nnice = 10", "3: limits.nice: unknown key: take it out; here there are upload, transfers, writes_per_second"},
		{ok + "[safety]\nundelete_always = 3", "3: safety.undelete_always: unknown key: take it out; here there are max_delete, max_modify, on_delete, keep_revisions, rehash, check_drive, cross_devices"},
		{ok + "undelete_always = 3", "2: undelete_always: unknown key: take it out; here there are backup, ignore, state"},
		{ok + "[drvie]\nfolder = 'x'\nhost = 'y'", "2: drvie: unknown table: did you mean [drive]?"},
		{ok + "[[notify]]\na = 1", "2: notify: unknown key: take it out; here there are backup, ignore, state"},
		{ok + "[notify]\na = 1", "2: notify: unknown table: take it out; there are drive, schedule, limits, safety, log"},
		{ok + "\"drive.folder\" = 'x'", `2: "drive.folder": unknown key: did you mean drive.folder? Write folder below [drive]`},
		{ok + "drive = 'x'", "2: drive: a text is written here, but it is a table: write [drive] on a line of its own and its keys below"},
		{ok + "[[drive]]\nfolder = 'x'", "2: drive: a list of tables is written here, but it is a table: write [drive] on a line of its own and its keys below"},
		{"Backup = ['Pictures']", "1: Backup: unknown key: did you mean backup?\n" +
			`1: backup: the key is missing: name the folders to back up, such as backup = ["~/Documents"]`},
		// TOML itself.
		{ok + "\n[drive", "3: expected"},
		{ok + ok, "2: Key 'backup' has already been defined"},
		{ok + `state = "C:\Users\ana"`, `write 'C:\Users' in single quotes, or "C:/Users"`},
		// Types and values.
		{"backup = 'Pictures'", `1: backup: a text is written here: write a list such as ["one", "two"]`},
		{"backup = []", "1: backup: the list is empty: name the folders to back up, such as [\"~/Documents\"]"},
		{"backup = ['Pictures',\n\n 7]", "3: backup: a number is written here: write a text in quotes"},
		{"[backup]\nx = 1", "1: backup: a table is written here: write a list"},
		{ok + "state = ''", "2: state: the text is empty: write a value, or take the key out to get the default"},
		{ok + "state = \"a\\u0000b\"", "2: state: the text holds a NUL character: take it out"},
		{ok + "[safety]\ncross_devices = 'yes'", "3: safety.cross_devices: a text is written here: write true or false, without quotes"},
		{ok + "[limits]\ntransfers = 0\nwrites_per_second = -0.5", "3: limits.transfers: 0 is out of range: write a number from 1 to 100\n" +
			"4: limits.writes_per_second: -0.5 is out of range: write a number from 0, which sets no limit, to 1000"},
		{ok + "[limits]\ntransfers = 2.5\nwrites_per_second = nan", "3: limits.transfers: a number is written here: write a whole number, without quotes\n" +
			"4: limits.writes_per_second: NaN is out of range"},
		{ok + "[limits]\nwrites_per_second = 2026-01-01", "3: limits.writes_per_second: a date or time is written here: write a number, without quotes"},
		{ok + "[limits]\nupload = 512", `3: limits.upload: a number is written here: write a rate with its unit, in quotes, such as "512k"`},
		{ok + "[limits]\nupload = true", "3: limits.upload: true or false is written here: write a text in quotes"},
		{ok + "[limits]\nupload = '10Mbit'", `3: limits.upload: "10Mbit" has the unit "Mbit", which is not known: write a number with K, M or G`},
		{ok + "[limits]\nupload = '08:00,512k 7pm,off'", `3: limits.upload: entry "7pm,off": "7pm" is no time of day: write hours and minutes`},
		{ok + "[drive]\nmanifest_copy = false", `3: drive.manifest_copy: true or false is written here: write a size in quotes, such as "64MB", or "off"`},
		{ok + "[drive]\nmanifest_copy = '64 MiB'", `3: drive.manifest_copy: "64 MiB" is no size: write a whole number with B, KB, MB or GB, such as "64MB", or "off"`},
		{ok + "[drive]\nmanifest_copy = '0MB'", `3: drive.manifest_copy: "0MB" is no size`},
		{ok + "[drive]\nmanifest_copy = '64'", `3: drive.manifest_copy: "64" is no size`},
		{ok + "[drive]\nmanifest_copy = '9223372036854775807GB'", `3: drive.manifest_copy: "9223372036854775807GB" is out of range: write at most "1024GB"`},
		{ok + "[safety]\nmax_delete = 25", `3: safety.max_delete: a number is written here: write a percentage in quotes, such as "25%"`},
		{ok + "[safety]\nmax_delete = '101%'", `3: safety.max_delete: "101%" is no percentage: write "0%" to "100%"; "100%" switches the limit off`},
		{ok + "[safety]\nmax_modify = '0.5'", `3: safety.max_modify: "0.5" is no percentage`},
		{ok + "[safety]\nmax_modify = 'nan%'", `3: safety.max_modify: "nan%" is no percentage`},
		{ok + "[safety]\nrehash = 30", `3: safety.rehash: a number is written here: write a time in quotes, such as "30d" or "1h30m"`},
		{ok + "[safety]\nrehash = '30'", `3: safety.rehash: "30" is no time: write numbers with w, d, h, m or s, such as "30d" or "1h30m"`},
		{ok + "[safety]\nrehash = '1m'", `3: safety.rehash: "1m" is out of range: write a time from 1h to 3650d`},
		{ok + "[safety]\nrehash = '2147483647w2147483647w'", `3: safety.rehash: "2147483647w2147483647w" is out of range`},
		{ok + "[safety]\ncheck_drive = '5m'", `3: safety.check_drive: "5m" is out of range: write a time from 1h to 3650d`},
		{ok + "[safety]\ncheck_drive = 0", `3: safety.check_drive: a number is written here: write a time in quotes, such as "30d" or "1h30m"`},
		{ok + "[safety]\ncheck_drive = 'never'", `3: safety.check_drive: "never" is no time`},
		{ok + "[schedule]\njitter = '-1h'", `3: schedule.jitter: "-1h" is no time`},
		{ok + "[schedule]\njitter = '25h'", `3: schedule.jitter: "25h" is out of range: write a time from 0s to 1d`},
		{ok + "[safety]\non_delete = 'delete'", `3: safety.on_delete: there is no "delete": write "trash" or "keep"`},
		{ok + "[log]\nlevel = 'INFO+2'", `3: log.level: there is no "INFO+2": write "debug", "info", "warn" or "error"`},
		{ok + "[schedule]\ncron = ['0 4 * * *',\n'61 * * * *']", "4: schedule.cron: "},
		{ok + "[schedule]\nverify = '0 25 * * *'", "3: schedule.verify: "},
		{ok + "[schedule]\ncron = 5", `3: schedule.cron: a number is written here: write a list`},
		// Drive.
		{ok + "[drive]\nfolder = 'a/b'", `3: drive.folder: "a/b" is a path: write the name of one folder, without slashes`},
		{ok + "[drive]\nhost = '..'", `3: drive.host: ".." is no name: write another`},
		{ok + "[drive]\nhost = ' a'", `3: drive.host: " a" has space at an end: take it out`},
		{ok + "[drive]\nhost = \"a\\u0007\"", `3: drive.host: "a\a" holds characters that cannot be seen: take them out`},
		{ok + "[drive]\nhost = '" + strings.Repeat("x", 256) + "'", "3: drive.host: the name is 256 bytes long"},
		{ok + "[drive]\nshared_drive = 'https://x'", `3: drive.shared_drive: "https://x" is no id`},
		{ok + "[drive]\nendpoint = 'embedded:'", `3: drive.endpoint: "embedded:" lacks the folder`},
		{ok + "[drive]\nendpoint = 'drive.example.org'", `3: drive.endpoint: "drive.example.org" is no server: write "https://HOST", or "embedded:DIR"`},
		{ok + "[drive]\nendpoint = 'https://:80'", `3: drive.endpoint: "https://:80" is no server`},
		{ok + "[drive]\nendpoint = 'http://drive.example.org'", "3: drive.endpoint: without encryption, tokens and files could be read on the way to drive.example.org"},
		{ok + "[drive]\nendpoint = 'http://127.0.0.1.example.org'", "3: drive.endpoint: without encryption"},
		{ok + "[drive]\nendpoint = 'https://a/drive/v3'", `3: drive.endpoint: write scheme, host and port and nothing else, such as "https://a"`},
		{ok + "[drive]\nendpoint = 'https://u:secret@a'", `3: drive.endpoint: write scheme, host and port and nothing else, such as "https://a"`},
		{ok + "[drive]\ntoken = 'credentials.json'", "3: drive.token: the token would be written over the credentials: name another file"},
		// Paths.
		{"backup = ['usb']", "1: backup: no such file or folder: ~/usb: correct the path, or mount the disk it is on"},
		{"backup = ['~bob/x']", `1: backup: "~bob/x": only "~/" is understood`},
		{"backup = ['$EMPTY/x']", "1: backup: the variable $EMPTY is not set"},
		{"backup = ['${DOCS']", `1: backup: "${" is never closed: add the "}", or write "$$" for a dollar`},
		{"backup = ['a$/b']", `1: backup: "$" names no variable: write "$$" for a dollar`},
		{"backup = ['Pictures',\n'~/Pictures/']", "2: backup: ~/Pictures/ is the same as Pictures in line 1: take one of them out"},
		{"backup = ['~/Documents',\n'~/Documents/sub']", "2: backup: ~/Documents/sub lies in ~/Documents, which line 1 backs up already: take one of them out"},
		{"backup = ['Documents/sub',\n'Documents']", "2: backup: Documents/sub, from line 1, lies in Documents: take one of them out"},
		{"backup = ['Documents',\n'link']", "2: backup: link lies in Documents, which line 1 backs up already: take one of them out"},
		{"backup = ['Documents/sub',\n'link']", "2: backup: link is the same as Documents/sub in line 1: take one of them out"},
		{"backup = ['usb',\n'usb/x']", "1: backup: no such file or folder: ~/usb: correct the path, or mount the disk it is on\n" +
			"2: backup: no such file or folder: ~/usb/x: correct the path, or mount the disk it is on\n" +
			"2: backup: usb/x lies in usb, which line 1 backs up already: take one of them out"},
		// Ignore.
		{ok + "ignore = '*.tmp'", "2: ignore: a text is written here: write a list"},
		{ok + "ignore = [\n'*.tmp',\n1]", "4: ignore: a number is written here: write a pattern in quotes"},
		{ok + "ignore = ['[a-z']", `2: ignore: "[a-z": the "[" is never closed: add the "]", or write "\[" for the character itself`},
		{ok + "ignore = ['']", `2: ignore: "": the pattern is empty: take it out`},
		{ok + "ignore = ['./x']", `2: ignore: "./x": "." and ".." have no meaning in a pattern`},
		{ok + `ignore = ['C:\Users\x']`, "2: ignore: \"C:\\\\Users\\\\x\": a backslash takes away"},
		{ok + "ignore = ['${NONE}/x']", "2: ignore: the variable $NONE is not set"},
		{ok + "ignore = ['~/Pictures/']", `1: backup: Pictures is left out by "~/Pictures/" in line 2: take one of the two out`},
	} {
		got, err := h.load(t, c.src)
		msg := h.message(err)
		lines := strings.Split(msg, "\n")
		if _, missing := MissingOnly(err); got != nil && !missing {
			t.Errorf("%q is accepted", c.src)
		}
		want := strings.Split(filepath.ToSlash(c.want), "\n")
		if !slices.EqualFunc(lines, want, strings.Contains) {
			t.Errorf("%q\n got %s\nwant %s", c.src, msg, c.want)
		}
		if strings.Contains(msg, "secret") {
			t.Errorf("%q: the message tells the password: %s", c.src, msg)
		}
	}
}

// TestAllAtOnce sees every problem of a file in one message, in order.
func TestAllAtOnce(t *testing.T) {
	h := newHome(t)
	_, err := h.load(t, "x = 1\nbackup = ['usb']\nignore = ['[']\n[log]\nlevel = 'loud'\n[drive]\nhost = ''\nfodler = 'x'\n")
	var lines []string
	for _, line := range strings.Split(h.message(err), "\n") {
		lines = append(lines, strings.SplitN(line, ": ", 3)[0])
	}
	if got, want := strings.Join(lines, " "), "1 2 3 5 7 8"; got != want {
		t.Errorf("lines %s, want %s:\n%v", got, want, err)
	}
}

func TestNoHostname(t *testing.T) {
	h := newHome(t)
	h.env.Hostname = ""
	if _, err := h.load(t, "backup = ['Pictures']"); !strings.Contains(h.message(err), `1: drive.host: this machine has no name`) {
		t.Errorf("%v", err)
	}
	if _, err := h.load(t, "backup = ['Pictures']\ndrive.host = 'x'"); err != nil {
		t.Errorf("with a name: %v", err)
	}
	h.env.Home = ""
	if _, err := h.load(t, "backup = ['~/Pictures']\nignore = ['~/x']\ndrive.host = 'x'"); strings.Count(h.message(err), `"~" means your home folder`) != 2 {
		t.Errorf("without a home: %v", err)
	}
}
