package config

import (
	"slices"
	"strings"
	"time"
)

// A key is one setting of acb.toml.
type key struct {
	name string
	set  func(l *loader, v value)
}

// keys are all there are. A key comes with the feature that it steers.
var keys = []key{
	{"backup", func(l *loader, v value) { l.setSources(v) }},
	{"ignore", func(l *loader, v value) { l.setIgnore(v) }},
	{"state", func(l *loader, v value) { l.setPath(v, &l.config.State) }},

	{"drive.credentials", func(l *loader, v value) { l.setPath(v, &l.config.Drive.Credentials) }},
	{"drive.token", func(l *loader, v value) { l.setPath(v, &l.config.Drive.Token) }},
	{"drive.folder", func(l *loader, v value) { l.setName(v, &l.config.Drive.Folder) }},
	{"drive.host", func(l *loader, v value) { l.setName(v, &l.config.Drive.Host) }},
	{"drive.shared_drive", func(l *loader, v value) { l.setSharedDrive(v) }},
	{"drive.endpoint", func(l *loader, v value) { l.setEndpoint(v) }},
	{"drive.manifest_copy", func(l *loader, v value) { l.setSize(v, &l.config.Drive.ManifestCopy) }},

	{"schedule.cron", func(l *loader, v value) { l.setCron(v, &l.config.Schedule.Cron) }},
	{"schedule.verify", func(l *loader, v value) { l.setCron(v, &l.config.Schedule.Verify) }},
	{"schedule.catch_up", func(l *loader, v value) { l.setBool(v, &l.config.Schedule.CatchUp) }},
	{"schedule.jitter", func(l *loader, v value) { l.setDuration(v, 0, day, &l.config.Schedule.Jitter) }},

	{"limits.upload", func(l *loader, v value) { l.setUpload(v) }},
	{"limits.transfers", func(l *loader, v value) { l.setInt(v, 1, 100, &l.config.Limits.Transfers) }},
	{"limits.writes_per_second", func(l *loader, v value) { l.setRate(v, &l.config.Limits.WritesPerSecond) }},

	{"safety.max_delete", func(l *loader, v value) { l.setShare(v, &l.config.Safety.MaxDelete) }},
	{"safety.max_modify", func(l *loader, v value) { l.setShare(v, &l.config.Safety.MaxModify) }},
	{"safety.on_delete", func(l *loader, v value) { l.setOnDelete(v) }},
	{"safety.keep_revisions", func(l *loader, v value) { l.setKeepRevisions(v) }},
	{"safety.rehash", func(l *loader, v value) { l.setDuration(v, time.Hour, 3650*day, &l.config.Safety.Rehash) }},
	{"safety.check_drive", func(l *loader, v value) { l.setOffOrDuration(v, time.Hour, 3650*day, &l.config.Safety.CheckDrive) }},
	{"safety.cross_devices", func(l *loader, v value) { l.setBool(v, &l.config.Safety.CrossDevices) }},

	{"log.dir", func(l *loader, v value) { l.setPath(v, &l.config.Log.Dir) }},
	{"log.keep_days", func(l *loader, v value) { l.setInt(v, 1, 36500, &l.config.Log.KeepDays) }},
	{"log.keep_runs", func(l *loader, v value) { l.setInt(v, 1, 1000000, &l.config.Log.KeepRuns) }},
	{"log.level", func(l *loader, v value) { l.setLevel(v) }},
}

// tables returns the names of the tables in keys.
func tables() []string {
	var names []string
	for _, k := range keys {
		if table, _, ok := strings.Cut(k.name, "."); ok && !slices.Contains(names, table) {
			names = append(names, table)
		}
	}
	return names
}

// unknown reports a key or table that there is not, and the one that was
// probably meant.
func (l *loader) unknown(v value, isTable bool) {
	near, known := nearest(v.key, isTable)
	switch {
	case near == "" && isTable:
		l.fail(v, "unknown table: take it out; there are %s", strings.Join(known, ", "))
	case near == "":
		l.fail(v, "unknown key: take it out; here there are %s", strings.Join(known, ", "))
	case isTable:
		l.fail(v, "unknown table: did you mean [%s]?", near)
	default:
		table, name, inTable := strings.Cut(near, ".")
		within, _, wasInTable := strings.Cut(v.key, ".")
		switch {
		case inTable && (!wasInTable || table != within):
			l.fail(v, "unknown key: did you mean %s? Write %s below [%s]", near, name, table)
		case !inTable && wasInTable:
			l.fail(v, "unknown key: did you mean %s? Write it above the first [table]", near)
		default:
			l.fail(v, "unknown key: did you mean %s?", near)
		}
	}
}

// nearest returns the known key, or table, that the name was probably meant to
// be, or "", and those that could stand in the same place. A table is one of
// the top level.
func nearest(name string, isTable bool) (near string, known []string) {
	within, last := "", name
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		within, last = name[:i+1], name[i+1:]
	}
	if isTable {
		known = tables()
		return closest(last, known, func(k string) (string, int) { return k, 0 }), known
	}
	var all []string
	for _, k := range keys {
		all = append(all, k.name)
		if rest, ok := strings.CutPrefix(k.name, within); ok && !strings.Contains(rest, ".") {
			known = append(known, rest)
		}
	}
	return closest(last, all, func(k string) (string, int) {
		own := k[strings.LastIndexByte(k, '.')+1:]
		if k == within+own {
			return own, 0
		}
		return own, 1 // the right name in the wrong place is a near miss, too
	}), known
}

// closest returns the candidate whose text is nearest to name, with what it
// costs to get to the text, if that is near enough: a third of the name, and
// two at least.
func closest(name string, candidates []string, text func(string) (string, int)) string {
	best, found := max(2, len(name)/3)+1, ""
	for _, c := range candidates {
		t, cost := text(c)
		if d := distance(strings.ToLower(name), t) + cost; d < best {
			best, found = d, c
		}
	}
	return found
}

// distance is how many letters have to be put in, taken out, replaced or
// swapped with their neighbour to turn a into b.
func distance(a, b string) int {
	before, row := []int(nil), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			change := row[j]
			if a[i] != b[j] {
				change++
			}
			next[j+1] = min(change, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
