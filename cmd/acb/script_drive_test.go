package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
	"github.com/rogpeppe/go-internal/testscript"
)

// signIn writes a token file as a sign-in would have.
func signIn(d *drivetest.Server, work string) error {
	token, err := json.Marshal(d.Token(drivetest.Ask{}))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(work, "state", "token.json"), token, 0o600)
}

// driveCommands are what "drive" can do. A PATH is one on disk, below $WORK
// or absolute; one that begins with "Drive:" is counted from My Drive.
var driveCommands = map[string]struct {
	usage string
	run   func(s *stage, args []string) error
}{
	"tree":      {"[-l] [-trash] [Drive:PATH]   prints what the laptop's folder holds, one thing a line; -l with kind, mode and time", (*stage).tree},
	"trash":     {"PATH           puts it into the bin, as a person would", (*stage).trash},
	"untrash":   {"PATH           takes it out again", (*stage).untrash},
	"emptybin":  {"               removes all in the bin for good", (*stage).emptyBin},
	"delete":    {"PATH           removes it for good", (*stage).remove},
	"move":      {"PATH FOLDER    puts it into another folder", (*stage).move},
	"rename":    {"PATH NAME      gives it another name", (*stage).rename},
	"write":     {"PATH TEXT      replaces its content", (*stage).write},
	"keep":      {"PATH N         gives it N contents that are kept for good", (*stage).keep},
	"twin":      {"PATH           copies it where it is, as an acb would that sends it twice", (*stage).twin},
	"fault":     {"WHICH EFFECT | off   lets requests go wrong, see faultOf", (*stage).fault},
	"hits":      {"N              the fault struck so often; + for at least once", (*stage).hits},
	"interrupt": {"KIND N [SIGNAL]...   sends int, or what is named of int, term and kill, to the acb that holds the lock at the N-th request of a kind", (*stage).interrupt},
	"await":     {"KIND N         waits until N such requests have come since 'reset'", (*stage).await},
	"requests":  {"[KIND] N       so many requests came since the last 'drive requests' or 'reset'", (*stage).requests},
	"twice":     {"N              so many bytes were sent although Drive had them, since 'reset'", (*stage).twice},
	"received":  {"MIN MAX        so many bytes of content came in since 'reset'", (*stage).received},
	"reset":     {"               sets the counts to 0", (*stage).reset},
	"slow":      {"LATENCY [BYTES/S]   slows every request down; 0 ends it", (*stage).slow},
	"storage":   {"N              limits the storage of the account to N bytes", (*stage).storage},
	"daily":     {"N              limits what the account may send a day to N bytes; 0 ends it", (*stage).daily},
	"folders":   {"CHILDREN DEPTH  limits the items in a folder and the folders in one another", (*stage).folders},
	"revoke":    {"               ends the sign-in, as a person does in the account", (*stage).revoke},
	"signed":    {"DAYS           lets acb have signed in so many days ago, and have renewed a day later", (*stage).signed},
	"expire":    {"               ends the access tokens, not the sign-in", (*stage).expire},
	"deny":      {"               a person in the browser says no to a sign-in", (*stage).deny},
	"account":   {"EMAIL          signs acb in to another account", (*stage).account},
	"client":    {"NAME           writes the credentials of another OAuth client into credentials.json; nobody is signed in there", (*stage).client},
	"stop":      {"               ends the look-alike: nobody answers", (*stage).stop},
}

// A stage is one use of the drive command.
type stage struct {
	*drivetest.Server
	ts   *testscript.TestScript
	work string
}

func driveCommand(ts *testscript.TestScript, neg bool, args []string) {
	s := &stage{ts.Value(driveKey{}).(*drivetest.Server), ts, ts.Getenv("WORK")}
	if neg || len(args) == 0 {
		ts.Fatalf("usage: drive SUBCOMMAND...; there are %v", slices.Sorted(maps.Keys(driveCommands)))
	}
	c, ok := driveCommands[args[0]]
	if !ok {
		ts.Fatalf("drive %s: no such command; there are %v", args[0], slices.Sorted(maps.Keys(driveCommands)))
	}
	if err := c.run(s, args[1:]); err != nil {
		ts.Fatalf("drive %s: %v\nusage: drive %[1]s %s", args[0], err, c.usage)
	}
}

// host is the folder of the machine on Drive.
const host = "Auto Cloud Backup/laptop"

// onDrive returns the path on Drive of a path on disk.
func (s *stage) onDrive(p string) string {
	if rest, ok := strings.CutPrefix(p, "Drive:"); ok {
		return rest
	}
	return path.Join(host, filepath.ToSlash(s.ts.MkAbs(p)))
}

