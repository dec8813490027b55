package remote

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"google.golang.org/api/drive/v3"

	"github.com/autocloudbackup/acb/manifest"
)

// A Layout is where this installation keeps things: <folder>/<host>.
type Layout struct {
	Top, Host manifest.FileID
	// Gens are the generations of a host folder that was made here, see [Gen].
	// Of one that was found they are nobody's but the manifest's to know.
	Gens []int64
	// Changes is where Drive's change log stood before the layout was looked
	// for; "" when Drive did not tell. See [Drive.Changes].
	Changes string
	// Begun: the ids are reserved and the folders may or may not exist.
	Begun bool
}

// A HostTakenError says that the host folder of this name belongs to another
// installation.
type HostTakenError struct {
	Folder, Host string
	FileID       manifest.FileID
	Installation string // whose it is
}

// Error names the two ways out.
func (e *HostTakenError) Error() string {
	return fmt.Sprintf("find host folder: %q in %q belongs to another installation (%s): "+
		"choose another name with [drive] host in acb.toml, or, if this machine made it, bring back its state folder or run \"acb manifest rebuild\"",
		e.Host, e.Folder, e.Installation)
}

// HostFolder finds or makes the top folder and the host folder in it. With a
// known layout it costs nothing: Apply notices when it is gone. begin is told
// the reserved ids before anything is created and makes them durable, with
// Begun set; a HostFolder that was interrupted is called again with them.
//
// At most three requests, five after an interruption, with as many reserved ids left over as Apply may
// need next. Errors: *HostTakenError, *Error, and what begin returns.
func (d *Drive) HostFolder(ctx context.Context, known Layout, begin func(Layout) error) (Layout, error) {
	if known.Host != "" && !known.Begun {
		return known, nil
	}
	if known.Begun {
		made, err := d.settle(ctx, known, begin)
		if err != nil || made.Host != "" {
			return made, err
		}
	}
	lay, err := d.findLayout(ctx)
	if err != nil || lay.Host != "" {
		return lay, err
	}
	return d.makeLayout(ctx, lay, begin)
}

// layoutQuery finds top and host folders of this OAuth client, trash left out.
const layoutQuery = "(appProperties has { key='" + propKind + "' and value='" + kindTop + "' }" +
	" or appProperties has { key='" + propKind + "' and value='" + kindHost + "' })" +
	" and mimeType='" + folderType + "' and trashed=false"

// findLayout lists the top and host folders there are and takes ours. What
// else a first run must know comes along in the same request.
func (d *Drive) findLayout(ctx context.Context) (Layout, error) {
	var files []*drive.File
	changes := ""
	along := []*call{idsCall(maxIDs), d.startPageCall(), aboutCall()}
	for l := newListing(layoutQuery, "id,name,parents,createdTime,appProperties"); !l.done; {
		list := d.listCall(l)
		if err := d.send(ctx, append([]*call{list}, along...), func(c *call) {
			d.takeIDs(c)
			d.takeAccount(c)
			changes = cmp.Or(startPageOf(c), changes)
		}); err != nil {
			return Layout{}, classify(err).about("find host folder", "", "")
		}
		along = nil
		page, err := l.page(list)
		if err != nil {
			return Layout{}, fmt.Errorf("find host folder: %w", err)
		}
		files = append(files, page...)
	}
	lay, err := d.chooseLayout(files)
	lay.Changes = changes
	return lay, err
}

// chooseLayout picks the oldest top folder, by preference of the configured
// name, and in it the host folder of this installation.
func (d *Drive) chooseLayout(files []*drive.File) (Layout, error) {
	slices.SortFunc(files, func(a, b *drive.File) int {
		return cmp.Or(cmp.Compare(a.CreatedTime, b.CreatedTime), cmp.Compare(a.Id, b.Id))
	})
	var top *drive.File
	for _, f := range files {
		if f.AppProperties[propKind] != kindTop {
			continue
		}
		if top == nil || top.Name != EncodeName(d.opt.Folder, manifest.Dir) && f.Name == EncodeName(d.opt.Folder, manifest.Dir) {
			top = f
		}
	}
	if top == nil {
		return Layout{}, nil
	}
	lay := Layout{Top: manifest.FileID(top.Id)}
	var taken error
	for _, f := range files {
		if f.AppProperties[propKind] != kindHost || !slices.Contains(f.Parents, top.Id) {
			continue
		}
		if f.AppProperties[propInstall] == d.opt.Installation {
			lay.Host = manifest.FileID(f.Id)
			return lay, nil
		}
		if f.Name == EncodeName(d.opt.Host, manifest.Dir) {
			taken = &HostTakenError{d.opt.Folder, d.opt.Host, manifest.FileID(f.Id), f.AppProperties[propInstall]}
		}
	}
	return lay, taken
}

