package drivetest

import (
	"bufio"
	"encoding/json"
	"os"
)

// compact writes a fresh journal in place of the old one. On failure the old
// one stays in use.
func (d *Drive) compact() {
	old := d.log
	f, err := os.OpenFile(old.path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return
	}
	j := &journal{f: f, path: old.path, lock: old.lock}
	w := bufio.NewWriterSize(f, 1<<20)
	d.snapshot(func(kind byte, p []byte) {
		j.line(kind, p)
		j.buf.WriteTo(w) // a failure stays in w until Flush
	})
	if err = w.Flush(); err == nil {
		err = f.Sync() // the old journal is about to go
	}
	if err == nil {
		err = replaceFile(old, j)
	}
	if err != nil {
		f.Close()
		os.Remove(old.path + ".new")
		return
	}
	d.log = j
}

// snapshot gives every record of the present state.
func (d *Drive) snapshot(put func(kind byte, p []byte)) {
	enc := func(kind byte, v any) {
		p, err := json.Marshal(v)
		if err != nil {
			panic("drivetest: encode journal: " + err.Error())
		}
		put(kind, p)
	}
	for _, it := range d.items {
		enc(recItem, it)
	}
	for _, t := range d.gone {
		enc(recGone, t)
	}
	for _, s := range d.drives {
		enc(recShared, s)
	}
	for key, r := range d.roots {
		enc(recRoot, rootRecord{key, r.ID})
	}
	byRes := map[*reservation][]string{}
	for _, id := range d.oldest {
		if r := d.reserved[id]; r != nil {
			byRes[r] = append(byRes[r], id)
		}
	}
	for r, ids := range byRes {
		enc(recIDs, idsRecord{*r, ids})
	}
	for _, s := range d.sessions {
		put(recSession, s.saved)
	}
	d.auth.snapshot(enc)
}
