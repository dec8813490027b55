package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// A Rebuild makes a manifest anew from what Drive lists, with what an older
// manifest of the same backup knew beyond that.
type Rebuild struct {
	Drive   *remote.Drive
	Log     *slog.Logger
	Now     func() time.Time
	Sources []manifest.Path // the folders above them only lead there
	// Older are files that may hold an older manifest of the backup; the
	// newest one that is sound, Drive's copy among them, is the base.
	Older   []string
	Binding Binding
}

// Rebuilt says what a manifest was made anew from, and what it holds.
type Rebuilt struct {
	Relisted
	Host remote.Host
	Base string    // the file that was the base, or OnDrive; "" if there was none
	Of   time.Time // when the base's last run began
	Left []Left
}

// rebuildKind names the run in the history.
const rebuildKind = "rebuild"

// putAtOnce is how many steps are made durable together.
const putAtOnce = 4_000

// Build makes the manifest of a host folder in the file at path, which is
// removed first. Nothing on Drive is changed. An error leaves no file.
//
// What a listing lacks or has otherwise than the base, or lacks although
// something is in it, is looked up by id: listings lag.
func (r *Rebuild) Build(ctx context.Context, host remote.Host, path string) (made *Rebuilt, err error) {
	if err := manifest.Discard(path); err != nil {
		return nil, fmt.Errorf("rebuild manifest: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("rebuild manifest: %w", errors.Join(err, manifest.Discard(path)))
		}
	}()
	made = &Rebuilt{Host: host}
	copied, err := r.base(ctx, made, path)
	if err != nil {
		return nil, err
	}
	store, err := manifest.Open(path)
	if err != nil {
		return nil, err
	}
	err = r.fill(ctx, store, made, copied)
	if err := errors.Join(err, store.Close()); err != nil {
		return nil, err
	}
	return made, checked(path)
}

// checked returns what is wrong with the manifest at path.
func checked(path string) error {
	known, err := manifest.OpenReader(path)
	if err != nil {
		return err
	}
	return errors.Join(known.Check(), known.Close())
}

// fill brings a store, empty or the base, to what Drive has.
func (r *Rebuild) fill(ctx context.Context, store *manifest.Store, made *Rebuilt, copied bool) error {
	began := r.Now()
	next, err := r.Drive.ChangesStart(ctx)
	if err != nil {
		return err
	}
	run := store.BeginRun(rebuildKind, began)
	old, err := forget(store)
	if err != nil {
		return err
	}
	states, err := r.states(ctx, store, made.Host)
	if err != nil {
		return err
	}
	var steps []manifest.Step
	l := &relisting{
		host: made.Host.ID, states: states, base: old, sources: r.Sources, next: store.NextFolderID,
		put: func(st manifest.Step) error {
			if steps = append(steps, st); len(steps) < putAtOnce {
				return nil
			}
			defer func() { steps = steps[:0] }()
			return errors.Join(store.Ack(steps), store.Fold())
		},
	}
	if err := l.run(); err != nil {
		return err
	}
	made.Relisted, made.Left = l.Relisted, l.left
	for _, left := range l.left {
		r.Log.Warn("left on Drive as it is", "path", left.Path, "id", string(left.Item), "reason", left.Why)
	}
	if err := errors.Join(store.Ack(steps), store.Fold()); err != nil {
		return err
	}
	if err := r.unchanged(ctx, made.Host); err != nil {
		return err
	}
	account, err := r.Drive.Account(ctx)
	if err != nil {
		return err
	}
	meta := map[string]string{
		metaInstallation: made.Host.Installation, metaAccount: account.PermissionID,
		metaMachine: r.Binding.Machine, metaClient: r.Binding.Client,
		metaTop: string(made.Host.Top), metaHost: string(made.Host.ID), metaBegun: "", metaGens: gensText(made.Host.Gens), metaOpen: "",
		metaChanges: next, metaChecked: strconv.FormatInt(began.Unix(), 10), metaHalt: "",
		metaCopy: string(made.Host.Copy.FileID), metaCopyBegun: "",
	}
	if !copied {
		meta[metaCopySent] = ""
	}
	return errors.Join(store.SetMeta(meta), store.ForgetDisks(), store.EndRun(run, r.Now(), manifest.RunSummary{Complete: true}))
}

