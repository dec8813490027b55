package backup

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	mathrand "math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/scan"
)

// The keys under which the manifest keeps what belongs to no folder.
const (
	metaInstallation = "installation"
	metaAccount      = "account" // Drive's permissionId of the user
	metaTop          = "layout_top"
	metaHost         = "layout_host"
	metaBegun        = "layout_begun"  // "yes" while the two may or may not exist
	metaGens         = "gens"          // that the host folder may hold, separated by spaces
	metaOpen         = "open"          // "yes" from before a run's first change of Drive until it ends
	metaGensPast     = "gens_past"     // that the host folder held before, likewise
	metaQuarantine   = "quarantine"    // the folder on Drive for what the manifest does not know
	metaChanges      = "changes_token" // where to go on in Drive's change log
	metaChecked      = "drive_checked" // when it was read last, seconds since 1970
	metaHalt         = "halt"          // why contents are not sent, as JSON of remote.Halt
	metaPins         = "pins"          // what Drive keeps for an undo, as JSON
)

// Installation returns the name by which Drive knows this state folder; a new
// one is made up at random.
func Installation(s *manifest.Store) (string, error) {
	id, err := s.Meta(metaInstallation)
	if err != nil || id != "" {
		return id, err
	}
	var b [8]byte
	rand.Read(b[:]) // never fails
	id = hex.EncodeToString(b[:])
	return id, s.SetMeta(map[string]string{metaInstallation: id})
}

// InstallationOf returns the name by which Drive knows the state folder that
// a manifest is read from, "" if it has none yet.
func InstallationOf(r *manifest.Reader) (string, error) { return r.Meta(metaInstallation) }

// An AccountError says that the sign-in is for another account than the one
// that holds the backup.
type AccountError struct{ Email string }

// Error names the ways out.
func (e *AccountError) Error() string {
	return fmt.Sprintf("the sign-in is for %s, which is not the account that holds this backup: "+
		"sign in to that one with \"acb auth\", or begin a backup in the new account with another state folder", e.Email)
}

// layout finds or makes the host folder. Only a first run asks Drive.
func (r *run) layout(ctx context.Context) error {
	known, err := knownLayout(r.Store)
	if err != nil || (known.Host != "" && !known.Begun) {
		return err
	}
	bound, err := r.Store.Meta(metaAccount)
	if err == nil && bound != "" {
		err = r.bindAccount(ctx)
	}
	if err != nil {
		return err
	}
	made, err := r.Drive.HostFolder(ctx, known, r.keepLayout)
	if err != nil {
		return err
	}
	return errors.Join(r.bindAccount(ctx), r.keepLayout(made))
}

func knownLayout(s *manifest.Store) (remote.Layout, error) {
	top, err1 := s.Meta(metaTop)
	host, err2 := s.Meta(metaHost)
	begun, err3 := s.Meta(metaBegun)
	return remote.Layout{Top: manifest.FileID(top), Host: manifest.FileID(host), Begun: begun != ""}, errors.Join(err1, err2, err3)
}

// keepLayout makes a layout durable.
func (r *run) keepLayout(l remote.Layout) error {
	values := map[string]string{metaTop: string(l.Top), metaHost: string(l.Host), metaBegun: ""}
	if l.Begun {
		values[metaBegun] = "yes"
	}
	if l.Gens != nil {
		values[metaGens], values[metaOpen] = gensText(l.Gens), "yes"
	}
	if l.Changes != "" {
		values[metaChanges] = l.Changes
		values[metaChecked] = strconv.FormatInt(r.started.Unix(), 10)
	}
	return r.Store.SetMeta(values)
}

// bindAccount ties the manifest to the account that is signed in, once.
func (b *Backup) bindAccount(ctx context.Context) error {
	bound, err := b.Store.Meta(metaAccount)
	if err != nil {
		return err
	}
	acc, err := b.Drive.Account(ctx)
	if err != nil {
		return err
	}
	if bound != "" && bound != acc.PermissionID {
		return &AccountError{acc.Email}
	}
	return b.Store.SetMeta(map[string]string{metaAccount: acc.PermissionID})
}

