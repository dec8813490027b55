package ignore

import "strings"

// A cursor goes down the folders of a path, given in two pieces so that
// nothing has to be joined: each is slash-separated or empty.
type cursor struct {
	above, below string
}

// next takes the topmost folder off the path.
func (c *cursor) next() (folder string, ok bool) {
	rest := &c.above
	if *rest == "" {
		rest = &c.below
	}
	if *rest == "" {
		return "", false
	}
	folder, *rest, _ = strings.Cut(*rest, "/")
	return folder, true
}

// matchDirs reports whether the segments accept the folders, all of them. As
// in matchParts, only the last anyDirs ever has to take more.
func matchDirs(segs []segment, folders cursor) bool {
	i := 0
	retry := -1 // behind the last anyDirs
	var from cursor
	for {
		if i < len(segs) && segs[i].kind == anyDirs {
			i++
			if i == len(segs) {
				return true
			}
			retry, from = i, folders
			continue
		}
		here := folders
		folder, more := here.next()
		if i == len(segs) && !more {
			return true
		}
		if i < len(segs) && more && segs[i].match(folder) {
			i, folders = i+1, here
			continue
		}
		if retry < 0 {
			return false
		}
		if _, more = from.next(); !more {
			return false
		}
		i, folders = retry, from
	}
}
