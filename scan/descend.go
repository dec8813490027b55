package scan

import "strings"

// descend opens a folder below d by hand, name by name, with no link on the way.
func descend(d dir, rel string) (dir, error) {
	at := d
	for name := range strings.SplitSeq(rel, "/") {
		below, err := at.open(name)
		if at != d {
			at.close()
		}
		if err != nil {
			return nil, err
		}
		at = below
	}
	return at, nil
}
