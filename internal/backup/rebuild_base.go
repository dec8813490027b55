package backup

import (
	"cmp"
	"compress/gzip"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// OnDrive is what Rebuilt.Base says of the manifest's copy on Drive.
const OnDrive = "Drive"

// An older is a manifest of the same backup as it once was.
type older struct {
	path, name string
	run        manifest.Run // its last
}

// base writes the newest older manifest of the host's backup to path, and
// reports whether there is one. One that is damaged or of another backup is
// passed over.
func (r *Rebuild) base(ctx context.Context, made *Rebuilt, path string) (found bool, err error) {
	var list []older
	for _, f := range r.Older {
		if run, ok := r.usable(f, made.Host); ok {
			list = append(list, older{f, f, run})
		}
	}
	beside := path + ".drive"
	fetched := filepath.Join(beside, "manifest.db")
	defer func() { err = errors.Join(err, os.RemoveAll(beside)) }()
	if made.Host.Copy.FileID != "" {
		if err := r.fetch(ctx, made.Host.Copy, fetched); isAnswer(err) || ctx.Err() != nil {
			return false, err
		} else if err != nil {
			r.Log.Warn("the manifest's copy on Drive is of no use", "error", err)
		} else if run, ok := r.usable(fetched, made.Host); ok {
			list = append(list, older{fetched, OnDrive, run})
		}
	}
	slices.SortStableFunc(list, func(a, b older) int {
		return cmp.Or(b.run.Started.Compare(a.run.Started), cmp.Compare(b.run.ID, a.run.ID))
	})
	for _, o := range list {
		if err := manifest.Copy(o.path, path, r.Now()); manifest.IsBroken(err) {
			r.Log.Warn("older manifest is damaged", "path", o.path, "error", err)
			continue
		} else if err != nil {
			return false, err
		}
		made.Base, made.Of = o.name, o.run.Started
		return true, nil
	}
	return false, nil
}

// isAnswer reports whether an error is Drive's, or the way to it: what is then
// not known may be had another time. That there is no such file is known.
func isAnswer(err error) bool {
	var e *remote.Error
	return errors.As(err, &e) && e.Class != remote.NotFound
}

// usable returns the last run of the manifest at path, if it can be read and
// is of that backup.
func (r *Rebuild) usable(path string, host remote.Host) (last manifest.Run, ok bool) {
	known, err := manifest.OpenReader(path)
	if err != nil {
		r.Log.Info("no older manifest", "path", path, "error", err)
		return last, false
	}
	defer known.Close()
	of, err1 := InstallationOf(known)
	runs, err2 := known.LastRuns(1)
	if err := errors.Join(err1, err2); err != nil || of != host.Installation || len(runs) == 0 {
		r.Log.Info("older manifest is of another backup, or damaged", "path", path, "installation", of, "error", err)
		return last, false
	}
	return runs[0], true
}

// fetch downloads and unpacks the manifest's copy, and brings one of an older
// acb up to date. Errors are a *remote.Error,
// or say why the copy cannot be used.
func (r *Rebuild) fetch(ctx context.Context, c remote.Copied, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	packed, err := os.OpenFile(to+".gz", os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { packed.Close(); os.Remove(packed.Name()) }()
	sum := md5.New()
	if _, err := r.Drive.Download(ctx, c.Blob, 0, c.Size, io.MultiWriter(packed, sum)); err != nil {
		return fmt.Errorf("fetch the manifest's copy: %w", err)
	}
	if manifest.MD5(sum.Sum(nil)) != c.MD5 {
		return errors.New("fetch the manifest's copy: other bytes came than Drive has")
	}
	if _, err := packed.Seek(0, io.SeekStart); err != nil {
		return err
	}
	zip, err := gzip.NewReader(packed)
	if err != nil {
		return fmt.Errorf("unpack the manifest's copy: %w", err)
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, zip); err != nil {
		err = fmt.Errorf("unpack the manifest's copy: %w", err)
	}
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	store, err := manifest.Open(to)
	if err != nil {
		return err
	}
	return store.Close()
}

// A HostWish is what is known of the host folder that is wanted.
type HostWish struct {
	Name         string // as the user says: its name, its id, or its installation's
	Usual        string // the configured name, if the user says nothing
	Installation string // of the state folder, "" if it is not known
}

// A HostChoiceError says that it is not clear which host folder is meant.
type HostChoiceError struct {
	Wish  HostWish
	Match int // how many are meant
	Hosts []remote.Host
}

// Error lists what there is.
func (e *HostChoiceError) Error() string {
	name := cmp.Or(e.Wish.Name, e.Wish.Usual)
	text := fmt.Sprintf("no host folder on Drive is called %q", name)
	switch {
	case len(e.Hosts) == 0:
		return "there is no backup on Drive that this sign-in is shown: see that it is the right account, " +
			"and the OAuth client that the backup was made with"
	case e.Match > 1:
		text = fmt.Sprintf("%d host folders on Drive are called %q", e.Match, name)
	}
	text += "; name one with --host, by its name or by its installation:"
	for _, h := range e.Hosts {
		text += fmt.Sprintf("\n  %s  installation %s, made %s, last changed %s, %s",
			h.Name, h.Installation, h.Created.Format(time.DateTime), h.Changed.Format(time.DateTime), generation(h))
		if h.Trashed {
			text += ", in the trash"
		}
	}
	return text
}

func generation(h remote.Host) string {
	if len(h.Gens) == 0 {
		return "no generation"
	}
	return "generation " + gensText(h.Gens)
}

// FindHost returns the host folder that is wanted: the one that the user
// names; else that of the installation, else that of the usual name. Errors
// are Drive's and *HostChoiceError.
func FindHost(ctx context.Context, d *remote.Drive, w HostWish) (remote.Host, error) {
	hosts, err := d.Hosts(ctx)
	if err != nil {
		return remote.Host{}, err
	}
	pick := func(is func(h remote.Host) bool) []remote.Host {
		return slices.DeleteFunc(slices.Clone(hosts), func(h remote.Host) bool { return !is(h) })
	}
	var found []remote.Host
	if w.Name != "" {
		if found = pick(func(h remote.Host) bool { return h.Name == w.Name }); len(found) != 1 {
			if exact := pick(func(h remote.Host) bool { return w.Name == h.Installation || w.Name == string(h.ID) }); len(exact) > 0 {
				found = exact
			}
		}
	} else {
		if w.Installation != "" {
			found = pick(func(h remote.Host) bool { return h.Installation == w.Installation })
		}
		if len(found) == 0 {
			found = pick(func(h remote.Host) bool { return h.Name == w.Usual })
		}
	}
	if len(found) > 1 { // of those, one that is in the trash is hardly meant
		if live := slices.DeleteFunc(slices.Clone(found), func(h remote.Host) bool { return h.Trashed }); len(live) == 1 {
			found = live
		}
	}
	switch {
	case len(found) != 1:
		return remote.Host{}, &HostChoiceError{w, len(found), hosts}
	case found[0].Trashed:
		return remote.Host{}, fmt.Errorf("the host folder %q is in Drive's trash, or the folder above it: take it out there first", found[0].Name)
	case found[0].Installation == "":
		return remote.Host{}, fmt.Errorf("the host folder %q does not say which installation made it", found[0].Name)
	}
	return found[0], nil
}
