package drivetest

import (
	"encoding/json"
	"fmt"
	"time"
)

// The methods here are other hands: a person in the browser, or another
// program, who may touch anything in the account at any time.

// ErrNoFile is returned for an id that is not there.
var ErrNoFile = fmt.Errorf("no such file")

// act runs f on a file under the lock and records the change. "root" is the
// account's My Drive.
func (d *Drive) act(id string, f func(it *item) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	it := d.item(id)
	if it == nil {
		return fmt.Errorf("%s: %w", id, ErrNoFile)
	}
	if err := f(it); err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	d.touch(it, 1)
	return nil
}

func (d *Drive) item(id string) *item {
	if id == "root" {
		return d.account(d.opt.User)
	}
	return d.items[id]
}

// Trash puts a file or folder into the bin.
func (d *Drive) Trash(id string) error { return d.setTrash(id, true) }

// Untrash takes it out again.
func (d *Drive) Untrash(id string) error { return d.setTrash(id, false) }

func (d *Drive) setTrash(id string, yes bool) error {
	return d.act(id, func(it *item) error {
		(&edit{trashed: &yes}).fill(it, d.ms())
		return nil
	})
}

// Delete removes a file for good, a folder with all below it.
func (d *Drive) Delete(id string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	it := d.item(id)
	if it == nil || it.Root {
		return fmt.Errorf("%s: %w", id, ErrNoFile)
	}
	d.remove(it)
	return nil
}

// EmptyTrash deletes what is in the bin and reports how many things were binned.
func (d *Drive) EmptyTrash() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.purge(func(*item) bool { return true })
}

// Tidy does what Drive does as time goes by: it deletes what was binned 30
// days ago, and revisions 30 days after another one replaced them.
// Source: the guides on deleting files and on revisions.
func (d *Drive) Tidy() {
	d.mu.Lock()
	defer d.mu.Unlock()
	then := d.ms() - (30 * 24 * time.Hour).Milliseconds()
	d.purge(func(it *item) bool { return it.TrashAt < then })
	for _, it := range d.items {
		before := it.used()
		n := len(it.Revs)
		for i := 0; i < len(it.Revs)-1; {
			if it.Revs[i].Keep || it.Revs[i+1].Stored >= then {
				i++
				continue
			}
			d.dropRevision(it, i)
		}
		d.used[d.purse(it)] += it.used() - before
		if len(it.Revs) < n {
			d.touch(it, 1)
		}
	}
	d.expireIDs()
}

// Move puts a file or folder under another folder.
func (d *Drive) Move(id, parent string) error {
	return d.act(id, func(it *item) error {
		to := d.item(parent)
		if to == nil || !to.isFolder() || to.below(it) {
			return fmt.Errorf("move to %s: %w", parent, ErrNoFile)
		}
		d.move(it, to)
		return nil
	})
}

// Rename gives a file another name.
func (d *Drive) Rename(id, name string) error {
	return d.act(id, func(it *item) error {
		it.Name = name
		return nil
	})
}

// SetContent replaces the content of a file, now.
func (d *Drive) SetContent(id string, content []byte) error {
	rev, err := d.blob(content)
	if err != nil {
		return err
	}
	return d.act(id, func(it *item) error {
		if it.head() == nil {
			return fmt.Errorf("has no content: %w", ErrNoFile)
		}
		it.Modified = d.ms()
		d.addRevision(it, rev, false)
		return nil
	})
}

func (d *Drive) blob(content []byte) (*revision, error) {
	d.mu.Lock()
	key := d.random(16)
	d.mu.Unlock()
	w := d.blobs.newWriter(key)
	w.Write(content) // its error stays in the writer
	return w.commit()
}

// AddFile lets a person upload a file into a folder with the browser; no OAuth
// client sees it unless it is granted. It gives the id.
func (d *Drive) AddFile(parent, name string, content []byte) (string, error) {
	rev, err := d.blob(content)
	if err != nil {
		return "", err
	}
	return d.add(parent, name, mimeBlob, rev)
}

// AddFolder lets a person make a folder with the browser, as AddFile does.
func (d *Drive) AddFolder(parent, name string) (string, error) {
	return d.add(parent, name, mimeFolder, nil)
}

func (d *Drive) add(parent, name, mime string, rev *revision) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	up := d.item(parent)
	if up == nil || !up.isFolder() {
		return "", fmt.Errorf("%s: %w", parent, ErrNoFile)
	}
	now := d.ms()
	it := &item{
		ID: d.newID(), Name: name, Mime: mime, Parent: up.ID, Owner: firstOf(up.Owner, d.opt.User), Drive: up.Drive,
		Created: now, Modified: now,
	}
	d.addRevision(it, rev, false)
	d.created++
	d.link(it)
	d.touch(it, 1)
	return it.ID, nil
}

// Grant lets an OAuth client see a file, as when the person opens it with the
// app. "*" grants to all clients.
func (d *Drive) Grant(id, client string) error {
	return d.act(id, func(it *item) error {
		it.Granted = append(it.Granted[:len(it.Granted):len(it.Granted)], client)
		return nil
	})
}

// SetReadOnly makes a file or folder one that others own and share for reading.
func (d *Drive) SetReadOnly(id string, yes bool) error {
	return d.act(id, func(it *item) error {
		it.ReadOnly = yes
		return nil
	})
}

// SetField sets one field that Drive keeps as sent, such as description.
func (d *Drive) SetField(id, field string, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("%s: set %s: %w", id, field, err)
	}
	return d.act(id, func(it *item) error {
		e := &edit{extra: map[string]json.RawMessage{}}
		if err := e.set(field, raw); err != nil {
			return err
		}
		e.fill(it, d.ms())
		return nil
	})
}

// SetStorageLimit gives the account so many bytes from now on; 0 means
// unlimited, as in [Options].
func (d *Drive) SetStorageLimit(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opt.StorageLimit = bytes
}

// SetDailyUpload limits what an account may send a day from now on, as in
// [Options]; 0 ends a pause too.
func (d *Drive) SetDailyUpload(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opt.DailyUpload = bytes
}

// SetFolderLimits changes how many items a folder may hold and how many
// folders may be nested, as in [Options].
func (d *Drive) SetFolderLimits(children, depth int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opt.MaxChildren, d.opt.MaxDepth = children, depth
}
