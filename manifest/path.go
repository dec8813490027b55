package manifest

import "strings"

// A Path names a file or folder below the host folder: slash-separated,
// without a leading slash, names byte for byte as on disk. /home/ana is
// "home/ana"; on Windows C:\Users\ana is "C/Users/ana" and \\srv\share\x is
// "UNC/srv/share/x". The empty Path is the host folder itself.
type Path string

// Join returns the path of name below p.
func (p Path) Join(name string) Path {
	if p == "" {
		return Path(name)
	}
	return p + "/" + Path(name)
}

// Split returns the path of the folder that holds p, and p's own name.
func (p Path) Split() (Path, string) {
	i := strings.LastIndexByte(string(p), '/')
	if i < 0 {
		return "", string(p)
	}
	return p[:i], string(p[i+1:])
}

// Names returns the names that lead from the host folder to p.
func (p Path) Names() []string {
	if p == "" {
		return nil
	}
	return strings.Split(string(p), "/")
}

// Within reports whether p is dir or lies below it.
func (p Path) Within(dir Path) bool {
	return dir == "" || p == dir || (len(p) > len(dir) && p[len(dir)] == '/' && p[:len(dir)] == dir)
}