// forget reads what a store knows, and drops what is in no place of the tree.
func forget(store *manifest.Store) (base, error) {
	known, err := store.Reader()
	if err != nil {
		return base{}, err
	}
	defer known.Close()
	displaced, err := known.Displaced()
	if err != nil {
		return base{}, err
	}
	var steps []manifest.Step
	for _, d := range displaced {
		steps = append(steps, manifest.Step{Kind: manifest.Drop, Folder: d.Folder, Entry: d.Entry, Reason: manifest.EndLost})
	}
	old, err := readBase(known)
	return old, errors.Join(err, store.Ack(steps), store.Fold())
}

// states lists what the installation has on Drive. What the base has otherwise
// and what something is in is looked up where the listing does not show it so.
func (r *Rebuild) states(ctx context.Context, store *manifest.Store, host remote.Host) (States, error) {
	known, err := store.Reader()
	if err != nil {
		return nil, err
	}
	defer known.Close()
	lay := remote.Layout{Top: host.Top, Host: host.ID}
	l, err := expect(known, lay)
	if err != nil {
		return nil, err
	}
	states := States{}
	met := func(id manifest.FileID, s remote.State) {
		l.meet(id, s)
		if id != host.Top && id != host.ID {
			states[id] = s
		}
	}
	asked := map[manifest.FileID]bool{host.ID: true, host.Top: true, "": true}
	return states, list(ctx, r.Drive, host.Installation, false, met, func(looked States) (ids []manifest.FileID, err error) {
		if looked == nil {
			if ids, err = l.doubtful(known, lay); err != nil {
				return nil, err
			}
		}
		for id, s := range looked {
			if states[id] = s; !s.Absent && s.Installation != host.Installation {
				delete(states, id) // what is not ours is no folder of the backup
			}
		}
		for _, id := range ids {
			asked[id] = true
		}
		for _, s := range states {
			if _, listed := states[s.Parent]; !listed && !s.Absent && !asked[s.Parent] {
				asked[s.Parent] = true
				ids = append(ids, s.Parent)
			}
		}
		slices.Sort(ids)
		return ids, nil
	})
}

// unchanged returns an error if another acb has written into the host folder
// since it was found: what was listed may be the half of it.
func (r *Rebuild) unchanged(ctx context.Context, host remote.Host) error {
	hosts, err := r.Drive.Hosts(ctx)
	if err != nil {
		return err
	}
	for _, h := range hosts {
		if h.ID == host.ID && slices.Equal(h.Gens, host.Gens) && !h.Trashed {
			return nil
		}
	}
	return fmt.Errorf("another acb is writing into the host folder %q: stop it, and rebuild again", host.Name)
}

// Install puts a manifest that Build has made in the place of the one at path,
// and returns where what was there is kept, "" if nothing was. Then it stops
// every other state folder of the same backup, which takes one request; what
// fails of that, the next scan makes up for.
func (r *Rebuild) Install(ctx context.Context, built, path string) (kept string, err error) {
	if kept, err = manifest.Restore(path, built, "before-rebuild", r.Now()); err != nil {
		return kept, err
	}
	if err := manifest.Discard(built); err != nil {
		return kept, err
	}
	store, err := manifest.Open(path)
	if err != nil {
		return kept, err
	}
	b := &Backup{Store: store, Drive: r.Drive}
	return kept, errors.Join(b.claimHost(ctx, false), store.Close())
}

// Healthy reports whether there is a manifest at path that can be gone on
// with, as far as it can be read: it is sound, and knows what Drive was left
// with.
func Healthy(path string) bool {
	known, err := manifest.OpenReader(path)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist) && !manifest.IsBroken(err)
	}
	defer known.Close()
	if err := errors.Join(known.Check(), manifest.LogHolds(path)); err != nil {
		return !manifest.IsBroken(err)
	}
	gens, err := known.Meta(metaGens)
	return err != nil || gens != ""
}

// Known returns the installation of the state folder whose manifest or copy is
// in one of the files, "" if none tells.
func Known(files ...string) string {
	for _, f := range files {
		known, err := manifest.OpenReader(f)
		if err != nil {
			continue
		}
		id, err := InstallationOf(known)
		known.Close()
		if err == nil && id != "" {
			return id
		}
	}
	return ""
}