// hostLost forgets a host folder that is not on Drive any more, and all that
// was in it, unless it only seems so because another account is signed in.
func (r *run) hostLost(ctx context.Context) error {
	if err := r.bindAccount(ctx); err != nil {
		return err
	}
	if err := r.Store.SetMeta(map[string]string{metaHost: "", metaTop: "", metaBegun: ""}); err != nil {
		return err
	}
	known, err := r.Store.Reader()
	if err != nil {
		return err
	}
	defer known.Close()
	var all []manifest.FileID
	err = known.Walk(manifest.Root, func(_ manifest.Path, row manifest.Row, files []manifest.Entry) error {
		if row.ID != manifest.Root {
			all = append(all, row.FileID)
		}
		for _, e := range files {
			all = append(all, e.FileID)
		}
		return nil
	})
	if err != nil {
		return err
	}
	states, err := r.Drive.Check(ctx, all)
	if err != nil {
		return fmt.Errorf("look for what was in the host folder: %w", err)
	}
	lost := all[:0]
	for id, s := range states {
		if s.Absent {
			lost = append(lost, id)
		}
	}
	return r.Store.MarkLost(lost)
}

// gen returns the generations that Drive may hold, and makes up others.
func (b *Backup) gen() (remote.Gen, error) {
	known, err := b.gens(metaGens)
	if err != nil {
		return remote.Gen{}, err
	}
	all := slices.Clone(known)
	return remote.Gen{Known: known, Next: func() (int64, error) {
		// A copy of this state folder must not arrive at the same number.
		next := 2 + mathrand.Int64N(1<<62)
		all = append(all, next)
		return next, b.Store.SetMeta(map[string]string{metaGens: gensText(all), metaOpen: "yes"})
	}}, nil
}

func (r *run) metaNumber(key string) (int64, error) {
	text, err := r.Store.Meta(key)
	if err != nil || text == "" {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read manifest: %s: %w", key, err)
	}
	return n, nil
}

func gensText(gens []int64) string {
	return strings.Trim(fmt.Sprint(gens), "[]")
}

// environment gives remote what it needs of this run, and what to call when
// Apply has returned: it flushes the journal.
func (r *run) environment(ctx context.Context, stop context.CancelCauseFunc) (env remote.Env, done func() error, err error) {
	if err := r.layout(ctx); err != nil {
		return env, nil, err
	}
	if err := r.bind(); err != nil {
		return env, nil, err
	}
	gen, err := r.gen()
	if err != nil {
		return env, nil, err
	}
	lay, err := knownLayout(r.Store)
	if err != nil {
		return env, nil, err
	}
	halt, err := r.halt()
	if err != nil {
		return env, nil, err
	}
	r.journal.folders[manifest.Root] = lay.Host
	files := scan.NewFiles(r.Sources)
	flush := r.journal.tick(stop)
	env = remote.Env{
		Folder:  r.journal.folder,
		Open:    func(op *plan.Op) (remote.Content, error) { return open(files, op) },
		Still:   r.still(),
		Journal: r.journal,
		Gen:     gen,
		Halt:    halt,
		Claimed: r.claimed,
		Keep:    r.keep,
		Sent:    func(n int) { r.progress.sent(int64(n)) },
	}
	if r.edit != nil && r.edit.open != nil {
		env.Open = r.edit.open
	}
	return env, func() error { files.Close(); return flush() }, nil
}

// mostKept is how many contents of a file Drive keeps for good.
// Source: Drive API guide, "Manage file revisions".
const mostKept = 200

// keep says how Drive is to keep what op sends. That of a file which cannot be
// told is asked for, and refused if there are too many.
func (r *run) keep(op *plan.Op) remote.Keeping {
	if !r.KeepRevisions {
		return remote.Loose
	}
	if op.Old == nil {
		return remote.ForGood
	}
	n, err := r.Store.CountKept(op.FileID)
	if op.Old.Kept {
		n++
	}
	if err == nil && n >= mostKept {
		return remote.Full
	}
	return remote.ForGood
}

// open opens what op sends. If a symlink is there now instead of a file, or
// the reverse, then what was to be sent is gone: the item on Drive is of the
// other kind.
func open(files *scan.Files, op *plan.Op) (remote.Content, error) {
	f, err := files.Open(op.Path)
	if err != nil {
		return nil, err
	}
	if f.Kind() != op.Stat.Kind {
		f.Close()
		return nil, fmt.Errorf("open %q: it is a %s now: %w", string(op.Path), f.Kind(), fs.ErrNotExist)
	}
	return f, nil
}
