package scan

import "github.com/autocloudbackup/acb/manifest"

// What is known and neither compared nor absent is kept as it is: hidden by
// the rules (retired), left alone (pinned), or not seen (unknown).

// retireFile keeps a known file that the rules hide, on disk or not.
func (k *worker) retireFile(n *node, c *manifest.Cursor) error {
	switch {
	case c == nil:
		return nil
	case c.Flags.Has(manifest.Pinned):
		k.f.counts.Pinned++
		return nil
	}
	k.f.counts.Retired++
	if c.Flags.Has(manifest.Retired) || k.w.named {
		return nil
	}
	old, err := k.known(n, c)
	if err != nil {
		return err
	}
	now := &manifest.FileAt{In: old.In, Entry: old.Entry}
	now.Flags |= manifest.Retired
	k.f.files = append(k.f.files, fileSeen{FileDiff: manifest.FileDiff{Old: old, New: now}, top: n.top})
	return nil
}

// unknownFile keeps a known file that was not looked at.
func (k *worker) unknownFile(n *node, c *manifest.Cursor) error {
	if c == nil {
		return nil
	}
	k.f.unknown = append(k.f.unknown, n.old().Path.Join(string(c.Name)))
	if c.Flags.Has(manifest.Retired) {
		k.f.counts.Retired++
	} else {
		k.f.counts.Unknown++
	}
	return nil
}

// retireFolder keeps a known folder in n that the rules hide.
func (k *worker) retireFolder(n *node, row *manifest.Row) error {
	return k.retire(n.old(), row)
}

// retire keeps a known folder in a place. Only the folder is flagged: that
// covers what is below it.
func (k *worker) retire(in *manifest.Place, row *manifest.Row) error {
	files, _, err := k.countBelow(row)
	if err != nil {
		return err
	}
	if row.Flags&(manifest.Pinned|manifest.Prefix) != 0 {
		k.f.counts.Pinned += files
		return nil
	}
	k.f.counts.Retired += files
	if row.Flags.Has(manifest.Retired) || k.w.named {
		return nil
	}
	old := &manifest.FolderAt{In: in, Folder: row.Folder}
	now := &manifest.FolderAt{In: in, Folder: row.Folder}
	now.Flags |= manifest.Retired
	k.f.folders = append(k.f.folders, manifest.FolderDiff{Old: old, New: now})
	return nil
}

// unknownFolder keeps a known folder in n, with all below it, that was not
// looked at.
func (k *worker) unknownFolder(n *node, row *manifest.Row) error {
	return k.unknownBelow(n.top, n.old().Path.Join(row.Name), row)
}

func (k *worker) unknownBelow(t *top, p manifest.Path, row *manifest.Row) error {
	t.partly.Store(true)
	k.f.unknown = append(k.f.unknown, p)
	files, retired, err := k.countBelow(row)
	if err != nil {
		return err
	}
	k.f.counts.Retired += retired
	k.f.counts.Unknown += files - retired
	return nil
}

// absentFolder notes a known folder that is not in a complete listing of n.
func (k *worker) absentFolder(n *node, row *manifest.Row) error {
	switch n.judge([]byte(row.Name), true) {
	case excluded:
		return k.unknownFolder(n, row)
	case hidden:
		return k.retireFolder(n, row)
	}
	if row.Flags.Has(manifest.Retired) {
		return k.retireFolder(n, row)
	}
	if n.top.noAbsent {
		return k.unknownFolder(n, row)
	}
	k.f.gone = append(k.f.gone, gone{in: n.old(), row: row, top: n.top, rules: n.rules, rel: n.relPath()})
	return nil
}

// countBelow counts the known files in a folder and below it, and how many of
// them are retired. What is damaged cannot be counted and is not.
func (k *worker) countBelow(row *manifest.Row) (files, retired int64, err error) {
	err = k.below(row, row.Flags.Has(manifest.Retired), func(row *manifest.Row, hidden bool) {
		c, err := row.Files.Cursor()
		for err == nil && c.Next() {
			files++
			if hidden || c.Flags.Has(manifest.Retired) {
				retired++
			}
		}
	})
	return files, retired, err
}

// below calls f for a known folder and all below it, and says whether one
// above it is retired. Damaged rows are passed over.
func (k *worker) below(row *manifest.Row, hidden bool, f func(row *manifest.Row, hidden bool)) error {
	f(row, hidden)
	if row.Subfolders == 0 {
		return nil
	}
	subs, err := k.r.Children(row.ID)
	if err != nil {
		return onlyDamaged(err)
	}
	for i := range subs {
		if err := k.below(&subs[i], hidden || subs[i].Flags.Has(manifest.Retired), f); err != nil {
			return err
		}
	}
	return nil
}