// node finds what lies at a path, in the bin or not.
func (s *stage) node(p string) (drivetest.Node, error) {
	at := s.onDrive(p)
	n, ok := s.TreeWithTrash("root")[at]
	if !ok {
		return n, fmt.Errorf("there is no %s on Drive", at)
	}
	return n, nil
}

func (s *stage) each(args []string, n int, f func(id string) error) error {
	if len(args) != n {
		return fmt.Errorf("%d arguments, want %d", len(args), n)
	}
	node, err := s.node(args[0])
	if err != nil {
		return err
	}
	return f(node.ID)
}

func (s *stage) trash(args []string) error   { return s.each(args, 1, s.Trash) }
func (s *stage) untrash(args []string) error { return s.each(args, 1, s.Untrash) }
func (s *stage) emptyBin([]string) error {
	if s.EmptyTrash() == 0 {
		return errors.New("the bin was empty")
	}
	return nil
}

func (s *stage) remove(args []string) error { return s.each(args, 1, s.Delete) }

func (s *stage) move(args []string) error {
	return s.each(args, 2, func(id string) error {
		to, err := s.node(args[1])
		if err != nil {
			return err
		}
		return s.Move(id, to.ID)
	})
}

func (s *stage) rename(args []string) error {
	return s.each(args, 2, func(id string) error { return s.Rename(id, args[1]) })
}

func (s *stage) write(args []string) error {
	return s.each(args, 2, func(id string) error { return s.SetContent(id, []byte(args[1])) })
}

func (s *stage) keep(args []string) error {
	return s.each(args, 2, func(id string) error {
		n, err := strconv.Atoi(args[1])
		for i := 0; i < n && err == nil; i++ {
			if err = s.SetContent(id, fmt.Append(nil, "kept ", i)); err != nil {
				break
			}
			var req *http.Request
			req, err = http.NewRequest(http.MethodPatch, s.URL+"/drive/v3/files/"+id+"/revisions/head", strings.NewReader(`{"keepForever":true}`))
			if err != nil {
				break
			}
			req.Header.Set("Content-Type", "application/json")
			var resp *http.Response
			if resp, err = s.Client().Do(req); err == nil {
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					err = fmt.Errorf("keep: %s", resp.Status)
				}
			}
		}
		return err
	})
}

func (s *stage) twin(args []string) error {
	return s.each(args, 1, func(id string) error {
		n, err := s.node(args[0])
		if err != nil {
			return err
		}
		body, err := json.Marshal(map[string]any{"appProperties": n.AppProps})
		if err != nil {
			return err
		}
		resp, err := s.Client().Post(s.URL+"/drive/v3/files/"+id+"/copy", "application/json", bytes.NewReader(body))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
		return nil
	})
}

func (s *stage) revoke([]string) error { s.RevokeTokens(); return nil }
func (s *stage) expire([]string) error { s.ExpireTokens(); return nil }
func (s *stage) reset([]string) error  { s.ResetStats(); return nil }
func (s *stage) stop([]string) error   { return s.Close() }

func (s *stage) deny([]string) error { s.DenyConsent(true); return nil }

func (s *stage) account(args []string) error {
	token, err := json.Marshal(s.Token(drivetest.Ask{User: args[0]}))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.work, "state", "token.json"), token, 0o600)
}

func (s *stage) client(args []string) error {
	client := s.AddClient(args[0])
	return os.WriteFile(filepath.Join(s.work, "credentials.json"), s.Credentials(s.URL, client.ID), 0o600)
}

