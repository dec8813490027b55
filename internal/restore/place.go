package restore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"

	"github.com/zeebo/blake3"

	"github.com/autocloudbackup/acb/manifest"
)

// tempPrefix begins the names of what is not in place yet.
const tempPrefix = manifest.RestorePrefix

// errElsewhere says that Drive does not hold a content any more where it was
// last, so that it is to be looked for.
var errElsewhere = errors.New("another content is there on Drive now")

// deliver fetches the content beside its place and compares its sum. The
// outcome is for when there is an error.
func (r *run) deliver(ctx context.Context, t *task) (Outcome, error) {
	switch {
	case t.gone != nil:
		return Gone, r.nearest(ctx, t)
	case t.refused != nil:
		return Failed, t.refused
	}
	t.dir.writable()
	temp := t.temp()
	right, err := t.arrivedBefore(ctx, temp)
	if err == nil && !right {
		right, err = r.fetch(ctx, t, temp)
	}
	other := isOther(err)
	switch {
	case err != nil && !other:
		return Failed, err
	case right && !other:
	case !t.sought:
		return Failed, errors.Join(errElsewhere, t.drop(temp))
	case t.instead != nil:
		t.gone = t.instead
		return Gone, errors.Join(r.nearest(ctx, t), t.drop(temp))
	case other:
		t.gone = &GoneError{Why: changedByOther}
		return Gone, errors.Join(r.nearest(ctx, t), t.drop(temp))
	default:
		return t.damaged(temp)
	}
	return 0, nil
}

// drop takes away what was fetched for nothing.
func (t *task) drop(temp string) error {
	if err := t.dir.root.Remove(temp); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// damaged keeps a content with a wrong sum beside its place.
func (t *task) damaged(temp string) (Outcome, error) {
	as, err := t.dir.beside(t.name, ".acb-damaged")
	if err == nil {
		err = t.dir.place(temp, as)
	}
	if err != nil {
		return Failed, fmt.Errorf("what Drive sent has another sum than what was saved, and cannot be kept: %w", err)
	}
	return Damaged, fmt.Errorf("what Drive sent has another sum than what was saved; it lies beside as %s", as)
}

// temp is the name of the content before it is in place: the same for the next
// run that wants it there, and fit for every target.
func (t *task) temp() string {
	h := blake3.New()
	fmt.Fprintf(h, "%q %q %q %d", t.want.FileID, t.want.HeadRevision, t.name, t.want.Size)
	return tempPrefix + hex.EncodeToString(h.Sum(nil)[:8])
}

// place gives a temporary file its name, unless that is taken.
func (d *dir) place(temp, name string) error {
	err := d.root.Link(temp, name) // unlike a rename, it replaces nothing
	if err == nil {
		return d.root.Remove(temp)
	}
	if errors.Is(err, fs.ErrExist) {
		return err
	}
	// A file system without hard links.
	if _, err := d.root.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, fs.ErrExist)
	}
	return d.root.Rename(temp, name)
}

// setAside renames what stands in the way.
func (d *dir) setAside(r *run, p manifest.Path, name string) error {
	as, err := d.beside(name, ".acb-kept-"+r.began.UTC().Format("20060102T150405"))
	if err == nil {
		err = d.root.Rename(name, as)
	}
	if err != nil {
		return fmt.Errorf("move aside what is there: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum.SetAside = append(r.sum.SetAside, Renamed{p, as})
	return nil
}

// maxName is the longest name that file systems take, in bytes.
const maxName = 255

// beside returns a free name for something that belongs to a name.
func (d *dir) beside(name, suffix string) (string, error) {
	for n := 1; ; n++ {
		end := suffix
		if n > 1 {
			end = fmt.Sprint(suffix, "-", n)
		}
		as := cut(name, maxName-len(end)) + end
		if _, err := d.root.Lstat(as); errors.Is(err, fs.ErrNotExist) {
			return as, nil
		} else if err != nil {
			return "", err
		}
	}
}

// cut shortens a name to n bytes, between characters where it has any.
func cut(name string, n int) string {
	if len(name) <= n {
		return name
	}
	for k := n; k > n-utf8.UTFMax; k-- {
		if utf8.RuneStart(name[k]) {
			n = k
			break
		}
	}
	return strings.TrimRight(name[:n], " .")
}
