package restore

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/autocloudbackup/acb/manifest"
)

// limits are what a target cannot hold.
type limits struct {
	windows bool // no control character, none of <>:"\\|?*, no dot or space at the end, no device
	text    bool // valid UTF-8 only
	ascii   bool // no letters but those of ASCII
	fold    bool // names that differ in case only are one
	norm    bool // likewise those that differ in Unicode's normal form only
	plain   bool // no modes but those that it gives all files
}

// systemLimits are the limits that can be told without writing anything.
var systemLimits = limits{
	windows: runtime.GOOS == "windows",
	text:    runtime.GOOS == "windows" || runtime.GOOS == "darwin",
	fold:    runtime.GOOS == "windows" || runtime.GOOS == "darwin",
	norm:    runtime.GOOS == "darwin",
}

// probe finds out the limits of a target by trying: a stick with FAT has those
// of Windows on every system. Its error is that nothing can be written.
func probe(root *os.Root) (limits, error) {
	l := systemLimits
	try := func(name string) error {
		root.Remove(name) // of a probe that was interrupted
		f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			err = errors.Join(f.Close(), root.Remove(name))
		}
		return err
	}
	plain, composed := tempPrefix+"probe", tempPrefix+"prob\u00e9"+quote
	for _, name := range []string{plain, composed} {
		root.Remove(name)
		f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil && name == plain {
			return l, err
		}
		if l.ascii = err != nil; !l.ascii {
			defer root.Remove(name)
			f.Close()
		}
	}
	l.plain = root.Chmod(plain, 0o640) != nil
	_, err := root.Lstat(strings.ToUpper(plain))
	l.fold = err == nil
	if !l.ascii {
		_, err = root.Lstat(norm.NFD.String(composed))
		l.norm = err == nil
	}
	l.windows = l.windows || try(tempPrefix+"a?b") != nil
	l.text = l.text || try(tempPrefix+"a\xffb") != nil
	return l, nil
}

// quote stands for a byte that a name cannot hold, with two hexadecimal digits
// behind it, as in names on Drive; plainQuote does where that cannot be held.
const (
	quote      = "\u201b"
	plainQuote = "%"
)

// safe returns a name that the target can hold: the same if it can. What
// leads elsewhere is safe nowhere.
func (l limits) safe(name string) string {
	var b strings.Builder
	mark := quote
	if l.ascii {
		mark = plainQuote
	}
	end := strings.TrimRight(name, ". ")
	for i := 0; i < len(name); {
		r, size := utf8.DecodeRuneInString(name[i:])
		bad := name[i] == '/' || name[i] == 0 || name == "." || name == ".." ||
			l.text && r == utf8.RuneError && size == 1 || l.ascii && r >= utf8.RuneSelf ||
			l.windows && (r < ' ' || strings.ContainsRune(`<>:"\|?*`, r) || i >= len(end) || i == 0 && isDevice(name))
		if bad {
			fmt.Fprintf(&b, "%s%02X", mark, name[i])
			size = 1
		} else {
			b.WriteString(name[i : i+size])
		}
		i += size
	}
	if name == "" {
		return quote + "00"
	}
	return b.String()
}

// isDevice reports whether Windows takes a name for a device.
// Source: learn.microsoft.com, "Naming Files, Paths, and Namespaces".
func isDevice(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	port, ok := strings.CutPrefix(stem, "COM")
	if !ok {
		port, ok = strings.CutPrefix(stem, "LPT")
	}
	return ok && (len(port) == 1 && port >= "0" && port <= "9" || port == "¹" || port == "²" || port == "³")
}

// key is equal for names that the target takes for one.
func (l limits) key(name string) string {
	if l.norm {
		name = norm.NFC.String(name)
	}
	if l.fold {
		name = strings.ToLower(strings.ToUpper(name))
	}
	return name
}

// contest prepares for a file and a folder of one name: an interrupted run, or
// one whose trashes were held back, left both until the older one goes. The
// younger one gets the name.
func (d *dir) contest(name string, toDir bool) {
	if d.taken == nil {
		d.taken = map[string]bool{}
	}
	if toDir {
		if d.owed == nil {
			d.owed = map[string]bool{}
		}
		d.owed[name] = true
		d.taken[d.limits.key(d.limits.safe(name))] = true
	}
}

// maxExt is the longest ending of a name that stays its ending, in bytes.
const maxExt = 32

// claim returns the name under which p is written in d: its own, or if the
// target cannot hold that, or has given it to another already, one like it.
func (d *dir) claim(r *run, p manifest.Path, name string, isDir bool) string {
	as := d.limits.safe(name)
	if isDir && d.owed[name] {
		delete(d.owed, name)
	} else if d.limits != (limits{}) || d.taken != nil {
		if d.taken == nil {
			d.taken = map[string]bool{}
		}
		stem, ext := as, ""
		if i := strings.LastIndexByte(as, '.'); i > 0 && len(as)-i <= maxExt {
			stem, ext = as[:i], as[i:]
		}
		if over := len(as) - maxName; over > 0 {
			stem = cut(stem, max(len(stem)-over-len("~999"), 1))
			as = stem + ext
		}
		for n := 2; d.taken[d.limits.key(as)]; n++ {
			as = fmt.Sprint(stem, "~", n, ext)
		}
		d.taken[d.limits.key(as)] = true
	}
	if as != name {
		r.renamed(p, as)
	}
	return as
}
