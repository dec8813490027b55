package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// keptGens is how many past generations the manifest keeps: those of some
// months of runs. An account goes back 25 days, if an administrator has it
// restored.
const keptGens = 500

// A RolledBackError says that Drive is as it was before runs that the manifest
// knows of: its host folder holds a generation that one of them had replaced.
type RolledBackError struct{}

// Error names the way out.
func (*RolledBackError) Error() string {
	return "Drive has gone back to an earlier state than this backup had there already: the account was restored or rolled back; " +
		"no scan changes it until that is put right. \"acb verify --full\" shows what is missing, \"acb verify --repair\" puts it right and sends it again"
}

// gens reads a list of generations.
func (b *Backup) gens(key string) (list []int64, err error) {
	text, err := b.Store.Meta(key)
	if err != nil {
		return nil, err
	}
	for _, word := range strings.Fields(text) {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read manifest: %s: %w", key, err)
		}
		list = append(list, n)
	}
	return list, nil
}

// keepGens makes durable which generations the host folder may hold now, which
// it held before, and whether a run is open.
func (b *Backup) keepGens(now []int64, open bool) error {
	before, err1 := b.gens(metaGens)
	past, err2 := b.gens(metaGensPast)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	for _, g := range before {
		if !slices.Contains(now, g) {
			past = append(past, g)
		}
	}
	past = past[max(0, len(past)-keptGens):]
	values := map[string]string{metaGens: gensText(now), metaGensPast: gensText(past), metaOpen: ""}
	if open {
		values[metaOpen] = "yes"
	}
	return b.Store.SetMeta(values)
}

// rolledBack reports whether generations that the manifest does not expect on
// the host folder are ones that it put there itself, once.
func (b *Backup) rolledBack(held []int64) (bool, error) {
	past, err := b.gens(metaGensPast)
	return len(held) > 0 && !slices.ContainsFunc(held, func(g int64) bool { return !slices.Contains(past, g) }), err
}

// standing looks whether the host folder's generation is one that the manifest
// knows, and returns those that are not: those of before, or of another copy of
// this state folder. If the change log was read, it has brought them along.
func (b *Backup) standing(ctx context.Context, seen *drifted) (rolled bool, held []int64, err error) {
	known, err := b.gens(metaGens)
	if err != nil {
		return false, nil, err
	}
	host := seen.host
	if host == nil {
		lay, err := knownLayout(b.Store)
		if err != nil {
			return false, nil, err
		}
		states, err := b.Drive.Check(ctx, []manifest.FileID{lay.Host})
		if err != nil {
			return false, nil, err
		}
		s := states[lay.Host]
		host = &s
	}
	held = slices.DeleteFunc(slices.Clone(host.Gens), func(g int64) bool { return slices.Contains(known, g) })
	rolled, err = b.rolledBack(held)
	return rolled, held, err
}

// foreign is the error of generations that the manifest does not know.
func foreign(held []int64) error {
	if len(held) == 0 {
		return nil
	}
	return &remote.GenError{Held: held}
}

// orRolledBack tells a Drive that has gone back from one that another copy of
// this manifest has changed.
func (b *Backup) orRolledBack(err error) error {
	var gen *remote.GenError
	if !errors.As(err, &gen) {
		return err
	}
	rolled, e := b.rolledBack(gen.Held)
	switch {
	case e != nil:
		return errors.Join(err, e)
	case rolled:
		return &RolledBackError{}
	}
	return err
}

// goneBack says of which files Drive holds a revision that was replaced since,
// by the history. It is told the drifts of one look.
func (b *Backup) goneBack(found []Drift) (n int, err error) {
	head := map[manifest.FileID]string{}
	for _, d := range found {
		if d.What.Has(Changed) {
			head[d.Item] = d.Now.HeadRevision
		}
	}
	if len(head) == 0 {
		return 0, nil
	}
	known, err := b.Store.Reader()
	if err != nil {
		return 0, err
	}
	defer known.Close()
	err = known.Ended(func(v manifest.Version) error {
		if rev := head[v.FileID]; rev != "" && rev == v.HeadRevision {
			delete(head, v.FileID)
			n++
		}
		return nil
	})
	return n, err
}