// makeLayout creates what is missing of lay.
func (d *Drive) makeLayout(ctx context.Context, lay Layout, begin func(Layout) error) (Layout, error) {
	ids, e := d.reserve(ctx, 2, 2)
	if e != nil {
		return Layout{}, e
	}
	newTop := lay.Top == ""
	if newTop {
		lay.Top = ids[0]
	}
	lay.Host, lay.Gens, lay.Begun = ids[1], []int64{firstGen}, true
	if err := begin(lay); err != nil {
		return Layout{}, fmt.Errorf("make host folder: %w", err)
	}
	if newTop {
		if e := d.makeFolder(ctx, lay.Top, d.opt.Folder, manifest.FileID(d.opt.SharedDrive), kindTop); e != nil {
			return Layout{}, e
		}
	}
	if e := d.makeFolder(ctx, lay.Host, d.opt.Host, lay.Top, kindHost); e != nil {
		return Layout{}, e
	}
	lay.Begun = false
	d.fresh = true
	return lay, nil
}

// makeFolder creates the top or the host folder under a reserved id. That it
// exists already means that an earlier try succeeded.
func (d *Drive) makeFolder(ctx context.Context, id manifest.FileID, name string, parent manifest.FileID, kind string) *Error {
	m := &meta{
		ID: string(id), Name: EncodeName(name, manifest.Dir), MimeType: folderType,
		Parent: string(parent), AppProperties: props{kind: kind, install: d.opt.Installation},
	}
	if kind == kindHost {
		m.AppProperties.gens = &gens{set: firstGen}
	}
	_, e := d.do(ctx, d.createCall(m, "id"))
	if e != nil && e.Class == Conflict {
		return nil
	}
	return e.about("create "+kind+" folder "+strconv.Quote(name), "", id)
}

// settle finishes a HostFolder that was interrupted: what exists is taken
// over, the rest created under the same ids. A host folder that a copy of this
// state folder has made meanwhile is taken instead: the manifest does not know
// its generation, and so changes nothing. One that is made here under the ids
// of a run before may have been made by a copy from between the two runs as
// well, with the same generation: it is looked at before the run goes on. An id
// that Drive no longer takes gives the zero Layout, and everything is looked for
// anew.
func (d *Drive) settle(ctx context.Context, begun Layout, begin func(Layout) error) (Layout, error) {
	_, e := d.get(ctx, begun.Host, "id")
	if e == nil {
		begun.Gens, begun.Begun = nil, false
		return begun, nil
	}
	if e.Class != NotFound {
		return Layout{}, e.about("find host folder", "", begun.Host)
	}
	found, err := d.findLayout(ctx)
	if err != nil || found.Host != "" {
		return found, err
	}
	if found.Top != "" && found.Top != begun.Top {
		begun.Top = found.Top
		if err := begin(begun); err != nil {
			return Layout{}, fmt.Errorf("make host folder: %w", err)
		}
	}
	_, e = d.get(ctx, begun.Top, "id")
	if e != nil && e.Class == NotFound {
		e = d.makeFolder(ctx, begun.Top, d.opt.Folder, manifest.FileID(d.opt.SharedDrive), kindTop)
	}
	if e == nil {
		e = d.makeFolder(ctx, begun.Host, d.opt.Host, begun.Top, kindHost)
	}
	if e != nil && e.Class == BadID {
		return Layout{}, nil
	}
	if e != nil {
		return Layout{}, e.about("find host folder", "", begun.Host)
	}
	begun.Gens, begun.Begun = []int64{firstGen}, false
	return begun, nil
}
