package remote

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/api/drive/v3"

	"github.com/autocloudbackup/acb/manifest"
)

// A Host is a host folder on Drive: where one installation keeps its backup.
type Host struct {
	ID, Top      manifest.FileID
	Name         string // of the folder
	Folder       string // of the one above it
	Installation string
	Gens         []int64   // that it holds, see [Gen]
	Created      time.Time // by Drive's clock
	Changed      time.Time // likewise, the newest of it and its manifest's copy
	Trashed      bool      // it, or a folder above it
	Copy         Copied
}

// Copied is what Drive has of a manifest's copy; without one, all is zero.
type Copied struct {
	Blob
	MD5     manifest.MD5
	Written time.Time // by Drive's clock
}

const hostFields = "id,name,parents,createdTime,modifiedTime,trashed,size,md5Checksum,headRevisionId,appProperties"

// hostsQuery finds what belongs to the layout of any installation of this
// OAuth client.
const hostsQuery = "(appProperties has { key='" + propKind + "' and value='" + kindTop + "' }" +
	" or appProperties has { key='" + propKind + "' and value='" + kindHost + "' }" +
	" or appProperties has { key='" + propKind + "' and value='" + kindCopy + "' })"

// Hosts returns every host folder that this sign-in is shown, those in the
// trash included, in the order of their names and then of their age.
func (d *Drive) Hosts(ctx context.Context) ([]Host, error) {
	var files []*drive.File
	for l := newListing(hostsQuery, hostFields); !l.done; {
		list := d.listCall(l)
		if err := d.send(ctx, []*call{list}, func(*call) {}); err != nil {
			return nil, classify(err).about("list host folders", "", "")
		}
		page, err := l.page(list)
		if err != nil {
			return nil, fmt.Errorf("list host folders: %w", err)
		}
		files = append(files, page...)
	}
	return hostsOf(files), nil
}

// hostsOf puts together what a listing has of each host folder.
func hostsOf(files []*drive.File) (hosts []Host) {
	tops := map[manifest.FileID]string{}
	copies := map[string]Copied{}
	for _, f := range files {
		switch by := f.AppProperties[propInstall]; f.AppProperties[propKind] {
		case kindTop:
			tops[manifest.FileID(f.Id)] = DecodeName(f.Name, manifest.Dir)
		case kindCopy:
			c := Copied{Blob{FileID: manifest.FileID(f.Id), Size: f.Size}, parseMD5(f.Md5Checksum), driveClock(f.ModifiedTime)}
			if !f.Trashed && !c.Written.Before(copies[by].Written) {
				copies[by] = c
			}
		}
	}
	seen := map[string]bool{} // a listing may name an item twice
	for _, f := range files {
		if f.AppProperties[propKind] != kindHost || seen[f.Id] {
			continue
		}
		seen[f.Id] = true
		h := Host{
			ID: manifest.FileID(f.Id), Name: DecodeName(f.Name, manifest.Dir), Installation: f.AppProperties[propInstall],
			Gens: gensOf(f), Created: driveClock(f.CreatedTime), Changed: driveClock(f.ModifiedTime), Trashed: f.Trashed,
		}
		if len(f.Parents) > 0 {
			h.Top = manifest.FileID(f.Parents[0])
			h.Folder = tops[h.Top]
		}
		if h.Copy = copies[h.Installation]; h.Copy.Written.After(h.Changed) {
			h.Changed = h.Copy.Written
		}
		hosts = append(hosts, h)
	}
	return sorted(hosts)
}

// sorted puts hosts in the order of their names and then of their age.
func sorted(hosts []Host) []Host {
	slices.SortFunc(hosts, func(a, b Host) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return hosts
}

// driveClock reads a time of Drive's; what is none is the zero time.
func driveClock(s string) time.Time {
	t, _ := time.Parse(time.RFC3339, s)
	return t.UTC()
}

// Become makes d write as another installation from now on. Nothing may have
// been written by it before.
func (d *Drive) Become(installation string) { d.opt.Installation = installation }
