package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/api/drive/v3"

	"github.com/autocloudbackup/acb/manifest"
)

// Gen is the generation of a manifest: a number that the host folder holds
// too. A changing run puts another one there before anything else, and once
// more with its last batch; so a copy of the manifest, made before that run or
// in the middle of it, meets a number that it does not know.
type Gen struct {
	// Known are the generations that the host folder may hold: the last one
	// that it is known to hold, and those sent since without an answer.
	Known []int64
	// Next makes up a generation that no copy of this manifest would choose as
	// well, and returns when it is durable among the known ones: its request
	// may succeed without an answer.
	Next func() (int64, error)
}

// A GenError says that Drive was last changed by another copy of this
// manifest, or by a later state of it.
type GenError struct {
	Held []int64 // the generations that the host folder holds and the manifest does not know
}

// Error names the way out.
func (*GenError) Error() string {
	return "check generation: Drive was changed by another copy of this state folder since this one was last used: " +
		"it was copied to another machine or brought back from an older copy; nothing was changed. " +
		"Run acb with the newest copy only; \"acb manifest adopt\" says more"
}

// firstGen is the generation of a new host folder.
const firstGen = 1

// genProp is the property under which a host folder holds a generation. Each
// has a key of its own: Drive merges the properties of a patch into those that
// are there and answers with all of them, so that to add a key and to read the
// others is one step. Of two copies that begin at once, one sees the other's.
// Source: Drive API guide, "Add custom file properties"; patch semantics.
func genProp(gen int64) string { return propGen + strconv.FormatInt(gen, 10) }

// gensOf reads the generations that a host folder holds.
func gensOf(f *drive.File) (list []int64) {
	for key := range f.AppProperties {
		if text, ok := strings.CutPrefix(key, propGen); ok {
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				list = append(list, n)
			}
		}
	}
	slices.Sort(list)
	return list
}

// genCall makes the call that puts next in the place of the known generations.
func (d *Drive) genCall(host manifest.FileID, next int64, known []int64) *call {
	return d.patchCall(host, &meta{AppProperties: props{gens: &gens{set: next, drop: known}}}, "id,appProperties")
}

// claim makes sure, before the run begins anything, that its manifest is the
// one that changed Drive last. Ids for all that is to be created come along,
// unless it may not come to that: creates says that it does. A host folder that was made a moment ago needs no look.
func (r *run) claim(ctx context.Context, creates bool) error {
	if err := r.claiming.take(ctx); err != nil {
		return classify(err)
	}
	defer r.claiming.give()
	if r.claimed {
		return nil
	}
	host, err := r.env.Folder(manifest.Root)
	if err != nil {
		return fmt.Errorf("check generation: %w", err)
	}
	ahead := 0
	if creates || r.env.Halt == nil {
		ahead = r.ahead
	}
	held, err := r.d.claim(ctx, host, r.env.Gen, ahead)
	if _, lost := IsLost(err); lost {
		r.lose(host)
	}
	r.mu.Lock()
	r.result.Gens = held
	r.mu.Unlock()
	r.claimed = err == nil
	return err
}

// Claim makes sure that this manifest is the one that changed Drive last, and
// keeps copies of it from changing anything from now on: it puts a generation
// of its own on the host folder. It returns the generations that the folder may
// hold then. Apply claims by itself unless it is told that it is done.
//
// Errors are *GenError, *LostError of the host folder, *Error.
func (d *Drive) Claim(ctx context.Context, host manifest.FileID, gen Gen) ([]int64, error) {
	return d.claim(ctx, host, gen, 0)
}

// claim is Claim; ids for the given number of creates come along in the same
// request.
func (d *Drive) claim(ctx context.Context, host manifest.FileID, gen Gen, creates int) ([]int64, error) {
	next, err := gen.Next()
	if err != nil {
		return gen.Known, fmt.Errorf("write manifest: %w", err)
	}
	raise := d.genCall(host, next, gen.Known)
	calls := []*call{raise}
	if n := creates - d.ids.len(); n > 0 {
		calls = append(calls, idsCall(min(n, maxIDs)))
	}
	sent := append(slices.Clone(gen.Known), next)
	asked := d.opt.Now()
	if err := d.send(ctx, calls, d.takeIDs); err != nil {
		return sent, classify(err).about("check generation", "", host)
	}
	f, e := raise.file()
	switch {
	case e != nil && e.Class == NotFound:
		return gen.Known, fmt.Errorf("check generation: host folder: %w", &LostError{host})
	case e != nil:
		return sent, e.about("check generation", "", host)
	}
	if held := slices.DeleteFunc(gensOf(f), func(g int64) bool { return g == next }); len(held) > 0 {
		if _, e := d.do(ctx, d.patchCall(host, &meta{AppProperties: props{gens: &gens{drop: []int64{next}}}}, "id")); e == nil {
			sent = gen.Known
		}
		return sent, &GenError{held}
	}
	d.looked = asked
	return []int64{next}, nil
}

// takeIDs puts what a call for ids has brought into the pool. Without them,
// the first create asks again.
func (d *Drive) takeIDs(c *call) {
	var got drive.GeneratedIds
	if c.path == idsPath && c.err == nil && json.Unmarshal(c.answer, &got) == nil {
		d.ids.put(got.Ids)
	}
}
