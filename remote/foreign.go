package remote

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/api/drive/v3"

	"github.com/autocloudbackup/acb/manifest"
)

// This file reads what another OAuth client has made, with a sign-in that may
// read all of the Drive. Drive shows a client nothing of another one's
// appProperties, so that names, kinds and times are all there is to go by.
// Source: Drive API guide, "Add custom file properties".

const foreignFields = "id,name,mimeType,parents,createdTime,modifiedTime,size,md5Checksum,headRevisionId,appProperties"

// Modes for what another client has made: they are in its appProperties.
const (
	foreignFile = 0o644
	foreignDir  = 0o755
	foreignLink = 0o777
)

// ForeignHosts returns every folder that lies in a folder with the name of the
// top folder, and that this OAuth client did not make; nothing of the trash.
func (d *Drive) ForeignHosts(ctx context.Context) ([]Host, error) {
	const folders = "mimeType='" + folderType + "' and trashed=false and "
	var tops []*drive.File
	err := d.listAll(ctx, []string{folders + "name='" + quoted(EncodeName(d.opt.Folder, manifest.Dir)) + "'"}, func(f *drive.File) error {
		if foreign(f) && DecodeName(f.Name, manifest.Dir) == d.opt.Folder { // a search may be laxer about case
			tops = append(tops, f)
		}
		return nil
	})
	var queries []string
	of := map[string]*drive.File{}
	for _, top := range tops {
		if of[top.Id] == nil {
			queries = append(queries, folders+"'"+quoted(top.Id)+"' in parents")
		}
		of[top.Id] = top
	}
	var hosts []Host
	if err == nil {
		seen := map[string]bool{}
		err = d.listAll(ctx, queries, func(f *drive.File) error {
			if !foreign(f) || seen[f.Id] || len(f.Parents) == 0 {
				return nil
			}
			seen[f.Id] = true
			hosts = append(hosts, Host{
				ID: manifest.FileID(f.Id), Name: DecodeName(f.Name, manifest.Dir),
				Top: manifest.FileID(f.Parents[0]), Folder: d.opt.Folder,
				Created: driveClock(f.CreatedTime), Changed: driveClock(f.ModifiedTime),
			})
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("look for host folders of another client: %w", err)
	}
	return sorted(hosts), nil
}

func foreign(f *drive.File) bool { return f.AppProperties[propKind] == "" }

// ForeignTree calls each for all that is below a folder of another client's,
// but for what is in the trash: those above come before what is in them. It
// takes a request for ten folders.
func (d *Drive) ForeignTree(ctx context.Context, top manifest.FileID, each func(manifest.FileID, State) error) error {
	seen := map[string]bool{string(top): true}
	for level := []string{string(top)}; len(level) > 0; {
		queries := make([]string, len(level))
		for i, id := range level {
			queries[i] = "'" + quoted(id) + "' in parents and trashed=false"
		}
		level = level[:0:0]
		err := d.listAll(ctx, queries, func(f *drive.File) error {
			if seen[f.Id] {
				return nil
			}
			seen[f.Id] = true
			if f.MimeType == folderType {
				level = append(level, f.Id)
			}
			return each(manifest.FileID(f.Id), foreignState(f))
		})
		if err != nil {
			return fmt.Errorf("list what another client made: %w", err)
		}
	}
	return nil
}

// foreignState is stateOf by what every client is shown. A time is known to
// the millisecond.
func foreignState(f *drive.File) State {
	s := State{Kind: manifest.File, Mode: foreignFile, Size: f.Size, Content: contentOf(f, manifest.Hash{})}
	switch {
	case f.MimeType == folderType:
		s.Kind, s.Mode = manifest.Dir, foreignDir
	case strings.HasSuffix(f.Name, linkSuffix):
		s.Kind, s.Mode = manifest.Symlink, foreignLink
	}
	s.Name = DecodeName(f.Name, s.Kind)
	if len(f.Parents) > 0 {
		s.Parent = manifest.FileID(f.Parents[0])
	}
	s.ModTime = driveClock(f.ModifiedTime).UnixNano()
	return s
}

// pagesAtOnce bounds the answer to a batch of listings, see maxAnswer: a page
// has about half a megabyte.
const pagesAtOnce = 10

// listAll lists what each query finds, up to ten pages a request.
func (d *Drive) listAll(ctx context.Context, queries []string, each func(*drive.File) error) error {
	of := map[*call]*listing{}
	var calls []*call
	ask := func(l *listing) {
		c := d.listCall(l)
		of[c], calls = l, append(calls, c)
	}
	for _, q := range queries {
		ask(newListing(q, foreignFields))
	}
	for len(calls) > 0 {
		now := calls[:min(pagesAtOnce, len(calls))]
		calls = calls[len(now):]
		var failed error
		err := d.send(ctx, now, func(c *call) {
			l := of[c]
			delete(of, c)
			files, err := l.page(c)
			if err != nil {
				failed = err
				return
			}
			for _, f := range files {
				if failed == nil {
					failed = each(f)
				}
			}
			if !l.done {
				ask(l)
			}
		})
		if err == nil {
			err = failed
		}
		if err != nil {
			return err
		}
	}
	return nil
}
