package restore

import "github.com/autocloudbackup/acb/manifest"

// SafeName shows what a name becomes at a target with some limits.
func SafeName(windows, text, ascii bool, name string) string {
	return limits{windows: windows, text: text, ascii: ascii}.safe(name)
}

// Claims shows the names that are given to names of one folder at a target
// where case or normal forms do not count.
func Claims(fold, norm bool, list ...string) []string {
	d := &dir{limits: limits{fold: fold, norm: norm}}
	r := &run{sum: &Summary{}}
	var as []string
	for _, name := range list {
		as = append(as, d.claim(r, "", name, false))
	}
	return as
}

// TempName is the name of a version until it is in place under a name.
func TempName(v manifest.Version, name string) string { return (&task{want: v, name: name}).temp() }