func (s *stage) signed(args []string) error {
	days, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	file := filepath.Join(s.work, "state", "token.json")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var token map[string]any
	if err := json.Unmarshal(text, &token); err != nil {
		return err
	}
	at := time.Now().AddDate(0, 0, -days)
	token["obtained"], token["expiry"] = at, at.Add(25*time.Hour)
	if text, err = json.Marshal(token); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

func (s *stage) storage(args []string) error {
	n, err := strconv.ParseInt(args[0], 10, 64)
	s.SetStorageLimit(n)
	return err
}

func (s *stage) daily(args []string) error {
	n, err := strconv.ParseInt(args[0], 10, 64)
	s.SetDailyUpload(n)
	return err
}

func (s *stage) folders(args []string) error {
	children, err1 := strconv.Atoi(args[0])
	depth, err2 := strconv.Atoi(args[1])
	s.SetFolderLimits(children, depth)
	return errors.Join(err1, err2)
}

func (s *stage) slow(args []string) error {
	latency, err := time.ParseDuration(args[0])
	if err != nil {
		return err
	}
	t := drivetest.Throttle{Latency: latency}
	if len(args) > 1 {
		if t.BytesPerSecond, err = strconv.Atoi(args[1]); err != nil {
			return err
		}
	}
	s.SetThrottle(t)
	return nil
}

// requests compares how many requests came, and starts counting anew.
func (s *stage) requests(args []string) error {
	want, err := strconv.Atoi(args[len(args)-1])
	if err != nil {
		return err
	}
	stats := s.Stats()
	got := stats.Total()
	if len(args) > 1 {
		got = stats.Requests[drivetest.Kind(args[0])]
	} else {
		s.ResetStats()
	}
	if got != want {
		return fmt.Errorf("%d requests, want %d: %v", got, want, stats)
	}
	return nil
}

func (s *stage) twice(args []string) error {
	if got := fmt.Sprint(s.Stats().SentTwice); got != args[0] {
		return fmt.Errorf("%s bytes were sent twice, want %s", got, args[0])
	}
	return nil
}

func (s *stage) hits(args []string) error {
	got := s.Hits()
	if args[0] == "+" && got > 0 || fmt.Sprint(got) == args[0] {
		return nil
	}
	return fmt.Errorf("the fault struck %d times, want %s", got, args[0])
}

// await waits until requests of a kind have come.
func (s *stage) await(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	for began := time.Now(); s.Stats().Requests[drivetest.Kind(args[0])] < n; time.Sleep(time.Millisecond) {
		if time.Since(began) > patience {
			return fmt.Errorf("not %d %s within %v", n, args[0], patience)
		}
	}
	return nil
}

// signals are what a script can interrupt by.
var signals = map[string]os.Signal{"int": os.Interrupt, "term": syscall.SIGTERM, "kill": os.Kill}

// interrupt sends signals to the acb that holds the lock, whose number stands
// in the note beside it, when a request comes: one after the other, as far
// apart as a hand makes them.
func (s *stage) interrupt(args []string) error {
	kind := drivetest.Kind(args[0])
	at, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	names := args[2:]
	if len(names) == 0 {
		names = []string{"int"}
	}
	var seen atomic.Int64
	s.OnRequest(func(_ int, r drivetest.Info) {
		if r.Kind != kind || seen.Add(1)-1 != at {
			return
		}
		var note struct{ PID int }
		data, err := os.ReadFile(filepath.Join(s.work, "state", "lock.json"))
		if err == nil && json.Unmarshal(data, &note) == nil {
			if p, err := os.FindProcess(note.PID); err == nil {
				p.Signal(signals[names[0]]) // an end before this shows in the exit code
				go func() {
					for _, name := range names[1:] {
						time.Sleep(100 * time.Millisecond)
						p.Signal(signals[name])
					}
				}()
			}
		}
	})
	return nil
}

// received bounds the bytes of content that came in.
func (s *stage) received(args []string) error {
	var low, high int64
	if _, err := fmt.Sscan(strings.Join(args, " "), &low, &high); err != nil {
		return err
	}
	if got := s.Stats().ContentIn; got < low || got > high {
		return fmt.Errorf("%d bytes came in", got)
	}
	return nil
}

// tree prints what is there: the text of small files, size and MD5 of others.
// What lies below $WORK is printed as from there, other folders of the
// machine as they are.
func (s *stage) tree(args []string) error {
	long := slices.Contains(args, "-l")
	binned := slices.Contains(args, "-trash")
	top := host
	if n := len(args); n > 0 && strings.HasPrefix(args[n-1], "Drive:") {
		top = strings.TrimPrefix(args[n-1], "Drive:")
	}
	all := s.Tree("root")
	if binned {
		all = s.TreeWithTrash("root")
	}
	out := s.ts.Stdout() // an empty tree is an answer too
	below, in := path.Join(top, filepath.ToSlash(s.work))+"/", top+"/"
	if top == "" {
		in = ""
	}
	for _, p := range slices.Sorted(maps.Keys(all)) {
		name, ok := strings.CutPrefix(p, below)
		if !ok && !strings.HasPrefix(below, p+"/") {
			name, ok = strings.CutPrefix(p, in)
		}
		if !ok || name == "" {
			continue
		}
		line, err := s.line(name, all[p], long)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, line)
	}
	return nil
}

func (s *stage) line(name string, n drivetest.Node, long bool) (string, error) {
	line := printable(name)
	switch {
	case n.Kind == "folder":
		line += "/"
	case n.Size <= 100:
		content, err := s.Content(n.ID)
		if err != nil {
			return "", err
		}
		line += " " + strconv.Quote(string(content))
	default:
		line += fmt.Sprintf(" %d bytes, md5 %s", n.Size, n.MD5)
	}
	if long {
		line += fmt.Sprintf(" %s k=%s m=%s", n.ModTime.Format(time.RFC3339Nano), n.AppProps["acb.k"], n.AppProps["acb.m"])
	}
	if n.Trashed {
		line += " (in the bin)"
	}
	return line, nil
}

// printable writes control characters as Go does.
func printable(s string) string {
	q := strconv.QuoteToGraphic(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}
